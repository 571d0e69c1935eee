#!/bin/sh
# run.sh - the main job: a fresh SQLite file, a CSV with bad rows, transfers that succeed, fail and are caught.
set -eu
cd "$(dirname "$0")/.."
tools/deps.sh run
tools/build.sh build-run --buildtype=release -Dtests=false -Dbench=false
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
build-run/examples/main_job data/expenses.csv "$dir/budget.db"
