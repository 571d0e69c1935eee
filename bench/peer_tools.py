#!/usr/bin/python3
"""Command-line tools that load files, each as its manual says. The time is that of the whole process.

None can be asked for the settings in force: SQLite's are the file's and the defaults, a server's its own.

Modes: sqlite-utils  sqlite-utils insert --csv --ignore
       import        sqlite3 and its .import
       copy          psql and its \\copy
       pgloader      LOAD CSV, with its defaults
"""

import json
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import common

PACKAGES = {"sqlite-utils": "sqlite-utils", "sqlite3": "sqlite3", "psql": "postgresql-client", "pgloader": "pgloader"}

LOAD = """LOAD CSV FROM '{file}' ({columns})
INTO {url}
TARGET TABLE {table} ({columns})
WITH skip header = 1, fields terminated by ',', fields not enclosed;
"""


def columns(options):
    with open(options.file, encoding="utf-8") as file:
        return file.readline().strip()


def sqlite_utils(options, _folder):
    return ["sqlite-utils", "insert", options.database, options.table, options.file, "--csv", "--ignore"]


def sqlite3(options, _folder):
    return ["sqlite3", "-bail", options.database, ".import --csv --skip 1 %s %s" % (options.file, options.table)]


def psql(options, _folder):
    copy = "\\copy %s(%s) FROM '%s' WITH (FORMAT csv, HEADER)" % (options.table, columns(options), options.file)
    return ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", options.database, "-c", copy]


def pgloader(options, folder):
    server = common.server_of(options.database)
    host = "unix:" + server["host"] if server["host"].startswith("/") else server["host"]
    url = "postgresql://%s@%s:%s/%s" % (server["user"], host, server["port"], server["name"])
    script = pathlib.Path(folder) / "load"
    script.write_text(LOAD.format(file=options.file, columns=columns(options), url=url, table=options.table))
    return ["pgloader", "--quiet", "--root-dir", folder, str(script)]


MODES = {"sqlite-utils": sqlite_utils, "import": sqlite3, "copy": psql, "pgloader": pgloader}


def main():
    options = common.arguments(tuple(MODES))
    with tempfile.TemporaryDirectory(prefix="bench-tool-") as folder:
        command = MODES[options.mode](options, folder)
        if not shutil.which(command[0]):
            sys.exit("%s is not installed: apt-get install %s (tools/deps.sh bench)" % (
                command[0], PACKAGES[command[0]]))
        begun = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        seconds = time.monotonic() - begun
    if done.returncode != 0:
        sys.exit("%s ended with status %d: %s" % (command[0], done.returncode, (done.stderr or done.stdout)[-1000:]))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)  # its memory at least that of this process before it became it
    print(json.dumps({
        "side": "%s, %s" % (command[0], version(command[0])), "mode": options.mode, "count": options.count,
        "rejected": 0, "seconds_per_op": seconds / options.count,
        "cpu_seconds_per_op": (used.ru_utime + used.ru_stime) / options.count, "trips_per_op": 0,
        "peak_kib": used.ru_maxrss, "settings": {}}))


def version(program):
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return next((word for word in done.stdout.replace('"', " ").split() if word[0].isdigit()), "?")


if __name__ == "__main__":
    main()
