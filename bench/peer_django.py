#!/usr/bin/python3
"""Django 3.2's ORM as its documentation recommends: atomic() blocks around Model.objects.

The pragmas are set in the connection_created signal. DEBUG is off, so that Django keeps no log of its queries.

Modes: create    atomic() and objects.create() a row, all in one atomic()
       transfer  atomic() around two filter().update() with F(): each durable
"""

import common

try:
    import django
    from django.conf import settings
except ImportError:
    common.missing("django")

OPTIONS = common.arguments(("create", "transfer"))

settings.configure(
    DEBUG=False, INSTALLED_APPS=[], USE_TZ=True,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": OPTIONS.database}})
django.setup()

from django.db import connection, models, transaction  # noqa: E402 - needs the settings
from django.db.backends.signals import connection_created  # noqa: E402


class Item(models.Model):
    id = models.BigAutoField(primary_key=True)
    name = models.TextField(unique=True)
    amount = models.BigIntegerField()

    class Meta:
        app_label = "bench"
        db_table = "item"
        managed = False


class Account(models.Model):
    id = models.BigAutoField(primary_key=True)
    balance = models.BigIntegerField()

    class Meta:
        app_label = "bench"
        db_table = "account"
        managed = False


def on_connection(sender, connection, **_rest):
    common.set_pragmas(connection.connection, OPTIONS.cache_kib)


def run_create(data, work):
    with work.measured():
        with transaction.atomic():
            for name, amount in data:
                with transaction.atomic():
                    Item.objects.create(name=name, amount=amount)


def run_transfer(data, work):
    with work.measured():
        for source, target, amount in data:
            with transaction.atomic():
                Account.objects.filter(id=source).update(balance=models.F("balance") - amount)
                Account.objects.filter(id=target).update(balance=models.F("balance") + amount)


def fetch(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


def fetch_all(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()


def main():
    connection_created.connect(on_connection)
    connection.ensure_connection()
    if OPTIONS.schema:
        fetch(OPTIONS.schema)
    work = common.Work()
    if OPTIONS.mode == "transfer":
        run_transfer(common.transfers(OPTIONS.count), work)
    else:
        run_create(common.items(OPTIONS.count), work)
    common.report(OPTIONS, "django " + django.get_version(), work, fetch)
    common.dump(OPTIONS, fetch_all)


if __name__ == "__main__":
    main()
