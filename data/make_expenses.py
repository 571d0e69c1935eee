#!/usr/bin/env python3
"""Makes expenses.csv: a synthetic year of expenses, as a spreadsheet might export it.

    make_expenses.py                writes expenses.csv beside this script
    make_expenses.py --check        compares that file with what would be written, byte for byte
    make_expenses.py --table        prints the malformed lines as the table in README.md

The good rows come from a random generator with a fixed seed; no row is about a
real person. The malformed lines were written by hand: see MALFORMED.
"""

import datetime
import pathlib
import random
import sys

SEED = 20260101
GOOD_ROWS = 1240
PATH = pathlib.Path(__file__).with_name("expenses.csv")

USERS = ["Ana", "Bjørn", "Chloé", "Dmitri", "Łucja", "Zoë"]

# category: weight, smallest and largest amount in cents, descriptions
CATEGORIES = {
    "Clothing": (4, 1500, 14000, ["Winter coat", "Running shoes", "T-shirts, three for two", "Wool socks"]),
    "Coffee": (14, 180, 620, ["Espresso", "Flat white", "Café au lait", "Beans, 250 g", "Tea \"to go\""]),
    "Dining": (12, 900, 8500, ["Lunch", "Pizza", "Dinner with Jürgen", "Sushi, to share", "Restaurant \"Zum Löwen\""]),
    "Gifts": (3, 800, 9000, ["Flowers", "Birthday present", "Book \"Budgeting for Two\"", "Wedding, our share"]),
    "Groceries": (30, 250, 12500, ["Supermarket", "Bakery", "Farmers' market", "Fruit, vegetables, eggs", "Żabka"]),
    "Health": (5, 490, 9900, ["Pharmacy", "Dentist", "Glasses", "Physiotherapy, 2 sessions"]),
    "Household": (9, 350, 18000, ["Detergent", "Light bulbs", "Drill, hired", "4\" screws", "Curtains"]),
    "Rent": (2, 52000, 98000, ["Rent", "Rent and heating"]),
    "Transport": (17, 210, 7900, ["Bus", "Train, return", "Fuel", "Parking", "Bicycle repair"]),
    "Travel": (4, 4500, 64000, ["Hotel, two nights", "Flight", "Ferry to Tromsø", "Guide \"Kraków\", 2nd hand"]),
}

# Lines that end in CRLF while the others end in LF: pasted in from another machine. Valid.
CRLF_LINES = range(400, 461)

