#!/bin/sh
# deps.sh [run] [test] [bench] - installs the Debian packages that are missing.
#
# Says what it can't install, and how, and fails then. Needs root or sudo only
# when something is missing.
set -eu

build='gcc libc6-dev meson ninja-build pkg-config libsqlite3-dev libjansson-dev uthash-dev'
test="$build libpq-dev libmariadb-dev postgresql mariadb-server g++ clang libclang-rt-14-dev libcmocka-dev python3 clang-format clang-tidy sqlite3 bats jq"
bench="$build g++ python3 python3-sqlalchemy python3-django python3-psycopg2 python3-mysqldb libpq-dev libmariadb-dev libpqxx-dev postgresql postgresql-client mariadb-server sqlite3 sqlite-utils pgloader"

wanted=$build
for what in "$@"; do
    case $what in
    run) ;;
    test) wanted="$wanted $test" ;;
    bench) wanted="$wanted $bench" ;;
    *) echo "deps.sh: what is '$what'? One of: run, test, bench" >&2; exit 64 ;;
    esac
done

is_installed() { dpkg-query -W -f='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

missing=
for package in $wanted; do
    is_installed "$package" || case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "deps.sh: as root, install:$missing" >&2; exit 1; }
    as_root=sudo
fi
command -v apt-get >/dev/null || { echo "deps.sh: there is no apt-get here; install by hand:$missing" >&2; exit 1; }

echo "installing:$missing" >&2
log=$(mktemp)
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "deps.sh: could not install:$missing" >&2
    rm -f "$log"
    exit 1
fi
rm -f "$log"
