#!/usr/bin/env python3
"""isolation_table.py [--check] FILE... - writes the tables of isolation levels into Markdown files.

What was observed stands in tests/isolation/*.txt, and a test compares it with the engines; the words stand in
include/belay/isolation.h. Between the comment lines `isolation table NAME` and `end of isolation table` each FILE gets
the table of tests/isolation/NAME.txt, or, for the NAME advice, what to do where an anomaly is allowed. With --check
nothing is written, and the exit status is 1 when a file is not up to date.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLACE = re.compile(r"(<!-- isolation table ([\w.-]+): made by tools/isolation_table.py -->\n).*?"
                   r"(<!-- end of isolation table -->)", re.S)
LEVELS = ["read uncommitted", "read committed", "repeatable read", "snapshot", "serializable"]


def read_anomalies():
    """{sign: (title, advice)}, in the order of the header."""
    text = (ROOT / "include/belay/isolation.h").read_text().split("BELAY_ANOMALIES(X)")[1].split("typedef enum")[0]
    found = re.findall(r'X\(\w+, "([^"]*)", "([^"]*)",[\s\\]*"([^"]*)"\)', text)
    if not found:
        sys.exit("isolation.h: there are no anomalies in it")
    return {sign: (title, advice) for sign, title, advice in found}


def read_cells(name):
    lines = (ROOT / "tests/isolation" / f"{name}.txt").read_text().split("\n")
    return {line.split()[0]: line.split()[1:] for line in lines if line and not line.startswith("#")}


def show(word):
    return f"**{word}**" if word == "allowed" else word


def make_levels(name):
    cells = read_cells(name)
    lines = ["| | " + " | ".join(LEVELS) + " |", "|---" * (len(LEVELS) + 1) + "|"]
    for sign, (title, _) in read_anomalies().items():
        lines.append(f"| [{sign}](#{anchor(sign)}) {title} | " + " | ".join(map(show, cells[sign])) + " |")
    return "\n".join(lines) + "\n"


def anchor(sign):
    return sign.lower()


def make_advice():
    lines = ["| | what to do where it is allowed |", "|---|---|"]
    lines += [f"| [{sign}](#{anchor(sign)}) {title} | {advice} |"
              for sign, (title, advice) in read_anomalies().items()]
    return "\n".join(lines) + "\n"


def renew(match):
    begin, name, end = match.groups()
    return begin + (make_advice() if name == "advice" else make_levels(name)) + end


def main():
    arguments = sys.argv[1:]
    check = "--check" in arguments
    stale = []
    for name in (a for a in arguments if a != "--check"):
        path = pathlib.Path(name)
        text = path.read_text()
        new, places = PLACE.subn(renew, text)
        if places == 0:
            sys.exit(f"{name}: there is no place for a table")
        if new != text:
            stale.append(name)
            if not check:
                path.write_text(new)
    if check and stale:
        sys.exit("not up to date, run tools/isolation_table.py: " + " ".join(stale))


main()
