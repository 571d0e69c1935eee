#!/usr/bin/env python3
"""test_bench.py [ROOT] - what bench/harness.py makes of its sides, and bench/make_csv.py of a table.

Prints "N passed, N failed".

The sides are small scripts that print the line of a side, the store is a file's content and a count: no database.
"""

import contextlib
import io
import json
import pathlib
import sqlite3
import sys
import tempfile
import time


class Store:
    """What a side leaves is the second word of the log, how much work the server saw the third."""

    asks = {"durable": "SELECT durable"}

    def __init__(self, folder):
        self.log = pathlib.Path(folder) / "log"
        self.log.touch()

    def make(self, _case):
        return ["--database", str(self.log)]

    def lines(self):
        return [line.split() for line in self.log.read_text().splitlines()]

    def content(self, _case):
        return 1, self.lines()[-1][1]

    def counts(self):
        return {"transactions": sum(int(line[2]) for line in self.lines())}

    def expected(self, case):
        return {"transactions": (case.count, case.count + 2)}

    def clean(self):
        pass


def side(harness, folder, key, wall=1.0, cpu=1.0, left="rows", seen=10, rejected=0, durable="on", peak=1024, **more):
    """A side that logs its key, what it leaves and how much work it did."""
    record = {"side": key, "mode": "m", "rejected": rejected, "seconds_per_op": wall, "cpu_seconds_per_op": cpu,
              "trips_per_op": 0, "peak_kib": peak, "settings": {"durable": durable}}
    script = pathlib.Path(folder) / key
    script.write_text("echo %s %s %d >>%s/log\necho '%s'\n" % (key, left, seen, folder, json.dumps(record)))
    return harness.Side(key, key, ["sh", str(script)], "m", **more)


def run(harness, folder, sides, comparisons=(), rounds=1, enough=1, **more):
    case = harness.Case("title", Store(folder), "table", sides, list(comparisons), 10, rounds, enough, **more)
    return harness.run_case(case, harness.Settings(2000, [], time.monotonic() + 60))


def refusal(harness, folder, *sides, **more):
    """Why a case with these sides has no result; "" when it has one."""
    try:
        run(harness, folder, list(sides), **more)
    except harness.Unsound as error:
        return str(error)
    return ""


def sides_that_did_the_same_have_a_result(harness, folder):
    assert refusal(harness, folder, side(harness, folder, "a"), side(harness, folder, "b")) == ""


def a_side_that_leaves_other_rows_voids_the_case(harness, folder):
    why = refusal(harness, folder, side(harness, folder, "a"), side(harness, folder, "b", left="fewer"))
    assert "b left other rows" in why, why


def a_side_that_has_other_rows_refused_voids_the_case(harness, folder):
    why = refusal(harness, folder, side(harness, folder, "a"), side(harness, folder, "b", rejected=1))
    assert "b had 1 rows refused instead of 0" in why, why


def a_side_that_has_another_number_refused_than_are_bad_in_the_file_voids_the_case(harness, folder):
    why = refusal(harness, folder, side(harness, folder, "a", rejected=2), bad_rows=3)
    assert "a had 2 rows refused instead of 3" in why, why
    assert refusal(harness, folder, side(harness, folder, "a", rejected=3), bad_rows=3) == ""


def a_side_with_the_good_rows_only_has_none_refused_and_leaves_the_same(harness, folder):
    every = side(harness, folder, "a", rejected=3)
    assert refusal(harness, folder, side(harness, folder, "b", all_rows=False), every) == ""
    why = refusal(harness, folder, every, side(harness, folder, "b", left="fewer", all_rows=False))
    assert "b left other rows" in why, why


def a_side_that_does_something_else_is_not_compared_but_told(harness, folder):
    import report  # found by now, as harness is

    sides = [side(harness, folder, "a"), side(harness, folder, "b", left="other", rejected=9, differs="it hides some")]
    result, out = run(harness, folder, sides), io.StringIO()
    with contextlib.redirect_stdout(out):
        report.print_case(result, None)
    assert result["left"] == [(1, "rows", 0)], result["left"]
    assert "not the same: b left 1 rows: it hides some" in out.getvalue(), out.getvalue()


