"""What both Python sides of a benchmark share: arguments, data, clock, and the line they print.

The same data in the same order as common.c, and the same line of JSON. Knows no library; run.py compares what each
side left behind. A side whose library is missing ends with the exit status MISSING.
"""

import argparse
import contextlib
import json
import sys
import time

MISSING = 77
ACCOUNTS = 1000

PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "page_size", "cache_size", "locking_mode",
           "wal_autocheckpoint", "temp_store", "mmap_size")
SQLITE = "SELECT sqlite_version() || ' ' || sqlite_source_id()"
ITEMS = "SELECT id, name, amount FROM item ORDER BY id"


def arguments(modes):
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=modes, required=True)
    parser.add_argument("--database", required=True, help="a file that run.py has made, or :memory:")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--schema", help="run first: a database in memory starts empty")
    parser.add_argument("--dump", help="the rows of item are written to this file at the end")
    parser.add_argument("--cache-kib", type=int, default=2000)
    return parser.parse_args()


def missing(package):
    print(json.dumps({"missing": package}))
    sys.exit(MISSING)


def items(count):
    return [("item-%07d" % i, i * 7919 % 100003) for i in range(count)]


def transfers(count):
    result = []
    for i in range(count):
        source, target = i * 17 % ACCOUNTS, (i * 31 + 7) % ACCOUNTS
        if target == source:
            target = (target + 1) % ACCOUNTS
        result.append((source + 1, target + 1, i % 9 + 1))
    return result


def set_pragmas(connection, cache_kib):
    """On a connection of Python's sqlite3, what Belay sets by default, and the cache size."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = %d" % -cache_kib)
    cursor.close()


class Work:
    """Seconds around the work, and around nothing else."""

    wall = cpu = 0.0

    @contextlib.contextmanager
    def measured(self):
        cpu, wall = time.process_time(), time.monotonic()
        yield
        self.wall, self.cpu = time.monotonic() - wall, time.process_time() - cpu


def first(fetch, sql):
    row = fetch(sql)
    return None if row is None else str(row[0])


def report(options, side, work, fetch):
    """Prints the line; fetch(sql) gives the first row, or None."""
    settings = {name: first(fetch, "PRAGMA " + name) for name in PRAGMAS}
    settings["sqlite"] = first(fetch, SQLITE)
    print(json.dumps({"side": side, "mode": options.mode, "count": options.count,
                      "seconds_per_op": work.wall / options.count, "cpu_seconds_per_op": work.cpu / options.count,
                      "settings": settings}))


def dump(options, rows):
    if options.dump:
        with open(options.dump, "w", encoding="utf-8") as file:
            for row in rows(ITEMS):
                file.write("%d|%s|%d\n" % tuple(row))
