"""Imports: belay_import beside the engines' own bulk loaders, loops of inserts, SQLAlchemy, Django and tools.

Files of many records, of which some are bad, into two tables: `tx`, and `wide`, which the methods were not made for.
The time is taken around reading the file and storing it, with the COMMIT. Loaders that keep nothing when a record is
bad are given the good records only.
"""

import contextlib
import pathlib
import tempfile

import cases_servers
import make_csv
import programs
import stores
from harness import CPU, PEAK, Case, Comparison, Side

PROGRAMS = ("side_sqlite", "side_libpq", "side_libmariadb", "side_belay", "delay_proxy")
SQLITE, POSTGRESQL, MARIADB = "SQLite", "PostgreSQL", "MariaDB"
SOCKET, SLOW = cases_servers.SOCKET, cases_servers.SLOW

# At most so many times the bulk loader's time, by the percentage of bad records.
TARGETS = {SQLITE: {1: 1.0, 10: 1.1}, POSTGRESQL: {1: 1.5, 10: 2.2}, MARIADB: {1: 1.4, 10: 1.3}}
MOST_MEMORY = 64 * 1024  # KiB
READS = 0.8  # of the speed that other sessions' reads have beside COPY

# Why the rows of sqlite-utils are not compared.
EMPTY_IS_TEXT = "an empty field is an empty text for it, so it keeps records without a payee, and tells of no bad one"

# What imports while others read: program, mode, whether it is given good records only.
WRITERS = {"belay": ("side_belay", "import", False), "copy": ("side_libpq", "copy", True),
           "savepoint": ("side_libpq", "import-savepoint", False)}

# The fastest that each engine has: its program, the mode, the name, and whether it may be given bad records.
BULK = {SQLITE: ("side_sqlite", "import", "bare loop", True),
        POSTGRESQL: ("side_libpq", "copy", "COPY", False),
        MARIADB: ("side_libmariadb", "load", "LOAD DATA", False)}


class Data:
    """The files; each is made when the first case begins that needs it."""

    def __init__(self, folder):
        self.folder = folder

    def options(self, table, count, bad, good_only=False):
        return ("--file", make_csv.paths(self.folder, table, count, bad)[good_only], "--table", table)

    def maker(self, table, count, bad):
        return lambda: make_csv.write(self.folder, table, count, bad)


