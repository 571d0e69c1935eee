#!/usr/bin/env python3
"""trace_picture.py [--scope TEXT] [--unit N[-M]] TRACE - draws a trace of Belay's as an SVG picture, on standard output.

TRACE is what BELAY_TRACE=FILE wrote, as JSON lines or in Chrome's format; one that a crash has cut off is fine. Each
session is a row, and what happened inside something else is drawn beneath it. Time in which no session did anything is
cut out. --scope draws only the outermost scopes in whose name TEXT is, such as payment_log.c:72; --unit, of those that
are left, only the N-th, or the N-th to the M-th.
"""

import argparse
import dataclasses
import decimal
import json
import pathlib
import re
import sys
from xml.sax.saxutils import escape

WIDTH, MARGIN, TOP = 1000, 16, 40
LANE, BAR, ROW_GAP = 26, 22, 30
LINE = 18
CUT = 28  # width of time that was cut out
LETTER = 6.2  # average width at the font size of a bar
LISTED = 60  # slices in the list beneath the picture; a trace of more has none
END, MIDDLE = ' text-anchor="end"', ' text-anchor="middle"'

# class: fill, stroke, what the legend says
LOOKS = {
    "kept": ("#dbe9f8", "#3f72af", "scope, kept"),
    "undone": ("#e4e4e4", "#777777", "scope, undone on purpose"),
    "failed": ("#fadcd9", "#c0392b", "scope or call that failed"),
    "statement": ("#fff3c9", "#b8860b", "statement"),
    "control": ("#dcd3f0", "#6a51a3", "begin, savepoint, release, commit"),
    "back": ("#f6c9a8", "#b3541e", "rollback, rollback to"),
    "wait": ("#f4a6b8", "#a61e4d", "wait, retry, warning"),
    "hook": ("#cdeee0", "#2b8a5e", "hook"),
}


@dataclasses.dataclass
class Slice:
    event: dict
    start: int
    end: int
    lane: int = 0
    number: int = 0


# ---- Reading ---------------------------------------------------------------------------------------------------------


def from_chrome(event):
    """The event as it would be on a JSON line."""
    ns = {name: int(decimal.Decimal(event[key]) * 1000) for name, key in (("start_ns", "ts"), ("duration_ns", "dur"))}
    return {"kind": event["cat"], "pid": event["pid"], **ns, **event["args"]}


def read_array(text):
    """Where a program has died its end is missing, or its last event, which is the last line."""
    for whole in (text, text + "]", text.rpartition(",\n")[0] + "]", "[]"):
        try:
            return json.loads(whole, parse_float=str)
        except json.JSONDecodeError:
            pass
    return []


