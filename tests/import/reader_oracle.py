#!/usr/bin/env python3
"""Random files, read by the reader and by Python's csv, json and codecs: both must say the same.

    reader_oracle.py DUMP_RECORDS [SEED [ROUNDS]]

A failure prints the seed and keeps the file.
"""

import codecs
import csv
import io
import json
import random
import subprocess
import sys
import tempfile

DUMP = sys.argv[1]
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else 20260
ROUNDS = int(sys.argv[3]) if len(sys.argv) > 3 else 60


def dump(data, *arguments):
    ran = subprocess.run([DUMP, *arguments], input=data, stdout=subprocess.PIPE, timeout=60)
    if ran.returncode not in (0, 1):
        raise AssertionError(f"dump_records ended with {ran.returncode}")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    if "failed" in lines[-1]:
        raise AssertionError("reading failed: " + bytes.fromhex(lines[-1]["message"]).decode())
    return lines[0], lines[1:-1]


def text(field):
    return bytes.fromhex(field[1]).decode("utf-8")


def check(what, data, expected, actual, arguments):
    if expected == actual:
        return
    with tempfile.NamedTemporaryFile("wb", delete=False, suffix="." + what) as file:
        file.write(data)
    for i, (one, other) in enumerate(zip(expected, actual)):
        if one != other:
            print(f"record {i + 1}\n  expected {one!r}\n  actual   {other!r}")
            break
    raise AssertionError(f"{what}, seed {SEED}: {len(expected)} and {len(actual)} records of {file.name}, {arguments}")


def check_raw(what, data, header, records):
    whole = bytes.fromhex(header["header"]) + b"".join(bytes.fromhex(r["raw"]) for r in records)
    check(what + "-raw", data, data, whole, "the raw bytes")


# ---- CSV ------------------------------------------------------------------------------------------------------------

LETTERS = "abcXYZ 019.-äß€語😀\\'"
ENDS = ["\n", "\r\n", "\r"]


def random_field(rng, special, letters=LETTERS):
    return "".join(rng.choice(letters if rng.random() < 0.85 else special) for _ in range(rng.randrange(12)))


def csv_field(rng, field, delimiter, quote, always):
    if always or any(c in field for c in delimiter + quote + "\r\n") or rng.random() < 0.2:
        return quote + field.replace(quote, quote * 2) + quote
    return field


def random_csv(rng, delimiter, quote, letters=LETTERS):
    """Well-formed records, as text, with any mix of line ends, and what they are."""
    always, parts, rows = rng.random() < 0.2, [], []
    for _ in range(rng.randrange(1, 60)):
        row = [random_field(rng, delimiter + quote + "\r\n", letters) for _ in range(rng.randrange(1, 7))]
        parts.append(delimiter.join(csv_field(rng, f, delimiter, quote, always) for f in row))
        # A CR, and then an empty line that ends in LF, is a CRLF: so what follows a CR has a field.
        parts.append(rng.choice(ENDS) if row != [""] else "\n")
        if row == [""] and parts[-3:-2] == ["\r"]:
            parts[-3] = "\r\n"
        rows.append(row)
    if rng.random() < 0.3 and rows[-1] != [""]:
        parts.pop()
    return "".join(parts), rows


def read_with_python(content, delimiter, quote):
    """The csv module's reading. It takes an empty line for no record, which is one of one empty field here."""
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, quotechar=quote, strict=True)
    return [row or [""] for row in rows]


def compare_csv(rng):
    delimiter, quote = rng.choice([(",", '"'), (";", '"'), ("\t", "'"), ("|", '"'), (" ", "$"), (":", "\\")])
    content, rows = random_csv(rng, delimiter, quote)
    python = read_with_python(content, delimiter, quote)
    data = content.encode("utf-8")
    check("python", data, rows, python, "the oracle itself")
    arguments = ["csv", "--delimiter", delimiter, "--quote", quote, "--null", "no such text"]
    header, records = dump(data, *arguments)
    check("flaw", data, [None] * len(records), [r["flaw"] for r in records], arguments)
    check("csv", data, python, [[text(f) for f in r["fields"]] for r in records], arguments)
    check_raw("csv", data, header, records)
    line, offset = 1, 0
    for r in records:
        raw = bytes.fromhex(r["raw"])
        check("csv-place", data, (line, offset), (r["line"], r["offset"]), arguments)
        line += raw.count(b"\n") + raw.count(b"\r") - raw.count(b"\r\n")
        offset += len(raw)


# ---- TSV ------------------------------------------------------------------------------------------------------------

TSV_ESCAPES = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\"}


