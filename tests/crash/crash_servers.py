#!/usr/bin/env python3
"""Kills servers under writers, and writers under servers, and looks whether anything was lost, torn or done twice.

    crash_servers.py --worker build/tests/server_worker --only postgresql|mariadb
                     [--kills 6] [--client-kills 20] [--seed N]

server_worker.c moves money between accounts, in two processes of several threads on pools that are smaller, and notes in
a journal outside of the database what it tries and what Belay tells it. First the server, one of this script's own, is
killed with SIGKILL at random moments under that load, and started again on the same data and port; PostgreSQL in turn
with all its processes, and only its first, whose end the others notice. The workers are never started again. Then the
workers are killed, and the server stays.

After each restart, while the workers go on, and at the end, the tables are read by the server's own client in one
snapshot, and compared with what the journal said before and after:

    the sum over the accounts is what it was, and each has what the units that are there make;
    every unit that was reported as committed is there, once, with all its rows, and nothing is there with only some;
    nothing is there that was not tried, or was reported as rolled back;
    what was reported as unknown is there or not;
    the hook of a committed unit ran once, and of no other; of a unit without a key that was undone, the other one;
    a unit with a key is there once in the end, whatever was reported on the way.

After each restart every thread of every process must commit again, before it has met more failures than the pool has
connections that may be dead, and a few. After a writer was killed the server must be rid of its sessions and locks.

The last line is "servers: ...", and the exit status 0; 1 when a check failed; 2 when the test itself could not run. It
signals no process but those that it started.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import servers  # noqa: E402

ACCOUNTS, OPENING = 16, 1000000
THREADS, POOL = 6, 4  # of each of the two processes
FIRST_MS, LAST_MS = 20, 400
WAIT_S = 60
# What a unit may be told when its server is killed, or that met another one. All else is a fault.
MAY_BE = {"CONNECTION", "DEADLOCK", "SERIALIZATION", "TIMEOUT", "LOCK_TIMEOUT", "TOO_MANY", "IN_DOUBT"}


class CannotRun(Exception):
    """The test could not be done; that says nothing about what is tested."""


class Broken(Exception):
    """A promise is broken."""


class Journal:
    """What the workers noted. Grows with the file: only what is new is read."""

    def __init__(self, path):
        self.path, self.offset = path, 0
        self.tried = {}  # id: (kind, source, target, amount)
        self.done, self.known, self.rolled_back, self.unknown = set(), set(), set(), set()
        self.hooks, self.undone = collections.Counter(), collections.Counter()
        self.failures = []  # (id, code)

    def read_on(self):
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        end = data.rfind(b"\n") + 1  # what follows is a line that is being written, or was cut off
        self.offset += end
        for line in data[:end].decode().splitlines():
            self.note(*line.split(" "))

    def note(self, word, id_, *rest):
        if word == "try":
            self.tried[id_] = (rest[0], *map(int, rest[1:]))
            self.rolled_back.discard(id_)  # with a key: it is tried again
            self.unknown.discard(id_)
        elif word == "hook":
            self.hooks[id_] += 1
        elif word == "undone":
            self.undone[id_] += 1
        elif word == "ok":
            self.done.add(id_)
        elif word == "known":
            self.known.add(id_)
        elif word in ("no", "unknown"):
            (self.rolled_back if word == "no" else self.unknown).add(id_)
            self.failures.append((id_, rest[0]))
        else:
            raise CannotRun(f"the journal has a line that begins with {word!r}")

    def has_key(self, id_):
        return self.tried[id_][0] == "once"

    def unfinished(self):
        return [id_ for id_ in self.tried if self.has_key(id_) and id_ not in self.done | self.known]


# ---- What is there ----------------------------------------------------------------------------------------------------

SNAPSHOT = {
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;",
    "mariadb": "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; START TRANSACTION WITH CONSISTENT SNAPSHOT;",
}
TABLES = ("SELECT 'account', id, balance FROM account; SELECT 'transfer', id, source, target, amount FROM transfer;"
          " SELECT 'mirror', id FROM mirror; COMMIT;")
# Sessions and transactions but the one that asks.
LEFT = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
                  " UNION ALL SELECT count(*) FROM pg_locks WHERE pid <> pg_backend_pid() AND locktype = 'transactionid'",
    "mariadb": "SELECT count(*) FROM information_schema.processlist WHERE user = 'belay' AND id <> connection_id();"
               " SELECT count(*) FROM information_schema.innodb_trx",
}


def ask(server, sql):
    words = ["-F", "\t", "-c", sql] if server.name == "postgresql" else ["-e", sql]
    done = subprocess.run(server.client(*words), capture_output=True, text=True, timeout=WAIT_S, check=False)
    if done.returncode:
        raise CannotRun(f"{server.name} can't be asked: {done.stderr}")
    return [line.split("\t") for line in done.stdout.splitlines()]


def read_tables(server):
    tables = {"account": [], "transfer": [], "mirror": []}
    for row in ask(server, SNAPSHOT[server.name] + TABLES):
        tables[row[0]].append(row[1:])
    return tables


def examine(journal, tables):
    """Sentences on what is wrong. `journal` is as of before the snapshot; it is read on to what it is now."""
    committed, known = set(journal.done), set(journal.known)
    journal.read_on()
    wrong = []
    there = collections.Counter(row[0] for row in tables["transfer"])
    wrong += [f"{id_} was reported as committed, and is not there" for id_ in (committed | known) - there.keys()]
    wrong += [f"{id_} is there {n} times" for id_, n in there.items() if n != 1]
    wrong += [f"{id_} is torn" for id_ in there.keys() ^ {row[0] for row in tables["mirror"]}]
    wrong += [f"{id_} is there, and was never tried" for id_ in there.keys() - journal.tried.keys()]
    wrong += [f"{id_} is there, and was reported as rolled back" for id_ in there.keys() & journal.rolled_back]
    wrong += examine_accounts(journal, tables)
    wrong += examine_hooks(journal)
    wrong += [f"{id_} ended with {code}" for id_, code in journal.failures if code not in MAY_BE]
    return wrong


def examine_accounts(journal, tables):
    balances = collections.Counter({id_: OPENING for id_ in range(1, ACCOUNTS + 1)})
    wrong = []
    for id_, source, target, amount in tables["transfer"]:
        balances[int(source)] -= int(amount)
        balances[int(target)] += int(amount)
        if id_ in journal.tried and journal.tried[id_][1:] != (int(source), int(target), int(amount)):
            wrong.append(f"{id_} is not there as it was tried")
    have = {int(id_): int(balance) for id_, balance in tables["account"]}
    if sum(have.values()) != ACCOUNTS * OPENING:
        wrong.append(f"the sum was {ACCOUNTS * OPENING}, and is {sum(have.values())}")
    wrong += [f"account {id_} has {have.get(id_)}, and its units make {balance}"
              for id_, balance in balances.items() if have.get(id_) != balance]
    return wrong


def examine_hooks(journal):
    wrong = [f"the hook of {id_}, which is committed, ran {journal.hooks[id_]} times"
             for id_ in journal.done if journal.hooks[id_] != 1]
    for id_ in journal.hooks.keys() & (journal.rolled_back | (journal.unknown - journal.done)):
        wrong.append(f"{id_} is not known to be committed, and its hook ran")
    wrong += [f"{id_} was rolled back, and its hook for that did not run"
              for id_ in journal.rolled_back if journal.undone[id_] == 0 and not journal.has_key(id_)]
    return wrong


def verify(server, journal, where):
    journal.read_on()
    tell(examine(journal, read_tables(server)), where)


def tell(wrong, where):
    for text in wrong[:10]:
        print(f"WRONG {where}: {text}")
    if wrong:
        raise Broken


# ---- The workers ------------------------------------------------------------------------------------------------------


class Workers:
    """Two processes of the worker."""

    count = 0

    def __init__(self, options, url, directory, journal, again=None):
        self.names, self.processes = [], []
        for i in range(2):
            Workers.count += 1
            self.names.append(f"w{Workers.count}")
            command = [options.worker, url, "run", str(journal.path), self.names[-1], str(THREADS), str(POOL)]
            if again and i == 0:
                command.append(str(again))
            self.processes.append(subprocess.Popen(command, stdin=subprocess.PIPE))

    def alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise Broken(f"a worker ended by itself with status {process.returncode}")

    def kill(self):
        for process in self.processes:
            process.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait(WAIT_S)
            process.stdin.close()

    def stop(self):
        for process in self.processes:
            process.stdin.close()
        if [process.wait(WAIT_S) for process in self.processes] != [0, 0]:
            raise Broken(f"a worker ended badly: {[process.returncode for process in self.processes]}")

    def threads(self):
        return {f"{name}-{number}" for name in self.names for number in range(THREADS)}


def thread_of(id_):
    return id_.rpartition("-")[0]


def await_commits(workers, journal):
    """Waits until every thread has committed from now on. How many failures each met before."""
    journal.read_on()
    done, failed = set(journal.done), len(journal.failures)
    waiting, end, met = workers.threads(), time.monotonic() + WAIT_S, collections.Counter()
    while waiting:
        workers.alive()
        if time.monotonic() > end:
            raise Broken(f"no commit in {WAIT_S} s by {sorted(waiting)}")
        time.sleep(0.005)
        journal.read_on()
        for id_, _ in journal.failures[failed:]:
            met[thread_of(id_)] += thread_of(id_) in waiting
        failed = len(journal.failures)
        waiting -= {thread_of(id_) for id_ in journal.done - done}
    return met


def await_commit(workers, journal):
    journal.read_on()
    before, end = len(journal.done), time.monotonic() + WAIT_S
    while len(journal.done) == before:
        workers.alive()
        if time.monotonic() > end:
            raise Broken(f"no commit in {WAIT_S} s")
        time.sleep(0.002)
        journal.read_on()


# ---- Killing ----------------------------------------------------------------------------------------------------------


def kill_server(server, workers, journal, dice, number):
    """Under load; it comes back after some time, on which its workers go on."""
    await_commit(workers, journal)
    time.sleep(dice.uniform(FIRST_MS, LAST_MS) / 1000)
    server.kill(alone=number % 2 == 1)
    time.sleep(dice.choice([0, 0.05, 0.5]))
    server.revive()
    verify(server, journal, f"after kill {number}")
    met = await_commits(workers, journal)
    # One may be under way, all of its process's pool may be dead, and others' may have come between.
    too_many = {thread: n for thread, n in met.items() if n > 2 * POOL + 4}
    if too_many:
        raise Broken(f"after kill {number} threads met so many failures before they committed: {too_many}")
    return sum(met.values())


def kill_servers(options, server, url, directory, journal, dice):
    workers = Workers(options, url, directory, journal)
    try:
        met = [kill_server(server, workers, journal, dice, number) for number in range(1, options.kills + 1)]
        workers.stop()
    except BaseException:
        workers.kill()
        raise
    verify(server, journal, "in the end")
    if journal.unfinished():
        raise Broken(f"units with a key were given up: {journal.unfinished()[:5]}")
    codes = dict(collections.Counter(code for _, code in journal.failures))
    print(f"{server.name}: killed {options.kills} times; {len(journal.done)} units committed, failures {codes}, of them"
          f" {sum(met)} from its return to the commit of each thread", flush=True)


def await_rid(server):
    end = time.monotonic() + WAIT_S
    while (left := [int(row[0]) for row in ask(server, LEFT[server.name])]) != [0, 0]:
        if time.monotonic() > end:
            raise Broken(f"the server keeps sessions and transactions of killed writers: {left}")
        time.sleep(0.15)  # MariaDB gives innodb_trx from a copy, renewed for who has not asked for 100 ms


def kill_clients(options, server, url, directory, journal, dice):
    again = directory / "again"
    for number in range(1, options.client_kills + 1):
        again.write_text("".join("{} {} {} {}\n".format(id_, *journal.tried[id_][1:]) for id_ in journal.unfinished()))
        workers = Workers(options, url, directory, journal, again)
        try:
            await_commit(workers, journal)
            time.sleep(dice.uniform(0, LAST_MS / 2) / 1000)
            workers.alive()
        finally:
            workers.kill()
        await_rid(server)
        verify(server, journal, f"after the writers' death {number}")
    print(f"{server.name}: writers killed {options.client_kills} times; {len(journal.done)} units committed", flush=True)


# ---- Does the check bite? ---------------------------------------------------------------------------------------------


def check_the_check(server, journal):
    """Each damage to what was read must be noticed."""
    def tables():
        return {name: [list(row) for row in rows] for name, rows in good.items()}

    good = read_tables(server)
    kept = sorted(journal.done)[0]
    damages = []
    for name in ("transfer", "mirror"):
        damages.append((f"a {name} is lost", {name: [row for row in good[name] if row[0] != kept]}))
    damages.append(("a unit is there twice", {name: good[name] + [row for row in good[name] if row[0] == kept]
                                              for name in ("transfer", "mirror")}))
    damages.append(("nobody tried it", {"transfer": good["transfer"] + [["nobody", "1", "2", "5"]],
                                        "mirror": good["mirror"] + [["nobody"]]}))
    richer = tables()["account"]
    richer[0][1] = str(int(richer[0][1]) + 1)
    damages.append(("the sum is another", {"account": richer}))
    if examine(journal, good):
        raise Broken("the check is no good: it found fault with what is right")
    for what, change in damages:
        if not examine(journal, {**good, **change}):
            raise Broken(f"the check is no good: it did not notice that {what}")
    journal.hooks[kept] += 1
    if not examine(journal, good):
        raise Broken("the check is no good: it did not notice that a hook ran twice")
    journal.hooks[kept] -= 1


# ---- All of it --------------------------------------------------------------------------------------------------------


def run(options, directory):
    dice = random.Random(options.seed)
    parent, started, urls = servers.start(options.only, follow=True)
    try:
        server, url = started[0], urls[f"BELAY_TEST_{options.only.upper()}"]
        subprocess.run([options.worker, url, "make", str(ACCOUNTS)], check=True, timeout=WAIT_S)
        journal = Journal(directory / "journal")
        journal.path.touch()
        kill_servers(options, server, url, directory, journal, dice)
        check_the_check(server, journal)
        kill_clients(options, server, url, directory, journal, dice)
        print(f"servers: {options.kills} kills of {options.only}, {options.client_kills} of its writers,"
              f" {len(journal.done)} units committed, 0 lost, 0 torn, 0 doubled")
    finally:
        servers.stop(parent, started)


def raise_exit(number, _frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description="Kills servers under writers, and writers under servers.")
    parser.add_argument("--worker", required=True)
    parser.add_argument("--only", required=True, choices=[kind.name for kind in servers.KINDS])
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--client-kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    options.worker = str(Path(options.worker).resolve())
    signal.signal(signal.SIGTERM, raise_exit)
    directory = Path(tempfile.mkdtemp(prefix="belay-crash-servers-"))
    try:
        run(options, directory)
    except Broken as broken:
        print(f"servers: broken (seed {options.seed}): {broken}; kept: {directory}")
        return 1
    except (CannotRun, OSError, subprocess.SubprocessError, SystemExit) as problem:
        print(f"servers: could not run: {problem} (seed {options.seed}); kept: {directory}")
        return 2
    for entry in directory.iterdir():
        entry.unlink()
    directory.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main())
