#!/usr/bin/env python3
"""error_table.py [--check] FILE... - writes the table of error codes into Markdown files.

The list in include/belay/error.h is the only one. Between the two comment
lines `error table` each FILE gets a table made from it; with --check nothing
is written, and the exit status is 1 when a file is not up to date.
"""
import pathlib
import re
import sys

BEGIN, END = "<!-- error table: made by tools/error_table.py -->", "<!-- end of error table -->"


def read_codes(header):
    pattern = r'X\((\w+), (\w+), (YES|NO), "([^"]*)"\)'
    return re.findall(pattern, header.read_text())


def make_table(codes):
    lines = ["| code | class | may help to run the unit again | meaning |", "|---|---|---|---|"]
    for code, class_, retry, text in codes:
        if code == "OK":
            continue
        own_class = "" if code == class_ else f"`BELAY_{class_}`"
        lines.append(f"| `BELAY_{code}` | {own_class} | {'yes' if retry == 'YES' else ''} | {text} |")
    return "\n".join(lines)


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    root = pathlib.Path(__file__).resolve().parent.parent
    table = make_table(read_codes(root / "include/belay/error.h"))
    stale = []
    for name in (a for a in arguments if a != "--check"):
        path = pathlib.Path(name)
        text = path.read_text()
        before, _, rest = text.partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            sys.exit(f"{name}: there is no place for the table")
        new = f"{before}{BEGIN}\n{table}\n{END}{after}"
        if new != text:
            stale.append(name)
            if not check:
                path.write_text(new)
    if check and stale:
        sys.exit("not up to date, run tools/error_table.py: " + " ".join(stale))


main()
