"""What both Python sides of a benchmark share: arguments, data, clients, clock, and the line they print.

The same data in the same order as common.c, and the same line of JSON. Knows no library; harness.py compares what each
side left behind. Several clients are several processes, which serves Python best: threads would wait for one another.
"""

import argparse
import contextlib
import csv
import importlib
import json
import multiprocessing
import sys
import time
import urllib.parse

ACCOUNTS = 1000
MEETING_SECONDS = 60
ITEMS = "SELECT id, name, amount FROM item ORDER BY id"
PACKAGES = {"sqlalchemy": "python3-sqlalchemy", "django": "python3-django", "psycopg2": "python3-psycopg2",
            "MySQLdb": "python3-mysqldb"}


def arguments(modes, more=None):
    """`more`: further arguments, with their help."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=modes, required=True)
    parser.add_argument("--database", required=True, help="a file that is there, :memory:, or the URL of a server")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--bad-every", type=int, default=0, help="one row in so many has the name of an earlier row")
    parser.add_argument("--ask", action="append", default=[], help="NAME=SQL: a setting to ask one's connection for")
    parser.add_argument("--schema", help="run first: a database in memory starts empty")
    parser.add_argument("--dump", help="the rows of item are written to this file at the end")
    parser.add_argument("--file", help="a CSV file that is loaded into --table")
    parser.add_argument("--table")
    parser.add_argument("--cache-kib", type=int, default=2000)
    for name, text in (more or {}).items():
        parser.add_argument(name, help=text, required=True)
    options = parser.parse_args()
    driver_of(options.database)
    return options


def need(name):
    """Imports a library, or ends with the name of the package that has it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        sys.exit("the Python library %s is not installed: apt-get install %s (tools/deps.sh bench)" % (
            name, PACKAGES[name]))


# ---- Data ----------------------------------------------------------------------------------------

def items(count, bad_every):
    """A bad row is the last of each bad_every, and has the name of the first of them."""
    return [("item-%07d" % (i - (bad_every - 1) if bad_every and i % bad_every == bad_every - 1 else i),
             i * 7919 % 100003) for i in range(count)]


def transfers(count, client, clients):
    """Each client has accounts of its own: none waits for the lock of another."""
    result, accounts = [], ACCOUNTS // clients
    base = client * accounts + 1
    for i in range(part(count, client + 1, clients) - part(count, client, clients)):
        source, target = i * 17 % accounts, (i * 31 + 7) % accounts
        if target == source:
            target = (target + 1) % accounts
        result.append((base + source, base + target, i % 9 + 1))
    return result


def part(count, client, clients):
    """Where the part of a client begins."""
    return client * count // clients


def records(path):
    """The records of a file, each a list of texts; None where nothing is written."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        for row in rows:
            yield [field or None for field in row]


# ---- Databases -----------------------------------------------------------------------------------

def engine_of(database):
    """sqlite, postgresql or mariadb."""
    return database.split("://")[0] if "://" in database else "sqlite"


def server_of(database):
    """The parts of a server's URL: user, name, host, port, socket; those that are not given are ''."""
    url = urllib.parse.urlsplit(database)
    query = dict(urllib.parse.parse_qsl(url.query))
    return {"user": url.username or "", "name": url.path[1:], "host": query.get("host", url.hostname or ""),
            "port": str(url.port or query.get("port", "")), "socket": query.get("socket", "")}


def driver_of(database):
    """What reaches a server from Python, for the label of the side; ends when it is not there."""
    engine = engine_of(database)
    if engine == "sqlite":
        return "sqlite3"
    name = {"postgresql": "psycopg2", "mariadb": "MySQLdb"}[engine]
    return "%s %s" % (name, need(name).__version__.split()[0])


def set_pragmas(connection, cache_kib):
    """On a connection of Python's sqlite3, what Belay sets by default, and the cache size."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA cache_size = %d" % -cache_kib)
    cursor.close()


# ---- Clients -------------------------------------------------------------------------------------

class Client:
    """One client: its part of the work, and what came of it."""

    def __init__(self, options, number=0, barrier=None):
        self.number, self.barrier = number, barrier
        self.begin = self.end = self.cpu = 0.0
        self.rejected = 0
        self.settings = {}
        self.options = options
        if options.file:
            self.data = []
        elif options.mode.startswith("transfer"):
            self.data = transfers(options.count, number, options.clients)
        else:
            self.data = items(options.count, options.bad_every)

    def meet(self):
        if self.barrier:
            self.barrier.wait(MEETING_SECONDS)

    @contextlib.contextmanager
    def measured(self):
        """Seconds around the work, and around nothing else."""
        self.meet()
        cpu, self.begin = time.process_time(), time.monotonic()
        yield
        self.end, self.cpu = time.monotonic(), time.process_time() - cpu

    def ask(self, fetch):
        """fetch(sql) gives the first row, or None."""
        for name, sql in (ask.split("=", 1) for ask in self.options.ask):
            row = fetch(sql)
            self.settings[name] = "" if row is None else str(row[0])


def peak_kib():
    """The most memory that this process had. Not ru_maxrss: that counts what it was before it became this program."""
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def run_process(work, client, pipe):
    work(client)
    pipe.send((client.begin, client.end, client.cpu, client.rejected, client.settings))


def run_processes(options, work):
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(options.clients)
    jobs = []
    for number in range(options.clients):
        ours, theirs = fork.Pipe(duplex=False)
        client = Client(options, number, barrier)
        process = fork.Process(target=run_process, args=(work, client, theirs))
        process.start()
        theirs.close()
        jobs.append((client, process, ours))
    for client, process, ours in jobs:
        try:
            client.begin, client.end, client.cpu, client.rejected, client.settings = ours.recv()
        except EOFError:
            sys.exit("a client failed")
        process.join()
    return [client for client, _, _ in jobs]


def run(options, side, work):
    """Calls work(client) for each client, in a process of its own when there are several, and prints the line."""
    if options.clients == 1:
        clients = [Client(options)]
        work(clients[0])
    else:
        clients = run_processes(options, work)
    wall = max(client.end for client in clients) - min(client.begin for client in clients)
    print(json.dumps({
        "side": "%s, %s" % (side, driver_of(options.database)), "mode": options.mode, "count": options.count,
        "rejected": sum(client.rejected for client in clients), "seconds_per_op": wall / options.count,
        "cpu_seconds_per_op": sum(client.cpu for client in clients) / options.count, "trips_per_op": 0,
        "peak_kib": peak_kib(),
        "settings": clients[0].settings}))


def dump(options, rows):
    if options.dump:
        with open(options.dump, "w", encoding="utf-8") as file:
            for row in rows(ITEMS):
                file.write("%d|%s|%d\n" % tuple(row))
