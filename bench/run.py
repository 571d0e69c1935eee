#!/usr/bin/python3
"""Belay beside raw sqlite3, SQLAlchemy and Django. See README.md for what is measured and how to read it.

    bench/run.py --build build            all of it, in under six minutes
    bench/run.py --build build --quick    a hint in under one
"""

import argparse
import json
import os
import pathlib
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # no __pycache__ among the sources

import harness  # noqa: E402
import report  # noqa: E402
from harness import Case, Comparison, Side  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build directory with the library")
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--only", help="cases whose title contains this")
    parser.add_argument("--json", type=pathlib.Path, help="write everything measured to this file")
    parser.add_argument("--cpu", type=int, help="pin each side to this CPU with taskset")
    parser.add_argument("--cache-kib", type=int, default=2000, help="page cache of each side (SQLite's default: 2000)")
    parser.add_argument("--limit", type=float, help="seconds after which no new round starts (330; quick: 50)")
    parser.add_argument("--library", type=pathlib.Path, help="link this file instead of the build directory's")
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter of the peers")
    parser.add_argument("--directory", type=pathlib.Path, help="where database files go; on a real disk, not in memory")
    parser.add_argument("--strict", action="store_true", help="exit with 3 when a target is missed")
    return parser.parse_args()


# ---- The C programs ------------------------------------------------------------------------------

def find_library(options):
    if options.library:
        return options.library
    for name in ("libbelay.a", "libbelay.so"):
        found = sorted(options.build.rglob(name))
        if found:
            return found[0]
    sys.exit("no libbelay.a or libbelay.so under %s: build the library first" % options.build)


def compiler():
    return shlex.split(os.environ.get("CC", "cc")) + ["-std=c11", "-D_GNU_SOURCE", "-O2", "-fexceptions"]


def compile_programs(options, library):
    """Compiles both programs the same way into BUILD/side-by-side; their paths."""
    out = options.build / "side-by-side"
    out.mkdir(parents=True, exist_ok=True)
    common = compiler() + WARNINGS.split() + [str(HERE / "common.c")]
    raw, belay = out / "scope_raw", out / "scope_belay"
    rpath = ["-Wl,-rpath," + str(library.parent.resolve())] if library.suffix == ".so" else []
    subprocess.run(common + [str(HERE / "scope_raw.c"), "-o", str(raw), "-lsqlite3"], check=True)
    subprocess.run(common + ["-I", str(HERE.parent / "include"), str(HERE / "scope_belay.c"), "-o", str(belay),
                             str(library)] + rpath + ["-lsqlite3", "-lpthread", "-lm"], check=True)
    return raw, belay


# ---- The cases -----------------------------------------------------------------------------------

class Sides:
    """The sides by name; "again" is the control: the same program as another side."""

    def __init__(self, raw, belay, python):
        self.raw, self.belay = [str(raw)], [str(belay)]
        self.sqlalchemy = [python, "-B", str(HERE / "peer_sqlalchemy.py")]
        self.django = [python, "-B", str(HERE / "peer_django.py")]

    def scopes(self):
        return [Side("bare", "raw: bare insert loop", self.raw, "bare"),
                Side("try", "belay_try a row", self.belay, "try"),
                Side("savepoint", "raw: savepoint, insert, release", self.raw, "savepoint"),
                Side("nested", "Belay: nested block with one insert", self.belay, "nested"),
                Side("exec", "Belay: belay_exec in one scope", self.belay, "exec"),
                Side("again", "raw: bare insert loop, again", self.raw, "bare")]

    def empty(self):
        return [Side("raw", "raw: savepoint, release", self.raw, "empty"),
                Side("belay", "Belay: empty nested block", self.belay, "empty")]

    def peers(self):
        return [Side("nested", "Belay: nested block with one insert", self.belay, "nested"),
                Side("try", "belay_try a row", self.belay, "try"),
                Side("savepoint", "raw: savepoint, insert, release", self.raw, "savepoint"),
                Side("core", "SQLAlchemy core", self.sqlalchemy, "core"),
                Side("session", "SQLAlchemy Session", self.sqlalchemy, "session"),
                Side("django", "Django", self.django, "create")]

    def transfer(self):
        return [Side("raw", "raw", self.raw, "transfer"),
                Side("belay", "Belay", self.belay, "transfer"),
                Side("again", "raw, again", self.raw, "transfer")]

    def transfer_peers(self):
        return [Side("belay", "Belay", self.belay, "transfer"),
                Side("core", "SQLAlchemy core", self.sqlalchemy, "transfer-core"),
                Side("session", "SQLAlchemy Session", self.sqlalchemy, "transfer-session"),
                Side("django", "Django", self.django, "transfer")]


