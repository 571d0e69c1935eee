#!/usr/bin/env python3
"""test.py full|quick - builds, runs every test, and counts.

quick  one debug build, the tests of the suite `quick`
full   quick and slow tests on a debug build, and those of the server drivers on
       throwaway servers; all but those again under address and undefined
       sanitizers, the quick ones under the thread sanitizer; a clang build;
       format and tidy; the installed library; examples; crashes

A test program counts as many tests as it says it ran (cmocka's summary, or a
line `N passed, N failed`), any other as one. A program that ends badly without
a failed test of its own counts as one failure. The last line has the totals.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAIN = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed", re.M)
CMOCKA = re.compile(r"\[  (PASSED|FAILED)  \] (\d+) test\(s\)")


class Totals:
    passed = 0
    failed = 0

    def add(self, name, passed, failed, output=""):
        self.passed += passed
        self.failed += failed
        if failed:
            print(f"FAILED {name}: {failed}")
            print("\n".join("    " + line for line in output.splitlines()[-60:]))


def count(output, ended_well):
    """How many tests passed and failed, from what a test program printed."""
    passed = failed = 0
    summaries = CMOCKA.findall(output)
    for what, number in summaries:
        if what == "PASSED":
            passed += int(number)
        else:
            failed += int(number)
    if not summaries:
        lines = PLAIN.findall(output)
        passed = sum(int(p) for p, _ in lines)
        failed = sum(int(f) for _, f in lines)
        if not lines and ended_well:
            passed = 1
    if not ended_well and not failed:
        failed = 1
    return passed, failed


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def run(command, **more):
    return subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def build(totals, directory, options, environment=None):
    say(f"build {directory}: {' '.join(options)}")
    env = {**os.environ, **(environment or {})}
    steps = [["ninja", "-C", directory]]
    if not (ROOT / directory / "build.ninja").exists():
        steps.insert(0, ["meson", "setup", directory, "--werror", *options])
    for command in steps:
        done = run(command, env=env)
        if done.returncode:
            totals.add(f"build of {directory}", 0, 1, done.stdout)
            return False
    return True


def meson_test(totals, directory, suites, environment=None, prefix=(), processes=2):
    say(f"tests of {directory}: {' '.join(suites)}")
    env = {**os.environ, **(environment or {})}
    log = ROOT / directory / "meson-logs" / "testlog.json"
    log.unlink(missing_ok=True)
    arguments = [word for suite in suites for word in ("--suite", suite)]
    done = run([*prefix, "meson", "test", "-C", directory, "--no-rebuild", "--num-processes", str(processes),
                "--timeout-multiplier", "6", *arguments], env=env)
    if not log.exists():
        totals.add(f"meson test of {directory}", 0, 1, done.stdout)
        return
    for line in log.read_text().splitlines():
        record = json.loads(line)
        output = (record.get("stdout") or "") + "\n" + (record.get("stderr") or "")
        totals.add(f"{directory}: {record['name']}", *count(output, record["result"] == "OK"), output)


def step(totals, name, command, environment=None):
    say(name)
    done = run(command, env={**os.environ, **(environment or {})})
    totals.add(name, *count(done.stdout, done.returncode == 0), done.stdout)


def sources(*folders):
    found = []
    for folder in folders:
        found += sorted(str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*.[ch]"))
    return found


def tidy(totals):
    """clang-tidy over the library, two files at a time."""
    say("clang-tidy")
    files = [f for f in sources("src", "cli", "examples") if f.endswith(".c")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda f: (f, run(["clang-tidy", "--quiet", "-p", "build-clang", f])), files)
    bad = [(f, r.stdout) for f, r in results if r.returncode]
    totals.add("clang-tidy", 0 if bad else 1, 1 if bad else 0, "\n".join(out for _, out in bad))


SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1:abort_on_error=0",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    "BELAY_TEST_SANITIZED": "1",
}


def full(totals):
    step(totals, "clang-format", ["clang-format", "--dry-run", "--Werror",
                                  *sources("include", "src", "cli", "examples", "tests", "bench")])
    step(totals, "table of errors", ["python3", "tools/error_table.py", "--check", "README.md", "docs/errors.md"])
    step(totals, "tables of isolation", ["python3", "tools/isolation_table.py", "--check", "docs/isolation.md"])
    if build(totals, "build", ["-Dpostgresql=enabled", "-Dmariadb=enabled", "-Dcli=enabled"]):
        meson_test(totals, "build", ["quick", "slow", "crash"])
        # In memory: what a disk does to a server is not what they are about, and a file for each table takes its time.
        room = {"TMPDIR": "/dev/shm"} if os.access("/dev/shm", os.W_OK | os.X_OK) else {}
        meson_test(totals, "build", ["postgresql", "mariadb"], room, prefix=["tools/servers.py", "run", "--"])
        # Servers of their own, most of them; the others share these.
        meson_test(totals, "build", ["servers"], prefix=["tools/servers.py", "run", "--"], processes=1)
    if build(totals, "build-asan", ["-Db_sanitize=address,undefined", "-Db_lundef=false"]):
        meson_test(totals, "build-asan", ["quick", "slow"], SANITIZERS)
    if build(totals, "build-tsan", ["-Db_sanitize=thread", "-Db_lundef=false"]):
        meson_test(totals, "build-tsan", ["quick"], SANITIZERS)
    if build(totals, "build-clang", [], {"CC": "clang", "CXX": "clang++"}):
        meson_test(totals, "build-clang", ["quick"])
        tidy(totals)
    step(totals, "the installed library", ["tests/install/install.sh"])
    step(totals, "the main job", ["tools/run.sh"])


def quick(totals):
    if build(totals, "build", []):
        meson_test(totals, "build", ["quick"])


def main():
    totals = Totals()
    begun = time.time()
    {"full": full, "quick": quick}[sys.argv[1]](totals)
    say(f"{time.time() - begun:.0f} seconds")
    print(f"{totals.passed} passed, {totals.failed} failed")
    sys.exit(1 if totals.failed or not totals.passed else 0)


main()