class Maker:
    """Makes the cases of one engine by one link. `quick` only shows that all of it works."""

    def __init__(self, name, store, link, compiled, peers, data, quick):
        self.name, self.store, self.link = name, store, link
        self.programs, self.peers, self.data, self.quick = compiled, peers, data, quick
        self.loader = BULK[name][2]

    def size(self, count):
        return max(count // 20, 1000) if self.quick else count

    def side(self, what, table, count, bad):
        """belay, bulk, again (the control) or savepoint."""
        program, mode, name, all_rows = BULK[self.name]
        if what == "belay":
            return Side("belay", "Belay", [self.programs["side_belay"]], "import", counted=False,
                        options=self.data.options(table, count, bad))
        if what == "savepoint":
            return Side("savepoint", "raw: a savepoint a row", [self.programs[program]], "import-savepoint",
                        options=self.data.options(table, count, bad))
        label = name + (", again" if what == "again" else "") + ("" if all_rows else " of the good records")
        return Side(what, label, [self.programs[program]], mode, counted=False, all_rows=all_rows,
                    options=self.data.options(table, count, bad, good_only=not all_rows))

    def case(self, title, table, count, percent, make_sides, comparisons, rounds=3, enough=3):
        """make_sides(count, bad) gives the sides. Three rounds are enough where a target is far away or missing."""
        bad = round(count * percent / 100)
        title = "%s import, %s, %g %% bad" % (self.name, title, percent) + (", " + self.link if self.link else "")
        return Case(title, self.store, table, make_sides(count, bad), comparisons, count, 1 if self.quick else rounds,
                    enough, bad_rows=bad, prepare=self.data.maker(table, count, bad))

    def against_bulk(self, table, count, percent, more=()):
        """At 1 and 10 % bad there are targets, and not far away."""
        rounds = (7 if table == "tx" else 5, 5) if percent in TARGETS[self.name] else (3, 3)
        names = ("bulk", "belay", *more)
        return self.case(table, table, self.size(count), percent,
                         lambda count, bad: [self.side(name, table, count, bad) for name in names],
                         self.bulk_comparisons(percent, more), *rounds)

    def bulk_comparisons(self, percent, more):
        result = [Comparison("control: %s / the same again" % self.loader, "again", "bulk")] if "again" in more else []
        raw = ("savepoint", "bulk") if "savepoint" in more else None
        result.append(Comparison("Belay / " + self.loader, "belay", "bulk", at_most=TARGETS[self.name].get(percent),
                                 raw=raw))
        if raw:
            result.append(Comparison("savepoint a row / Belay", "savepoint", "belay"))
        if self.name == SQLITE:  # the others' work is the server's
            result.append(Comparison("CPU: Belay / " + self.loader, "belay", "bulk", clock=CPU, raw=raw))
        return result + [Comparison("Belay, memory", "belay", clock=PEAK,
                                    at_most=MOST_MEMORY if self.name == SQLITE else None)]

    def savepoints(self, count):
        """What the import is the same as, where that takes long: with fewer records."""
        return self.case("a savepoint a row", "tx", self.size(count), 1,
                         lambda count, bad: [self.side(name, "tx", count, bad) for name in ("savepoint", "belay")],
                         [Comparison("savepoint a row / Belay", "savepoint", "belay")])

    def memory(self, count):
        """A file that is larger than the memory that may be used."""
        return self.case("memory", "tx", self.size(count), 1,
                         lambda count, bad: [self.side("belay", "tx", count, bad)],
                         [Comparison("Belay, memory, a large file", "belay", clock=PEAK, at_most=MOST_MEMORY)], 1, 1)


    def with_few(self, full, count, bad):
        """Belay with as many records as it is measured with elsewhere, and with the few that the slow ones get."""
        full, full_bad = self.size(full), round(self.size(full) / 100)
        large, few = self.side("belay", "tx", full, full_bad), self.side("belay", "tx", count, bad)
        large.label, large.size = "Belay, %d records" % full, (full, full_bad)
        few.key, few.label = "few", "Belay, %d records" % count
        return [large, few]

    def against_slow(self, title, full, count, make_sides, comparisons):
        case = self.case(title, "tx", self.size(count), 1,
                         lambda count, bad: self.with_few(full, count, bad) + make_sides(count, bad), comparisons)
        of_few, of_full = case.prepare, self.data.maker("tx", self.size(full), round(self.size(full) / 100))
        case.prepare = lambda: (of_few(), of_full())
        return case

    def orm_peers(self, full, count):
        """SQLAlchemy's Session and Django keep each record apart by a savepoint, as their manuals say."""
        def sides(count, bad):
            every = self.data.options("tx", count, bad)
            return [self.side("savepoint", "tx", count, bad),
                    Side("session", "SQLAlchemy Session", self.peers["sqlalchemy"], "import", options=every),
                    Side("django", "Django", self.peers["django"], "import", options=every)]

        return self.against_slow("against peers", full, count, sides, [
            Comparison("SQLAlchemy Session / Belay", "session", "belay", at_least=100, raw=("session", "savepoint")),
            Comparison("Django / Belay", "django", "belay", at_least=50, raw=("django", "savepoint")),
            Comparison("SQLAlchemy Session / Belay, few records", "session", "few"),
            Comparison("Django / Belay, few records", "django", "few")])

    def tool(self, key, label, count, bad, good_only=False, differs=""):
        return Side(key, label, self.peers["tools"], key, counted=False, asked=False, all_rows=False, differs=differs,
                    options=self.data.options("tx", count, bad, good_only))

    def sqlite_tools(self, full, count):
        """The time of a tool is that of its process; Belay's is taken as always."""
        def tools(count, bad):
            return [self.tool("sqlite-utils", "sqlite-utils insert --ignore", count, bad, differs=EMPTY_IS_TEXT),
                    self.tool("import", "sqlite3 .import of the good records", count, bad, good_only=True)]

        return self.against_slow("against tools", full, count, tools, [
            Comparison("sqlite-utils / Belay", "sqlite-utils", "belay", at_least=10),
            Comparison("sqlite-utils / Belay, few records", "sqlite-utils", "few"),
            Comparison("sqlite3 .import / Belay, few records", "import", "few")])

    def postgresql_tools(self, full, count):
        def tools(count, bad):
            return [self.tool("pgloader", "pgloader", count, bad),
                    self.tool("copy", "psql \\copy of the good records", count, bad, good_only=True)]

        return self.against_slow("against tools", full, count, tools, [
            Comparison("pgloader / Belay", "pgloader", "belay", at_least=60),
            Comparison("pgloader / Belay, few records", "pgloader", "few"),
            Comparison("psql \\copy / Belay, few records", "copy", "few")])

    def reader(self, key, label, mode, writer, count, bad):
        """A scan's time while a program imports."""
        program, writer_mode, good_only = WRITERS[writer]
        return Side(key, label, self.peers["readers"], mode, counted=False, all_rows=not good_only,
                    options=("--writer", self.programs[program], "--writer-mode", writer_mode,
                             *self.data.options("tx", count, bad, good_only)))

    def reads_held(self, count):
        """The rows are stored and not committed, and nothing else runs."""
        def sides(count, bad):
            return [self.reader("belay", "scan, Belay's import held open", "held", "belay", count, bad),
                    self.reader("copy", "scan, COPY held open", "held", "copy", count, bad),
                    self.reader("savepoint", "scan, a savepoint a row held open", "held", "savepoint", count, bad),
                    self.reader("after", "scan, when all is committed", "after", "copy", count, bad)]

        return self.case("reads beside one held open", "tx", self.size(count), 1, sides, [
            Comparison("reads' speed, Belay's / COPY's", "copy", "belay", at_least=READS, raw=("copy", "savepoint")),
            Comparison("reads' speed, Belay's / no import", "after", "belay", raw=("after", "savepoint"))], 5, 5)

    def reads_running(self, count):
        """While it stores the rows: they have the processors in common as well."""
        def sides(count, bad):
            return [self.reader("belay", "scan, Belay's import running", "running", "belay", count, bad),
                    self.reader("copy", "scan, COPY running", "running", "copy", count, bad)]

        return self.case("reads beside a running one", "tx", self.size(count), 1, sides, [
            Comparison("reads' speed, Belay's / COPY's", "copy", "belay", at_least=READS)], 7, 5)


def with_targets(maker, count):
    more = ("savepoint", "again") if maker.name == SQLITE else ("again",)
    return [maker.against_bulk("tx", count, 1, more), maker.against_bulk("tx", count, 10, more[:-1]),
            maker.against_bulk("wide", count, 1), maker.against_bulk("wide", count, 10)]


def without_targets(maker, count):
    return [maker.against_bulk(table, count, percent) for table in ("tx", "wide") for percent in (0, 0.1)]


def make_cases(compiled, peers, stores_by_name, folder, quick):
    """What has targets comes first, should the time be up."""
    data = Data(folder)

    def maker(name, link):
        return Maker(name, stores_by_name[name, link], link, compiled, peers, data, quick)

    sqlite, postgresql, mariadb = maker(SQLITE, ""), maker(POSTGRESQL, SOCKET), maker(MARIADB, SOCKET)
    sizes = ((sqlite, 100000), (postgresql, 100000), (mariadb, 50000))
    cases = [case for one, count in sizes for case in with_targets(one, count)]
    cases += [maker(POSTGRESQL, SLOW).against_bulk("tx", 100000, 1), maker(MARIADB, SLOW).against_bulk("tx", 50000, 1)]
    cases += [postgresql.reads_held(20000), postgresql.reads_running(100000), sqlite.memory(2000000)]
    cases += [one.orm_peers(count, 3000) for one, count in sizes]
    cases += [sqlite.sqlite_tools(100000, 30000), postgresql.postgresql_tools(100000, 10000)]
    cases += [case for one, count in sizes for case in without_targets(one, count)]
    return cases + [postgresql.savepoints(10000), mariadb.savepoints(10000)]


@contextlib.contextmanager
def open_part(options, library, peers):
    """The cases, and how long a round trip is by each link."""
    compiled = programs.compile_programs(options, library, PROGRAMS, ("libpq", "libmariadb"))
    with cases_servers.open_stores(compiled) as by_name, \
            tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory or options.build) as folder:
        links = {"%s, %s" % which: store.trip() for which, store in by_name.items()}
        by_name[SQLITE, ""] = stores.Sqlite(folder)
        yield make_cases(compiled, peers, by_name, str(pathlib.Path(folder).resolve()), options.quick), links