SCOPES = [
    Comparison("control: raw / the same again", "again", "bare"),
    Comparison("belay_try / raw bare", "try", "bare", at_most=1.3),
    Comparison("nested block / raw bare", "nested", "bare", at_most=2.3, raw=("savepoint", "bare")),
    Comparison("nested block / raw savepoint", "nested", "savepoint"),
    Comparison("belay_exec / raw bare", "exec", "bare"),
    Comparison("CPU: belay_try / raw bare", "try", "bare", clock="cpu_seconds_per_op"),
    Comparison("CPU: nested block / raw bare", "nested", "bare", clock="cpu_seconds_per_op",
               raw=("savepoint", "bare")),
]
EMPTY = [
    Comparison("empty nested block, CPU time", "belay", at_most=20e-9, clock="cpu_seconds_per_op"),
    Comparison("CPU: raw savepoint, release / empty block", "raw", "belay", clock="cpu_seconds_per_op"),
]
PEERS = [
    Comparison("SQLAlchemy Session / nested block", "session", "nested", at_least=150, raw=("session", "savepoint")),
    Comparison("Django / nested block", "django", "nested", at_least=60, raw=("django", "savepoint")),
    Comparison("SQLAlchemy core / nested block", "core", "nested", at_least=40, raw=("core", "savepoint")),
    Comparison("SQLAlchemy Session / belay_try", "session", "try"),
    Comparison("Django / belay_try", "django", "try"),
    Comparison("SQLAlchemy core / belay_try", "core", "try"),
]
TRANSFER = [
    Comparison("control: raw / the same again", "again", "raw"),
    Comparison("Belay / raw", "belay", "raw", at_most=1.10),
    Comparison("CPU: Belay / raw", "belay", "raw", clock="cpu_seconds_per_op"),
]
TRANSFER_PEERS = [
    Comparison("SQLAlchemy core / Belay", "core", "belay"),
    Comparison("SQLAlchemy Session / Belay", "session", "belay"),
    Comparison("Django / Belay", "django", "belay"),
]


def make_cases(sides, quick):
    cases = []
    for table in ("plain", "unique"):
        for memory in (False, True):
            where = "%s table, %s" % (table, "memory" if memory else "file")
            cases.append(Case("scope with one insert, " + where, table, memory, sides.scopes(), SCOPES,
                              20000 if quick else 50000, 3 if quick else 15, 3 if quick else 5))
    for memory in (False, True):
        cases.append(Case("empty scope, " + ("memory" if memory else "file"), None, memory, sides.empty(), EMPTY,
                          500000 if quick else 2000000, 3 if quick else 7, 3 if quick else 5))
    cases.append(Case("durable transfer, file", "account", False, sides.transfer(), TRANSFER,
                      300 if quick else 1000, 9 if quick else 41, 9 if quick else 31))
    for table in ("plain",) if quick else ("plain", "unique"):
        for memory in (False, True):
            where = "%s table, %s" % (table, "memory" if memory else "file")
            cases.append(Case("against peers, " + where, table, memory, sides.peers(), PEERS,
                              2000 if quick else 10000, 3 if quick else 5, 3 if quick else 5))
    cases.append(Case("durable transfer against peers, file", "account", False, sides.transfer_peers(), TRANSFER_PEERS,
                      300 if quick else 1000, 3 if quick else 5, 3 if quick else 5))
    return cases


# ---- The run -------------------------------------------------------------------------------------

def pinning(cpu):
    if cpu is None:
        return []
    if not shutil.which("taskset"):
        sys.exit("--cpu needs taskset, which is not installed")
    return ["taskset", "-c", str(cpu)]


def make_head(options, library):
    version = subprocess.run(compiler()[:1] + ["--version"], capture_output=True, text=True, check=True)
    db = sqlite3.connect(":memory:")
    head = harness.machine()
    head.update(compiler=version.stdout.splitlines()[0] + " " + " ".join(compiler()[1:]), library=library.name,
                sqlite=sqlite3.sqlite_version, quick=options.quick,
                pinned="" if options.cpu is None else "CPU %d" % options.cpu)
    db.close()
    return head


def run_cases(cases, settings):
    """The results, and whether all of them mean something."""
    results, sound = [], True
    for case in cases:
        try:
            result = harness.run_case(case, settings)
        except (harness.Unsound, subprocess.TimeoutExpired) as error:
            print("\n== %s\n  NO RESULT: %s" % (case.title, error), flush=True)
            results.append(harness.failed_case(case, str(error)))
            sound = False
            continue
        report.print_case(result)
        sys.stdout.flush()
        results.append(result)
    return results, sound


def main():
    options = read_arguments()
    library = find_library(options)
    raw, belay = compile_programs(options, library)
    head = make_head(options, library)
    report.print_head(head)
    cases = [case for case in make_cases(Sides(raw, belay, options.python), options.quick)
             if not options.only or options.only in case.title]
    started = time.monotonic()
    limit = options.limit or (50 if options.quick else 330)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory or options.build) as directory:
        settings = harness.Settings(options.cache_kib, pinning(options.cpu), pathlib.Path(directory), started + limit)
        results, sound = run_cases(cases, settings)
    report.print_summary(results)
    print("  %.0f seconds; load at the end %.2f" % (time.monotonic() - started, os.getloadavg()[0]))
    if options.json:
        options.json.write_text(json.dumps({"head": head, "cases": results}, indent=1) + "\n", encoding="utf-8")
    if not sound:
        return 1
    missed = any(c["verdict"].startswith("MISSED") for case in results for c in case["comparisons"])
    return 3 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
