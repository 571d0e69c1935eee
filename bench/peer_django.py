#!/usr/bin/python3
"""Django 3.2's ORM as its documentation recommends: atomic() blocks around Model.objects.

On SQLite the pragmas are set in the connection_created signal. On MariaDB the isolation level is the server's own, as
on every other side; Django's default would be a weaker one. The servers' drivers, psycopg2 and MySQLdb, send texts and
prepare nothing. DEBUG is off, so that Django keeps no log of its queries.

Modes: create    atomic() and objects.create() a row, all in one atomic()
       import    csv.reader, atomic() and objects.create() a record of the file, all in one atomic()
       transfer  atomic() around two filter().update() with F(): each durable
"""

import datetime
import decimal

import common

django = common.need("django")

from django.conf import settings  # noqa: E402 - django is there

OPTIONS = common.arguments(("create", "import", "transfer"))


def database():
    engine = common.engine_of(OPTIONS.database)
    if engine == "sqlite":
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": OPTIONS.database}
    server = common.server_of(OPTIONS.database)
    name, more = {"postgresql": ("postgresql", {}),
                  "mariadb": ("mysql", {"isolation_level": None, "charset": "utf8mb4"})}[engine]
    return {"ENGINE": "django.db.backends." + name, "NAME": server["name"], "USER": server["user"],
            "HOST": server["socket"] or server["host"], "PORT": server["port"], "OPTIONS": more}


settings.configure(DEBUG=False, INSTALLED_APPS=[], USE_TZ=True, DATABASES={"default": database()})
django.setup()

from django.db import IntegrityError, connection, models, transaction  # noqa: E402 - needs the settings
from django.db.backends.signals import connection_created  # noqa: E402


class Item(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.TextField(unique=True)
    amount = models.BigIntegerField()

    class Meta:
        app_label = "bench"
        db_table = "item"
        managed = False


class Tx(models.Model):
    id = models.IntegerField(primary_key=True)
    day = models.DateField()
    payee = models.CharField(max_length=20)
    amount = models.DecimalField(max_digits=12, decimal_places=2)

    class Meta:
        app_label = "bench"
        db_table = "tx"
        managed = False


class Account(models.Model):
    id = models.BigAutoField(primary_key=True)
    balance = models.BigIntegerField()

    class Meta:
        app_label = "bench"
        db_table = "account"
        managed = False


def on_connection(sender, connection, **_rest):
    if connection.vendor == "sqlite":
        common.set_pragmas(connection.connection, OPTIONS.cache_kib)


def create(client, data):
    for name, amount in data:
        try:
            with transaction.atomic():
                Item.objects.create(name=name, amount=amount)
        except IntegrityError:
            client.rejected += 1


def run_create(client):
    with transaction.atomic():
        create(client, client.data[:1])
        transaction.set_rollback(True)
    with client.measured():
        with transaction.atomic():
            create(client, client.data)


def run_import(client):
    with client.measured():
        with transaction.atomic():
            for key, day, payee, amount in common.records(OPTIONS.file):
                try:
                    with transaction.atomic():
                        Tx.objects.create(id=int(key), day=datetime.date.fromisoformat(day), payee=payee,
                                          amount=decimal.Decimal(amount))
                except IntegrityError:
                    client.rejected += 1


def move(source, target, amount):
    Account.objects.filter(id=source).update(balance=models.F("balance") - amount)
    Account.objects.filter(id=target).update(balance=models.F("balance") + amount)


def run_transfer(client):
    with transaction.atomic():
        move(*client.data[0])
        transaction.set_rollback(True)
    with client.measured():
        for transfer in client.data:
            with transaction.atomic():
                move(*transfer)


def fetch(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def fetch_all(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def work(client):
    connection_created.connect(on_connection)
    connection.ensure_connection()
    if OPTIONS.schema:
        with connection.cursor() as cursor:
            cursor.execute(OPTIONS.schema)
    if OPTIONS.mode == "transfer":
        run_transfer(client)
    elif OPTIONS.mode == "import":
        run_import(client)
    else:
        run_create(client)
    client.ask(fetch)
    common.dump(OPTIONS, fetch_all)


if __name__ == "__main__":
    common.run(OPTIONS, "django " + django.get_version(), work)