def only_a_side_that_can_not_be_asked_may_run_under_settings_that_are_not_known(harness, folder):
    asked, silent = side(harness, folder, "a"), side(harness, folder, "b", durable="off", asked=False)
    assert refusal(harness, folder, asked, silent) == ""
    assert refusal(harness, folder, silent, asked) == ""


def sides_of_another_size_are_compared_with_each_other(harness, folder):
    """Not with the rest."""
    def larger(key, left="more", rejected=7):
        return side(harness, folder, key, left=left, rejected=rejected, size=(20, 7))

    small = side(harness, folder, "a")
    assert refusal(harness, folder, small, larger("b"), larger("c")) == ""
    assert "c left other rows" in refusal(harness, folder, small, larger("b"), larger("c", left="rows"))
    assert "b had 6 rows refused instead of 7" in refusal(harness, folder, small, larger("b", rejected=6))
    assert "c left other rows" in refusal(harness, folder, small, side(harness, folder, "c", left="more"))


def a_side_gets_its_own_arguments(harness, folder):
    one = side(harness, folder, "a", options=("--file", "its own"))
    script = pathlib.Path(one.command[1])
    script.write_text(script.read_text().replace("echo '{", 'printf "%%s\\n" "$@" >%s/arguments\necho \'{' % folder))
    assert refusal(harness, folder, one) == ""
    assert "--file\nits own\n" in (pathlib.Path(folder) / "arguments").read_text()


def the_most_memory_can_have_a_target(harness, folder):
    one = harness.Comparison("memory", "a", clock=harness.PEAK, at_most=64 * 1024)
    for peak, verdict in ((64 * 1024, "met"), (64 * 1024 + 1, "MISSED")):
        result = run(harness, folder, [side(harness, folder, "a", peak=peak)], [one])
        assert result["comparisons"][0]["verdict"] == verdict and result["sides"][0]["peak"] == peak


def refused_by_sqlite(db, table, path):
    """How many records of a file its table refuses."""
    with open(path, encoding="utf-8") as file:
        width, refused = len(file.readline().split(",")), 0
        for line in file:
            try:
                values = [field or None for field in line.rstrip("\n").split(",")]
                db.execute("INSERT INTO %s VALUES (%s)" % (table, ", ".join("?" * width)), values)
            except sqlite3.IntegrityError:
                refused += 1
    return refused


def the_bad_records_of_a_file_are_as_many_as_were_asked_for(_harness, folder):
    import make_csv
    import stores

    for table, bad in (("tx", 0), ("tx", 7), ("wide", 0), ("wide", 11)):
        make_csv.write(folder, table, 200, bad)
        every, good = make_csv.paths(folder, table, 200, bad)
        for path, wanted in ((every, bad), (good, 0)):
            db = sqlite3.connect(":memory:")
            for sql in ("PRAGMA foreign_keys = ON", stores.PARENT, stores.PARENTS, stores.TX, stores.WIDE):
                db.execute(sql)
            assert refused_by_sqlite(db, table, path) == wanted, (table, path)
            assert db.execute("SELECT count(*) FROM " + table).fetchone()[0] == 200 - bad
            db.close()


def a_side_that_is_less_durable_voids_the_case(harness, folder):
    why = refusal(harness, folder, side(harness, folder, "a"), side(harness, folder, "b", durable="off"))
    assert "b ran under other settings" in why and "off" in why, why


def a_side_that_commits_less_often_or_more_often_voids_the_case(harness, folder):
    for seen in (9, 13):
        why = refusal(harness, folder, side(harness, folder, "a", seen=seen))
        assert "the server saw %d transactions, not 10 to 12" % seen in why, why
        assert refusal(harness, folder, side(harness, folder, "a", seen=seen, counted=False)) == ""


def what_a_failed_side_said_is_told(harness, folder):
    one = side(harness, folder, "a")
    script = pathlib.Path(one.command[1])
    script.write_text(script.read_text() + "echo the library x is not installed >&2\nexit 1\n")
    assert "a ended with status 1: the library x is not installed" in refusal(harness, folder, one)
    script.write_text("exit 0\n")
    assert "a ended with status 0: no message" in refusal(harness, folder, one)


