#!/usr/bin/env python3
"""evidence.py [ROOT] - holds the public headers to their word.

Every sentence with "never", "always" or "must" in a public header stands in evidence.txt with the tests that prove it.
Fails when a sentence has no line, when a line's sentence is in no header any more, and when a test that is named there
is not in the sources.
"""

import pathlib
import re
import sys

PROMISE = re.compile(r"\b(never|always|must)\b", re.I)
SHORT = 5  # words: a sentence that is no longer goes together with the one before it


def comments(text):
    for match in re.finditer(r"/\*(.*?)\*/|//([^\n]*)", text, re.S):
        yield match.group(1) if match.group(1) is not None else match.group(2)


def paragraphs(comment):
    """Paragraphs; an entry of an indented list is one as well."""
    now = []
    for line in comment.split("\n"):
        line = re.sub(r"^\s*\*(?=\s|$)", "", line)
        words = line.strip()
        indent = len(line) - len(line.lstrip())
        starts = not words or (2 <= indent <= 4 and line.startswith(" ") and not line.startswith("     "))
        if starts and now:
            yield " ".join(now)
            now = []
        if words:
            now.append(words)
    if now:
        yield " ".join(now)


def sentences(header):
    for comment in comments(header.read_text()):
        for paragraph in paragraphs(comment):
            before = ""
            for sentence in re.split(r"(?<=[.;:])\s+(?=[A-Z`*])", " ".join(paragraph.split())):
                whole = f"{before} {sentence}".strip() if len(sentence.split()) < SHORT else sentence
                before = sentence
                if PROMISE.search(sentence):
                    yield whole


def read_table(path):
    """{(header, sentence): [tests]}; a line "header: sentence", then indented lines with names of tests."""
    table, key = {}, None
    for number, line in enumerate(path.read_text().split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not line.startswith(" "):
            header, _, sentence = line.partition(": ")
            key = (header, sentence)
            table.setdefault(key, [])
        elif key:
            table[key] += line.split()
        else:
            sys.exit(f"{path.name}:{number}: a test without a sentence")
    return table


def names_of_tests(root):
    names = set()
    for path in sorted((root / "tests").rglob("*")):
        if path.suffix in (".c", ".cc"):
            names.update(re.findall(r"^static void (\w+)\(void \*\*", path.read_text(), re.M))
        elif path.suffix == ".py":
            names.update(re.findall(r"^def (\w+)\(root\)", path.read_text(), re.M))
    return names


def find_faults(promises, table, names):
    for header, sentence in promises:
        if not table.get((header, sentence)):
            yield f"no test for the sentence\n{header}: {sentence}"
    for (header, sentence), tests in table.items():
        if (header, sentence) not in promises:
            yield f"not in the header any more\n{header}: {sentence}"
        for test in tests:
            if test not in names:
                yield f"there is no test of the name {test}, for\n{header}: {sentence}"


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parents[2]
    headers = sorted((root / "include" / "belay").rglob("*.h"))
    promises = dict.fromkeys((header.name, sentence) for header in headers for sentence in sentences(header))
    table = read_table(root / "tests" / "headers" / "evidence.txt")
    if not promises:
        sys.exit(f"there are no headers beneath {root}")
    faults = list(find_faults(promises, table, names_of_tests(root)))
    for fault in faults:
        print(fault)
    print(f"{len(promises)} sentences, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
