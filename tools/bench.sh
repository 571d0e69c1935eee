#!/bin/sh
# bench.sh [options of bench/run.py] - side-by-side benchmarks, in one run, on the same data.
set -eu
cd "$(dirname "$0")/.."
tools/deps.sh bench
tools/build.sh build-bench --buildtype=release -Db_ndebug=true -Dtests=false -Dexamples=false -Dpostgresql=disabled -Dmariadb=disabled
exec /usr/bin/python3 bench/run.py --build build-bench "$@"
