"""The cases on PostgreSQL and MariaDB, and their targets: Belay beside libpq, libmariadb, libpqxx, SQLAlchemy, Django.

Each is run over a unix socket and over a link that makes a round trip 1 ms longer.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys

import common
import stores
from harness import CPU, TRIPS, Case, Comparison, Side

PROGRAMS = ("side_libpq", "side_libmariadb", "side_libpqxx", "side_belay", "delay_proxy")
EACH_WAY_US = 500
PR_SET_PDEATHSIG = 1
SOCKET, SLOW = "unix socket", "1 ms"


# ---- Reaching the servers ------------------------------------------------------------------------

def url_of(name):
    """As tools/servers.py tells it."""
    if name not in os.environ:
        sys.exit("there is no %s in the environment: tools/servers.py run -- bench/run.py --part servers ..., "
                 "or tools/bench.sh servers" % name)
    return os.environ[name]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@contextlib.contextmanager
def delayed(program, url):
    """The URL of the same server behind a proxy, which ends with this process."""
    server = common.server_of(url)
    command = [program, "0", "%s:%s" % (server["host"], server["port"]), str(EACH_WAY_US)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=die_with_parent) as proxy:
        try:
            port = proxy.stdout.readline().strip()
            if not port:
                sys.exit("%s did not start" % program)
            yield url.replace(":%s/" % server["port"], ":%s/" % port)
        finally:
            proxy.terminate()


@contextlib.contextmanager
def open_stores(programs):
    """The two servers by both links: (kind, link) -> store."""
    stores.must_be_on_disk(url_of("BELAY_TEST_SERVERS"))
    with contextlib.ExitStack() as links:
        result = {}
        for kind, variable in ((stores.Postgresql, "BELAY_TEST_POSTGRESQL"), (stores.Mariadb, "BELAY_TEST_MARIADB")):
            socket = url_of(variable + "_SOCKET")
            slow = links.enter_context(delayed(programs["delay_proxy"], url_of(variable)))
            result[kind.name, SOCKET] = kind(socket, socket)
            result[kind.name, SLOW] = kind(slow, socket)
        yield result


# ---- Sides ---------------------------------------------------------------------------------------

class Sides:
    """The sides of one server; "again" is the control: the same program as another side."""

    def __init__(self, name, programs, peers):
        self.postgresql = name == "PostgreSQL"
        self.raw_name = "libpq" if self.postgresql else "libmariadb"
        self.raw, self.belay = [programs["side_" + self.raw_name]], [programs["side_belay"]]
        self.pqxx = [programs["side_libpqxx"]]
        self.sqlalchemy, self.django = peers["sqlalchemy"], peers["django"]

    def transfer(self):
        sides = [Side("raw", self.raw_name, self.raw, "transfer"),
                 Side("belay", "Belay", self.belay, "transfer"),
                 Side("again", self.raw_name + ", again", self.raw, "transfer")]
        if self.postgresql:
            sides += [Side("pipeline", "Belay, .pipeline", self.belay, "transfer-pipeline"),
                      Side("flight", "libpq, one flight: the limit", self.raw, "transfer-flight")]
        return sides

    def transfer_peers(self, session):
        sides = [Side("core", "SQLAlchemy core", self.sqlalchemy, "transfer-core"),
                 Side("django", "Django", self.django, "transfer")]
        if session:
            sides.append(Side("session", "SQLAlchemy Session", self.sqlalchemy, "transfer-session"))
        if self.postgresql:
            sides.append(Side("pqxx", "libpqxx", self.pqxx, "transfer"))
        return sides

    def rows(self):
        """Belay may do without savepoints where they change nothing: of it they are not counted."""
        return [Side("raw", self.raw_name + ": savepoint, insert, release", self.raw, "savepoint"),
                Side("try", "belay_try a row", self.belay, "try", counted=False),
                Side("many", "belay_try_many", self.belay, "many", counted=False),
                Side("nested", "Belay: nested block with one insert", self.belay, "nested", counted=False),
                Side("again", self.raw_name + ", again", self.raw, "savepoint")]

    def rows_peers(self):
        sides = [Side("core", "SQLAlchemy core", self.sqlalchemy, "core"),
                 Side("session", "SQLAlchemy Session", self.sqlalchemy, "session"),
                 Side("django", "Django", self.django, "create")]
        if self.postgresql:
            sides.append(Side("pqxx", "libpqxx subtransaction", self.pqxx, "savepoint"))
        return sides


def only(sides, *keys):
    return [side for side in sides if side.key in keys]


# ---- Comparisons ---------------------------------------------------------------------------------

CONTROL = [Comparison("control: raw / the same again", "again", "raw"),
           Comparison("CPU control: raw / the same again", "again", "raw", clock=CPU)]

PEERS = [("core", "SQLAlchemy core"), ("session", "SQLAlchemy Session"), ("django", "Django"), ("pqxx", "libpqxx")]


def against_peers(sides, under, name):
    present = {side.key for side in sides}
    return [Comparison("%s / %s" % (label, name), key, under) for key, label in PEERS if key in present]


def postgresql_transfer(link, clients):
    """The targets are those of one client; what sixteen do is shown."""
    alone = clients == 1
    return CONTROL + [
        Comparison("raw / Belay", "raw", "belay"),
        Comparison("raw / Belay .pipeline", "raw", "pipeline", at_least=3 if alone and link == SLOW else None,
                   raw=("raw", "flight")),
        Comparison("CPU: Belay / raw", "belay", "raw", clock=CPU),
        Comparison("CPU: Belay .pipeline / raw", "pipeline", "raw", at_most=1 if alone else None, clock=CPU,
                   raw=("flight", "raw")),
    ]


def mariadb_transfer():
    return CONTROL + [
        Comparison("Belay / raw", "belay", "raw", at_most=1),
        Comparison("CPU: Belay / raw", "belay", "raw", at_most=1.2, clock=CPU),
    ]


ROWS = [
    Comparison("raw / belay_try", "raw", "try"),
    Comparison("raw / nested block", "raw", "nested"),
    Comparison("CPU: belay_try / raw", "try", "raw", clock=CPU),
    Comparison("CPU: nested block / raw", "nested", "raw", clock=CPU),
]


def many_comparisons(at_least):
    return [Comparison("raw / belay_try_many", "raw", "many", at_least=at_least),
            Comparison("CPU: belay_try_many / raw", "many", "raw", clock=CPU)]


# ---- Cases ---------------------------------------------------------------------------------------

class Maker:
    """Makes the cases of one server by one link. `quick` only shows that all of it works."""

    def __init__(self, store, link, sides, quick):
        self.store, self.link, self.sides, self.quick = store, link, sides, quick
        self.name = store.name

    def case(self, title, table, sides, comparisons, count, rounds, **more):
        if self.quick:
            count, rounds = max(count // 10, 4 * more.get("clients", 1), 20), 1
        return Case("%s %s, %s" % (self.name, title, self.link), self.store, table, sides, comparisons, count, rounds,
                    1 if "--trips" in more.get("options", ()) else 5, **more)

    def transfer(self, clients, count, rounds):
        comparisons = postgresql_transfer(self.link, clients) if self.sides.postgresql else mariadb_transfer()
        title = "transfer, %d client%s" % (clients, "s" if clients > 1 else "")
        return self.case(title, "account", self.sides.transfer(), comparisons, count, rounds, clients=clients)

    def transfer_peers(self, clients, count, rounds):
        session = clients == 1 and self.link == SOCKET
        sides = only(self.sides.transfer(), "raw", "belay", "pipeline") + self.sides.transfer_peers(session)
        title = "transfer against peers, %d client%s" % (clients, "s" if clients > 1 else "")
        return self.case(title, "account", sides, against_peers(sides, "belay", "Belay"), count, rounds,
                         clients=clients)

    def rows(self, percent, count, rounds):
        """All forms, by the link where the time is the server's and the client's."""
        target = 2.2 if self.sides.postgresql and percent <= 1 else None
        return self.case("scope a row, %d %% bad" % percent, "unique", self.sides.rows(),
                         CONTROL + many_comparisons(target) + ROWS, count, rounds,
                         bad_every=100 // percent if percent else 0)

    def rows_one_by_one(self, percent, count, rounds):
        """By the link where the time is that of the round trips: the forms that have them for each row."""
        return self.case("scope a row, %d %% bad, one by one" % percent, "unique",
                         only(self.sides.rows(), "raw", "try", "nested"), ROWS, count, rounds,
                         bad_every=100 // percent)

    def rows_together(self, percent, count, rounds):
        """And the form that has not; so there have to be more rows."""
        return self.case("scope a row, %d %% bad, together" % percent, "unique", only(self.sides.rows(), "raw", "many"),
                         many_comparisons(50), count, rounds, bad_every=100 // percent if percent else 0)

    def rows_peers(self, percent, count, rounds):
        sides = only(self.sides.rows(), "raw", "try", "many", "nested") + self.sides.rows_peers()
        comparisons = against_peers(sides, "try", "belay_try") + against_peers(sides, "many", "belay_try_many")
        return self.case("scope a row against peers, %d %% bad" % percent, "unique", sides, comparisons, count, rounds,
                         bad_every=100 // percent)

    def trips(self):
        """How often Belay waits for an answer, by its own trace: once, as it is always the same."""
        def one(title, table, *forms):
            sides = [Side(mode, label, self.sides.belay, mode, counted=False) for mode, label, _ in forms]
            comparisons = [Comparison("round trips: " + label, mode, at_most=most, clock=TRIPS)
                           for mode, label, most in forms]
            return self.case("round trips, " + title, table, sides, comparisons, 200, 1, options=("--trips", "1"))

        return [one("empty scopes", None, ("empty", "empty nested scope", 0), ("empty-outer", "empty outer scope", 0)),
                one("transfer", "account", ("transfer", "Belay", None),
                    ("transfer-pipeline", "Belay, .pipeline", None)),
                one("scope a row", "unique", ("try", "belay_try a row", None), ("many", "belay_try_many", None),
                    ("nested", "nested block", None))]


def make_server_cases(socket, slow):
    """The cases with targets first. The counts are such that all of it takes less than six minutes, Python's starts
    included."""
    cases = socket.trips()
    cases += [socket.transfer(1, 400, 31), slow.transfer(1, 100, 7), socket.transfer(16, 1600, 7),
              slow.transfer(16, 1600, 5)]
    cases += [socket.rows(percent, 1000, 5) for percent in (0, 1, 10)]
    if slow.sides.postgresql:
        cases += [slow.rows_together(percent, 800, 5) for percent in (0, 1, 10)]
    cases.append(slow.rows_one_by_one(1, 200, 5))
    cases += [socket.transfer_peers(1, 500, 5), socket.rows_peers(1, 500, 5), slow.transfer_peers(1, 50, 5),
              slow.rows_peers(2, 50, 5), socket.transfer_peers(16, 800, 5), slow.transfer_peers(16, 800, 5)]
    return cases


def make_cases(programs, peers, by_name, quick):
    cases = []
    for name in ("PostgreSQL", "MariaDB"):
        sides = Sides(name, programs, peers)
        cases += make_server_cases(*(Maker(by_name[name, link], link, sides, quick) for link in (SOCKET, SLOW)))
    return cases
