#!/usr/bin/env python3
"""read_trace.py FILE EXPRESSION - reads a trace and says whether the expression is true of it.

The file must be JSON lines, or one JSON array, to the letter; with "cut" among the names in EXPRESSION an array whose
end is missing is accepted, as the viewers do. In the expression `events` are the objects, without Chrome's metadata,
and `metadata` is that. Numbers with a fraction are exact.
"""

import decimal
import json
import sys


def refuse(word):
    raise ValueError(f"{word} is not JSON")


def load(text):
    return json.loads(text, parse_float=decimal.Decimal, parse_constant=refuse)


def read_objects(text, cut):
    if not text.startswith("["):
        if text and not text.endswith("\n"):
            raise ValueError("the last line has no end")
        return [load(line) for line in text.split("\n")[:-1]]
    if cut:
        text += "]"
    return load(text)


def main():
    path, expression = sys.argv[1:]
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    cut = "cut" in compile(expression, "expression", "eval").co_names
    objects = read_objects(text, cut)
    names = {
        "cut": True,
        "text": text,
        "metadata": [o for o in objects if o.get("ph") == "M"],
        "events": [o for o in objects if o.get("ph") != "M"],
        "D": decimal.Decimal,
    }
    if not eval(expression, names):
        print(f"{path}: not true: {expression}\n{text[:2000]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
