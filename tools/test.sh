#!/bin/sh
# test.sh full|quick - installs what the tests need, and runs them.
set -eu
cd "$(dirname "$0")/.."
tools/deps.sh run test >&2
exec /usr/bin/python3 tools/test.py "$@"
