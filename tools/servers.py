#!/usr/bin/env python3
"""servers.py - throwaway PostgreSQL and MariaDB servers for tests and benchmarks.

  servers.py run [--only postgresql|mariadb] [--set NAME=VALUE]... -- COMMAND...
      Starts them, runs COMMAND with their URLs in its environment, stops them
      whatever happened, and ends with COMMAND's exit code. --set gives a server
      a further setting, and needs --only.
  servers.py start [--only ...]
      Starts them, prints NAME='value' lines (for eval in a shell, shlex in
      Python), and leaves them running. BELAY_TEST_SERVERS names their folder.
  servers.py stop FOLDER
      Stops the servers that `start` left in FOLDER and removes it.
  servers.py kill FOLDER NAME
      Kills one of them with SIGKILL, and all its children: its pid is in
      FOLDER/NAME/pid. What it had made durable is what it finds when it is
  servers.py revive FOLDER NAME
      started again, on the same data and port. (It outlives a `run` that is
      itself killed.)

The names: BELAY_TEST_POSTGRESQL and BELAY_TEST_MARIADB over loopback, and the
same with _SOCKET at the end over a unix socket.

Everything is in a new temporary folder: data, sockets, logs. A server listens
on a free port of 127.0.0.1, lets the user `belay` in without a password, has
an empty database `belay`, and is as durable as in production. Run as root,
they run as the users `postgres` and `mysql`, as they refuse to be root. No
server that is already there is touched; only pids started here are stopped.
With `run` they die with this script, even when it is killed.
"""
import argparse
import ctypes
import glob
import json
import os
import pathlib
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

