#!/usr/bin/env python3
"""Kills programs that pay a list of payments, each under a key, and looks whether each was paid once.

    crash_once.py --worker build/tests/once_worker [--kills 100] [--seconds 30]

Two workers (once_worker.c) go through the same list from its two ends. They are killed with SIGKILL at a random moment,
up to 40 ms after they were started, and started again over the same list, until both say that all of it is paid; then
the next list is begun, on the same database, until there were enough kills. Nothing in the tables keeps a payment from
being there twice: only its key does.

After every kill and at the end the tables are read by Python's own sqlite3:

    the file passes SQLite's integrity check;
    no payment is there twice, and none that is on no list;
    every payment that a worker called paid is there, and no two workers paid the same one;
    there is a key for each payment and a payment for each key, and the balance is what they make.

At the end each payment of every list is there, once, and the check itself is checked on damaged copies. The last line
is "once: 100 kills, N payments, 0 lost, 0 doubled or torn", and the exit status 0; 1 when a check failed; 2 when the
test itself could not run. It works in a temporary directory of its own, and signals no process but those it started.
"""

import argparse
import collections
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIST = 400  # payments
LAST_MS = 40
CENTS = 100


class CannotRun(Exception):
    """The test could not be done; that says nothing about the database."""


class Journal:
    """What the workers said."""

    def __init__(self):
        self.paid = []  # by the one that said so
        self.known = set()

    def note(self, path):
        for line in path.read_text().split("\n")[:-1]:  # the last one may have been cut off
            word, number = line.split(" ")
            if word == "paid":
                self.paid.append(int(number))
            else:
                self.known.add(int(number))


def read_tables(path):
    db = sqlite3.connect(path, timeout=20)
    try:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "payment" not in tables:
            return [], [], 0, "ok"
        payments = [row[0] for row in db.execute("SELECT number FROM payment")]
        keys = db.execute("SELECT once_key, state FROM belay_once").fetchall() if "belay_once" in tables else []
        balance = db.execute("SELECT balance FROM account").fetchone()[0]
        return payments, keys, balance, db.execute("PRAGMA integrity_check").fetchone()[0]
    finally:
        db.close()


def repeated(numbers):
    return [number for number, times in collections.Counter(numbers).items() if times > 1]


def examine(path, journal, last):
    """(lost, wrong): lists of sentences."""
    payments, keys, balance, integrity = read_tables(path)
    there, twice = set(payments), repeated(payments)
    claimed = {int(key.split("-")[1]) for key, state in keys if state == "done"}
    lost = [f"payment {n} was called paid and is not there" for n in (set(journal.paid) | journal.known) - there]
    wrong = [] if integrity == "ok" else [f"integrity check: {integrity}"]
    wrong += [f"payment {n} is there more than once" for n in twice]
    wrong += [f"payment {n} is on no list" for n in there if not 0 < n <= last]
    wrong += [f"payment {n} was paid by two workers" for n in repeated(journal.paid)]
    wrong += [f"payment {n} has no key" for n in there - claimed]
    wrong += [f"key {n} has no payment" for n in claimed - there]
    wrong += [f"key {key} is {state}" for key, state in keys if state != "done"]
    if balance != -CENTS * len(payments):
        wrong.append(f"the balance is {balance}, with {len(payments)} payments")
    return lost, wrong


class Run:
    """One start of both workers."""

    def __init__(self, worker, directory, first, last):
        ends = [[], ["backwards"]]
        self.outputs = [directory / f"said-{i}" for i in range(2)]
        self.processes = []
        for output, end in zip(self.outputs, ends):
            with open(output, "wb") as file:
                command = [worker, f"sqlite:{directory}/payments.db", str(first), str(last), *end]
                self.processes.append(subprocess.Popen(command, stdout=file))

    def await_end_or_kill(self, moment):
        """True when they were killed: all that still ran at that moment. False when they had ended."""
        while any(p.poll() is None for p in self.processes):
            if time.monotonic() >= moment:
                for p in self.processes:
                    p.send_signal(signal.SIGKILL)
                self.wait()
                return any(p.returncode == -signal.SIGKILL for p in self.processes)
            time.sleep(0.0005)
        return False

    def wait(self):
        for p in self.processes:
            p.wait(timeout=20)

    def finished(self):
        if any(p.returncode not in (0, -signal.SIGKILL) for p in self.processes):
            raise CannotRun(f"a worker ended with {[p.returncode for p in self.processes]}")
        return all(p.returncode == 0 for p in self.processes)


def pay_list(options, directory, dice, journal, number):
    """Starts workers over one list until it is paid. The number of kills."""
    first, last, kills = number * LIST + 1, (number + 1) * LIST, 0
    while True:
        run = Run(options.worker, directory, first, last)
        try:
            killed = run.await_end_or_kill(time.monotonic() + dice.uniform(0, LAST_MS) / 1000)
        finally:
            for p in run.processes:
                p.kill()
            run.wait()
        kills += killed
        for output in run.outputs:
            journal.note(output)
        report(directory / "payments.db", journal, last, f"kill {kills} of list {number}")
        if run.finished():
            return kills
        if time.monotonic() > options.end:
            raise CannotRun("it took too long")


class Broken(Exception):
    """A check failed."""


def report(path, journal, last, where):
    lost, wrong = examine(path, journal, last)
    for text in (lost + wrong)[:10]:
        print(f"after {where}: {text}")
    if lost or wrong:
        raise Broken


def damage(path, directory, number, statement):
    copy = directory / f"damaged-{number}.db"
    source, target = sqlite3.connect(path), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.execute(statement)
    target.commit()
    target.close()
    return copy


def check_the_check(path, directory, journal, last):
    statements = [
        "DELETE FROM payment WHERE rowid = 7",
        "INSERT INTO payment SELECT * FROM payment WHERE rowid = 7",
        "UPDATE payment SET number = 1000000 WHERE rowid = 7",
        "UPDATE account SET balance = balance - 1",
        "DELETE FROM belay_once WHERE rowid = 7",
        "UPDATE belay_once SET state = 'void' WHERE rowid = 7",
    ]
    for number, statement in enumerate(statements):
        if not any(examine(damage(path, directory, number, statement), journal, last)):
            print(f"THE CHECK IS NO GOOD: it did not notice {statement}")
            raise Broken


def run(options, directory):
    dice, journal, path = random.Random(options.seed), Journal(), directory / "payments.db"
    options.end = time.monotonic() + options.seconds
    lists = kills = 0
    while kills < options.kills:
        kills += pay_list(options, directory, dice, journal, lists)
        lists += 1
    payments = read_tables(path)[0]
    if sorted(payments) != list(range(1, lists * LIST + 1)):
        print("not every payment of every list is there, once")
        raise Broken
    check_the_check(path, directory, journal, lists * LIST)
    print(f"once: {kills} kills, {len(payments)} payments, 0 lost, 0 doubled or torn")


def main():
    parser = argparse.ArgumentParser(description="Kills workers that pay once, and checks what is paid.")
    parser.add_argument("--worker", required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30, help="longest time for all of it")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    options.worker = str(Path(options.worker).resolve())
    directory = Path(tempfile.mkdtemp(prefix="belay-once-"))
    try:
        run(options, directory)
    except Broken:
        print(f"once: broken (seed {options.seed}); kept: {directory}")
        return 1
    except (CannotRun, OSError, subprocess.SubprocessError, sqlite3.Error) as problem:
        print(f"once: could not run: {problem} (seed {options.seed}); kept: {directory}")
        return 2
    for entry in directory.iterdir():
        entry.unlink()
    directory.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
