"""What the rows are kept in: makes the tables before each run of a side, and reads afterwards what it left.

A store says how its sides reach it, which settings must be the same on all of them, and, where an engine counts it, how
much work was done: so a side that commits less often than the others, or sets no savepoint, is found out. Knows the
engines, and nothing of the sides.
"""

import hashlib
import math
import pathlib
import sqlite3
import statistics
import sys
import time

import common
import make_csv

ACCOUNTS = common.ACCOUNTS
BALANCE = 1000000

# The tables that files are imported into: the same text on each engine.
TX = ("CREATE TABLE tx(id INTEGER PRIMARY KEY, day DATE NOT NULL, payee VARCHAR(20) NOT NULL, "
      "amount NUMERIC(12,2) NOT NULL CHECK (amount > 0))")
PARENT = "CREATE TABLE parent(id INTEGER PRIMARY KEY)"
PARENTS = "INSERT INTO parent VALUES " + ", ".join("(%d)" % (i + 1) for i in range(make_csv.PARENTS))
WIDE = ("CREATE TABLE wide(id INTEGER PRIMARY KEY, branch INTEGER NOT NULL, account VARCHAR(12) NOT NULL, "
        "owner INTEGER NOT NULL, opened DATE NOT NULL, low NUMERIC(12,2) NOT NULL, high NUMERIC(12,2) NOT NULL, "
        "note VARCHAR(40), UNIQUE (branch, account), FOREIGN KEY (owner) REFERENCES parent(id), CHECK (low <= high))")
IMPORTED = {table: "SELECT %s FROM %s ORDER BY id" % (", ".join(columns), table)
            for table, columns in make_csv.COLUMNS.items()}


def digest(rows):
    """The number of rows, and a checksum over them in order."""
    lines = ["|".join(map(str, row)) + "\n" for row in rows]
    return len(lines), hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def must_be_on_disk(folder):
    """Ends where fsync would cost nothing."""
    folder, best, kind = str(pathlib.Path(folder).resolve()) + "/", "", ""
    for line in pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        point, what = line.split()[1:3]
        if folder.startswith(point.rstrip("/") + "/") and len(point) >= len(best):
            best, kind = point, what
    if kind in ("tmpfs", "ramfs"):
        sys.exit("%s is in memory (%s): nothing there is durable" % (folder, kind))


# ---- SQLite --------------------------------------------------------------------------------------

class Sqlite:
    """A new file for each run."""

    asks = {name: "PRAGMA " + name for name in (
        "journal_mode", "synchronous", "foreign_keys", "page_size", "cache_size", "locking_mode", "wal_autocheckpoint",
        "temp_store", "mmap_size")}
    asks["version"] = "SELECT sqlite_version() || ' ' || sqlite_source_id()"

    tables = {
        "plain": "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL, amount INTEGER NOT NULL)",
        "unique": "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL)",
        "account": "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
        "objects": """
            CREATE TABLE account(id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL,
                                 version INTEGER NOT NULL);
            CREATE TABLE purchase(id INTEGER PRIMARY KEY, customer TEXT NOT NULL);
            CREATE TABLE line(id INTEGER PRIMARY KEY, order_id INTEGER NOT NULL REFERENCES purchase(id),
                              item TEXT NOT NULL, amount INTEGER NOT NULL)""",
        "tx": TX, "wide": WIDE,
    }
    objects = """
        SELECT 'account' AS kind, id, owner, balance, version FROM account
        UNION ALL SELECT 'purchase', id, customer, NULL, NULL FROM purchase
        UNION ALL SELECT 'line', id, item, order_id, amount FROM line ORDER BY kind, id"""
    contents = {"objects": objects, "plain": common.ITEMS, "unique": common.ITEMS,
                "account": "SELECT id, balance FROM account ORDER BY id", **IMPORTED}

    def __init__(self, directory):
        must_be_on_disk(directory)
        self.path = pathlib.Path(directory) / "bench.db"

    def make(self, case):
        self.clean()
        db = sqlite3.connect(self.path)
        db.execute("PRAGMA journal_mode = WAL")
        with db:
            if case.table:
                db.executescript(self.tables[case.table])
            if case.table == "account":
                db.executemany("INSERT INTO account VALUES (?, ?)", [(i + 1, BALANCE) for i in range(ACCOUNTS)])
            if case.table == "objects":
                db.executemany("INSERT INTO account VALUES (?, ?, ?, 1)",
                               [(i + 1, "owner-%07d" % i, BALANCE) for i in range(case.count)])
            if case.table == "wide":
                db.execute(PARENT)
                db.execute(PARENTS)
        db.close()
        return ["--database", str(self.path)]

    def content(self, case):
        if not case.table:
            return None, None
        db = sqlite3.connect(self.path)
        content = digest(db.execute(self.contents[case.table]))
        db.close()
        return content

    def clean(self):
        for suffix in ("", "-wal", "-shm", "-journal"):
            pathlib.Path(str(self.path) + suffix).unlink(missing_ok=True)

    def counts(self):
        return {}

    def expected(self, _case):
        return {}


class SqliteMemory(Sqlite):
    """A database in memory is gone with the side: it makes the table, and writes the rows to a file in the end."""

    def __init__(self, directory):
        super().__init__(directory)
        self.dump = pathlib.Path(directory) / "dump.txt"

    def make(self, case):
        more = ["--schema", self.tables[case.table], "--dump", str(self.dump)] if case.table else []
        return ["--database", ":memory:"] + more

    def content(self, case):
        if not case.table:
            return None, None
        rows = [line.split("|") for line in self.dump.read_text(encoding="utf-8").splitlines()]
        self.dump.unlink()
        return digest(rows)