START_SECONDS = 60
STOP_SECONDS = 20
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def program(name):
    """The path of a program, also where Debian keeps PostgreSQL's: the newest version's."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    versions = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    versions.sort(key=lambda path: int(path.split("/")[4]) if path.split("/")[4].isdigit() else 0)
    if versions:
        return versions[-1]
    if not found:
        raise SystemExit(f"servers.py: there is no {name}; install Debian's postgresql and mariadb-server")
    return found


class Server:
    """One server: its folder, its process, its URLs."""

    name = user = stop_signal = None

    def __init__(self, parent, follow, settings=()):
        self.folder = parent / self.name
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = int((self.folder / "port").read_text()) if (self.folder / "port").exists() else free_port()
        self.follow = follow
        self.settings = settings
        self.process = None
        self.who = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(self.user)
            self.who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def start(self):
        """Makes its folder and its data, and starts it."""
        self.folder.mkdir()
        if self.who:
            os.chown(self.folder, self.who["user"], self.who["group"])
        (self.folder / "port").write_text(str(self.port))
        self.create()
        command = self.command() + [f"--{setting}" for setting in self.settings]
        (self.folder / "command").write_text(json.dumps([str(word) for word in command]))
        self.revive()
        self.fill()

    def revive(self):
        """Starts it again, where it is not running. Waits until it takes connections."""
        self.spawn(*json.loads((self.folder / "command").read_text()))
        self.wait_until_ready()

    def kill(self, alone=False):
        """SIGKILL, to its children as well unless `alone`. Waits until all are gone: until then the data is theirs."""
        pid = int((self.folder / "pid").read_text())
        if not is_server(pid, self.folder):
            return
        os.kill(pid, signal.SIGSTOP)  # so that it has no more children than these
        family = children(pid)
        os.kill(pid, signal.SIGKILL)
        for child, born in family:
            if not alone and start_time(child) == born:
                os.kill(child, signal.SIGKILL)
        if self.process:
            self.process.wait(STOP_SECONDS)
        limit = time.monotonic() + STOP_SECONDS
        # Its parent, who may be a `run`, has buried it too: else PostgreSQL takes it for alive.
        while pathlib.Path(f"/proc/{pid}").exists() or any(start_time(child) == born for child, born in family):
            if time.monotonic() > limit:
                raise SystemExit(f"servers.py: {self.name} was killed, and is still there")
            time.sleep(0.01)

    def fill(self):
        """What is made once, when it runs."""

    def call(self, *command):
        done = subprocess.run([str(word) for word in command], cwd=self.folder, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **self.who)
        if done.returncode:
            raise SystemExit(f"servers.py: {command[0]} failed\n{done.stdout}")

    def spawn(self, *command):
        def die_with_parent():
            libc.prctl(PR_SET_PDEATHSIG, self.stop_signal)

        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, preexec_fn=die_with_parent if self.follow else None, **self.who)
        (self.folder / "pid").write_text(str(self.process.pid))

    def client(self, *words):
        """The command of its own client, which runs SQL on the database."""
        raise NotImplementedError

    def wait_until_ready(self):
        limit = time.monotonic() + START_SECONDS
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise SystemExit(f"servers.py: {self.name} does not start\n{self.log.read_text(errors='replace')}")
            time.sleep(0.05)


class PostgreSQL(Server):
    name, user, stop_signal = "postgresql", "postgres", signal.SIGINT  # a fast shutdown: sessions are ended

    def create(self):
        self.call(program("initdb"), "-D", self.data, "-U", "belay", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        self.call(program("pg_resetwal"), "--epoch=7", "-D", self.data)  # transactions have numbers of 64 bits

    def command(self):
        settings = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder,
            "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "max_connections": 120, "max_prepared_transactions": 20,
            "max_prepared_transactions": 20, "deadlock_timeout": "100ms", "log_min_messages": "warning",
        }
        return [program("postgres"), "-D", self.data, *(f"--{key}={value}" for key, value in settings.items())]

    def fill(self):
        self.call(program("createdb"), "-h", self.folder, "-p", self.port, "-U", "belay", "belay")

    def client(self, *words):
        return [program("psql"), "-h", str(self.folder), "-p", str(self.port), "-U", "belay", "-d", "belay", "-XAtq",
                "-v", "ON_ERROR_STOP=1", *words]

    def ready(self):
        command = [program("pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port)]
        return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0

    def urls(self):
        return {"BELAY_TEST_POSTGRESQL": f"postgresql://belay@127.0.0.1:{self.port}/belay",
                "BELAY_TEST_POSTGRESQL_SOCKET": f"postgresql://belay@/belay?host={self.folder}&port={self.port}"}


class MariaDB(Server):
    name, user, stop_signal = "mariadb", "mysql", signal.SIGTERM

    def create(self):
        self.call(program("mariadb-install-db"), "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                  f"--tmpdir={self.folder}", "--auth-root-authentication-method=normal")
        hosts = ("localhost", "127.0.0.1")
        (self.folder / "init.sql").write_text("CREATE DATABASE IF NOT EXISTS belay CHARACTER SET utf8mb4;\n" + "".join(
            f"CREATE USER IF NOT EXISTS belay@'{host}';\nGRANT ALL ON *.* TO belay@'{host}' WITH GRANT OPTION;\n"
            for host in hosts))

    def command(self):
        # When it starts it removes all temporary tables from its tmpdir. Those of another server that is at work there,
        # too, are missed: it dies.
        return [program("mariadbd"), "--no-defaults", f"--datadir={self.data}", f"--socket={self.folder}/socket",
                f"--tmpdir={self.folder}",
                f"--port={self.port}", "--bind-address=127.0.0.1", f"--pid-file={self.folder}/server.pid",
                f"--init-file={self.folder}/init.sql", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=1",
                "--skip-log-bin", "--innodb-buffer-pool-size=64M", "--max-connections=120",
                "--character-set-server=utf8mb4"]

    def client(self, *words):
        return [program("mariadb"), "--no-defaults", f"--socket={self.folder}/socket", "--user=belay", "belay", "-BN",
                *words]

    def ready(self):
        command = self.client("-e", "SELECT 1")
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def urls(self):
        return {"BELAY_TEST_MARIADB": f"mariadb://belay@127.0.0.1:{self.port}/belay",
                "BELAY_TEST_MARIADB_SOCKET": f"mariadb://belay@localhost/belay?socket={self.folder}/socket"}


KINDS = [PostgreSQL, MariaDB]


def is_server(pid, folder):
    """Whether the process is still the one that was started for this folder: a pid can be used again."""
    try:
        return str(folder).encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def children(pid):
    """Of a process: (pid, when it began)."""
    try:
        pids = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [(int(child), start_time(int(child))) for child in pids]


def start_time(pid):
    """When it began; None when it is gone or only waits to be buried. A pid is used again, but not so soon."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def ended(process, pid, folder):
    return process.poll() is not None if process and process.pid == pid else not is_server(pid, folder)


