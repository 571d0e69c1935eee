#!/usr/bin/env python3
"""Kills a bank in the middle of its transfers, again and again, and looks whether anything was lost or torn.

    crash.py --bank build/examples/bank [--kills 200] [--threads 2] [--processes 2] [--seconds 170] [--keep]

The bank (examples/bank.c) moves money between accounts from several threads and processes, and notes in a journal
outside the database what it is about to do and what it was told. Its whole process group is killed with SIGKILL at a
random moment, from 5 to 150 ms after the first transfer of that run was acknowledged; then the next run goes on with
what it finds. The tables are never made anew.

After every kill, in turn before and after `bank --check`, the tables are read by Python's own sqlite3:

    the file passes SQLite's integrity check, and no foreign key dangles;
    the sum over all accounts is what it was, and none is below zero;
    every acknowledged transfer is there, once, and as it was attempted;
    nothing is there that was never attempted or was reported as rolled back;
    the balances are the opening balances plus the transfers that are there.

At the end the check itself is checked: copies of the database are damaged on purpose, and both checkers must notice.

The last line is "crash: 200 kills, N transfers acknowledged, 0 lost, 0 torn", and the exit status 0; 1 when anything
was lost or torn; 2 when the test itself could not run. It works in a temporary directory of its own, and signals no
process but those that it started.
"""

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACCOUNTS = 20
FIRST_MS, LAST_MS = 5, 150
WAIT_S = 20  # for the first acknowledgement of a run, and for a killed run to be gone


class CannotRun(Exception):
    """The test could not be done; that says nothing about the database."""


