"""Prints the results of harness.py as text."""

from harness import PEAK, TRIPS


def time_text(seconds):
    if seconds < 1e-6:
        return "%.1f ns" % (seconds * 1e9)
    return "%.2f us" % (seconds * 1e6)


def figure(comparison, value):
    if comparison["under"] is None:
        return absolute_text(comparison, value)
    return "%.1f" % value if value >= 20 else "%.3f" % value


def absolute_text(comparison, value):
    if comparison["clock"] == PEAK:
        return memory_text(value)
    return "%.2f" % value if comparison["clock"] == TRIPS else time_text(value)


def memory_text(kib):
    return "%.1f MiB" % (kib / 1024) if kib else "-"


def target(comparison):
    if comparison["at_most"] is not None:
        return "<= " + figure_of_target(comparison, comparison["at_most"])
    if comparison["at_least"] is not None:
        return ">= " + figure_of_target(comparison, comparison["at_least"])
    return ""


def figure_of_target(comparison, value):
    return absolute_text(comparison, value) if comparison["under"] is None else "%g" % value


def print_side(side):
    if "median" in side:
        print("  %-46s %10s  %10s  %10s  %10s  %9s" % (
            side["label"], time_text(side["median"]), time_text(side["least"]), time_text(side["most"]),
            time_text(side["cpu"]), memory_text(side["peak"])))
    else:
        print("  %-46s NOT MEASURED: no time was left" % side["label"])


def print_comparison(comparison):
    if "median" not in comparison:
        print("  %-46s %s" % (comparison["label"], comparison["verdict"]))
        return
    spread = "%s .. %s" % (figure(comparison, comparison["low"]), figure(comparison, comparison["high"]))
    raw = figure(comparison, comparison["raw_median"]) if "raw_median" in comparison else ""
    print(("  %-46s %10s  %-22s %9s  %9s  %s" % (
        comparison["label"], figure(comparison, comparison["median"]), spread, raw, target(comparison),
        comparison["verdict"])).rstrip())


def print_case(case, before):
    """`before`: the settings of the case before, as they are not said again."""
    done, wanted = len(case["rounds"]), case["rounds_wanted"]
    rounds = "%d rounds" % done if done == wanted else "only %d of %d rounds: the time was up" % (done, wanted)
    print("\n== %s: %d operations a run, %s, %.0f s" % (case["title"], case["count"], rounds, case["seconds"]))
    print("  %-46s %10s  %10s  %10s  %10s  %9s" % ("time an operation", "median", "least", "most", "CPU", "memory"))
    for side in case["sides"]:
        print_side(side)
    print("  %-46s %10s  %-22s %9s  %9s" % ("ratio within a round", "median", "95 % interval", "raw", "target"))
    for comparison in case["comparisons"]:
        print_comparison(comparison)
    for left in case["left"]:
        if left[0] is not None:
            print("  rows: %d, checksum %s, %d refused: the same after every run of every side" % tuple(left))
    for side in case["sides"]:
        if "differs" in side and side["rows"] is not None:
            print("  not the same: %s left %d rows: %s" % (side["label"], side["rows"], side["differs"]))
    versions = {side["version"] for side in case["sides"] if side.get("version") and " " in side["version"]}
    if versions:
        print("  peers: %s" % "; ".join(sorted(versions)))
    if case["settings"] and case["settings"] != before:
        print("  in force on every side: %s" % " ".join("%s=%s" % pair for pair in case["settings"].items()))


def excuse(comparison):
    """Said beside a miss where the raw interface in Belay's place is beyond the target too."""
    raw = comparison.get("raw_median")
    if raw is None or not comparison["verdict"].startswith("MISSED"):
        return ""
    beyond = raw > comparison["at_most"] if comparison["at_most"] is not None else raw < comparison["at_least"]
    return "; raw itself: " + figure(comparison, raw) if beyond else ""


def print_summary(cases):
    print("\n== Targets")
    for case in cases:
        for comparison in case["comparisons"]:
            if comparison["at_most"] is None and comparison["at_least"] is None:
                continue
            value = figure(comparison, comparison["median"]) if "median" in comparison else "-"
            print("  %-16s %-40s %9s %10s  %s%s" % (
                comparison["verdict"] if "median" in comparison else "NOT MEASURED", comparison["label"],
                value, target(comparison), case["title"], excuse(comparison)))
    print("  A question mark: the 95 % interval of the median reaches over the target.")


def print_head(head):
    print("Belay side by side on %s, %s CPUs, Linux %s, load %.2f" % (
        head["cpu"], head["cpus"], head["kernel"], head["load"][0]))
    if head["part"] != "servers":
        print("SQLite %s" % head["sqlite"])
    for link, seconds in head["links"].items():
        print("%s: a round trip with SELECT 1 takes %s" % (link, time_text(seconds)))
    print("C sides: %s; library: %s" % (head["compiler"], head["library"]))
    quick = "; quick: the figures are a hint, no more" if head["quick"] else ""
    print("pinned: %s%s" % (head["pinned"] or "no", quick))
    if head["load"][0] > 0.7:
        print("WARNING: the machine is not quiet; figures will scatter")