# line in the file: its bytes without the line end, what should happen, why it is like that. {id} is the next free id.
MALFORMED = {
    23: ('{id},2026-01-06,Ana,Coffee,Espresso,twenty', "DATA", "an amount in words"),
    48: ('{id},2026-01-13,Zoë,Groceries,Bakery,"12,50"', "DATA", "a decimal comma, quoted so that it is one field"),
    77: ('{id},2026-01-22,Dmitri,,Lunch,11.90', "NOT_NULL", "no category"),
    112: ('{id},2026-02-01,Xavier,Rent,Rent,640.00', "FOREIGN_KEY", "a user who isn't known"),
    150: ('100,2026-02-12,Chloé,Transport,Bus,2.80', "UNIQUE", "an id that is used further up"),
    183: ('{id},2026-02-21,Ana,Clothing,Winter coat returned,-89.00', "CHECK", "a negative amount"),
    204: ('{id},2026-02-30,Bjørn,Dining,Pizza,14.20', "DATA", "a day that isn't in the calendar"),
    239: ('{id},2026-03-09,Łucja,Health', "DATA", "too few fields: cut off"),
    271: ('{id},2026-03-18,Zoë,Groceries,Fruit, vegetables, eggs,23.15', "DATA", "commas that should be in quotes"),
    318: ('{id},2026-04-01,Ana,Rent,Rent,715.00  ', "DATA", "spaces after the amount"),
    355: ('{id},2026-04-11,Dmitri,Groceries ,Supermarket,48.30', "FOREIGN_KEY", "a space after the category"),
    420: ('{id},2026-04-30,Chloé,Household,4" screws,6.90', "DATA", "a quote inside an unquoted field; ends in CRLF"),
    467: ('{id},2026-05-14,Bjørn,Dining,"Dinner with Jürgen,54.00', "DATA", "a quote that is never closed"),
    512: (b'{id},2026-05-27,Ana,Coffee,Caf\xe9 au lait,3.60', "DATA", "a Latin-1 byte in a UTF-8 file"),
    560: ('', "DATA", "a blank line"),
    603: ('{id},2026-06-22,Zoë,Travel,Ferry to Tromsø,', "NOT_NULL", "no amount"),
    655: ('{id},2026-07-07,Łucja,Gifts,Flowers,€14.00', "DATA", "a currency sign"),
    702: ('{id},2026-07-21,Dmitri,Rent,Rent and heating,"1,250.00"', "DATA", "a thousands separator"),
    744: ('{id},2026-08-02,Chloé,Coffee,Voucher used,0.00', "CHECK", "an amount of nothing"),
    790: ('{id},2026-08-15,Bjørn,Groceries,Supermarket,3995000.00', "CHECK", "the decimal point lost: 39.95"),
    833: ('{id},27.08.2026,Ana,Transport,Train,27.40', "DATA", "a day in another format"),
    881: ('{id},2026-09-10,Zoë,Grocery,Bakery,4.10', "FOREIGN_KEY", "a misspelt category"),
    926: ('{id},2026-09-23,,Dining,Lunch,12.00', "NOT_NULL", "no user"),
    968: ('n/a,2026-10-05,Łucja,Health,Pharmacy,8.75', "DATA", "an id that is no number"),
    1015: ('{id},2026-10-19,Dmitri,Transport,Fuel,61.995', "DATA", "a third decimal: it won't be rounded in silence"),
    1066: ('id,day,user,category,description,amount', "DATA", "the header once more: two exports in one file"),
    1120: ('{id},2026-11-18,Chloé,Household,"Drill" hired,15.00', "DATA", "text after a closing quote"),
    1178: ('1111,2026-12-05,Ana,Groceries,Bakery,5.20', "UNIQUE", "an id that is used further up"),
    1230: ('{id},2026-12-20,Bjørn,Gifts,,45.00', "NOT_NULL", "no description"),
    1262: (',,,,Total,70113.28', "NOT_NULL", "a line for the total, as people add it"),
}


class Dice:
    """Draws from random(), the one method whose sequence Python promises to keep."""

    def __init__(self, seed):
        self.random = random.Random(seed).random

    def below(self, limit):
        return int(self.random() * limit)

    def pick(self, items):
        return items[self.below(len(items))]


def quoted(text):
    if any(c in text for c in ',"'):
        return '"' + text.replace('"', '""') + '"'
    return text


def good_row(dice, number, row):
    day = datetime.date(2026, 1, 1) + datetime.timedelta(days=row * 365 // GOOD_ROWS)
    category = dice.pick([name for name, about in CATEGORIES.items() for _ in range(about[0])])
    _, smallest, largest, descriptions = CATEGORIES[category]
    user, description = dice.pick(USERS), dice.pick(descriptions)
    cents = smallest + dice.below(largest - smallest + 1)
    amount = f"{cents // 100}.{cents % 100:02}"
    return ",".join([str(number), day.isoformat(), user, category, quoted(description), amount])


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def with_id(line, number):
    return line.replace(b"{id}", str(number).encode())


def contents():
    dice = Dice(SEED)
    lines = [b"id,day,user,category,description,amount"]
    number = row = 0
    while row < GOOD_ROWS:
        malformed = MALFORMED.get(len(lines) + 1)
        if malformed:
            line = as_bytes(malformed[0])
            number += b"{id}" in line
            lines.append(with_id(line, number))
        else:
            number += 1
            lines.append(good_row(dice, number, row).encode())
            row += 1
    ended = [line + (b"\r\n" if at in CRLF_LINES else b"\n") for at, line in enumerate(lines, 1)]
    return b"".join(ended)[:-1]  # no line end after the last line


def table():
    print("| line | the line | refused as | why it is there |\n|---|---|---|---|")
    for at, (text, code, why) in sorted(MALFORMED.items()):
        shown = with_id(as_bytes(text), "N").decode("utf-8", "backslashreplace").replace("|", "\\|")
        print(f"| {at} | {'`` ' + shown + ' ``' if shown else '(empty)'} | {code} | {why} |")


def main(arguments):
    if arguments == ["--table"]:
        table()
    elif arguments == ["--check"]:
        if PATH.read_bytes() != contents():
            sys.exit(f"{PATH.name} is not what this script makes")
        print(f"{PATH.name} is what this script makes, byte for byte")
    elif not arguments:
        PATH.write_bytes(contents())
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
