#!/usr/bin/env python3
"""test_bench.py [ROOT] - what bench/harness.py makes of its sides. Prints "N passed, N failed".

The sides are small scripts that print the line of a side, the store is a file's content and a count: no database.
"""

import json
import pathlib
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


def side(harness, folder, key, wall=1.0, cpu=1.0, left="rows", seen=10, rejected=0, durable="on", **more):
    """A side that logs its key, what it leaves and how much work it did."""
    record = {"side": key, "mode": "m", "rejected": rejected, "seconds_per_op": wall, "cpu_seconds_per_op": cpu,
              "trips_per_op": 0, "settings": {"durable": durable}}
    script = pathlib.Path(folder) / key
    script.write_text("echo %s %s %d >>%s/log\necho '%s'\n" % (key, left, seen, folder, json.dumps(record)))
    return harness.Side(key, key, ["sh", str(script)], "m", **more)


def run(harness, folder, sides, comparisons=(), rounds=1, enough=1):
    case = harness.Case("title", Store(folder), "table", sides, list(comparisons), 10, rounds, enough)
    return harness.run_case(case, harness.Settings(2000, [], time.monotonic() + 60))


def refusal(harness, folder, *sides):
    """Why a case with these sides has no result; "" when it has one."""
    try:
        run(harness, folder, list(sides))
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
    assert "b left other rows" in why, why


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
