"""Runs the sides of a case alternately, checks that they did the same work, and computes the ratios.

A side is a process that prints one line of JSON. A case is a list of sides that leave the same rows. Each round runs
every side once, in an order that turns round from one round to the next, so that a drift of the machine hits all of
them alike; a ratio is taken within a round, and the median over the rounds is what counts. Knows nothing of what the
sides are: run.py says that.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import random
import sqlite3
import statistics
import subprocess
import time

MISSING = 77  # the exit status of a side whose library is not installed
ACCOUNTS = 1000
SIDE_LIMIT = 120  # seconds that one process may take

TABLES = {
    "plain": "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount INTEGER NOT NULL)",
    "unique": "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL)",
    "account": "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
}
CONTENT = {
    "plain": "SELECT id, name, amount FROM item ORDER BY id",
    "unique": "SELECT id, name, amount FROM item ORDER BY id",
    "account": "SELECT id, balance FROM account ORDER BY id",
}


class Unsound(Exception):
    """The sides did not do the same, or one failed: no figure of the case means anything."""


@dataclasses.dataclass
class Side:
    key: str
    label: str
    command: list
    mode: str


@dataclasses.dataclass
class Comparison:
    """`over` divided by `under`; an absolute figure in seconds when `under` is None."""
    label: str
    over: str
    under: str = None
    at_most: float = None
    at_least: float = None
    clock: str = "seconds_per_op"
    raw: tuple = None  # the same ratio with raw sqlite3 in Belay's place: (over, under)


@dataclasses.dataclass
class Case:
    title: str
    table: str  # a key of TABLES, or None
    memory: bool
    sides: list
    comparisons: list
    count: int
    rounds: int
    enough: int  # rounds below which there is no verdict


@dataclasses.dataclass
class Settings:
    cache_kib: int
    pin: list  # what goes before each command, such as taskset -c 1
    directory: pathlib.Path
    deadline: float


class Runner:
    """Runs single sides and remembers what each left behind."""

    def __init__(self, case, settings):
        self.case, self.settings = case, settings
        self.missing = {}  # key of a side -> package
        self.content = None  # (rows, checksum), the same for all sides
        self.pragmas = None
        self.versions = {}

    def run(self, side):
        database = self.make_database()
        dump = self.settings.directory / "dump.txt"
        command = self.settings.pin + side.command + [
            "--mode", side.mode, "--database", str(database), "--count", str(self.case.count),
            "--cache-kib", str(self.settings.cache_kib)]
        if self.case.memory and self.case.table:
            command += ["--schema", TABLES[self.case.table], "--dump", str(dump)]
        record = self.call(side, command)
        if record:
            self.compare(side, record, database, dump)
        self.remove_database()
        return record

    def call(self, side, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=SIDE_LIMIT, check=False)
        if done.returncode == MISSING:
            self.missing[side.key] = json.loads(done.stdout)["missing"]
            return None
        if done.returncode != 0:
            why = done.stderr.strip()[-2000:] or "no message"
            raise Unsound("%s ended with status %d: %s" % (side.label, done.returncode, why))
        return json.loads(done.stdout.splitlines()[-1])

    def path(self):
        return self.settings.directory / "bench.db"

    def remove_database(self):
        for suffix in ("", "-wal", "-shm", "-journal"):
            pathlib.Path(str(self.path()) + suffix).unlink(missing_ok=True)

    def make_database(self):
        if self.case.memory:
            return ":memory:"
        self.remove_database()
        db = sqlite3.connect(self.path())
        db.execute("PRAGMA journal_mode = WAL")
        with db:
            if self.case.table:
                db.execute(TABLES[self.case.table])
            if self.case.table == "account":
                db.executemany("INSERT INTO account VALUES (?, 1000000)", [(i + 1,) for i in range(ACCOUNTS)])
        db.close()
        return self.path()

    def compare(self, side, record, database, dump):
        """Every run of every side must leave the same rows, under the same pragmas."""
        pragmas = record["settings"]
        if self.pragmas not in (None, pragmas):
            wrong = {k: (self.pragmas[k], v) for k, v in pragmas.items() if self.pragmas[k] != v}
            raise Unsound("%s ran under other pragmas (first side, this side): %s" % (side.label, wrong))
        self.pragmas = pragmas
        self.versions[side.key] = record["side"]
        if not self.case.table:
            return
        content = read_dump(dump) if self.case.memory else read_content(database, CONTENT[self.case.table])
        if self.content not in (None, content):
            raise Unsound("%s left other rows: %s instead of %s" % (side.label, content, self.content))
        self.content = content


def read_content(database, sql):
    """The number of rows, and a checksum over them in order."""
    db = sqlite3.connect(database)
    rows = ["|".join(map(str, row)) for row in db.execute(sql)]
    db.close()
    return len(rows), checksum("".join(row + "\n" for row in rows))


def read_dump(path):
    text = path.read_text(encoding="utf-8")
    path.unlink()
    return text.count("\n"), checksum(text)


def checksum(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def interval(values):
    """The 95 % bootstrap interval of the median, the same at each run for the same values."""
    dice = random.Random(1)
    medians = sorted(statistics.median(dice.choices(values, k=len(values))) for _ in range(2000))
    return medians[49], medians[1949]


def verdict(comparison, middle, low, high, enough):
    """met or missed by the median; a question mark when the interval reaches over the target."""
    if comparison.at_most is None and comparison.at_least is None:
        return ""
    if not enough:
        return "too few rounds"
    if comparison.at_most is not None:
        met, clear = middle <= comparison.at_most, (high <= comparison.at_most or low > comparison.at_most)
    else:
        met, clear = middle >= comparison.at_least, (low >= comparison.at_least or high < comparison.at_least)
    return ("met" if met else "MISSED") + ("" if clear else "?")


def evaluate(case, comparison, rounds, missing):
    """One line of the table of ratios."""
    result = dataclasses.asdict(comparison)
    for key in (comparison.over, comparison.under):
        if key in missing:
            result["verdict"] = "not measured: the Python package %s is not installed" % missing[key]
            return result
    values = [ratio(comparison, one) for one in rounds]
    if not values:
        result["verdict"] = "not measured: no time was left"
        return result
    middle = statistics.median(values)
    low, high = interval(values)
    result.update(values=values, median=middle, low=low, high=high,
                  verdict=verdict(comparison, middle, low, high, len(values) >= case.enough))
    if comparison.raw:
        result["raw_median"] = statistics.median(
            one[comparison.raw[0]][comparison.clock] / one[comparison.raw[1]][comparison.clock] for one in rounds)
    return result


def ratio(comparison, one):
    over = one[comparison.over][comparison.clock]
    return over / one[comparison.under][comparison.clock] if comparison.under else over


def run_case(case, settings):
    """All rounds of a case; stops early, after a whole round, when the time is up."""
    runner = Runner(case, settings)
    rounds = []
    for number in range(case.rounds):
        if time.monotonic() > settings.deadline:
            break
        order = case.sides if number % 2 == 0 else case.sides[::-1]
        records = {side.key: runner.run(side) for side in order if side.key not in runner.missing}
        rounds.append({key: record for key, record in records.items() if record})
    return {
        "title": case.title, "table": case.table, "memory": case.memory, "count": case.count,
        "rounds_wanted": case.rounds, "rounds": rounds, "missing": runner.missing, "content": runner.content,
        "pragmas": runner.pragmas, "versions": runner.versions,
        "sides": [summary(side, rounds, runner) for side in case.sides],
        "comparisons": [evaluate(case, comparison, rounds, runner.missing) for comparison in case.comparisons],
    }


def failed_case(case, error):
    """The result of a case whose figures mean nothing: its targets stay in the tables, as not measured."""
    comparisons = [dict(dataclasses.asdict(one), verdict="not measured: " + error) for one in case.comparisons]
    return {"title": case.title, "error": error, "rounds": [], "comparisons": comparisons}


def summary(side, rounds, runner):
    """One line of the table of absolute figures."""
    result = {"key": side.key, "label": side.label, "version": runner.versions.get(side.key)}
    wall = [one[side.key]["seconds_per_op"] for one in rounds if side.key in one]
    if wall:
        cpu = [one[side.key]["cpu_seconds_per_op"] for one in rounds if side.key in one]
        result.update(median=statistics.median(wall), least=min(wall), most=max(wall),
                      cpu=statistics.median(cpu))
    elif side.key in runner.missing:
        result["missing"] = runner.missing[side.key]
    return result


def machine():
    """What the figures were taken on."""
    names = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {"cpu": names[0] if names else "unknown", "cpus": os.cpu_count(), "kernel": os.uname().release,
            "load": os.getloadavg()}
