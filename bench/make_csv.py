"""Makes the files that the imports are measured with: the same for the same arguments.

A file of N records with so many percent bad, and one of the good records of it only, which is for the loaders that keep
nothing when a record is bad. Bad records are where chance puts them, but the first is good, and each breaks one
constraint: those that the table has take turns. Every value is written as its type has it, and nothing is quoted; so
what is bad is for the engine to refuse.
"""

import datetime
import pathlib
import random

PARENTS = 300
DAY = datetime.date(2020, 1, 1)
COLUMNS = {
    "tx": ("id", "day", "payee", "amount"),
    "wide": ("id", "branch", "account", "owner", "opened", "low", "high", "note"),
}


def day(i):
    return (DAY + datetime.timedelta(days=i % 2000)).isoformat()


def tx(i):
    return [i, day(i), "payee-%07d" % (i * 7919 % 100003), "%d.%02d" % (i * 31 % 5000 + 1, i % 100)]


def wide(i):
    low = i * 37 % 9000
    return [i, i % 50, "A%08d" % (i * 3), i * 17 % PARENTS + 1, day(i), "%d.50" % low, "%d.75" % (low + i % 10),
            "note of record %d" % i]


# What is wrong with a record: each takes the record and an earlier good one, and breaks one constraint.

def duplicate_key(record, earlier):
    record[0] = earlier[0]


def duplicate_account(record, earlier):
    record[1:3] = earlier[1:3]


def negative_amount(record, _earlier):
    record[3] = "-" + record[3]


def no_payee(record, _earlier):
    record[2] = ""


def no_day(record, _earlier):
    record[4] = ""


def no_parent(record, _earlier):
    record[3] = PARENTS + 1 + record[0] % 1000


def low_over_high(record, _earlier):
    record[5] = "10000.00"


KINDS = {"tx": (tx, (duplicate_key, negative_amount, no_payee)),
         "wide": (wide, (duplicate_key, duplicate_account, no_parent, low_over_high, no_day))}


def records(table, count, bad):
    """Each record and whether it is good; `bad` of them are not."""
    make, kinds = KINDS[table]
    dice = random.Random(1)
    places = set(dice.sample(range(1, count), bad))
    good, spoilt = [], 0
    for i in range(count):
        record = make(i + 1)
        if i in places:
            kinds[spoilt % len(kinds)](record, dice.choice(good))
            spoilt += 1
        else:
            good.append(record)
        yield record, i not in places


def paths(folder, table, count, bad):
    """Where the two files are: all records, the good ones."""
    return [str(pathlib.Path(folder) / ("%s-%d-%d%s.csv" % (table, count, bad, what))) for what in ("", "-good")]


def write(folder, table, count, bad):
    """Makes the two files, unless they are there."""
    every_path, good_path = paths(folder, table, count, bad)
    if pathlib.Path(every_path).exists():
        return
    with open(every_path, "w", encoding="utf-8") as every, open(good_path, "w", encoding="utf-8") as good:
        for file in (every, good):
            file.write(",".join(COLUMNS[table]) + "\n")
        for record, is_good in records(table, count, bad):
            line = ",".join(map(str, record)) + "\n"
            every.write(line)
            if is_good:
                good.write(line)