def copy_field(field):
    """As COPY writes it."""
    return "\\N" if field is None else "".join(TSV_ESCAPES.get(c, c) for c in field)


def mysqldump_field(field):
    """As SELECT INTO OUTFILE writes it, which leaves a CR alone; there is none in it."""
    if field is None:
        return "\\N"
    return "".join("\\" + c if c in "\t\n\\" else c for c in field)


def compare_tsv(rng):
    write, special = rng.choice([(copy_field, "\b\f\n\r\t\v\\N"), (mysqldump_field, "\t\n\\N")])
    rows = [[None if rng.random() < 0.1 else random_field(rng, special) for _ in range(rng.randrange(1, 6))]
            for _ in range(rng.randrange(1, 60))]
    data = "".join("\t".join(map(write, row)) + "\n" for row in rows).encode("utf-8")
    header, records = dump(data, "tsv")
    actual = [r["flaw"] or [None if f[0] == "u" else text(f) for f in r["fields"]] for r in records]
    check("tsv", data, rows, actual, write.__name__)
    check_raw("tsv", data, header, records)


# ---- JSON lines -----------------------------------------------------------------------------------------------------

JSON_PIECES = ["{", "}", "[", "]", ",", ":", '"', "\\", "\\u", "d83d", "\\ude00", "\\ud83d\\ude00", "0041", "0", "1", "-",
               ".", "e", "E+", "null", "true", "false", "nul", "NaN", "Infinity", " ", "\t", "a", "ä", "\\n", "\\x", "\x01",
               '"a"', '"b":', '"c":1', "\\/", "\ufeff", "\x7f"]


class Refused(Exception):
    pass


def pairs_once(pairs):
    if len({name for name, _ in pairs}) < len(pairs):
        raise Refused("twice")
    return pairs


def refuse_constant(name):
    raise Refused(name)


def has_surrogate(value):
    return any(0xD800 <= ord(c) <= 0xDFFF or c == "\0" for c in value)


def expect_json(line):
    """What the line is: a list of (kind, text or None, name); None when it must be a flaw."""
    try:
        # Nested objects keep the last of two members; only the line's own names are asked about.
        pairs = json.loads(line, object_pairs_hook=list, parse_constant=refuse_constant,
                           parse_float=lambda t: ("number", t), parse_int=lambda t: ("number", t))
    except (ValueError, Refused):
        return None
    if not line.strip(" \t").startswith("{"):
        return None
    fields = []
    for name, value in pairs:
        if has_surrogate(name) or isinstance(value, str) and has_surrogate(value):
            return None
        if isinstance(value, tuple):
            fields.append(["n", value[1], name])
        elif isinstance(value, str):
            fields.append(["q", value, name])
        elif value is None or isinstance(value, bool):
            fields.append(["u" if value is None else "o", json.dumps(value), name])
        else:
            fields.append(["e", None, name])
    try:
        pairs_once(pairs)
    except Refused:
        return None
    return fields


def random_value(rng, depth=0):
    kinds = [lambda: rng.choice([0, -0.0, 1, -12.5e10, 1e-7, 12345678901234567890123]),
             lambda: rng.choice([None, True, False]),
             lambda: random_field(rng, "\n\t\"\\/\x01\x7f")]
    if depth < 3:
        kinds += [lambda: [random_value(rng, depth + 1) for _ in range(rng.randrange(3))],
                  lambda: {random_field(rng, '"'): random_value(rng, depth + 1) for _ in range(rng.randrange(3))}]
    return rng.choice(kinds)()


def random_line(rng):
    if rng.random() < 0.3:
        return "{" + "".join(rng.choice(JSON_PIECES) for _ in range(rng.randrange(12))) + "}"
    line = json.dumps({random_field(rng, '"') or "x": random_value(rng) for _ in range(rng.randrange(6))},
                      ensure_ascii=rng.random() < 0.5)
    for _ in range(rng.randrange(3) if rng.random() < 0.5 else 0):
        at = rng.randrange(len(line) + 1)
        line = line[:at] + rng.choice(JSON_PIECES) + line[at + rng.randrange(2):]
    return line


def compare_json(rng):
    lines = [random_line(rng) for _ in range(rng.randrange(1, 80))]
    data = "".join(line + rng.choice(["\n", "\r\n"]) for line in lines).encode("utf-8")
    if data.startswith(codecs.BOM_UTF8):
        return
    header, records = dump(data, "jsonl")
    expected = [expect_json(line) for line in lines]
    actual = []
    for r in records:
        fields = [[f[0], None if f[0] == "e" else text(f), bytes.fromhex(f[2]).decode()] for f in r["fields"]]
        actual.append(None if r["flaw"] else fields)
        for f in r["fields"]:
            if f[0] == "e":
                json.loads(text(f))
    check("json", data, list(zip(lines, expected)), list(zip(lines, actual)), [])
    check_raw("json", data, header, records)


