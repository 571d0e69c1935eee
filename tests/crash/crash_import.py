#!/usr/bin/env python3
"""Kills imports with SIGKILL, again and again, and looks whether a record was lost, or stored or rejected twice.

    crash_import.py --belay build/cli/belay [--only postgresql|mariadb] [--kills 100] [--seed N]

A file with good records, and bad ones of every kind, is imported once without disturbance. Then again into an empty
table, with --commit every:N --resume, and killed; and so on until it has come to its end; and all of that until there
were that many kills. Each time the table, the rejects and the errors are what they were, and the counts that the last
one prints are those of the whole file.

A few are killed a random time after their start, most when the errors have grown by a random number of bytes and another
random time has passed, so that the kills lie all over the import. At the end it is counted where they were: before the
first commit, between a sync of the rejects and its commit (they are longer than any commit knows), elsewhere, behind the
end; and in how many tenths of the file. The test has not run when they lie all in one place.

Every other round begins with two programs at once at the same import. They come to its end, one after the other, or
are told of each other; and what they leave is gone on with.

On a server, one of this script's own, the session of a program that was killed may go on for a moment: who comes next
may be told that another program is at the same import, and is started again.

The last line is "imports: ...", and the exit status 0; 1 when a promise is broken; 2 when the test could not run. It
signals no process but those that it started.
"""

import argparse
import collections
import contextlib
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

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import servers  # noqa: E402

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

    def run(self, every):
        process = self.start(every)
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


# What another program at the same import, or one that was killed and whose session still runs, may be the reason of.
OF_ANOTHER = {"STALE", "DEADLOCK", "SERIALIZATION", "LOCK_TIMEOUT"}


def size_of(path):
    return path.stat().st_size if path.exists() else 0


def wait_to_kill(process, importer, total, dice):
    """Until it is to be killed, or has ended."""
    if dice.random() < 0.15:
        time.sleep(dice.uniform(0, 0.06))
        return
    wanted = size_of(importer.errors) + dice.randrange(1, total // 6)
    while process.poll() is None and size_of(importer.errors) < wanted:
        time.sleep(0.0005)
    time.sleep(dice.choice([0, dice.uniform(0, 0.003), dice.uniform(0, 0.03)]))


def place_of_kill(importer, records):
    """Where it was killed: what kind of place, and in which tenth of the file."""
    found = run_sql(importer.url, "SELECT state, records, rejects_size, errors_size FROM belay_imports")
    if not found:
        return "before the first commit", 0
    state, read, rejects, errors = found.replace("\t", "|").split("|")
    if state.strip() == "done":
        return "behind the end", 9
    ahead = size_of(importer.rejects) > int(rejects) or size_of(importer.errors) > int(errors)
    return "between sync and commit" if ahead else "elsewhere", min(9, int(read) * 10 // records)


def meets_another(importer, process, out):
    if importer.url.startswith("sqlite:") or process.returncode not in (2, 3):
        return False
    error = json.loads(out)["error"]
    return error["code"] in OF_ANOTHER


def run_killed(importer, every, total, records, dice):
    """One import, killed until it comes to its end, at the latest the time after the fortieth: what it told in the end,
    and where it was killed."""
    kills, waits = [], 0
    while True:
        process = importer.start(every)
        if len(kills) < 40:
            wait_to_kill(process, importer, total, dice)
            process.kill()
        out, err = process.communicate(timeout=120)
        if process.returncode == -signal.SIGKILL:
            kills.append(place_of_kill(importer, records))
        elif kills and waits < 20 and meets_another(importer, process, out):
            waits += 1
            time.sleep(0.05)
        else:
            return read_report(process, out, err), kills


def race(importer, every):
    """Two at once. How often one was told of the other."""
    rivals = [importer.start(every), importer.start(every)]
    told = 0
    for process in rivals:
        out, err = process.communicate(timeout=120)
        if process.returncode in (2, 3) and json.loads(out)["error"]["code"] in OF_ANOTHER:
            told += 1
        else:
            read_report(process, out, err)
    return told


def check_spread(places):
    kinds = collections.Counter(kind for kind, _ in places)
    tenths = len({tenth for _, tenth in places})
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    if tenths < 8 or kinds["between sync and commit"] < len(places) // 20 or kinds["elsewhere"] < len(places) // 20:
        raise CannotRun(f"the kills do not lie all over the import: {told}; in {tenths} tenths of it")
    return f"{told}; in {tenths} tenths of the file"


def start_server(only, stack):
    parent, started, urls = servers.start(only, follow=True)
    stack.callback(servers.stop, parent, started)
    return urls[f"BELAY_TEST_{only.upper()}"]


def raise_exit(number, _frame):
    raise SystemExit(128 + number)


def test(arguments, folder):
    dice = random.Random(arguments.seed)
    importer = Importer(arguments.belay, arguments.url, folder)
    make_file(importer.input, arguments.records, dice)
    run_sql(arguments.url, f"DROP TABLE IF EXISTS {TABLE}")
    run_sql(arguments.url, CREATE)
    wanted = importer.result(importer.run(0))
    importer.empty()
    compare(wanted, importer.result(importer.run(700)), f"seed {arguments.seed}, undisturbed")
    places, rounds, told = [], 0, 0
    while len(places) < arguments.kills:
        importer.empty()
        run_sql(arguments.url, "DELETE FROM belay_imports")
        every = dice.choice([50, 300, 1000, 1700])
        told += race(importer, every) if rounds % 2 else 0
        report, more = run_killed(importer, every, len(wanted[3]), arguments.records, dice)
        compare(wanted, importer.result(report), f"seed {arguments.seed}, round {rounds}, after {len(more)} kills")
        places += more
        rounds += 1
        if rounds > 2 * arguments.kills:
            raise CannotRun("the imports end before they can be killed")
    print(f"imports: {rounds} of {arguments.records} records each, killed {len(places)} times: {check_spread(places)}; "
          f"{told} told of a rival; {wanted[0]['rejected']} rejected each time; seed {arguments.seed}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--belay", required=True)
    parser.add_argument("--only", choices=["postgresql", "mariadb"], help="on a server; without it, on SQLite")
    parser.add_argument("--records", type=int, default=12000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, raise_exit)
    folder = Path(tempfile.mkdtemp(prefix="belay-crash-import-"))
    try:
        with contextlib.ExitStack() as stack:
            arguments.url = start_server(arguments.only, stack) if arguments.only else f"sqlite:{folder}/crash.db"
            test(arguments, folder)
    except Broken as broken:
        print(f"BROKEN (seed {arguments.seed}): {broken}", file=sys.stderr)
        return 1
    except (CannotRun, OSError, subprocess.SubprocessError) as why:
        print(f"could not run: {why}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
