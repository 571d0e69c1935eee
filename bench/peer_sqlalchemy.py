#!/usr/bin/python3
"""SQLAlchemy 1.4 as its documentation recommends, in the 2.0 style.

On SQLite the two event hooks are those of the manual's page on it ("Serializable isolation / Savepoints /
Transactional DDL"): without them Python's driver breaks savepoints. A file gets a QueuePool, which keeps the connection
open between transactions; 1.4's own default would open the file anew each time. The servers need none of that; their
drivers, psycopg2 and MySQLdb, send texts and prepare nothing.

Modes: core              begin_nested() and insert() a row, all in one transaction
       session           Session.begin_nested() and add() a row, all in one transaction; its end flushes
       import            csv.reader, Session.begin_nested() and add() a record of the file, all in one transaction
       transfer-core     begin(), two update(), commit: each durable
       transfer-session  two get(), two attributes changed, commit: each durable
"""

import datetime
import decimal
import warnings

import common

sa = common.need("sqlalchemy")

from sqlalchemy import orm, pool  # noqa: E402 - sqlalchemy is there

Base = orm.declarative_base()


class Item(Base):
    __tablename__ = "item"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.Text, nullable=False)
    amount = sa.Column(sa.Integer, nullable=False)


class Tx(Base):
    __tablename__ = "tx"
    id = sa.Column(sa.Integer, primary_key=True)
    day = sa.Column(sa.Date, nullable=False)
    payee = sa.Column(sa.String(20), nullable=False)
    amount = sa.Column(sa.Numeric(12, 2), nullable=False)


class Account(Base):
    __tablename__ = "account"
    id = sa.Column(sa.Integer, primary_key=True)
    balance = sa.Column(sa.Integer, nullable=False)


def make_sqlite_engine(options):
    if options.database == ":memory:":
        engine = sa.create_engine("sqlite://", future=True)
    else:
        engine = sa.create_engine("sqlite:///" + options.database, future=True, poolclass=pool.QueuePool)

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection, _record):
        connection.isolation_level = None
        common.set_pragmas(connection, options.cache_kib)

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def make_engine(options):
    engine = common.engine_of(options.database)
    if engine == "sqlite":
        return make_sqlite_engine(options)
    if engine == "postgresql":
        return sa.create_engine(options.database, future=True)
    server = common.server_of(options.database)
    query = {"charset": "utf8mb4"}
    if server["socket"]:
        query["unix_socket"] = server["socket"]
    return sa.create_engine(future=True, url=sa.engine.URL.create(
        "mariadb+mysqldb", username=server["user"], host=server["host"], port=int(server["port"] or 0) or None,
        database=server["name"], query=query))


# ---- Core ----------------------------------------------------------------------------------------

def insert_core(connection, item, client, data):
    for name, amount in data:
        try:
            with connection.begin_nested():
                connection.execute(item.insert(), {"name": name, "amount": amount})
        except sa.exc.IntegrityError:
            client.rejected += 1


def run_core(engine, client):
    item = Item.__table__
    with engine.connect() as connection:
        with connection.begin() as warming:
            insert_core(connection, item, client, client.data[:1])
            warming.rollback()
        with client.measured():
            with connection.begin():
                insert_core(connection, item, client, client.data)


def run_transfer_core(engine, client):
    account = Account.__table__
    take = account.update().where(account.c.id == sa.bindparam("key")).values(
        balance=account.c.balance - sa.bindparam("sum"))
    give = account.update().where(account.c.id == sa.bindparam("key")).values(
        balance=account.c.balance + sa.bindparam("sum"))

    def send(connection, source, target, amount):
        connection.execute(take, {"key": source, "sum": amount})
        connection.execute(give, {"key": target, "sum": amount})

    with engine.connect() as connection:
        with connection.begin() as warming:
            send(connection, *client.data[0])
            warming.rollback()
        with client.measured():
            for transfer in client.data:
                with connection.begin():
                    send(connection, *transfer)


# ---- Session -------------------------------------------------------------------------------------

def insert_session(session, client, data):
    for name, amount in data:
        try:
            with session.begin_nested():
                session.add(Item(name=name, amount=amount))
        except sa.exc.IntegrityError:
            client.rejected += 1


def run_session(engine, client):
    with orm.Session(engine, future=True) as session:
        insert_session(session, client, client.data[:1])
        session.rollback()
        with client.measured():
            insert_session(session, client, client.data)
            session.commit()


def is_violation(error):
    """MySQLdb takes a NULL (1048) and a failed CHECK (4025) for operational errors."""
    return isinstance(error, sa.exc.IntegrityError) or error.orig.args[0] in (1048, 4025)


def run_import(engine, client):
    warnings.simplefilter("ignore", sa.exc.SAWarning)  # of SQLite's: that its decimals are doubles
    with orm.Session(engine, future=True) as session:
        session.connection()
        with client.measured():
            for key, day, payee, amount in common.records(OPTIONS.file):
                try:
                    with session.begin_nested():
                        session.add(Tx(id=int(key), day=datetime.date.fromisoformat(day), payee=payee,
                                       amount=decimal.Decimal(amount)))
                except sa.exc.DBAPIError as error:
                    if not is_violation(error):
                        raise
                    client.rejected += 1
            session.commit()


def run_transfer_session(engine, client):
    def send(session, source, target, amount):
        session.get(Account, source).balance -= amount
        session.get(Account, target).balance += amount

    with orm.Session(engine, future=True) as session:
        send(session, *client.data[0])
        session.flush()
        session.rollback()
        with client.measured():
            for transfer in client.data:
                with session.begin():
                    send(session, *transfer)


RUNS = {"core": run_core, "session": run_session, "import": run_import, "transfer-core": run_transfer_core,
        "transfer-session": run_transfer_session}
OPTIONS = common.arguments(tuple(RUNS))


def work(client):
    engine = make_engine(OPTIONS)
    if OPTIONS.schema:
        with engine.begin() as connection:
            connection.exec_driver_sql(OPTIONS.schema)
    RUNS[OPTIONS.mode](engine, client)
    with engine.connect() as connection:
        client.ask(lambda sql: connection.exec_driver_sql(sql).first())
        common.dump(OPTIONS, connection.exec_driver_sql)


if __name__ == "__main__":
    common.run(OPTIONS, "sqlalchemy " + sa.__version__, work)
