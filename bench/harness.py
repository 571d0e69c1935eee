"""Runs the sides of a case alternately, checks that they did the same work, and computes the ratios.

A side is a process that prints one line of JSON. A case is a list of sides that leave the same rows in a store. Each
round runs every side once, in an order that turns round from one round to the next, so that a drift of the machine hits
all of them alike; a ratio is taken within a round, and the median over the rounds is what counts. Knows neither what
the sides are (cases_*.py say that) nor what the rows are kept in (stores.py).
"""

import dataclasses
import json
import os
import pathlib
import random
import statistics
import subprocess
import time

SIDE_LIMIT = 120  # seconds that one process may take

WALL, CPU, TRIPS, PEAK = "seconds_per_op", "cpu_seconds_per_op", "trips_per_op", "peak_kib"


class Unsound(Exception):
    """The sides did not do the same, or one failed: no figure of the case means anything."""


@dataclasses.dataclass
class Side:
    key: str
    label: str
    command: list
    mode: str
    counted: bool = True  # whether the store's count of the work must fit
    options: tuple = ()  # more arguments for this side
    all_rows: bool = True  # False: it is given the good rows only, and so has none refused
    asked: bool = True  # False: a program that can't be asked for the settings in force
    size: tuple = ()  # (count, bad_rows) where they are not the case's: its rows are compared with those of its like
    differs: str = ""  # why the rows it leaves are not compared: it does not do the same


@dataclasses.dataclass
class Comparison:
    """`over` divided by `under`; an absolute figure when `under` is None."""
    label: str
    over: str
    under: str = None
    at_most: float = None
    at_least: float = None
    clock: str = WALL
    raw: tuple = None  # the same ratio with the raw interface in Belay's place: (over, under)


@dataclasses.dataclass
class Case:
    title: str
    store: object  # of stores.py
    table: str  # a table of the store's, or None
    sides: list
    comparisons: list
    count: int
    rounds: int
    enough: int  # rounds below which there is no verdict
    clients: int = 1
    bad_every: int = 0  # one row in so many is refused
    bad_rows: int = 0  # of a file: so many are refused
    options: tuple = ()  # more arguments for each side
    prepare: object = None  # called before the first round


@dataclasses.dataclass
class Settings:
    cache_kib: int
    pin: list  # what goes before each command, such as taskset -c 1
    deadline: float


class Runner:
    """Runs single sides and remembers what each left behind."""

    def __init__(self, case, settings):
        self.case, self.settings = case, settings
        self.left = {}  # by size: (rows, checksum), the same for all sides
        self.rejected = {}  # the same for all sides that are given all rows
        self.in_force = None  # the settings, the same for all sides
        self.versions = {}
        self.other_rows = {}  # how many rows a side left that does not do the same

    def run(self, side):
        case = self.case
        command = self.settings.pin + side.command + [
            "--mode", side.mode, "--count", str(self.size(side)[0]), "--clients", str(case.clients),
            "--bad-every", str(case.bad_every), "--cache-kib", str(self.settings.cache_kib),
            *case.options, *side.options,
            *(word for ask in case.store.asks.items() for word in ("--ask", "%s=%s" % ask))]
        try:
            command += case.store.make(case)
            before = case.store.counts()
            record = self.call(side, command)
            if side.counted:
                self.check_counts(side, before, case.store.counts())
            self.compare(side, record, case.store.content(case))
        finally:
            case.store.clean()
        return record

    def size(self, side):
        return side.size or (self.case.count, self.case.bad_rows)

    @staticmethod
    def call(side, command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=SIDE_LIMIT, check=False)
        if done.returncode != 0 or not done.stdout:
            why = done.stderr.strip()[-2000:] or "no message"
            raise Unsound("%s ended with status %d: %s" % (side.label, done.returncode, why))
        return json.loads(done.stdout.splitlines()[-1])

    def check_counts(self, side, before, after):
        """As many transactions, or savepoints, as the case is about; the rest is connecting and warming up."""
        for name, (least, most) in self.case.store.expected(self.case).items():
            seen = after[name] - before[name]
            if not least <= seen <= most:
                raise Unsound("%s: the server saw %d %s, not %d to %g" % (side.label, seen, name, least, most))

    def compare(self, side, record, content):
        """Every run of every side must leave the same rows, have the same ones refused, under the same settings."""
        self.versions[side.key] = record["side"]
        if side.asked:
            self.compare_settings(side, record["settings"])
        if side.differs:
            self.other_rows[side.key] = content[0]
            return
        left = self.left.setdefault(self.size(side), content)
        if content != left:
            raise Unsound("%s left other rows: %s instead of %s" % (side.label, content, left))
        if side.all_rows:
            self.compare_rejected(side, record["rejected"])

    def compare_settings(self, side, in_force):
        if self.in_force not in (None, in_force):
            wrong = {k: (self.in_force.get(k), v) for k, v in in_force.items() if self.in_force.get(k) != v}
            raise Unsound("%s ran under other settings (first side, this side): %s" % (side.label, wrong))
        self.in_force = in_force

    def compare_rejected(self, side, rejected):
        """With each other; of a file it is known too."""
        bad_rows = self.size(side)[1]
        wanted = self.rejected.setdefault(self.size(side), bad_rows or rejected)
        if rejected != wanted:
            raise Unsound("%s had %d rows refused instead of %d" % (side.label, rejected, wanted))


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


def evaluate(case, comparison, rounds):
    """One line of the table of ratios."""
    result = dataclasses.asdict(comparison)
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
    begun = time.monotonic()
    if case.prepare and begun <= settings.deadline:
        case.prepare()
    for number in range(case.rounds):
        if time.monotonic() > settings.deadline:
            break
        order = case.sides if number % 2 == 0 else case.sides[::-1]
        rounds.append({side.key: runner.run(side) for side in order})
    return {
        "title": case.title, "table": case.table, "count": case.count, "clients": case.clients,
        "bad_every": case.bad_every, "rounds_wanted": case.rounds, "rounds": rounds,
        "left": [(*left, runner.rejected.get(size, 0)) for size, left in runner.left.items()],
        "settings": runner.in_force, "versions": runner.versions, "seconds": time.monotonic() - begun,
        "sides": [summary(side, rounds, runner) for side in case.sides],
        "comparisons": [evaluate(case, comparison, rounds) for comparison in case.comparisons],
    }


def failed_case(case, error):
    """The result of a case whose figures mean nothing: its targets stay in the tables, as not measured."""
    comparisons = [dict(dataclasses.asdict(one), verdict="not measured: " + error) for one in case.comparisons]
    return {"title": case.title, "error": error, "rounds": [], "comparisons": comparisons}


def summary(side, rounds, runner):
    """One line of the table of absolute figures."""
    result = {"key": side.key, "label": side.label, "version": runner.versions.get(side.key)}
    if side.differs:
        result.update(differs=side.differs, rows=runner.other_rows.get(side.key))
    wall = [one[side.key][WALL] for one in rounds]
    if wall:
        result.update(median=statistics.median(wall), least=min(wall), most=max(wall),
                      cpu=statistics.median(one[side.key][CPU] for one in rounds),
                      peak=max(one[side.key].get(PEAK, 0) for one in rounds))
    return result


def machine():
    """What the figures were taken on."""
    names = [line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
             if line.startswith("model name")]
    return {"cpu": names[0] if names else "unknown", "cpus": os.cpu_count(), "kernel": os.uname().release,
            "load": os.getloadavg()}