def stop_one(folder, stop_signal, process):
    pid_file = folder / "pid"
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    # A process group of its own: children that a killed server leaves behind are ended too.
    for number in (stop_signal, signal.SIGQUIT, signal.SIGKILL):
        if ended(process, pid, folder):
            return
        if number == signal.SIGKILL:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
        limit = time.monotonic() + STOP_SECONDS
        while not ended(process, pid, folder) and time.monotonic() < limit:
            time.sleep(0.02)


def stop(parent, servers=()):
    processes = {server.name: server.process for server in servers}
    for kind in KINDS:
        stop_one(parent / kind.name, kind.stop_signal, processes.get(kind.name))
    shutil.rmtree(parent, ignore_errors=True)


def start(only, follow, settings=()):
    """Starts the servers; their folder, themselves, their URLs. Stops them again when one fails."""
    parent = pathlib.Path(tempfile.mkdtemp(prefix="belay-servers-"))
    parent.chmod(0o755)
    servers, urls = [], {"BELAY_TEST_SERVERS": str(parent)}
    try:
        for kind in KINDS:
            if only in (None, kind.name):
                servers.append(kind(parent, follow, settings))
                servers[-1].start()
                urls.update(servers[-1].urls())
    except BaseException:
        stop(parent, servers)
        raise
    return parent, servers, urls


def raise_exit(number, _frame):
    raise SystemExit(128 + number)


def run(command, only, settings):
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, raise_exit)
    parent, servers, urls = start(only, follow=True, settings=settings)
    child = None
    try:
        child = subprocess.Popen(command, env={**os.environ, **urls})
        while child.poll() is None:
            for server in servers:
                server.process.poll()  # buries it, should it have been killed
            time.sleep(0.02)
        return child.returncode
    finally:
        if child and child.poll() is None:
            child.terminate()
            child.wait(timeout=STOP_SECONDS)
        stop(parent, servers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for name in ("run", "start"):
        one = commands.add_parser(name)
        one.add_argument("--only", choices=[kind.name for kind in KINDS])
        if name == "run":
            one.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
            one.add_argument("command", nargs=argparse.REMAINDER)
    commands.add_parser("stop").add_argument("folder", type=pathlib.Path)
    for name in ("kill", "revive"):
        one = commands.add_parser(name)
        one.add_argument("folder", type=pathlib.Path)
        one.add_argument("name", choices=[kind.name for kind in KINDS])
    arguments = parser.parse_args()

    if arguments.what == "stop":
        stop(arguments.folder)
    elif arguments.what in ("kill", "revive"):
        kind = next(kind for kind in KINDS if kind.name == arguments.name)
        getattr(kind(arguments.folder, follow=False), arguments.what)()
    elif arguments.what == "start":
        for name, value in start(arguments.only, follow=False)[2].items():
            print(f"{name}={shlex.quote(value)}", flush=True)
    else:
        command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
        if not command:
            parser.error("run: no command")
        if arguments.set and not arguments.only:
            parser.error("run: --set needs --only")
        sys.exit(run(command, arguments.only, arguments.set))


if __name__ == "__main__":
    main()