# ---- encodings ------------------------------------------------------------------------------------------------------

ENCODINGS = ["ascii", "latin-1", "cp1252", "iso8859-15", "iso8859-2", "koi8-r", "cp1251", "cp437", "shift_jis", "cp932",
             "gbk", "gb18030", "big5", "euc_jp", "euc_kr", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-16",
             "utf-32"]
ICONV = {"latin-1": "ISO-8859-1", "koi8-r": "KOI8-R", "cp437": "CP437", "shift_jis": "SHIFT_JIS", "utf-16-le": "UTF-16LE",
         "utf-16-be": "UTF-16BE", "utf-32-le": "UTF-32LE", "utf-32-be": "UTF-32BE", "euc_jp": "EUC-JP", "euc_kr": "EUC-KR",
         "iso8859-15": "ISO-8859-15", "iso8859-2": "ISO-8859-2"}
# Characters whose second byte is a comma's, a quote's or a backslash's neighbour: 0x5C, 0x7C, 0x40, 0x2C, 0x22 ...
HARD = "ソ表能予¥語|漢字乗構蚕縺誠功许盖餐跺①ℓ─ΩЯабвдежäöüßéñŁşš€ﾊﾝｶｸ가힣😀\u0a0d\u0d0a\u2c22\u0a0a"


def encodable(character, encoding):
    try:
        return character.encode(encoding).decode(encoding) == character
    except UnicodeError:
        return False


def common_letters(encoding, name):
    """Where Python's table and iconv's differ (0x5C of Shift-JIS, Cyrillic in Big5), nothing is said."""
    letters = [c for c in LETTERS + HARD if encodable(c, encoding)]
    ran = subprocess.run(["iconv", "-f", name, "-t", "UTF-8"], input="\n".join(letters).encode(encoding),
                         stdout=subprocess.PIPE, check=True, timeout=60)
    return [c for c, other in zip(letters, ran.stdout.decode("utf-8").split("\n")) if c == other]


LETTERS_OF = {}


def compare_encoding(rng, encoding):
    name = ICONV.get(encoding, encoding.upper())
    if encoding not in LETTERS_OF:
        LETTERS_OF[encoding] = common_letters(encoding, name)
    content, rows = random_csv(rng, ",", '"', LETTERS_OF[encoding])
    data = content.encode(encoding)
    arguments = ["csv", "--encoding", name, "--null", "no such text"]
    header, records = dump(data, *arguments)
    check(encoding, data, rows, [r["flaw"] or [text(f) for f in r["fields"]] for r in records], arguments)
    check_raw(encoding, data, header, records)


def compare_broken(rng, encoding):
    """Of any bytes: each physical line is text or not, as the codec says. Tables that differ from iconv's are left out."""
    data = bytes(rng.choice(b"ab,x\n\r\x81\x82\xa4\xe9\xff\x00\xd8\xdc\n") for _ in range(rng.randrange(200)))
    unit = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}.get(encoding, 1)
    if unit > 1:
        letters = [c.encode(encoding) for c in "ab,x\n\rä語😀\0"] + [b"\x00\xd8\x00\xd8"[:unit], b"\xdc\x00\x00\xdc"[:unit]]
        data = b"".join(rng.choice(letters) for _ in range(rng.randrange(60))) + b"\x61"[: rng.randrange(2)]
    if data.startswith((b"\xff\xfe", b"\xfe\xff", codecs.BOM_UTF8)):
        return
    header, records = dump(data, "csv", "--encoding", ICONV.get(encoding, encoding.upper()))
    check_raw(encoding, data, header, records)
    for r in records:
        raw = bytes.fromhex(r["raw"])
        try:
            good = "\0" not in raw.decode(encoding)
        except UnicodeDecodeError:
            good = False
        check(encoding + "-broken", data, (raw, good), (raw, r["flaw"] is None), encoding)


def main():
    for name, encodings, compare in (("csv", [None], compare_csv), ("tsv", [None], compare_tsv),
                                     ("json", [None], compare_json), ("encoding", ENCODINGS, compare_encoding),
                                     ("broken", ["utf-8", "ascii", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le",
                                                 "utf-32-be"], compare_broken)):
        for encoding in encodings:
            rng = random.Random(f"{SEED} {name} {encoding}")
            for _ in range(ROUNDS if encoding is None else ROUNDS // 6):
                compare(*([rng] if encoding is None else [rng, encoding]))
    print(f"the same as Python's csv, json and codecs, seed {SEED}")


main()
