#!/usr/bin/env python3
"""`belay import` on a terminal: the bar, and Ctrl-C. BELAY is the command; the database is an SQLite file.

The command runs on a pseudo-terminal of its own, whose Ctrl-C is the byte 0x03. What is to be caught in the middle
reads a pipe that stalls: nothing here depends on how fast anything is.
"""

import contextlib
import fcntl
import os
import pathlib
import pty
import select
import shlex
import signal
import sqlite3
import subprocess
import tempfile
import termios
import threading
import time
import unittest

BELAY = pathlib.Path(os.environ["BELAY"]).resolve()
WAIT_S = 60
ERASE = "\r\033[K"
RECORDS, EVERY = 5000, 700


def make_record(number):
    payee = "two\nlines" if number % 7 == 0 else f"payee {number}"
    amount = "much" if number % 50 == 0 else "-1" if number % 70 == 0 else f"{number}.25"
    return f'{number % 4990 + 1},2026-01-{number % 28 + 1:02},"{payee}",{amount}\n'


FILE = "id,day,payee,amount\n" + "".join(map(make_record, range(RECORDS)))


class Run:
    """A command with its standard error, or its output, on a terminal, which is read until it ends."""

    def __init__(self, words, environment, output_too=False):
        master, slave = pty.openpty()
        self.master, self.text, self.out = master, "", ""

        def control_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        out = slave if output_too else subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=slave, stdout=out, stderr=subprocess.PIPE if output_too else slave,
                                        env=environment, preexec_fn=control_terminal)
        os.close(slave)

    def read_until(self, sign):
        """Until the text is there; None: until the command has ended."""
        deadline = time.monotonic() + WAIT_S
        while sign is None or sign not in self.text:
            ready = select.select([self.master], [], [], max(0, deadline - time.monotonic()))[0]
            try:
                more = os.read(self.master, 65536) if ready else b""
            except OSError:  # the other end is closed
                more = b""
            if not more:
                break
            self.text += more.decode()
        if sign is not None and sign not in self.text:
            raise AssertionError(f"{sign!r} did not come: {self.text!r}")

    def wait_for_open(self, path):
        """Until it has that file open."""
        for _ in range(WAIT_S * 100):
            with contextlib.suppress(OSError):
                folder = pathlib.Path(f"/proc/{self.process.pid}/fd")
                if any(os.path.realpath(entry) == str(path) for entry in list(folder.iterdir())):
                    return
            time.sleep(0.01)
        raise AssertionError(f"{path} is not opened")

    def press(self, key):
        os.write(self.master, key)

    def end(self):
        self.read_until(None)
        out, err = self.process.communicate(timeout=WAIT_S)
        os.close(self.master)
        self.out = (out or err or b"").decode()
        return self.process.returncode

    def shown(self):
        """What is left on the line and below it when all was drawn."""
        return self.text.replace("\r\n", "\n").rpartition(ERASE)[2]


