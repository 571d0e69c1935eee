#!/usr/bin/python3
"""Other sessions' reads on PostgreSQL while a file is imported: how long a scan of the rows being imported takes.

A scan counts the first thousand rows by their key, from two sessions, each of which goes on to the next scan at once,
and now and then has a transaction of its own with a number. That is as in any database where others write: until one
with a later number has ended, all of the import's numbers are simply in the future, and nothing of it is looked up.
The file is imported by another program (--writer), which tells when it begins, holds its transaction, and is done.

Modes: held     while the import's transaction is open, with all rows stored: nothing runs but the scans
       running  while it stores them: from its beginning until the COMMIT is done
       after    when it has been committed: the speed without an import
"""

import json
import subprocess
import sys
import threading
import time

import common

READERS, ROWS, HELD_SECONDS = 2, 1000, 0.5
SCANS_A_NUMBER = 32
SCAN = "SELECT count(*) FROM %s WHERE id BETWEEN 1 AND " + str(ROWS)

psycopg2 = common.need("psycopg2")


class Reader(threading.Thread):
    """A session that scans until it is told to stop. psycopg2 lets other threads run while it waits."""

    def __init__(self, options):
        super().__init__(daemon=True)
        self.scan = SCAN % options.table
        self.db = psycopg2.connect(options.database)
        self.db.autocommit = True
        self.cursor = self.db.cursor()
        for path in ("seqscan", "bitmapscan"):
            self.cursor.execute("SET enable_%s = off" % path)
        self.scans, self.seen, self.stopping = 0, set(), False

    def run(self):
        while not self.stopping:
            if self.scans % SCANS_A_NUMBER == 0:
                self.cursor.execute("SELECT txid_current()")
            self.cursor.execute(self.scan)
            self.seen.add(self.cursor.fetchone()[0])
            self.scans += 1

    def fetch(self, sql):
        self.cursor.execute(sql)
        return self.cursor.fetchone()


def start_writer(options):
    command = [options.writer, "--mode", options.writer_mode, "--database", options.database, "--count",
               str(options.count), "--file", options.file, "--table", options.table, "--watched",
               "running" if options.mode == "running" else "held"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(writer, word):
    for line in writer.stdout:
        if line.strip() == word:
            return
    sys.exit("the writer ended before it was %s" % word)


def let_go(writer):
    writer.stdin.write("\n")
    writer.stdin.flush()


def finish(writer):
    """The record that it prints at the end."""
    last = writer.stdout.read().splitlines()[-1]
    if writer.wait() != 0:
        sys.exit("the writer failed")
    return json.loads(last)


def measure(readers, wait):
    """Seconds a scan, of all readers together, while wait() waits."""
    begun = time.monotonic()
    for reader in readers:
        reader.start()
    wait()
    for reader in readers:
        reader.stopping = True
    for reader in readers:
        reader.join()
    return (time.monotonic() - begun) / sum(reader.scans for reader in readers)


def expect(readers, rows):
    seen = set().union(*(reader.seen for reader in readers))
    if not seen <= rows:
        sys.exit("a scan saw %s rows" % sorted(seen - rows))


def run(options, readers):
    writer = start_writer(options)
    if options.mode == "running":
        wait_for(writer, "begun")
        seconds = measure(readers, lambda: wait_for(writer, "done"))
        return seconds, finish(writer)
    wait_for(writer, "held")
    if options.mode == "held":
        seconds = measure(readers, lambda: time.sleep(HELD_SECONDS))
        expect(readers, {0})
        let_go(writer)
        return seconds, finish(writer)
    let_go(writer)
    record = finish(writer)
    seconds = measure(readers, lambda: time.sleep(HELD_SECONDS))
    return seconds, record


def main():
    options = common.arguments(("held", "running", "after"), {
        "--writer": "the program that imports --file", "--writer-mode": "its mode"})
    readers = [Reader(options) for _ in range(READERS)]
    client = common.Client(options)
    client.ask(readers[0].fetch)
    cpu = -time.process_time()
    seconds, record = run(options, readers)
    scans = sum(reader.scans for reader in readers)
    print(json.dumps({
        "side": "%d readers, %s" % (READERS, common.driver_of(options.database)), "mode": options.mode,
        "count": options.count, "scans": scans, "rejected": record["rejected"], "seconds_per_op": seconds,
        "cpu_seconds_per_op": (cpu + time.process_time()) / scans, "trips_per_op": 0,
        "peak_kib": common.peak_kib(), "settings": client.settings}))


if __name__ == "__main__":
    main()