def read_lines(text):
    whole = text[:text.rfind("\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def read_events(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    if text.startswith("["):
        return [from_chrome(e) for e in read_array(text) if e.get("ph") == "X"]
    return read_lines(text)


# ---- Nesting ---------------------------------------------------------------------------------------------------------


def nest(events):
    """{row: slices}, each slice with its lane: how many others it is inside of. A row is a session of a process."""
    rows = {}
    for event in events:
        one = Slice(event, event["start_ns"], event["start_ns"] + event["duration_ns"])
        rows.setdefault((event["pid"], event["session"]), []).append(one)
    for slices in rows.values():
        slices.sort(key=lambda s: (s.start, -s.end, s.event["kind"] != "scope"))
        open_ones = []
        for one in slices:
            while open_ones and open_ones[-1].end <= one.start:
                open_ones.pop()
            one.lane = len(open_ones)
            open_ones.append(one)
    return rows


def choose(rows, text, first, last):
    """Only what happened within the outermost slices that were asked for."""
    if text is None and first is None:
        return rows
    outer = [(s.start, row, s) for row, slices in rows.items() for s in slices if s.lane == 0]
    if text is not None:
        outer = [o for o in outer if o[2].event["kind"] == "scope" and text in name_of(o[2].event)]
    outer.sort(key=lambda o: o[:2])
    outer = outer[first - 1:last] if first else outer
    chosen = {}
    for _, row, unit in outer:
        chosen.setdefault(row, []).extend(s for s in rows[row] if unit.start <= s.start and s.end <= unit.end)
    return chosen


# ---- Words -----------------------------------------------------------------------------------------------------------


def duration(ns):
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= size:
            return f"{ns / size:.3g} {unit}" if ns < 1000 * size else f"{ns / size:.0f} {unit}"
    return f"{ns} ns"


def name_of(event):
    kind = event["kind"]
    if kind == "scope":
        place = f"{event['file'].rsplit('/', 1)[-1]}:{event.get('line', 0)}" if "file" in event else ""
        name = event.get("scope", "")
        return f"{name} ({place})" if name and place else name or place or "scope"
    if kind == "statement":
        return " ".join(event.get("statement", kind).split())
    if "number" in event:
        return f"{kind} {event['number']}"
    return f"{kind}: {event['detail']}" if "detail" in event else kind


def facts_of(event):
    """What the list beneath the picture says of a slice."""
    facts = [duration(event["duration_ns"])]
    if event["kind"] == "statement" and event["code"] == "OK":
        facts.append(f"{event['rows']} row" + ("" if event["rows"] == 1 else "s"))
    if event["code"] != "OK":
        facts.append(event["code"])
    if event["kind"] == "scope" and event.get("attempt", 1) > 1:
        facts.append(f"attempt {event['attempt']}")
    if event["kind"] == "scope" and "detail" in event:
        facts.append(event["detail"])
    return ", ".join(facts)


def look_of(event):
    kind, code = event["kind"], event["code"]
    if kind in ("retry", "wait", "warning"):
        return "wait"
    if kind == "scope" and code in ("OK", "ROLLED_BACK"):
        return "kept" if code == "OK" else "undone"
    if code != "OK":
        return "failed"
    return {"statement": "statement", "hook": "hook", "rollback": "back", "rollback to": "back"}.get(kind, "control")


# ---- Time ------------------------------------------------------------------------------------------------------------


def join(times, gap):
    """Times that are no more than `gap` apart become one."""
    joined = []
    for start, end in sorted(times):
        if joined and start - joined[-1][1] <= gap:
            joined[-1][1] = max(joined[-1][1], end)
        else:
            joined.append([start, end])
    return joined


def length(times):
    return sum(end - start for start, end in times) or 1


class Axis:
    """Moments to places. Where no slice is open for long, time is cut out."""

    def __init__(self, slices):
        busy = join([(s.start, s.end) for s in slices], 0)
        self.busy = join(busy, length(busy) // 20)
        self.cut = min(CUT, WIDTH / 2 / len(self.busy))
        room = WIDTH - 2 * MARGIN - self.cut * (len(self.busy) - 1)
        self.scale = room / length(self.busy)
        self.left = []  # where each busy time begins
        x = float(MARGIN)
        for start, end in self.busy:
            self.left.append(x)
            x += (end - start) * self.scale + self.cut

    def place(self, moment):
        for (start, end), left in zip(reversed(self.busy), reversed(self.left)):
            if moment >= start:
                return left + (min(moment, end) - start) * self.scale
        return self.left[0]

    def step(self):
        """Between two ticks: 1, 2 or 5 times a power of ten, about 90 pixels."""
        least, size = 90 / self.scale, 1
        while True:
            for factor in (1, 2, 5):
                if factor * size >= least:
                    return factor * size
            size *= 10

    def ticks(self):
        """(place, label): the time since the busy time began."""
        step = self.step()
        for (start, end), left in zip(self.busy, self.left):
            for ns in range(0, end - start + 1, step):
                yield left + ns * self.scale, duration(ns) if ns else "0"


# ---- Drawing ---------------------------------------------------------------------------------------------------------


def clean(words):
    """As XML may hold it."""
    return escape(re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "\ufffd", words))


def text(x, y, words, kind="", more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}"{f" class={kind!r}" if kind else ""}{more}>{clean(words)}</text>'


def fitted(words, width):
    """As much as there is room for; nothing rather than two letters."""
    letters = int((width - 8) / LETTER)
    if len(words) <= letters:
        return words
    return words[:letters - 1].rstrip() + "…" if letters > 3 else ""


def draw_slice(one, axis, y):
    x, end = axis.place(one.start), axis.place(one.end)
    width = max(end - x, 2.0)
    name = name_of(one.event)
    number = f"{one.number} " if one.number else ""
    label = fitted(number + name, width)
    if not label.startswith(number) or len(label) <= len(number) + 3:
        label = number.strip() if width > LETTER * len(number) else ""
    yield f"<g><title>{clean(name)}\n{clean(facts_of(one.event))}</title>"
    yield (f'<rect class="{look_of(one.event)}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}"'
           f' rx="{3 if width > 8 else 0}"/>')
    if label:
        yield text(x + 4, y + 15, label)
    yield "</g>"


def draw_axis(axis, bottom):
    for x, label in axis.ticks():
        yield f'<line class="tick" x1="{x:.1f}" y1="{TOP - 12}" x2="{x:.1f}" y2="{bottom}"/>'
        near_the_end = x > WIDTH - 50
        yield text(x - 3 if near_the_end else x + 3, TOP - 16, label, "small", END if near_the_end else "")
    for (_, before), (after, _), left in zip(axis.busy, axis.busy[1:], axis.left[1:]):
        x, width = left - axis.cut * 0.85, axis.cut * 0.7
        yield f'<rect class="cut" x="{x:.1f}" y="{TOP - 12}" width="{width:.1f}" height="{bottom - TOP + 12}"/>'
        if axis.cut == CUT:
            yield text(x + width / 2, bottom + 12, duration(after - before), "small", MIDDLE)


def draw_rows(rows, axis, y):
    """The lines of all sessions, and where they end."""
    lines = []
    several = len({pid for pid, _ in rows}) > 1
    for (pid, session), slices in sorted(rows.items()):
        lines.append(text(MARGIN, y + 14, f"session {session}" + (f", process {pid}" if several else ""), "row"))
        y += 20
        for one in slices:
            lines += draw_slice(one, axis, y + one.lane * LANE)
        y += (max(s.lane for s in slices) + 1) * LANE + ROW_GAP - 20
    return lines, y


def draw_list(rows, y):
    """Each slice with all of its name, if they have numbers."""
    lines = []
    for one in in_order(rows):
        if one.number:
            x, facts = MARGIN + 16 * one.lane, facts_of(one.event)
            lines.append(f'<rect class="{look_of(one.event)}" x="{x}" y="{y}" width="12" height="12" rx="2"/>')
            name = fitted(f"{one.number} {name_of(one.event)}", WIDTH - MARGIN - x - 40 - LETTER * len(facts))
            lines.append(text(x + 18, y + 10, name))
            lines.append(text(WIDTH - MARGIN, y + 10, facts, "", END))
            y += LINE
    return lines, y


def draw_legend(rows, y):
    used = {look_of(s.event) for s in in_order(rows)}
    lines, x = [], MARGIN
    for name, (_, _, words) in LOOKS.items():
        if name in used:
            lines.append(f'<rect class="{name}" x="{x:.1f}" y="{y}" width="12" height="12" rx="2"/>')
            lines.append(text(x + 18, y + 10, words, "small"))
            x += 40 + LETTER * len(words)
    return lines, y + LINE


def style():
    rules = ["text{font:11px sans-serif;fill:#222}", ".small{font-size:10px;fill:#555}", ".row{font-weight:bold}",
             ".tick{stroke:#ddd}", ".cut{fill:#f2f2f2}"]
    rules += [f"rect.{name}{{fill:{fill};stroke:{stroke}}}" for name, (fill, stroke, _) in LOOKS.items()]
    return "<style>" + "".join(rules) + "</style>"


def in_order(rows):
    """All slices: a session after the other, what is inside something after it."""
    return [s for _, slices in sorted(rows.items()) for s in slices]


def number_slices(slices):
    if len(slices) <= LISTED:
        for number, one in enumerate(slices, 1):
            one.number = number


def draw(rows):
    axis = Axis(in_order(rows))
    number_slices(in_order(rows))
    bars, bottom = draw_rows(rows, axis, TOP)
    listed, y = draw_list(rows, bottom + 24)
    legend, y = draw_legend(rows, y + 8)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 6}" width="{WIDTH}" height="{y + 6}">'
    yield style()
    yield '<rect width="100%" height="100%" fill="white"/>'
    yield from draw_axis(axis, bottom)
    yield from bars
    yield from listed
    yield from legend
    yield "</svg>"


def read_range(word):
    first, _, last = word.partition("-")
    return int(first), int(last or first)


def main():
    parser = argparse.ArgumentParser(description="draws a trace of Belay's as an SVG picture, on standard output")
    parser.add_argument("--scope", metavar="TEXT", help="only outermost scopes in whose name this is")
    parser.add_argument("--unit", metavar="N[-M]", type=read_range, default=(None, None), help="of those, only these")
    parser.add_argument("trace")
    given = parser.parse_args()
    rows = choose(nest(read_events(given.trace)), given.scope, *given.unit)
    if not rows:
        sys.exit(f"{given.trace}: there is nothing to draw")
    print("\n".join(draw(rows)))


if __name__ == "__main__":
    main()
