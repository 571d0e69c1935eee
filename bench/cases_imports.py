"""Imports: belay_import beside the engines' own bulk loaders, loops of inserts, SQLAlchemy, Django, sqlite-utils, pgloader.

Files of many records, of which some are bad, into two tables: `tx`, and `wide`, which the methods were not made for. The
time is taken around reading the file and storing it, with the COMMIT. Loaders that keep nothing when a record is bad are
given the good records only.
"""

import contextlib
import pathlib
import tempfile

import cases_servers
import make_csv
import programs
import stores
from harness import PEAK, Case, Comparison, Side

PROGRAMS = ("side_sqlite", "side_libpq", "side_libmariadb", "side_belay", "delay_proxy")
SQLITE, POSTGRESQL, MARIADB = "SQLite", "PostgreSQL", "MariaDB"
SOCKET, SLOW = cases_servers.SOCKET, cases_servers.SLOW

# At most so many times the bulk loader's time, by the percentage of bad records.
TARGETS = {SQLITE: {1: 1.0, 10: 1.1}, POSTGRESQL: {1: 1.5, 10: 2.2}, MARIADB: {1: 1.4, 10: 1.3}}
MOST_MEMORY = 64 * 1024  # KiB
READS = 0.8  # of the speed that other sessions' reads have beside COPY

# The fastest that each engine has: its program, the mode, the name, and whether it may be given bad records.
BULK = {SQLITE: ("side_sqlite", "import", "bare loop", True),
        POSTGRESQL: ("side_libpq", "copy", "COPY", False),
        MARIADB: ("side_libmariadb", "load", "LOAD DATA", False)}


class Data:
    """The files, made when a case is: each once."""

    def __init__(self, folder):
        self.folder = folder

    def options(self, table, count, bad, good_only=False):
        return ("--file", make_csv.write(self.folder, table, count, bad)[good_only], "--table", table)


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

    def case(self, title, table, count, percent, make_sides, comparisons, rounds=5, enough=5):
        """make_sides(count, bad) gives the sides."""
        bad = round(count * percent / 100)
        title = "%s import, %s, %g %% bad" % (self.name, title, percent) + (", " + self.link if self.link else "")
        return Case(title, self.store, table, make_sides(count, bad), comparisons, count, 1 if self.quick else rounds,
                    enough, bad_rows=bad)

    def against_bulk(self, table, count, percent, more=()):
        """The cases with targets."""
        names = ("bulk", "belay", *more)
        return self.case(table, table, self.size(count), percent,
                         lambda count, bad: [self.side(name, table, count, bad) for name in names],
                         self.bulk_comparisons(percent, more))

    def bulk_comparisons(self, percent, more):
        result = [Comparison("control: %s / the same again" % self.loader, "again", "bulk")] if "again" in more else []
        raw = ("savepoint", "bulk") if "savepoint" in more else None
        result.append(Comparison("Belay / " + self.loader, "belay", "bulk", at_most=TARGETS[self.name].get(percent),
                                 raw=raw))
        if raw:
            result.append(Comparison("savepoint a row / Belay", "savepoint", "belay"))
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
                         [Comparison("Belay, memory, a file of %d MB" % (count * 44 // 10**6), "belay", clock=PEAK,
                                     at_most=MOST_MEMORY)], 1, 1)


def engine_cases(maker, count):
    """1 and 10 % have targets, and so come first."""
    sqlite = maker.name == SQLITE
    cases = [maker.against_bulk("tx", count, percent, (("savepoint",) if sqlite else ()) + (
        ("again",) if percent == 1 else ())) for percent in (1, 10, 0, 0.1)]
    return cases + [maker.against_bulk("wide", count, percent) for percent in (1, 10, 0, 0.1)]


def make_cases(compiled, peers, stores_by_name, folder, quick):
    data = Data(folder)

    def maker(name, link):
        return Maker(name, stores_by_name[name, link], link, compiled, peers, data, quick)

    sqlite, postgresql, mariadb = maker(SQLITE, ""), maker(POSTGRESQL, SOCKET), maker(MARIADB, SOCKET)
    cases = engine_cases(sqlite, 100000) + engine_cases(postgresql, 100000) + engine_cases(mariadb, 50000)
    cases += [maker(POSTGRESQL, SLOW).against_bulk("tx", 100000, 1), maker(MARIADB, SLOW).against_bulk("tx", 50000, 1)]
    cases += [sqlite.memory(1500000), postgresql.savepoints(10000), mariadb.savepoints(10000)]
    return cases


@contextlib.contextmanager
def open_part(options, library, peers):
    """The cases, and how long a round trip is by each link."""
    compiled = programs.compile_programs(options, library, PROGRAMS, ("libpq", "libmariadb"))
    with cases_servers.open_stores(compiled) as by_name, \
            tempfile.TemporaryDirectory(prefix="bench-", dir=options.directory or options.build) as folder:
        links = {"%s, %s" % which: store.trip() for which, store in by_name.items()}
        by_name[SQLITE, ""] = stores.Sqlite(folder)
        yield make_cases(compiled, peers, by_name, str(pathlib.Path(folder).resolve()), options.quick), links
