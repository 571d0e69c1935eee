#!/usr/bin/env python3
"""scenarios.py README BUILD - every situation of the README's table has a test on every engine of the build.

The tests are those that meson knows of. A test of a server has the engine's name before its own.
"""

import json
import pathlib
import re
import sys

SITUATIONS = {*range(1, 14), *range(15, 30), 31}
ONLY_SQLITE = {"conformance - locks", "conformance - resources"}  # they run on a file of their own, whatever the URL


def find_faults(rows, names):
    engines = [engine for engine in ("postgresql", "mariadb") if any(name.startswith(engine) for name in names)]
    for number in sorted(SITUATIONS - {number for number, _ in rows}):
        yield f"situation {number} is not in the table"
    for number, tests in rows:
        for test in tests:
            if not any(name == test or name.endswith(" - " + test) for name in names):
                yield f"situation {number}: there is no test '{test}'"
        if not names & set(tests):
            yield f"situation {number} has no test on sqlite"
        for engine in engines:
            if not names & {f"{engine} - {test}" for test in tests if test not in ONLY_SQLITE}:
                yield f"situation {number} has no test on {engine}"


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    known = json.loads((pathlib.Path(sys.argv[2]) / "meson-info" / "intro-tests.json").read_text())
    rows = [(int(number), re.findall(r"`([^`]+)`", tests))
            for number, tests in re.findall(r"^\| (\d+) \|[^|]*\|([^|]*)\|$", text, re.M)]
    faults = list(find_faults(rows, {test["name"] for test in known}))
    print(*faults, f"{len(rows)} situations, {len(faults)} faults", sep="\n")
    return 1 if faults or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
