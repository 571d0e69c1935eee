"""Compiles the C sides, all the same way, into BUILD/side-by-side. A library that is missing ends the run by name."""

import os
import pathlib
import shlex
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PROXY = ROOT / "tests" / "support"
WARNINGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow".split()

# The sources of a program, the libraries it needs by their names for pkg-config, and the Debian packages of these.
PROGRAMS = {
    "side_sqlite": ([HERE / "side_sqlite.c"], ["sqlite3"]),
    "side_libpq": ([HERE / "side_libpq.c"], ["libpq"]),
    "side_libmariadb": ([HERE / "side_libmariadb.c"], ["libmariadb"]),
    "side_libpqxx": ([HERE / "side_libpqxx.cxx"], ["libpqxx", "libpq"]),
    "side_belay": ([HERE / "side_belay.c"], ["sqlite3"]),
    "side_objects_sqlite": ([HERE / "side_objects_sqlite.c"], ["sqlite3"]),
    "side_objects_belay": ([HERE / "side_objects_belay.c"], ["sqlite3"]),
    "delay_proxy": ([HERE / "delay_proxy.c", *(PROXY / name for name in ("proxy.c", "proxy_frame.c", "proxy_link.c"))], []),
}
COMMON = ("common", "records")  # what all of them are linked with
PACKAGES = {"sqlite3": "libsqlite3-dev", "libpq": "libpq-dev", "libmariadb": "libmariadb-dev",
            "libpqxx": "libpqxx-dev"}


def compiler():
    return shlex.split(os.environ.get("CC", "cc")) + ["-std=c11", "-D_GNU_SOURCE", "-O2", "-fexceptions"]


def cxx_compiler():
    return shlex.split(os.environ.get("CXX", "c++")) + ["-std=c++17", "-D_GNU_SOURCE", "-O2"]


def ask_pkg_config(name, what):
    done = subprocess.run(["pkg-config", what, name], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit("%s is not installed: apt-get install %s (tools/deps.sh bench)" % (name, PACKAGES[name]))
    return shlex.split(done.stdout)


def find_library(options):
    if options.library:
        return options.library
    for name in ("libbelay.a", "libbelay.so"):
        found = sorted(options.build.rglob(name))
        if found:
            return found[0]
    sys.exit("no libbelay.a or libbelay.so under %s: build the library first" % options.build)


def belay_arguments(library, servers):
    """How a program is linked with Belay; a static library brings what its drivers need."""
    more = [word for name in servers for word in ask_pkg_config(name, "--libs")]
    rpath = ["-Wl,-rpath," + str(library.parent.resolve())] if library.suffix == ".so" else []
    return [str(library)] + rpath + more


def compile_program(out, name, more):
    sources, libraries = PROGRAMS[name]
    flags = [word for library in libraries for word in ask_pkg_config(library, "--cflags")]
    links = [word for library in libraries for word in ask_pkg_config(library, "--libs")]
    how = cxx_compiler() if sources[0].suffix == ".cxx" else compiler()
    objects = [str(out / (one + ".o")) for one in COMMON]
    subprocess.run(how + WARNINGS + ["-I", str(ROOT / "include"), "-I", str(PROXY)] + flags +
                   [str(source) for source in sources] + objects + ["-o", str(out / name)] + more + links +
                   ["-lpthread", "-lm"], check=True)
    return str(out / name)


def compile_programs(options, library, names, servers=()):
    """The paths of the programs by name. `servers`: the client libraries of the drivers that Belay was built with."""
    out = options.build / "side-by-side"
    out.mkdir(parents=True, exist_ok=True)
    for name in COMMON:
        subprocess.run(compiler() + WARNINGS + ["-c", str(HERE / (name + ".c")), "-o", str(out / (name + ".o"))],
                       check=True)
    return {name: compile_program(out, name, belay_arguments(library, servers) if name.endswith("_belay") else [])
            for name in names}
