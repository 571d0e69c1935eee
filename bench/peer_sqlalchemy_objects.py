#!/usr/bin/python3
"""SQLAlchemy's ORM for the work of objects, set up as in peer_sqlalchemy.py. Modes: objects and gets, of objects.h."""

import common

sa = common.need("sqlalchemy")

from sqlalchemy import orm, pool  # noqa: E402 - sqlalchemy is there

TENTH, GETS = 10, 10
Base = orm.declarative_base()


class Account(Base):
    __tablename__ = "account"
    id = sa.Column(sa.Integer, primary_key=True)
    owner = sa.Column(sa.Text, nullable=False)
    balance = sa.Column(sa.Integer, nullable=False)
    version = sa.Column(sa.Integer, nullable=False)
    __mapper_args__ = {"version_id_col": version}


class Purchase(Base):
    __tablename__ = "purchase"
    id = sa.Column(sa.Integer, primary_key=True)
    customer = sa.Column(sa.Text, nullable=False)


class Line(Base):
    __tablename__ = "line"
    id = sa.Column(sa.Integer, primary_key=True)
    order_id = sa.Column(sa.Integer, sa.ForeignKey("purchase.id"), nullable=False)
    item = sa.Column(sa.Text, nullable=False)
    amount = sa.Column(sa.Integer, nullable=False)
    of = orm.relationship(Purchase)


def make_engine(options):
    engine = sa.create_engine("sqlite:///" + options.database, future=True, poolclass=pool.QueuePool)

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection, _record):
        connection.isolation_level = None
        common.set_pragmas(connection, options.cache_kib)

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection):
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def run_objects(engine, client):
    with orm.Session(engine, future=True) as session:
        with client.measured():
            accounts = session.execute(sa.select(Account)).scalars().all()
            for account in accounts[::TENTH]:
                account.balance += 1
            for name, amount in client.data:
                order = Purchase(customer=name)
                session.add(order)
                session.add(Line(of=order, item="an item", amount=amount))
            session.commit()


def run_gets(engine, client):
    with orm.Session(engine, future=True) as session:
        accounts = session.execute(sa.select(Account)).scalars().all()
        total = 0
        with client.measured():
            for _ in range(GETS):
                for key in range(1, len(accounts) + 1):
                    total += session.get(Account, key).balance
        session.rollback()


RUNS = {"objects": run_objects, "gets": run_gets}
OPTIONS = common.arguments(tuple(RUNS))


def work(client):
    engine = make_engine(OPTIONS)
    RUNS[OPTIONS.mode](engine, client)
    with engine.connect() as connection:
        client.ask(lambda sql: connection.exec_driver_sql(sql).first())


if __name__ == "__main__":
    common.run(OPTIONS, "sqlalchemy " + sa.__version__, work)
