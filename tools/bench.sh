#!/bin/sh
# bench.sh [sqlite|servers|imports] [options of bench/run.py] - side-by-side benchmarks, in one run, on the same data.
#
# Without a word it runs all parts. SQLite is measured with a library that has
# no drivers of servers; the servers are this script's own, and gone afterwards.
set -eu
cd "$(dirname "$0")/.."
case ${1-} in
sqlite | servers | imports) parts=$1; shift ;;
*) parts='sqlite servers imports' ;;
esac
release='--buildtype=release -Db_ndebug=true -Dtests=false -Dexamples=false -Dbench=false -Dcli=disabled'
tools/deps.sh bench

run_sqlite() {
    tools/build.sh build-bench $release -Dpostgresql=disabled -Dmariadb=disabled
    /usr/bin/python3 bench/run.py --build build-bench "$@"
}

run_with_servers() {
    tools/build.sh build-bench-servers $release -Dpostgresql=enabled -Dmariadb=enabled
    tools/servers.py run -- /usr/bin/python3 bench/run.py --build build-bench-servers "$@"
}

run_servers() { run_with_servers --part servers "$@"; }
run_imports() { run_with_servers --part imports "$@"; }

status=0
for part in $parts; do
    "run_$part" "$@" || status=$?
done
exit "$status"
