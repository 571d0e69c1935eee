#!/usr/bin/env python3
"""sources.py [ROOT] - what the public headers promise of the sources themselves. Prints "N passed, N failed"."""

import pathlib
import re
import sys


def read(path):
    """The code of a file, without its comments and string literals."""
    either = re.compile(r'"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.S)  # in one pass: a string may hold //
    return either.sub(lambda found: '""' if found[0].startswith('"') else " ", path.read_text())


def above_the_drivers(root):
    return [p for room in ("core", "pool", "session", "testing") for p in sorted((root / "src" / room).glob("*.[ch]"))]


def code_above_a_driver_asks_for_a_capability_and_never_for_its_name(root):
    wrong = []
    for path in above_the_drivers(root):
        code = read(path)
        if re.search(r"sqlite|postgres|mariadb|mysql", code, re.I) or re.search(r"cmp\s*\([^;]*driver->name", code):
            wrong.append(path.name)
    return wrong


def the_library_itself_never_prints_or_exits(root):
    words = "printf vprintf fprintf vfprintf dprintf puts putchar fputs fputc putc fwrite perror syslog exit _exit"
    calls = re.compile(r"\b(" + words.replace(" ", "|") + r")\s*\(")
    return [p.name for p in sorted((root / "src").rglob("*.c")) if calls.search(read(p))]


def a_driver_does_not_ask_a_connection_for_its_driver(root):
    return [p.name for p in sorted((root / "src" / "drivers").rglob("*.[ch]")) if re.search(r"->\s*driver\b", read(p))]


def the_isolation_check_sees_what_a_program_sees(root):
    """It uses sessions by the public API; of the library's inside only the ground floor, and how a URL is decoded."""
    room = root / "src" / "isolation"
    allowed = {p.name for p in room.glob("*.h")} | {p.name for p in (root / "src" / "base").glob("*.h")} | {"url.h"}
    wrong = [p.name for p in sorted(room.glob("*.[ch]"))
             if set(re.findall(r'#include "([^"]+)"', p.read_text())) - allowed]
    names = re.compile(r"sqlite|postgres|mariadb|mysql", re.I)
    return wrong + [p.name for p in sorted(room.glob("*.c")) if p.name not in ("dialect.c", "file.c")
                    and names.search(read(p))]


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    checks = [
        code_above_a_driver_asks_for_a_capability_and_never_for_its_name,
        the_library_itself_never_prints_or_exits,
        a_driver_does_not_ask_a_connection_for_its_driver,
        the_isolation_check_sees_what_a_program_sees,
    ]
    failed = 0
    if len(above_the_drivers(root)) < 5:
        sys.exit("the sources are not where they should be: " + str(root))
    for check in checks:
        wrong = check(root)
        if wrong:
            failed += 1
            print(f"{check.__name__}: {', '.join(wrong)}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
