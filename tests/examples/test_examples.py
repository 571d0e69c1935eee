#!/usr/bin/env python3
"""test_examples.py FOLDER CSV [postgresql|mariadb] - every program of examples/ does the same on every engine.

Each program of FOLDER runs on a new database of the server, whose URL is in BELAY_TEST_POSTGRESQL or BELAY_TEST_MARIADB,
and on SQLite. Both times it must end well, and print the same, once the words of the engines for what a constraint
refused are made one. Without an engine all run on SQLite, and then again on a file that is there already. What depends on
chance or on the number of calls is left out: which worker did an order, how often the bank moved money, how many calls
were made to fail; each of these programs checks that itself.

The databases are made with the servers' own clients, and dropped in the end.
"""

import difflib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

SECONDS = 120

# What engines say -> what is compared.
WORDS = [
    (r'CHECK constraint failed: \w+( >= 0)?|new row for relation "\w+" violates check constraint "\w+"|'
     r"CONSTRAINT `[^`]+` failed for `\w+`\.`\w+`", "a CHECK failed"),
    (r'UNIQUE constraint failed: [\w.]+(, \w+\.\w+)*|duplicate key value violates unique constraint "\w+"|'
     r"Duplicate entry for key '\w+'", "a key is taken"),
    (r'NOT NULL constraint failed: [\w.]+|null value in column "\w+" of relation "\w+" violates not-null constraint|'
     r"Column '\w+' cannot be null", "a value is missing"),
    (r'FOREIGN KEY constraint failed|(insert or )?update (or delete )?on table "\w+" violates foreign key constraint "\w+"'
     r'( on table "\w+")?|Cannot (add or update a child|delete or update a parent) row: a foreign key constraint fails '
     r"\(.*?\)\)", "a row is missing"),
    (r"; hint: SQLite doesn't say which key: PRAGMA foreign_key_list\(table\) shows those of a table", ""),
]

# program: its arguments after the URL, and the lines that chance decides
CHANCE = {
    "bank": (["--seconds", "1", "--threads", "4", "--processes", "2"], r"  \w+ +\d+ .*|  The (journal|tables) ha.*"),
    "order_batch": ([], r"Worker \d has shipped:.*"),
    "rehearsal": ([], r".*: \d+ runs, \d+ of them wrong|    call \d+ .*"),
}


class Server:
    """Makes databases on a server, of which its URL names one."""

    def __init__(self, engine):
        self.engine = engine
        self.url = urllib.parse.urlsplit(os.environ[f"BELAY_TEST_{engine.upper()}"])

    def say(self, sql):
        at = ["-h", self.url.hostname, "-U" if self.engine == "postgresql" else "-u", self.url.username]
        if self.engine == "postgresql":
            command = ["psql", "-X", "-q", *at, "-p", str(self.url.port), "-d", "postgres", "-c", "SET client_min_messages = error", "-c", sql]
        else:
            command = ["mariadb", "--no-defaults", *at, "-P", str(self.url.port), "-e", sql]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def make(self, name):
        self.drop(name)
        self.say(f"CREATE DATABASE {name}" + (" CHARACTER SET utf8mb4" if self.engine == "mariadb" else ""))
        return self.url._replace(path=f"/{name}").geturl()

    def drop(self, name):
        self.say(f"DROP DATABASE IF EXISTS {name}")


class Files:
    """Makes SQLite files."""

    engine = "sqlite"

    def __init__(self, folder):
        self.folder = folder

    def make(self, name):
        return f"sqlite:{self.folder}/{name}.db"

    def drop(self, name):
        pass


def run(program, url, csv):
    arguments, chance = CHANCE.get(program.name, ([], None))
    first = [csv, url] if program.name == "main_job" else [url]
    done = subprocess.run([program, *first, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=SECONDS)
    lines = [line for line in done.stdout.splitlines() if not (chance and re.fullmatch(chance, line))]
    text = " ".join(" ".join(lines).split())  # where a long line is broken depends on the words of the engine
    for pattern, words in WORDS:
        text = re.sub(pattern, words, text)
    return done.returncode, text.split()


def differences(one, other):
    """The words that differ, each time with some before them."""
    for kind, start, end, first, last in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if kind != "equal":
            yield f"after '{' '.join(one[max(start - 8, 0):start])}': '{' '.join(one[start:end])}'"
            yield f"    and there '{' '.join(other[first:last])}'"


def compare(program, csv, places):
    """What is wrong: lines to print."""
    name = "example_" + program.name
    results = []
    for place in places:
        url = place.make(name)
        try:
            results.append(run(program, url, csv))
        finally:
            place.drop(name)
    wrong = [f"on {place.engine} it ended with {code}" for place, (code, _) in zip(places, results) if code != 0]
    (_, one), (_, other) = results
    return wrong + list(differences(one, other))


def main():
    folder, csv = pathlib.Path(sys.argv[1]), sys.argv[2]
    programs = sorted(p for p in folder.iterdir()
                      if p.is_file() and os.access(p, os.X_OK) and p.name != "two_banks")  # it needs two databases
    home = tempfile.mkdtemp(prefix="belay-examples-")
    faults = 0
    try:
        files = Files(home)
        places = [files, Server(sys.argv[3]) if len(sys.argv) > 3 else files]
        for program in programs:
            wrong = compare(program, csv, places)
            print(f"{'FAILED' if wrong else 'ok    '}  {program.name}", *wrong, sep="\n        ", flush=True)
            faults += bool(wrong)
    finally:
        shutil.rmtree(home)
    print(f"{len(programs)} examples, {faults} faults")
    return 1 if faults or not programs else 0


if __name__ == "__main__":
    sys.exit(main())