class Journal:
    """What the bank noted. Grows with the file: only what is new is read."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.tried = {}  # id: (source, target, amount)
        self.acknowledged = set()
        self.rolled_back = set()

    def read_on(self):
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        end = data.rfind(b"\n") + 1  # what follows is a line that the kill cut off
        self.offset += end
        for line in data[:end].decode().splitlines():
            self.note(line.split(" "))

    def note(self, words):
        if words[0] == "try":
            self.tried[words[1]] = tuple(int(word) for word in words[2:5])
        elif words[0] == "ok":
            self.acknowledged.add(words[1])
        elif words[0] == "no":
            self.rolled_back.add(words[1])
        elif words[0] != "unknown":
            raise CannotRun(f"the journal has a line that begins with {words[0]!r}")


class Findings:
    """What is wrong with a database: transfers that are lost, and all else, which is torn."""

    def __init__(self):
        self.lost = []
        self.torn = []

    def __bool__(self):
        return bool(self.lost or self.torn)

    def show(self, where):
        for kind, list_ in (("LOST", self.lost), ("TORN", self.torn)):
            for text in list_[:10]:
                print(f"{kind} {where}: {text}")


def read_tables(path):
    """Accounts, transfers, and what SQLite says of the file."""
    db = sqlite3.connect(path, timeout=WAIT_S)
    try:
        integrity = [row[0] for row in db.execute("PRAGMA integrity_check")]
        dangling = db.execute("PRAGMA foreign_key_check").fetchall()
        accounts = {row[0]: row[1:] for row in db.execute("SELECT id, opening, balance FROM account")}
        transfers = db.execute("SELECT id, source, target, amount FROM transfer").fetchall()
    finally:
        db.close()
    return integrity, dangling, accounts, transfers


def examine(path, journal, expected_sum):
    """Compares the tables with each other and with the journal."""
    found = Findings()
    try:
        integrity, dangling, accounts, transfers = read_tables(path)
    except sqlite3.Error as problem:
        found.torn.append(f"the tables can't be read: {problem}")
        return found
    if integrity != ["ok"]:
        found.torn.append(f"integrity check: {integrity[:3]}")
    if dangling:
        found.torn.append(f"{len(dangling)} foreign keys dangle")
    examine_transfers(transfers, journal, found)
    examine_accounts(accounts, transfers, expected_sum, found)
    return found


def examine_transfers(transfers, journal, found):
    there = {row[0]: row[1:] for row in transfers}
    if len(there) != len(transfers):
        found.torn.append("a transfer is there twice")
    for missing in journal.acknowledged - there.keys():
        found.lost.append(f"transfer {missing} was acknowledged and is not there")
    for known in there.keys() & journal.rolled_back:
        found.torn.append(f"transfer {known} was reported as rolled back and is there")
    for id_, what in there.items():
        if journal.tried.get(id_) != what:
            found.torn.append(f"transfer {id_} is there as {what} and was attempted as {journal.tried.get(id_)}")


def examine_accounts(accounts, transfers, expected_sum, found):
    balances = {id_: opening for id_, (opening, _) in accounts.items()}
    for _, source, target, amount in transfers:
        balances[source] -= amount
        balances[target] += amount
    total = sum(balance for _, balance in accounts.values())
    if total != expected_sum:
        found.torn.append(f"the sum was {expected_sum} and is {total}")
    for id_, (_, balance) in accounts.items():
        if balance < 0:
            found.torn.append(f"account {id_} has {balance}")
        if balance != balances[id_]:
            found.torn.append(f"account {id_} has {balance}, and its transfers make {balances[id_]}")


class Bank:
    """The program under test, on one database and journal."""

    def __init__(self, program, directory, options):
        self.program = str(Path(program).resolve())
        self.path = str(directory / "bank.db")
        self.journal = str(directory / "bank.journal")
        self.options = options

    def command(self, *arguments, path=None):
        return [self.program, f"sqlite:{path or self.path}", "--quiet", "--journal", self.journal, *arguments]

    def init(self):
        done = subprocess.run(self.command("--init", "--accounts", str(ACCOUNTS)), timeout=WAIT_S, check=False)
        if done.returncode != 0:
            raise CannotRun("bank --init failed")

    def check(self, path=None):
        """None when the bank's own check passes, else what it said."""
        done = subprocess.run(self.command("--check", path=path), capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode == 0:
            return None
        return f"bank --check: exit status {done.returncode}\n{done.stdout}{done.stderr}"

    def start(self):
        """A run in a process group of its own, and the end of a pipe that closes when its last process is gone."""
        alive, held = os.pipe()
        arguments = ["--run", "--seconds", "600", "--threads", str(self.options.threads)]
        arguments += ["--processes", str(self.options.processes)]
        process = subprocess.Popen(self.command(*arguments), stdout=subprocess.DEVNULL, pass_fds=[held],
                                   start_new_session=True)
        os.close(held)
        return process, alive

    def acknowledgement_since(self, offset):
        """Whether the journal has one past that offset."""
        with open(self.journal, "rb") as file:
            file.seek(offset)
            return b"ok " in file.read()


def await_acknowledgement(bank, process, offset):
    end = time.monotonic() + WAIT_S
    while not bank.acknowledgement_since(offset):
        if process.poll() is not None:
            raise CannotRun(f"the bank ended by itself with status {process.returncode}")
        if time.monotonic() > end:
            raise CannotRun("no transfer was acknowledged")
        time.sleep(0.001)


def await_end(process, alive):
    """Waits until every process of the run is gone: only they hold the other end of the pipe."""
    process.wait(timeout=WAIT_S)
    os.set_blocking(alive, False)
    end = time.monotonic() + WAIT_S
    while True:
        try:
            if os.read(alive, 1) == b"":
                return
        except BlockingIOError:
            pass
        if time.monotonic() > end:
            raise CannotRun("a killed process is still there")
        time.sleep(0.001)


def kill_once(bank, dice):
    """One run, killed in the midst of its transfers."""
    offset = os.path.getsize(bank.journal)
    process, alive = bank.start()
    try:
        await_acknowledgement(bank, process, offset)
        time.sleep(dice.uniform(FIRST_MS, LAST_MS) / 1000)
        if process.poll() is not None:
            raise CannotRun(f"the bank ended by itself with status {process.returncode}")
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        await_end(process, alive)
        os.close(alive)


def verify(bank, journal, expected_sum, own_first):
    """Both checks, in either order: whoever comes first recovers the database from the kill."""
    journal.read_on()
    said = None if own_first else bank.check()
    found = examine(bank.path, journal, expected_sum)
    if own_first:
        said = bank.check()
    if said:
        found.torn.append(said)
    return found


# ---- Does the check bite? ---------------------------------------------------------------------------------------------


def damage(bank, directory, name, *statements):
    """A copy of the database on which the statements were run, each with the same acknowledged transfer."""
    copy = str(directory / f"{name}.db")
    source, target = sqlite3.connect(bank.path), sqlite3.connect(copy)
    source.backup(target)
    source.close()
    target.execute("PRAGMA ignore_check_constraints = on")  # damage has no manners
    for sql, parameters in statements:
        target.execute(sql, parameters)
    target.commit()
    target.close()
    return copy


def unnoticed(bank, journal, expected_sum, directory):
    """The kinds of damage that a checker did not notice."""
    id_ = sorted(journal.acknowledged)[len(journal.acknowledged) // 2]
    source, target, amount = journal.tried[id_]
    move = "UPDATE account SET balance = balance + ? WHERE id = ?"
    gone = ("DELETE FROM transfer WHERE id = ?", (id_,))
    kinds = {
        "a transfer is lost whole": (True, [gone, (move, (amount, source)), (move, (-amount, target))]),
        "a transfer's row is lost": (True, [gone]),
        "a debit is lost": (False, [(move, (amount, source))]),
        "a transfer nobody attempted": (False, [("INSERT INTO transfer SELECT 'nobody', worker, source, target, amount"
                                                 " FROM transfer WHERE id = ?", (id_,)),
                                                (move, (-amount, source)), (move, (amount, target))]),
    }
    missed = []
    for number, (kind, (lost, statements)) in enumerate(kinds.items()):
        copy = damage(bank, directory, f"damaged-{number}", *statements)
        found = examine(copy, journal, expected_sum)
        if not found or bool(found.lost) != lost:
            missed.append(f"{kind}: not noticed here")
        if bank.check(path=copy) is None:
            missed.append(f"{kind}: not noticed by bank --check")
    copy = damage(bank, directory, "undamaged")
    if examine(copy, journal, expected_sum) or bank.check(path=copy):
        missed.append("a copy without damage was found to be damaged")
    return missed


# ---- All of it --------------------------------------------------------------------------------------------------------


def run(options, directory):
    bank = Bank(options.bank, directory, options)
    bank.init()
    journal = Journal(bank.journal)
    expected_sum = sum(balance for _, balance in read_tables(bank.path)[2].values())
    dice = random.Random(options.seed)
    lost = torn = kills = 0
    end = time.monotonic() + options.seconds
    while kills < options.kills and not lost and not torn:
        if time.monotonic() > end:
            raise CannotRun(f"only {kills} kills in {options.seconds} s")
        kill_once(bank, dice)
        kills += 1
        found = verify(bank, journal, expected_sum, own_first=kills % 2 == 0)
        found.show(f"after kill {kills} (seed {options.seed})")
        lost += len(found.lost)
        torn += len(found.torn)
    missed = unnoticed(bank, journal, expected_sum, directory) if not lost and not torn else []
    for text in missed:
        print(f"THE CHECK IS NO GOOD: {text}")
    print(f"crash: {kills} kills, {len(journal.acknowledged)} transfers acknowledged, {lost} lost, {torn} torn")
    return 0 if not lost and not torn and not missed else 1


def main():
    parser = argparse.ArgumentParser(description="Kills a bank in mid-transfer, and checks what is there.")
    parser.add_argument("--bank", required=True, help="the bank example")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2, help="of each process of the bank")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=170, help="longest time for all kills")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="keep the database and the journal")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="belay-crash-"))
    try:
        status = run(options, directory)
    except (CannotRun, OSError, subprocess.SubprocessError, sqlite3.Error) as problem:
        print(f"crash: could not run: {problem}")
        status = 2
    if options.keep or status == 1:
        print(f"kept: {directory}")
    else:
        for path in directory.iterdir():
            path.unlink()
        directory.rmdir()
    return status


if __name__ == "__main__":
    sys.exit(main())
