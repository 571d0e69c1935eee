"""The cases on SQLite, and their targets: Belay beside raw sqlite3, SQLAlchemy and Django."""

import stores
from harness import CPU, Case, Comparison, Side

PROGRAMS = ("side_sqlite", "side_belay", "side_objects_sqlite", "side_objects_belay")

SCOPES = [
    Comparison("control: raw / the same again", "again", "bare"),
    Comparison("belay_try / raw bare", "try", "bare", at_most=1.3),
    Comparison("nested block / raw bare", "nested", "bare", at_most=2.3, raw=("savepoint", "bare")),
    Comparison("nested block / raw savepoint", "nested", "savepoint"),
    Comparison("belay_exec / raw bare", "exec", "bare"),
    Comparison("CPU: belay_try / raw bare", "try", "bare", clock=CPU),
    Comparison("CPU: nested block / raw bare", "nested", "bare", clock=CPU, raw=("savepoint", "bare")),
]
EMPTY = [
    Comparison("empty nested block, CPU time", "belay", at_most=20e-9, clock=CPU),
    Comparison("CPU: raw savepoint, release / empty block", "raw", "belay", clock=CPU),
]
PEERS = [
    Comparison("SQLAlchemy Session / nested block", "session", "nested", at_least=150, raw=("session", "savepoint")),
    Comparison("Django / nested block", "django", "nested", at_least=60, raw=("django", "savepoint")),
    Comparison("SQLAlchemy core / nested block", "core", "nested", at_least=40, raw=("core", "savepoint")),
    Comparison("SQLAlchemy Session / belay_try", "session", "try"),
    Comparison("Django / belay_try", "django", "try"),
    Comparison("SQLAlchemy core / belay_try", "core", "try"),
]
TRANSFER = [
    Comparison("control: raw / the same again", "again", "raw"),
    Comparison("Belay / raw", "belay", "raw", at_most=1.10),
    Comparison("CPU: Belay / raw", "belay", "raw", clock=CPU),
]
TRANSFER_PEERS = [
    Comparison("SQLAlchemy core / Belay", "core", "belay"),
    Comparison("SQLAlchemy Session / Belay", "session", "belay"),
    Comparison("Django / Belay", "django", "belay"),
]
OBJECTS = [
    Comparison("SQLAlchemy ORM / Belay", "orm", "belay", at_least=30),
    Comparison("CPU: Belay / by hand", "belay", "raw", at_most=3, clock=CPU),
    Comparison("CPU: SQLAlchemy ORM / Belay", "orm", "belay", clock=CPU),
]
GETS = [
    Comparison("SQLAlchemy ORM / Belay", "orm", "belay", at_least=30),
]


class Sides:
    """The sides by name; "again" is the control: the same program as another side."""

    def __init__(self, programs, peers):
        self.raw, self.belay = [programs["side_sqlite"]], [programs["side_belay"]]
        self.sqlalchemy, self.django = peers["sqlalchemy"], peers["django"]
        self.objects_raw, self.objects = [programs["side_objects_sqlite"]], [programs["side_objects_belay"]]
        self.orm = peers["sqlalchemy_objects"]

    def scopes(self):
        return [Side("bare", "raw: bare insert loop", self.raw, "bare"),
                Side("try", "belay_try a row", self.belay, "try"),
                Side("savepoint", "raw: savepoint, insert, release", self.raw, "savepoint"),
                Side("nested", "Belay: nested block with one insert", self.belay, "nested"),
                Side("exec", "Belay: belay_exec in one scope", self.belay, "exec"),
                Side("again", "raw: bare insert loop, again", self.raw, "bare")]

    def empty(self):
        return [Side("raw", "raw: savepoint, release", self.raw, "empty"),
                Side("belay", "Belay: empty nested block", self.belay, "empty")]

    def peers(self):
        return [Side("nested", "Belay: nested block with one insert", self.belay, "nested"),
                Side("try", "belay_try a row", self.belay, "try"),
                Side("savepoint", "raw: savepoint, insert, release", self.raw, "savepoint"),
                Side("core", "SQLAlchemy core", self.sqlalchemy, "core"),
                Side("session", "SQLAlchemy Session", self.sqlalchemy, "session"),
                Side("django", "Django", self.django, "create")]

    def transfer(self):
        return [Side("raw", "raw", self.raw, "transfer"),
                Side("belay", "Belay", self.belay, "transfer"),
                Side("again", "raw, again", self.raw, "transfer")]

    def transfer_peers(self):
        return [Side("belay", "Belay", self.belay, "transfer"),
                Side("core", "SQLAlchemy core", self.sqlalchemy, "transfer-core"),
                Side("session", "SQLAlchemy Session", self.sqlalchemy, "transfer-session"),
                Side("django", "Django", self.django, "transfer")]

    def work_of_objects(self):
        return [Side("raw", "by hand: prepared statements", self.objects_raw, "objects"),
                Side("belay", "Belay", self.objects, "objects"),
                Side("orm", "SQLAlchemy ORM", self.orm, "objects")]

    def gets(self):
        return [Side("belay", "Belay", self.objects, "gets"),
                Side("orm", "SQLAlchemy ORM", self.orm, "gets")]


def make_cases(programs, peers, directory, quick):
    sides = Sides(programs, peers)
    file, memory = stores.Sqlite(directory), stores.SqliteMemory(directory)
    places = ((file, "file"), (memory, "memory"))
    cases = []
    for table in ("plain", "unique"):
        for store, where in places:
            cases.append(Case("scope with one insert, %s table, %s" % (table, where), store, table, sides.scopes(),
                              SCOPES, 20000 if quick else 50000, 3 if quick else 15, 3 if quick else 5))
    for store, where in places:
        cases.append(Case("empty scope, " + where, store, None, sides.empty(), EMPTY,
                          500000 if quick else 2000000, 3 if quick else 7, 3 if quick else 5))
    cases.append(Case("durable transfer, file", file, "account", sides.transfer(), TRANSFER,
                      300 if quick else 1000, 9 if quick else 41, 9 if quick else 31))
    for table in ("plain",) if quick else ("plain", "unique"):
        for store, where in places:
            cases.append(Case("against peers, %s table, %s" % (table, where), store, table, sides.peers(), PEERS,
                              2000 if quick else 10000, 3 if quick else 5, 3 if quick else 5))
    cases.append(Case("durable transfer against peers, file", file, "account", sides.transfer_peers(), TRANSFER_PEERS,
                      300 if quick else 1000, 3 if quick else 5, 3 if quick else 5))
    objects = 2000 if quick else 10000
    cases.append(Case("objects: load, change each tenth, add as many with a line each", file, "objects",
                      sides.work_of_objects(), OBJECTS, objects, 3 if quick else 7, 3 if quick else 5))
    cases.append(Case("objects: get by key, ten times each", file, "objects", sides.gets(), GETS, objects,
                      3 if quick else 7, 3 if quick else 5))
    return cases
