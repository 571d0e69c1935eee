#!/bin/sh
# build.sh DIR [meson options] - configures DIR if it is new, and builds it.
set -eu
cd "$(dirname "$0")/.."
dir=$1
shift
[ -f "$dir/build.ninja" ] || meson setup "$dir" "$@" >"/tmp/belay-setup.$$" 2>&1 || { cat "/tmp/belay-setup.$$"; rm -f "/tmp/belay-setup.$$"; exit 1; }
rm -f "/tmp/belay-setup.$$"
ninja -C "$dir" -k 20 >"$dir/build.log" 2>&1 || { grep -v '^\[' "$dir/build.log" | head -n 60; exit 1; }
