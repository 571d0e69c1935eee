#!/usr/bin/env python3
"""test_trace_picture.py [ROOT] - what tools/trace_picture.py draws of trace.jsonl. Prints "N passed, N failed"."""

import importlib.util
import json
import pathlib
import sys
import tempfile
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"


def load_tool(root):
    spec = importlib.util.spec_from_file_location("trace_picture", root / "tools" / "trace_picture.py")
    tool = importlib.util.module_from_spec(spec)
    sys.modules["trace_picture"] = tool
    spec.loader.exec_module(tool)
    return tool


def sample(root):
    return (root / "tests" / "tools" / "trace.jsonl").read_text()


def as_chrome(lines):
    """The same events as belay_trace_write puts them into an array."""
    events = ['{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"payment_log"}}']
    for line in lines.splitlines():
        facts = json.loads(line)
        kind, start, length, pid = (facts.pop(k) for k in ("kind", "start_ns", "duration_ns", "pid"))
        times = f'"ts":{start // 1000}.{start % 1000:03},"dur":{length // 1000}.{length % 1000:03}'
        events.append(f'{{"name":"x","cat":"{kind}","ph":"X",{times},"pid":{pid},"tid":{facts["session"]},'
                      f'"args":{json.dumps(facts)}}}')
    return "[\n" + ",\n".join(events) + "\n]\n"


def events_of(tool, text):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        return tool.read_events(file.name)


def picture_of(root, text, scope=None, first=None, last=None):
    tool = load_tool(root)
    return "\n".join(tool.draw(tool.choose(tool.nest(events_of(tool, text)), scope, first, last)))


def slices_of(picture):
    """(title, left, right, top) of each slice."""
    found = []
    for group in ET.fromstring(picture).iter(f"{SVG}g"):
        bar = group.find(f"{SVG}rect")
        left = float(bar.get("x"))
        found.append((group.find(f"{SVG}title").text, left, left + float(bar.get("width")), float(bar.get("y"))))
    return found


def every_event_is_a_slice_with_its_name(root):
    titles = [s[0] for s in slices_of(picture_of(root, sample(root)))]
    assert len(titles) == len(sample(root).splitlines())
    assert sum(t.startswith("payment_log.c:72\n") for t in titles) == 3
    assert "report (report.c:30)\n34.2 µs, attempt 2, took the write lock and wrote nothing" in titles
    assert "UPDATE wallet SET balance = balance - ? WHERE user_id = ?\n13.7 µs, CHECK" in titles


def what_is_inside_a_scope_is_drawn_beneath_it(root):
    slices = slices_of(picture_of(root, sample(root)))
    outermost = {s[3] for s in slices if s[0].startswith(("payment_log.c:72", "report", "retry"))}
    assert len(outermost) == 2
    for title, left, right, top in slices:
        above = [s for s in slices if abs(s[3] - (top - 26)) < 1 and s[1] - 0.2 <= left and right <= s[2] + 0.2]
        assert (top in outermost) != (len(above) == 1), title
    first = [s for s in slices if s[0].startswith("savepoint 1")][0]
    assert first[3] == min(outermost) + 2 * 26


def of_two_that_begin_together_the_longer_one_is_outside(root):
    event = json.loads(sample(root).splitlines()[1])
    short, long = ({**event, "duration_ns": ns, "statement": f"{ns} ns"} for ns in (10, 1000))
    for events in ((short, long), (long, short)):
        slices = slices_of(picture_of(root, "".join(json.dumps(e) + "\n" for e in events)))
        assert [s[0].split("\n")[0] for s in sorted(slices, key=lambda s: s[3])] == ["1000 ns", "10 ns"]


def slices_that_follow_each_other_do_not_overlap(root):
    slices = sorted(slices_of(picture_of(root, sample(root))), key=lambda s: (s[3], s[1]))
    for before, after in zip(slices, slices[1:]):
        assert before[3] != after[3] or before[2] <= after[1] + 0.2, (before, after)


def both_formats_give_the_same_picture(root):
    assert picture_of(root, sample(root)) == picture_of(root, as_chrome(sample(root)))


def time_in_which_nobody_did_anything_is_cut_out(root):
    picture = picture_of(root, sample(root))
    assert ">9.07 ms<" in picture and ">40.8 µs<" in picture
    widest = [s for s in slices_of(picture) if s[0].startswith("payment_log.c:72")]
    assert all(s[2] - s[1] > 200 for s in widest)


def a_unit_can_be_chosen(root):
    picture = picture_of(root, sample(root), "payment_log.c", 2, 2)
    titles = [s[0] for s in slices_of(picture)]
    assert len(titles) == 11 and titles[0].startswith("payment_log.c:72")
    assert any(t.startswith("rollback to 1") for t in titles) and "report" not in picture
    assert len(slices_of(picture_of(root, sample(root), "payment_log.c"))) == 31
    assert len(slices_of(picture_of(root, sample(root), None, 1, 2))) == 21


def of_a_trace_that_was_cut_off_the_whole_events_are_drawn(root):
    tool = load_tool(root)
    for text in (sample(root), as_chrome(sample(root))):
        n = len(events_of(tool, text))
        for size in range(len(text) - 200, len(text)):
            assert len(events_of(tool, text[:size])) in (n - 1, n), size
        assert len(events_of(tool, text.removesuffix("\n]\n"))) == n
    assert events_of(tool, "[\n") == events_of(tool, "") == events_of(tool, "[") == []


def no_character_spoils_the_picture(root):
    event = json.loads(sample(root).splitlines()[1])
    event["statement"] = "<&\"'>]]>" + "".join(map(chr, range(1, 0x20))) + "\ufffe\uffff\x7f\x85\u2028"
    picture = picture_of(root, json.dumps(event) + "\n")
    assert slices_of(picture)[0][0].startswith("<&\"'>]]>")


def a_long_trace_is_drawn_within_its_width(root):
    event = json.loads(sample(root).splitlines()[1])
    start = event["start_ns"]
    lines = [json.dumps({**event, "start_ns": start + i * 10**9}) for i in range(300)]
    slices = slices_of(picture_of(root, "\n".join(lines) + "\n"))
    assert len(slices) == 300 and min(s[1] for s in slices) >= 0 and max(s[2] for s in slices) <= 1002


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    sys.dont_write_bytecode = True
    checks = [
        every_event_is_a_slice_with_its_name,
        what_is_inside_a_scope_is_drawn_beneath_it,
        of_two_that_begin_together_the_longer_one_is_outside,
        slices_that_follow_each_other_do_not_overlap,
        both_formats_give_the_same_picture,
        time_in_which_nobody_did_anything_is_cut_out,
        a_unit_can_be_chosen,
        of_a_trace_that_was_cut_off_the_whole_events_are_drawn,
        no_character_spoils_the_picture,
        a_long_trace_is_drawn_within_its_width,
    ]
    failed = 0
    for check in checks:
        try:
            check(root)
        except Exception as error:  # a check that breaks has failed
            failed += 1
            print(f"{check.__name__}: {type(error).__name__} {error}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
