#!/usr/bin/env python3
"""semantics.py [ROOT] [--write] - what other layers' test suites ask for, and the test here that answers each case.

cases.jsonl holds the cases; map.txt says of each what Belay does, and names the tests that prove it; docs/semantics.md
is written from both (--write). Fails when a case is not in the map, when the map has one that is no case, names a test
that does not run, or gives no reason where one is due, and when the page is not what would be written.

An entry of the map is the case's id, and beneath it, indented, one of

    test: NAME...              Belay does the same; a `note:` may say where its words differ
    chosen otherwise: REASON   and `test: NAME...`, what Belay does instead
    not ours: REASON           it has no meaning for Belay
    later: ROOM                and `note: REASON`: it needs a part that is not built yet

A line that is indented further goes on with the one above it. A test runs when it is a cmocka test that is defined,
registered by one of cmocka's macros or by one made of them, and in a file that tests/meson.build builds.
"""

import collections
import json
import pathlib
import re
import sys

KINDS = ["test", "chosen otherwise", "not ours", "later"]
ROOMS = ["adoption", "once", "testing", "trace", "objects", "import", "two-phase"]
REASON = 4  # words at least
SOURCES = {
    "django": "Django",
    "sqlalchemy": "SQLAlchemy",
    "sequel": "Sequel",
    "libpqxx": "libpqxx",
    "psycopg": "psycopg",
    "pgx": "pgx",
    "postgres": "PostgreSQL",
    "sqlite": "SQLite",
}

# ---- Reading -------------------------------------------------------------------------------------------------------


def read_cases(path):
    cases = [json.loads(line) for line in path.read_text().splitlines()]
    return {case["id"]: case for case in cases}, len(cases)


def read_map(path):
    """{id: {key: text}}, and what is wrong with the file itself."""
    entries, faults, entry, key = {}, [], None, None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        indent = len(line) - len(line.lstrip())
        word, colon, text = line.strip().partition(": ")
        if indent == 0:
            if line in entries:
                faults.append(f"line {number}: {line} is there twice")
            entry, key = entries.setdefault(line, {}), None
        elif indent == 4 and entry is not None and colon and word in KINDS + ["note"] and word not in entry:
            key = word
            entry[key] = text
        elif indent > 4 and key:
            entry[key] += " " + line.strip()
        else:
            faults.append(f"line {number} is none of an entry: {line.strip()}")
    return entries, faults


def registering_macros(texts):
    macros = "|".join(re.escape(name) for text in texts for name in
                      re.findall(r"#define\s+(\w+)\(\w+\)(?:[^\n]|\\\n)*?cmocka_unit_test", text))
    return rf"\b(?:cmocka_unit_test\w*|{macros})\(\s*(\w+)|\.test_func\s*=\s*(\w+)"


def running_tests(root):
    """{name: [file]} of the tests that are defined, registered and built."""
    built = (root / "tests" / "meson.build").read_text()
    sources = {path: path.read_text() for path in sorted((root / "tests").rglob("*.[ch]"))}
    registration = re.compile(registering_macros(sources.values()))
    tests = collections.defaultdict(list)
    for path, text in sources.items():
        words = path.stem.split("_")
        names = ["_".join(words[i:]) for i in range(1, len(words))]
        if path.suffix != ".c" or not (f"/{path.name}'" in built or any(f"'{name}'" in built for name in names)):
            continue
        defined = set(re.findall(r"^static void (\w+)\(\s*void \*\*", text, re.M))
        for name in sorted(defined & {a or b for a, b in registration.findall(text)}):
            tests[name].append(path.relative_to(root).as_posix())
    return tests


# ---- Checking ------------------------------------------------------------------------------------------------------


def kind_of(entry):
    return next((kind for kind in reversed(KINDS) if kind in entry), None)


def find_entry_faults(entry, tests):
    kind = kind_of(entry)
    needed = {"test": {"test"}, "chosen otherwise": {"chosen otherwise", "test"}, "not ours": {"not ours"},
              "later": {"later", "note"}}
    if not kind:
        yield "says nothing"
        return
    allowed = needed[kind] | ({"note"} if kind == "test" else set())
    if not needed[kind] <= set(entry) <= allowed:
        yield f"has {', '.join(entry)}, and as '{kind}' should have {', '.join(sorted(needed[kind]))}"
    if kind == "later" and entry[kind] not in ROOMS:
        yield f"waits for '{entry[kind]}', which is no room"
    reason = "note" if kind == "later" else kind
    if kind != "test" and len(entry.get(reason, "").split()) < REASON:
        yield f"gives no reason in '{reason}: {entry.get(reason, '')}'"
    if "test" in entry and not entry["test"].split():
        yield "names no test"
    for name in entry.get("test", "").split():
        if name not in tests:
            yield f"names the test {name}, which does not run"


