#!/usr/bin/env python3
"""Kills imports with SIGKILL, again and again, and looks whether a record was lost, or stored or rejected twice.

    crash_import.py --belay build/cli/belay --url URL [--kills 100] [--seed N]

A file with good records, and bad ones of every kind, is imported once without disturbance. Then again into an empty
table, with --commit every:N --resume, and killed at a random moment; and so on until it has come to its end; and all of
that until there were that many kills. Each time the table, the rejects and the errors are what they were, and the
counts that the last one prints are those of the whole file.

The last line is "imports: ...", and the exit status 0; 1 when a promise is broken; 2 when the test could not run. It
signals no process but those that it started.
"""

import argparse
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse
from pathlib import Path

TABLE = "crash_import"
CREATE = (f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY, day DATE NOT NULL, payee VARCHAR(20) NOT NULL UNIQUE, "
          "amount NUMERIC(12,2) NOT NULL CHECK (amount > 0))")


class CannotRun(Exception):
    """The test could not be done; that says nothing about what is tested."""


class Broken(Exception):
    """A promise is broken."""


# ---- The database, by its own client ----------------------------------------------------------------------------------


def sqlite_run(url, sql):
    connection = sqlite3.connect(url.removeprefix("sqlite:"), timeout=30)
    try:
        rows = connection.execute(sql).fetchall()
        connection.commit()
    finally:
        connection.close()
    return "\n".join("|".join(map(str, row)) for row in rows)


def client_of(url):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme.startswith("postgres"):
        return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c"]
    socket = urllib.parse.parse_qs(parts.query).get("socket", [None])[0]
    where = ["--socket", socket] if socket else ["--protocol=tcp", "-h", parts.hostname, "-P", str(parts.port or 3306)]
    return ["mariadb", "--no-defaults", "-N", "-B", *where, "-u", parts.username, parts.path.lstrip("/"), "-e"]


def run_sql(url, sql):
    if url.startswith("sqlite:"):
        return sqlite_run(url, sql)
    done = subprocess.run([*client_of(url), sql], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise CannotRun(f"{sql}: {done.stderr}")
    return done.stdout.strip()


def dump(url):
    return run_sql(url, f"SELECT id, day, payee, amount FROM {TABLE} ORDER BY id")


# ---- The file ------------------------------------------------------------------------------------------------------------


def make_record(number, dice):
    what = dice.random()
    row = [str(number), f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}", f'"payee, {number}"', f"{number}.25"]
    if what < 0.01:
        row[3] = "much"
    elif what < 0.02:
        row[0] = str(max(1, number - dice.randrange(1, 400)))
    elif what < 0.03:
        row[3] = "-1.00"
    elif what < 0.035:
        row[2] = ""
    elif what < 0.04:
        row[2] = f'"two\nlines {number}"'
    elif what < 0.045:
        row.pop()
    elif what < 0.05:
        row[2] = f'"never closed {number}'
    return ",".join(row) + ("\r\n" if what > 0.9 else "\n")


def make_file(path, count, dice):
    with open(path, "w", newline="", encoding="utf-8") as file:
        file.write("id,day,payee,amount\n")
        for number in range(1, count + 1):
            file.write(make_record(number, dice))


# ---- Imports ---------------------------------------------------------------------------------------------------------------


def read_report(process, out, err):
    if process.returncode != 1:  # some were rejected
        raise Broken(f"the import ended with {process.returncode}: {err}{out}")
    return json.loads(out)


class Importer:
    def __init__(self, belay, url, folder):
        self.belay, self.url, self.folder = belay, url, folder
        self.input, self.rejects, self.errors = (folder / name for name in ("in.csv", "rejects.csv", "errors.jsonl"))

    def empty(self):
        run_sql(self.url, f"DELETE FROM {TABLE}")
        self.rejects.unlink(missing_ok=True)
        self.errors.unlink(missing_ok=True)

    def command(self, every):
        commit = ["--commit", f"every:{every}", "--resume"] if every else ["--restart"]
        return [self.belay, "import", str(self.input), "--into", self.url, "--table", TABLE, "--rejects",
                str(self.rejects), "--errors", str(self.errors), "--json", *commit]

    def start(self, every):
        return subprocess.Popen(self.command(every), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self):
        process = self.start(0)
        return read_report(process, *process.communicate(timeout=120))

    def result(self, report):
        counts = {name: report[name] for name in ("read", "inserted", "updated", "skipped", "rejected")}
        if counts["read"] != sum(counts.values()) - counts["read"]:
            raise Broken(f"the counts do not add up: {counts}")
        return counts, dump(self.url), self.rejects.read_bytes(), self.errors.read_bytes()


def compare(wanted, found, what):
    for name, one, other in zip(("counts", "rows", "rejects", "errors"), wanted, found):
        if one != other:
            raise Broken(f"{what}: the {name} differ: {str(one)[-300:]!r} and {str(other)[-300:]!r}")


def run_killed(importer, every, longest, dice):
    """One import, killed until it comes to its end, at the latest the time after the fortieth. How often, and what it
    told in the end."""
    kills = 0
    while True:
        process = importer.start(every)
        if kills < 40:
            time.sleep(dice.uniform(0, longest))
            process.kill()
        out, err = process.communicate(timeout=120)
        if process.returncode != -signal.SIGKILL:
            return kills, read_report(process, out, err)
        kills += 1


def test(arguments, folder):
    dice = random.Random(arguments.seed)
    importer = Importer(arguments.belay, arguments.url, folder)
    make_file(importer.input, arguments.records, dice)
    run_sql(arguments.url, f"DROP TABLE IF EXISTS {TABLE}")
    run_sql(arguments.url, CREATE)
    began = time.monotonic()
    wanted = importer.result(importer.run())
    took = time.monotonic() - began
    kills = rounds = 0
    while kills < arguments.kills:
        importer.empty()
        if rounds:
            run_sql(arguments.url, "DELETE FROM belay_imports")
        every = dice.choice([50, 500, 1700])
        more, report = run_killed(importer, every, took * dice.choice([0.3, 1.0, 2.0]), dice)
        compare(wanted, importer.result(report), f"seed {arguments.seed}, round {rounds}, after {more} kills")
        kills += more
        rounds += 1
        if rounds > 40 * arguments.kills:
            raise CannotRun("the imports end before they can be killed")
    print(f"imports: {rounds} of {arguments.records} records each, killed {kills} times; "
          f"{wanted[0]['rejected']} rejected each time")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--belay", required=True)
    parser.add_argument("--url", help="without it: an SQLite file of its own")
    parser.add_argument("--records", type=int, default=12000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="belay-crash-import-"))
    arguments.url = arguments.url or f"sqlite:{folder}/crash.db"
    try:
        test(arguments, folder)
    except Broken as broken:
        print(f"BROKEN (seed {arguments.seed}): {broken}", file=sys.stderr)
        return 1
    except CannotRun as why:
        print(f"could not run: {why}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