# ---- Servers -------------------------------------------------------------------------------------

class Server:
    """Two tables on a server. `url` is how the sides reach it, `direct` how this process does."""

    asks, schema, fill, contents, counters = {}, [], {}, {}, {}
    library = None

    def __init__(self, url, direct):
        self.url = url
        self.db = self.connect(direct)
        for sql in self.schema:
            self.execute(sql)

    def connect(self, url):
        raise NotImplementedError

    def execute(self, sql):
        cursor = self.db.cursor()
        cursor.execute(sql)
        rows = cursor.fetchall() if cursor.description else []
        cursor.close()
        return rows

    def make(self, case):
        for sql in self.fill.get(case.table, ()):
            self.execute(sql)
        return ["--database", self.url]

    def content(self, case):
        return digest(self.execute(self.contents[case.table])) if case.table else (None, None)

    def clean(self):
        pass

    def counts(self):
        return {name: int(self.execute(sql)[0][-1]) for name, sql in self.counters.items()}

    def expected(self, case):
        """A unit a client may be for warming up, and some more for settings and connections."""
        if case.table == "account":
            return {"transactions": (case.count, case.count + 4 * case.clients + 10)}
        return {"savepoints": (case.count - case.bad_rows, math.inf)} if case.table else {}

    def trip(self):
        """Seconds of one round trip as the sides have it: the median of some."""
        db = self.connect(self.url)
        cursor, seconds = db.cursor(), []
        for _ in range(21):
            begun = time.monotonic()
            cursor.execute("SELECT 1")
            cursor.fetchall()
            seconds.append(time.monotonic() - begun)
        db.close()
        return statistics.median(seconds)


class Postgresql(Server):
    """Each transaction that writes, and each savepoint that does, takes a transaction number: so they can be counted.
    Autovacuum leaves the tables alone, as it would come at any time."""

    name = "PostgreSQL"
    asks = {name: "SELECT current_setting('%s')" % name for name in (
        "server_version", "fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "transaction_isolation",
        "plan_cache_mode")}
    schema = [
        "DROP TABLE IF EXISTS item, account, tx, wide, parent",
        TX + " WITH (autovacuum_enabled = off)", PARENT, WIDE + " WITH (autovacuum_enabled = off)", PARENTS,
        "ANALYZE parent",
        "CREATE TABLE item(id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE, "
        "amount bigint NOT NULL) WITH (autovacuum_enabled = off)",
        "CREATE TABLE account(id bigint PRIMARY KEY, balance bigint NOT NULL) WITH (autovacuum_enabled = off)",
    ]
    fill = {
        "unique": ["TRUNCATE item"],
        "tx": ["TRUNCATE tx"],
        "wide": ["TRUNCATE wide"],
        "account": ["TRUNCATE account", "INSERT INTO account SELECT i, %d FROM generate_series(1, %d) AS i" % (
            BALANCE, ACCOUNTS), "ANALYZE account"],
    }
    # Not the generated keys: refused rows use some of them up.
    contents = {"unique": "SELECT name, amount FROM item ORDER BY name COLLATE \"C\"",
                "account": "SELECT id, balance FROM account ORDER BY id", **IMPORTED}
    counters = dict.fromkeys(("transactions", "savepoints"), "SELECT pg_snapshot_xmax(pg_current_snapshot())::text")

    def connect(self, url):
        db = common.need("psycopg2").connect(url)
        db.autocommit = True
        return db


class Mariadb(Server):
    name = "MariaDB"
    asks = {name: "SELECT @@" + name for name in (
        "version", "innodb_flush_log_at_trx_commit", "innodb_flush_method", "innodb_doublewrite", "log_bin",
        "tx_isolation", "foreign_key_checks", "unique_checks")}
    schema = [
        "DROP TABLE IF EXISTS item, account, tx, wide, parent",
        TX, PARENT, WIDE, PARENTS, "SET GLOBAL local_infile = ON",
        "CREATE TABLE item(id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(64) NOT NULL UNIQUE, "
        "amount bigint NOT NULL) ENGINE = InnoDB",
        "CREATE TABLE account(id bigint PRIMARY KEY, balance bigint NOT NULL) ENGINE = InnoDB",
    ]
    fill = {
        "unique": ["TRUNCATE item"],
        "tx": ["TRUNCATE tx"],
        "wide": ["TRUNCATE wide"],
        "account": ["INSERT INTO account SELECT seq, {0} FROM seq_1_to_{1} ON DUPLICATE KEY UPDATE balance = {0}".format(
            BALANCE, ACCOUNTS)],
    }
    contents = {"unique": "SELECT name, amount FROM item ORDER BY name",
                "account": "SELECT id, balance FROM account ORDER BY id", **IMPORTED}
    counters = {"transactions": "SHOW GLOBAL STATUS LIKE 'Com_commit'",
                "savepoints": "SHOW GLOBAL STATUS LIKE 'Com_savepoint'"}

    def connect(self, url):
        server = common.server_of(url)
        how = {"unix_socket": server["socket"]} if server["socket"] else {
            "host": server["host"], "port": int(server["port"])}
        return common.need("MySQLdb").connect(user=server["user"], db=server["name"], autocommit=True, **how)