class Terminal(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="belay-terminal-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.input = self.folder / "in put.csv"
        self.environment = {**os.environ, "TERM": "xterm", "PATH": f"{BELAY.parent}:{os.environ['PATH']}"}
        self.environment.pop("NO_COLOR", None)
        self.sql("CREATE TABLE tx (id INTEGER PRIMARY KEY, day DATE NOT NULL, payee VARCHAR(20) NOT NULL,"
                 " amount NUMERIC(12,2) NOT NULL CHECK (amount > 0))")

    def sql(self, text):
        connection = sqlite3.connect(self.folder / "bank.db", timeout=WAIT_S)
        try:
            rows = connection.execute(text).fetchall()
            connection.commit()
            return rows
        finally:
            connection.close()

    def words(self, *more):
        return ["belay", "import", str(self.input), "--into", f"sqlite:{self.folder}/bank.db", "--table", "tx",
                "--rejects", f"{self.folder}/rejects", "--errors", f"{self.folder}/errors", *more]

    def run_to_end(self, *more, output_too=False, **environment):
        run = Run(self.words(*more), {**self.environment, **environment}, output_too)
        return run, run.end()

    def result(self):
        return [self.sql("SELECT * FROM tx ORDER BY id"), (self.folder / "rejects").read_bytes(),
                (self.folder / "errors").read_bytes()]

    # ---- The bar ---------------------------------------------------------------------------------------------------

    def test_a_bar_with_speed_and_time_left_is_drawn_on_the_terminal_and_erased_at_the_end(self):
        self.input.write_text(FILE)
        run, status = self.run_to_end()
        self.assertEqual(status, 1)
        self.assertRegex(run.text, r"\r\x1b\[K *\d+% \x1b\[32m#+\.*\x1b\[0m \d+ records, \d+ rejected, \d+ a second, "
                                   r"\d+:\d\d left")
        self.assertEqual(run.shown(), "")
        self.assertNotRegex(run.out, r"[\r\x1b]")
        self.assertIn("5000 read: ", run.out)

    def test_the_bar_is_never_wider_than_the_terminal(self):
        self.input.write_text(FILE)
        run, _ = self.run_to_end(NO_COLOR="1")
        for line in run.text.split(ERASE):
            self.assertLess(len(line.rstrip("\r\n")), 80)

    def test_without_color_the_bar_has_none(self):
        self.input.write_text(FILE)
        run, _ = self.run_to_end(NO_COLOR="1")
        self.assertIn("#", run.text)
        self.assertNotRegex(run.text, r"\x1b\[[0-9;]*m")

    def test_a_dumb_terminal_gets_no_bar(self):
        self.input.write_text(FILE)
        run, status = self.run_to_end(TERM="dumb")
        self.assertEqual((run.text, status), ("", 1))

    def test_a_bar_is_never_on_the_standard_output(self):
        self.input.write_text(FILE)
        run, status = self.run_to_end(output_too=True)
        self.assertEqual((run.out, status), ("", 1))
        self.assertNotIn("\033", run.text)
        self.assertIn("5000 read: ", run.text)

    # ---- Ctrl-C ----------------------------------------------------------------------------------------------------

    def start_stalled(self, *more):
        """An import of a pipe that gives a part of the file, and then nothing more."""
        os.mkfifo(self.input)
        run = Run(self.words(*more), self.environment)
        part = FILE.encode()[:len(FILE) * 2 // 3]
        feeder = threading.Thread(target=self.feed, args=[part, True], daemon=True)
        feeder.start()
        return run, feeder

    def feed(self, data, stalls):
        with open(self.input, "wb", buffering=0) as pipe:
            pipe.write(data)
            if stalls:
                self.stalled.set()
                self.finish.wait(WAIT_S)

    def stop(self, *more, how):
        """Stops a stalled import; how it ended, and what it said."""
        self.stalled, self.finish = threading.Event(), threading.Event()
        run, feeder = self.start_stalled(*more)
        self.assertTrue(self.stalled.wait(WAIT_S))
        run.read_until(" records, ")
        how(run)
        status = run.end()
        self.finish.set()
        feeder.join(WAIT_S)
        return run, status

    def undisturbed(self):
        self.input.write_text(FILE)
        run, status = self.run_to_end()
        self.assertEqual(status, 1)
        wanted = [*self.result(), run.out]
        self.sql("DELETE FROM tx")
        self.input.unlink()
        return wanted

    def test_ctrl_c_stops_at_a_checkpoint_and_the_command_that_it_prints_comes_to_the_same_end(self):
        *wanted, out = self.undisturbed()
        run, status = self.stop("--commit", f"every:{EVERY}", how=lambda run: run.press(b"\x03"))
        self.assertEqual(status, 3)
        told = run.shown().splitlines()
        self.assertRegex(told[0].removeprefix("^C"), r"^belay import: CANCELLED: the import was stopped behind \d+ records: it can be resumed$")
        (kept,) = self.sql("SELECT records, state FROM belay_imports")
        self.assertEqual(kept, (int(told[0].split()[-6]), "open"))
        self.assertTrue(0 < kept[0] < RECORDS)
        self.assertEqual(told[1].partition("to go on: ")[:2], ("belay import: ", "to go on: "))
        words = shlex.split(told[1].partition("to go on: ")[2])
        self.assertEqual(words[:3], ["belay", "import", "--resume"])
        threading.Thread(target=self.feed, args=[FILE.encode(), False], daemon=True).start()
        resumed = Run(words, self.environment)
        self.assertEqual(resumed.end(), 1)
        self.assertEqual(self.result(), wanted)
        self.assertEqual(resumed.out.splitlines()[-3:], out.splitlines()[-3:])

    def test_ctrl_c_with_all_in_one_transaction_keeps_nothing_and_says_so(self):
        run, status = self.stop(how=lambda run: run.press(b"\x03"))
        self.assertEqual(status, 2)
        self.assertIn("belay import: CANCELLED: the import was stopped", run.shown())
        self.assertNotIn("to go on", run.text)
        self.assertIn("; nothing was kept", run.out)
        self.assertEqual(self.sql("SELECT count(*) FROM tx"), [(0,)])

    def test_sigterm_and_sighup_stop_it_as_ctrl_c_does(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            run, status = self.stop("--commit", "every:100", "--restart", how=lambda run: run.process.send_signal(number))
            self.assertEqual(status, 3)
            self.assertIn("to go on: belay import --resume", run.shown())
            self.input.unlink()
            self.sql("DELETE FROM tx")

    def test_a_second_ctrl_c_ends_what_waits_for_the_database_at_once(self):
        self.input.write_text(FILE)
        lock = sqlite3.connect(self.folder / "bank.db")
        lock.execute("BEGIN IMMEDIATE")
        run = Run(self.words(), self.environment)
        run.wait_for_open(self.folder / "bank.db")
        for _ in range(WAIT_S * 10):
            if run.process.poll() is not None:
                break
            run.press(b"\x03")
            time.sleep(0.1)
        self.assertEqual(run.end(), -signal.SIGINT)
        lock.close()


if __name__ == "__main__":
    unittest.main()
