#!/usr/bin/python3
"""SQLAlchemy 1.4 as its documentation recommends, in the 2.0 style.

The two event hooks are those of the manual's page on SQLite ("Serializable isolation / Savepoints / Transactional
DDL"): without them Python's driver breaks savepoints. A file gets a QueuePool, which keeps the connection open between
transactions; 1.4's own default would open the file anew each time.

Modes: core              begin_nested() and insert() a row, all in one transaction
       session           Session.begin_nested() and add() a row, all in one transaction; its end flushes
       transfer-core     begin(), two update(), commit: each durable
       transfer-session  two get(), two attributes changed, commit: each durable
"""

import common

try:
    import sqlalchemy as sa
    from sqlalchemy import orm, pool
except ImportError:
    common.missing("sqlalchemy")

Base = orm.declarative_base()


class Item(Base):
    __tablename__ = "item"
    id = sa.Column(sa.Integer, primary_key=True)
    name = sa.Column(sa.Text, nullable=False)
    amount = sa.Column(sa.Integer, nullable=False)


class Account(Base):
    __tablename__ = "account"
    id = sa.Column(sa.Integer, primary_key=True)
    balance = sa.Column(sa.Integer, nullable=False)


def make_engine(options):
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


def run_core(engine, data, work):
    item = Item.__table__
    with engine.connect() as connection:
        with work.measured():
            with connection.begin():
                for name, amount in data:
                    with connection.begin_nested():
                        connection.execute(item.insert(), {"name": name, "amount": amount})


def run_session(engine, data, work):
    with orm.Session(engine, future=True) as session:
        session.connection()  # connects now, outside the measured time
        with work.measured():
            for name, amount in data:
                with session.begin_nested():
                    session.add(Item(name=name, amount=amount))
            session.commit()


def run_transfer_core(engine, data, work):
    account = Account.__table__
    take = account.update().where(account.c.id == sa.bindparam("key")).values(
        balance=account.c.balance - sa.bindparam("sum"))
    give = account.update().where(account.c.id == sa.bindparam("key")).values(
        balance=account.c.balance + sa.bindparam("sum"))
    with engine.connect() as connection:
        with work.measured():
            for source, target, amount in data:
                with connection.begin():
                    connection.execute(take, {"key": source, "sum": amount})
                    connection.execute(give, {"key": target, "sum": amount})


def run_transfer_session(engine, data, work):
    with orm.Session(engine, future=True) as session:
        session.connection()
        session.rollback()
        with work.measured():
            for source, target, amount in data:
                with session.begin():
                    session.get(Account, source).balance -= amount
                    session.get(Account, target).balance += amount


RUNS = {"core": run_core, "session": run_session, "transfer-core": run_transfer_core,
        "transfer-session": run_transfer_session}


def main():
    options = common.arguments(tuple(RUNS))
    engine = make_engine(options)
    if options.schema:
        with engine.begin() as connection:
            connection.exec_driver_sql(options.schema)
    make_data = common.transfers if options.mode.startswith("transfer") else common.items
    work = common.Work()
    RUNS[options.mode](engine, make_data(options.count), work)
    with engine.connect() as connection:
        common.report(options, "sqlalchemy " + sa.__version__, work,
                      lambda sql: connection.exec_driver_sql(sql).first())
        common.dump(options, connection.exec_driver_sql)


if __name__ == "__main__":
    main()
