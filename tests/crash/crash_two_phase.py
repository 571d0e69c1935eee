#!/usr/bin/env python3
"""Kills a server between the two phases of a unit over two databases, and looks whether both have it or neither.

    crash_two_phase.py --victim build/tests/two_phase_victim --belay build/cli/belay

victim.c moves money from PostgreSQL to MariaDB and stops after a step of the second phase. One of the two servers, which
are this script's own, is then killed with SIGKILL and started again on the same data. The victim goes on, while the
server is down or when it is back, or is killed as well. Then `belay recover` ends what is left:

    both have the unit, or neither; and it is as the victim was told, when it was told;
    after its decision both have it; before it neither, when the victim is dead;
    a second `belay recover` finds nothing, and the next unit works.

The last line is "two phase: ...", and the exit status 0; 1 when a promise is broken; 2 when the test could not run. It
signals no process but those that it started.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import servers  # noqa: E402

WAIT_S = 60
UNIT = 130  # what the victim moves, each in a scope inside the one before
STEPS = ["prepare of the first", "prepare of the second", "commit of the log", "commit of the first"]
DECIDED = {"commit of the log", "commit of the first"}
# What becomes of the victim when the server is down.
FATES = ["goes on at once", "goes on when it is back", "is killed"]


class Broken(Exception):
    """A promise is broken."""


class Stage:
    """Both servers, the log, and the programs under test."""

    def __init__(self, options, directory, started, urls):
        self.options = options
        self.servers = {server.name: server for server in started}
        self.urls = [urls["BELAY_TEST_POSTGRESQL"], urls["BELAY_TEST_MARIADB"], f"sqlite:{directory}/decisions.db"]

    def balances(self):
        asked = []
        for name, table in (("postgresql", "account_a"), ("mariadb", "account_b")):
            option = "-c" if name == "postgresql" else "-e"
            command = self.servers[name].client(option, f"SELECT balance FROM {table} WHERE id = 1")
            asked.append(int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout))
        return asked

    def recover(self):
        command = [self.options.belay, "recover", "--json", *self.urls]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
        if not ran.stdout:
            raise Broken(f"belay recover ended with {ran.returncode}: {ran.stderr}")
        return json.loads(ran.stdout)

    def start_victim(self, *words):
        return subprocess.Popen([self.options.victim, *self.urls, *words], stdout=subprocess.PIPE, text=True)


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def await_stop(victim):
    end = time.monotonic() + WAIT_S
    while state(victim.pid) != "T":
        if time.monotonic() > end or state(victim.pid) == "Z":
            raise Broken("the victim did not stop at its step")
        time.sleep(0.005)


def play(server, victim, fate):
    """Kills the server, and brings it back. What the victim said last."""
    server.kill()
    if fate == "is killed":
        victim.kill()
    elif fate == "goes on at once":
        victim.send_signal(signal.SIGCONT)
        time.sleep(0.3)
    server.revive()
    if fate == "goes on when it is back":
        victim.send_signal(signal.SIGCONT)
    said, _ = victim.communicate(timeout=WAIT_S)
    return said.splitlines()[-1]


def recover_all(stage, where):
    """Until nothing is left: a dead victim's connection to the other server may live for a moment."""
    counts = {"committed": 0, "rolled_back": 0}
    for _ in range(20):
        done = stage.recover()
        for outcome in counts:
            counts[outcome] += done[outcome]
        if not done["transactions"]:
            return counts
    raise Broken(f"{where}: belay recover finds something again and again: {done}")


def judge(where, step, fate, said, moved, counts):
    if moved[0] != moved[1] or moved[0] not in (0, UNIT):
        raise Broken(f"{where}: {moved[0]} left the one, and {moved[1]} came to the other")
    if counts["committed"] and counts["rolled_back"]:
        raise Broken(f"{where}: belay recover has done one thing and the other: {counts}")
    if fate == "is killed" and bool(moved[0]) != (step in DECIDED):
        raise Broken(f"{where}: it was {'' if step in DECIDED else 'not '}decided, and {moved[0]} has moved")
    if fate != "is killed" and said != "IN_DOUBT" and bool(moved[0]) != (said == "committed"):
        raise Broken(f"{where}: the victim was told {said}, and {moved[0]} has moved")


def kill_once(stage, name, step, fate):
    where = f"{name} killed after {step}, the victim {fate}"
    before = stage.balances()
    victim = stage.start_victim(step, "stop")
    try:
        await_stop(victim)
        said = play(stage.servers[name], victim, fate)
    finally:
        if victim.poll() is None:
            victim.kill()
            victim.wait(WAIT_S)
    counts = recover_all(stage, where)
    after = stage.balances()
    moved = [before[0] - after[0], after[1] - before[1]]
    judge(where, step, fate, said, moved, counts)
    print(f"{where}: {'both have it' if moved[0] else 'neither has it'};"
          f" recovery committed {counts['committed']} and rolled back {counts['rolled_back']}"
          + ("" if fate == "is killed" else f"; it was told {said}"), flush=True)
    following = stage.start_victim("999")
    if following.wait(WAIT_S) != 0 or stage.balances() != [after[0] - 1, after[1] + 1]:
        raise Broken(f"{where}: the next unit did not work: {following.stdout.read()}")
    return moved[0] == UNIT


def run(options, directory):
    parent, started, urls = servers.start(None, follow=True)
    try:
        stage = Stage(options, directory, started, urls)
        subprocess.run([options.victim, "make", *stage.urls[:2]], check=True, timeout=WAIT_S)
        ends = [kill_once(stage, name, step, fate) for name in stage.servers for step in STEPS for fate in FATES]
        print(f"two phase: {len(ends)} kills of a server, {sum(ends)} units committed, {len(ends) - sum(ends)} rolled"
              " back, 0 half done")
    finally:
        servers.stop(parent, started)


def raise_exit(number, _frame):
    raise SystemExit(128 + number)


def main():
    parser = argparse.ArgumentParser(description="Kills servers between the phases of units over two databases.")
    parser.add_argument("--victim", required=True)
    parser.add_argument("--belay", required=True)
    options = parser.parse_args()
    options.victim, options.belay = os.path.abspath(options.victim), os.path.abspath(options.belay)
    signal.signal(signal.SIGTERM, raise_exit)
    directory = Path(tempfile.mkdtemp(prefix="belay-crash-two-phase-"))
    try:
        run(options, directory)
    except Broken as broken:
        print(f"two phase: broken: {broken}; kept: {directory}")
        return 1
    except (OSError, subprocess.SubprocessError, SystemExit, ValueError) as problem:
        print(f"two phase: could not run: {problem}; kept: {directory}")
        return 2
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