def find_faults(cases, count, entries, tests):
    if len(cases) != count:
        yield f"{count - len(cases)} cases have the id of another"
    for case in cases.values():
        if case["source"].split()[0] not in SOURCES:
            yield f"{case['id']}: no such source: {case['source']}"
        if case["id"] not in entries:
            yield f"{case['id']} is not in the map: {case['statement']}"
    for name, entry in entries.items():
        if name not in cases:
            yield f"{name} is in the map and is no case"
        yield from (f"{name} {fault}" for fault in find_entry_faults(entry, tests))


# ---- Writing -------------------------------------------------------------------------------------------------------

HEAD = """# What other layers' tests ask for

The test suites of {sources}
hold cases that every layer over transactions meets. Each of the {total} cases below is one of them, as one sentence. The
tables say what Belay does in that case, and which test of its own proves it.

| | cases |
|---|---|
| Belay does the same, and a test proves it | {test} |
| Belay chose otherwise, for the reason that is given, and a test proves what it does instead | {chosen otherwise} |
| it has no meaning for Belay | {not ours} |
| it needs a part that is not built yet | {later} |

Where the suites disagree, Belay's choice is: a nested scope is a savepoint; a hook of a scope that was rolled back is
dropped; a failed hook is reported and never undoes what committed; only the outermost scope is retried; a begin inside
a begin nests; ending a scope twice is misuse; a connection is rolled back and checked whenever it comes back.

The words of the sentences are those of the suites: *atomic{{...}}* and *begin* are scopes, *doomed* is a scope with an
error pending, *merged* or *no sp* is one that joined the scope around it (`BELAY_REQUIRED`), *swallowed* is an error
that was caught (`belay_catch`). "later" names what is missing.

Tests of `tests/api` and `tests/conformance` run on SQLite, PostgreSQL and MariaDB; the drivers' own on their server.

This page is written by `tests/semantics/semantics.py --write` from the cases and the map beside it, and a test fails
when it is not what would be written.
"""


def plain(text):
    for mark in "\\|*<`":
        text = text.replace(mark, "\\" + mark)
    return text


def link_tests(names, tests):
    def links(name):
        return ", ".join(f"[{pathlib.PurePosixPath(file).name}](../{file})" for file in tests[name])

    return "<br>".join(f"`{name}` ({links(name)})" for name in names)


def tell(entry):
    kind, note = kind_of(entry), entry.get("note", "")
    if kind == "test":
        return f"the same. {note}".strip() if note else "the same"
    return f"later ({entry[kind]}): {note}" if kind == "later" else f"{kind}: {entry[kind]}"


def write_table(title, cases, entries, tests):
    yield f"\n## {title}\n"
    yield "| case | what it asks for | what Belay does | proved by |"
    yield "|---|---|---|---|"
    for case in cases:
        entry = entries[case["id"]]
        proof = link_tests(entry.get("test", "").split(), tests)
        yield f"| {case['id']} | {plain(case['statement'])} | {tell(entry)} | {proof} |"


def write_page(cases, entries, tests):
    counts = collections.Counter(kind_of(entries[name]) for name in cases)
    names = list(SOURCES.values())
    lines = [HEAD.format(sources=", ".join(names[:-1]) + " and " + names[-1], total=len(cases),
                         **{kind: counts[kind] for kind in KINDS})]
    for source, title in SOURCES.items():
        of_it = [case for case in cases.values() if case["source"].split()[0] == source]
        lines += write_table(title, of_it, entries, tests)
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def main():
    given = [argument for argument in sys.argv[1:] if argument != "--write"]
    root = pathlib.Path(given[0]).resolve() if given else pathlib.Path(__file__).resolve().parents[2]
    here = root / "tests" / "semantics"
    page = root / "docs" / "semantics.md"
    cases, count = read_cases(here / "cases.jsonl")
    entries, faults = read_map(here / "map.txt")
    tests = running_tests(root)
    faults += find_faults(cases, count, entries, tests)
    if not faults:
        text = write_page(cases, entries, tests)
        if "--write" in sys.argv:
            page.write_text(text)
        elif not page.exists() or page.read_text() != text:
            faults.append("docs/semantics.md is not what would be written: run semantics.py --write")
    for fault in faults:
        print(fault)
    print(f"{len(cases)} cases, {len(tests)} tests, {len(faults)} faults")
    return 1 if faults or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
