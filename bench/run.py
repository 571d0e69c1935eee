#!/usr/bin/python3
"""Belay beside what people use for the same work. See README.md for what is measured and how to read it.

    bench/run.py --build build            the cases on SQLite, in under six minutes
    bench/run.py --build build --quick    a hint, in under one
    tools/servers.py run -- bench/run.py --part servers --build build
                                          the cases on PostgreSQL and MariaDB; the library must have both drivers
    tools/servers.py run -- bench/run.py --part imports --build build
                                          imports of files, on all three
"""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # no __pycache__ among the sources

import cases_imports  # noqa: E402
import cases_servers  # noqa: E402
import cases_sqlite  # noqa: E402
import harness  # noqa: E402
import programs  # noqa: E402
import report  # noqa: E402

LIMIT = {"sqlite": 330, "servers": 350, "imports": 330}
QUICK_LIMIT = {"sqlite": 50, "servers": 150, "imports": 100}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build directory with the library")
    parser.add_argument("--part", choices=tuple(LIMIT), default="sqlite", help="which cases (sqlite)")
    parser.add_argument("--quick", action="store_true", help="few and short rounds; on servers: only that it works")
    parser.add_argument("--only", help="cases whose title contains this")
    parser.add_argument("--list", action="store_true", help="only print the titles of the cases")
    parser.add_argument("--json", type=pathlib.Path, help="write everything measured to this file")
    parser.add_argument("--cpu", type=int, help="pin each side to this CPU with taskset")
    parser.add_argument("--cache-kib", type=int, default=2000, help="SQLite's page cache of each side (default: 2000)")
    parser.add_argument("--limit", type=float, help="seconds after which no new round starts (330; servers: 350; "
                        "quick: 50, 150, imports: 100)")
    parser.add_argument("--library", type=pathlib.Path, help="link this file instead of the build directory's")
    parser.add_argument("--python", default="/usr/bin/python3", help="the interpreter of the peers")
    parser.add_argument("--directory", type=pathlib.Path, help="where database files go; on a real disk, not in memory")
    parser.add_argument("--strict", action="store_true", help="exit with 3 when a target is missed")
    return parser.parse_args()


def pinning(cpu):
    if cpu is None:
        return []
    if not shutil.which("taskset"):
        sys.exit("--cpu needs taskset, which is not installed")
    return ["taskset", "-c", str(cpu)]


def make_head(options, library):
    compiler = programs.compiler()
    version = subprocess.run(compiler[:1] + ["--version"], capture_output=True, text=True, check=True)
    head = harness.machine()
    head.update(compiler=version.stdout.splitlines()[0] + " " + " ".join(compiler[1:]), library=library.name,
                sqlite=sqlite3.sqlite_version, quick=options.quick, part=options.part, links={},
                pinned="" if options.cpu is None else "CPU %d" % options.cpu)
    return head


def peers_of(options):
    return {name: [options.python, "-B", str(programs.HERE / ("peer_%s.py" % name))]
            for name in ("sqlalchemy", "sqlalchemy_objects", "django", "tools", "readers")}


@contextlib.contextmanager
def open_sqlite(options, library):
    """The cases, and how long a round trip is by each link: SQLite has none."""
    compiled = programs.compile_programs(options, library, cases_sqlite.PROGRAMS)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory or options.build) as directory:
        yield cases_sqlite.make_cases(compiled, peers_of(options), directory, options.quick), {}


@contextlib.contextmanager
def open_servers(options, library):
    compiled = programs.compile_programs(options, library, cases_servers.PROGRAMS, ("libpq", "libmariadb"))
    with cases_servers.open_stores(compiled) as by_name:
        links = {"%s, %s" % which: store.trip() for which, store in by_name.items()}
        yield cases_servers.make_cases(compiled, peers_of(options), by_name, options.quick), links


def open_imports(options, library):
    return cases_imports.open_part(options, library, peers_of(options))


OPEN = {"sqlite": open_sqlite, "servers": open_servers, "imports": open_imports}


def run_cases(cases, settings):
    """The results, and whether all of them mean something."""
    results, sound, in_force = [], True, None
    for case in cases:
        try:
            result = harness.run_case(case, settings)
        except (harness.Unsound, subprocess.TimeoutExpired) as error:
            print("\n== %s\n  NO RESULT: %s" % (case.title, error), flush=True)
            results.append(harness.failed_case(case, str(error)))
            sound = False
            continue
        report.print_case(result, in_force)
        in_force = result["settings"]
        sys.stdout.flush()
        results.append(result)
    return results, sound


def main():
    options = read_arguments()
    library = programs.find_library(options)
    head = make_head(options, library)
    with OPEN[options.part](options, library) as (cases, links):
        cases = [case for case in cases if not options.only or options.only in case.title]
        if options.list:
            print("\n".join(case.title for case in cases))
            return 0
        if not cases:
            sys.exit("no case has '%s' in its title; --list prints them" % options.only)
        head["links"] = links
        report.print_head(head)
        started = time.monotonic()
        limit = options.limit or (QUICK_LIMIT if options.quick else LIMIT)[options.part]
        settings = harness.Settings(options.cache_kib, pinning(options.cpu), started + limit)
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
