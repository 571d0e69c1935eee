#!/usr/bin/env python3
"""Imports a file of two GiB through a pipe, a quarter of which is one line, and looks how much memory that took.

    large_file.py --belay build/cli/belay [--mib 2048]

A part of the records is stored, the others are too long for their column. What is stored is counted in the table, and
what is read in the summary. The most that the process had in memory must stay under the limit, and a file that is 16
times as long must not take half as much again.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

MIB = 1 << 20
LIMIT = 64 * MIB
NOTE, LONG = 1000, 1200  # characters; VARCHAR(1000)
RECORDS = 2000  # of a block


def make_block():
    """Records without an id, which are the same again and again; every fourth is good."""
    notes = ("n" * NOTE, "n" * LONG)
    return "".join('%d,"%s"\n' % (i, notes[i % 4 != 0]) for i in range(RECORDS)).encode()


def feed(pipe, mib):
    """Writes so many MiB, a quarter of them one line. How many records, and how many of them are good."""
    block, written, records = make_block(), 0, 0
    pipe.write(b"number,note\n")
    while written < mib * MIB * 3 // 4:
        pipe.write(block)
        written += len(block)
        records += RECORDS
    for _ in range(mib // 4):
        pipe.write(b"x" * MIB)
    pipe.write(b"\n7,last\n")
    return records + 2, records // 4 + 1


def run(belay, url, mib):
    """The summary, what was written, and the peak memory in bytes."""
    command = [belay, "import", "-", "--into", url, "--table", "large", "--commit", "every:100000", "--json",
               "--max-record", "1M"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    written = feed(process.stdin, mib)
    process.stdin.close()
    summary = json.loads(process.stdout.read())
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 1:
        sys.exit("the import ended with %d: %s" % (os.waitstatus_to_exitcode(status), summary))
    return summary, written, usage.ru_maxrss * 1024


def check(belay, folder, mib):
    path = os.path.join(folder, "large-%d.db" % mib)
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE large (number INTEGER NOT NULL, note VARCHAR(%d) NOT NULL)" % NOTE)
    summary, (records, good), peak = run(belay, "sqlite:" + path, mib)
    stored = db.execute("SELECT count(*) FROM large").fetchone()[0]
    db.close()
    os.remove(path)
    print("%d MiB: %d records, %d stored, %.1f MiB of memory" % (mib, summary["read"], stored, peak / MIB))
    if (summary["read"], summary["inserted"], stored) != (records, good, good):
        sys.exit("of %d records %d are good: %s" % (records, good, summary))
    return peak


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--belay", required=True)
    parser.add_argument("--mib", type=int, default=2048)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="belay-large-") as folder:
        small = check(arguments.belay, folder, arguments.mib // 16)
        peak = check(arguments.belay, folder, arguments.mib)
    if peak > LIMIT or peak > small * 3 // 2:
        sys.exit("memory grows with the file, or is more than %d MiB" % (LIMIT // MIB))


if __name__ == "__main__":
    main()