def each_round_runs_the_sides_in_the_opposite_order(harness, folder):
    run(harness, folder, [side(harness, folder, key) for key in "abc"], rounds=3)
    assert [line[0] for line in Store(folder).lines()] == list("abccbaabc")


def verdict_of(harness, folder, enough=1, **target):
    sides = [side(harness, folder, "a", wall=3.0, cpu=1.0), side(harness, folder, "b", wall=2.0, cpu=4.0)]
    one = harness.Comparison("a / b", "a", "b", **target)
    return run(harness, folder, sides, [one], enough=enough)["comparisons"][0]


def a_target_is_met_or_missed_by_the_ratio_of_the_sides(harness, folder):
    assert verdict_of(harness, folder)["median"] == 1.5
    assert verdict_of(harness, folder)["verdict"] == ""
    assert verdict_of(harness, folder, at_most=1.5)["verdict"] == "met"
    assert verdict_of(harness, folder, at_most=1.4)["verdict"] == "MISSED"
    assert verdict_of(harness, folder, at_least=1.5)["verdict"] == "met"
    assert verdict_of(harness, folder, at_least=1.6)["verdict"] == "MISSED"
    assert verdict_of(harness, folder, at_most=0.25, clock=harness.CPU)["verdict"] == "met"
    assert verdict_of(harness, folder, enough=2, at_most=1.5)["verdict"] == "too few rounds"


def a_verdict_is_in_question_when_the_interval_reaches_over_the_target(harness, _folder):
    one = harness.Comparison("a / b", "a", "b", at_most=1.0)
    assert harness.verdict(one, 0.9, 0.8, 1.1, True) == "met?"
    assert harness.verdict(one, 1.1, 0.9, 1.2, True) == "MISSED?"
    low, high = harness.interval([1.0, 1.1, 0.9, 1.0, 1.2, 0.8, 1.0])
    assert low < 1.0 < high and harness.interval([2.0] * 5) == (2.0, 2.0)


def what_was_not_measured_is_not_met(harness, folder):
    one = harness.Comparison("a / b", "a", "b", at_most=1.0)
    case = harness.Case("title", Store(folder), "table", [], [one], 10, 1, 1)
    assert harness.failed_case(case, "why")["comparisons"][0]["verdict"] == "not measured: why"
    late = harness.run_case(case, harness.Settings(2000, [], time.monotonic() - 1))
    assert late["comparisons"][0]["verdict"] == "not measured: no time was left"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(root / "bench"))
    import harness  # noqa: E402 - found by now

    checks = [
        sides_that_did_the_same_have_a_result,
        a_side_that_leaves_other_rows_voids_the_case,
        a_side_that_has_other_rows_refused_voids_the_case,
        a_side_that_has_another_number_refused_than_are_bad_in_the_file_voids_the_case,
        a_side_with_the_good_rows_only_has_none_refused_and_leaves_the_same,
        a_side_that_does_something_else_is_not_compared_but_told,
        only_a_side_that_can_not_be_asked_may_run_under_settings_that_are_not_known,
        sides_of_another_size_are_compared_with_each_other,
        a_side_gets_its_own_arguments,
        the_most_memory_can_have_a_target,
        the_bad_records_of_a_file_are_as_many_as_were_asked_for,
        a_side_that_is_less_durable_voids_the_case,
        a_side_that_commits_less_often_or_more_often_voids_the_case,
        what_a_failed_side_said_is_told,
        each_round_runs_the_sides_in_the_opposite_order,
        a_target_is_met_or_missed_by_the_ratio_of_the_sides,
        a_verdict_is_in_question_when_the_interval_reaches_over_the_target,
        what_was_not_measured_is_not_met,
    ]
    failed = 0
    for check in checks:
        try:
            with tempfile.TemporaryDirectory() as folder:
                check(harness, folder)
        except Exception as error:  # a check that breaks has failed
            failed += 1
            print(f"{check.__name__}: {type(error).__name__} {error}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
