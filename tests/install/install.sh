#!/bin/sh
# install.sh - installs into an empty folder, without the drivers of servers, and builds the README's program against it
# with the printed line.
set -eu
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
passed=0

must() {
    what=$1
    shift
    "$@" >"$dir/log" 2>&1 || { cat "$dir/log"; echo "$what"; echo "$passed passed, 1 failed"; exit 1; }
    passed=$((passed + 1))
}

must "installs" sh -c "meson setup '$dir/build' --buildtype=release --prefix='$dir/usr' --libdir=lib -Dtests=false -Dbench=false -Dexamples=false -Dpostgresql=disabled -Dmariadb=disabled && meson install -C '$dir/build'"
export PKG_CONFIG_PATH="$dir/usr/lib/pkgconfig"

sed -n '/^```c$/,/^```$/p' README.md | sed '/^```/d' | sed '/^BELAY_ATOMIC/,$d' >"$dir/transfer.c"
must "the README's program compiles with its line" \
    sh -c "cd '$dir' && cc -std=c11 -Wall -Wextra -Wpedantic -Werror -o transfer transfer.c \$(pkg-config --cflags --libs belay)"
must "and runs" sh -c "cd '$dir' && LD_LIBRARY_PATH='$dir/usr/lib' ./transfer >out"
printf 'account 1 has 70\naccount 2 has 30\n' >"$dir/expected"
must "with the balances that it prints in the README" sh -c "grep '^account' '$dir/out' | cmp - '$dir/expected'"
must "and the message that the README shows" grep -q '^500 not moved: CHECK: CHECK constraint failed: balance >= 0, in "UPDATE account SET balance = balance - ? WHERE id = ?", at transfer.c:9 in transfer(); nothing of the unit was kept; running it again would fail the same way$' "$dir/out"

must "links statically" sh -c "cd '$dir' && cc -std=c11 -o transfer-static transfer.c \$(pkg-config --cflags belay) '$dir/usr/lib/libbelay.a' -lsqlite3 -lpthread -lm && ./transfer-static"
must "without the drivers of servers it needs nothing but libsqlite3, and the C compiler's own libraries" \
    sh -c "! readelf -d '$dir/usr/lib/libbelay.so' | grep NEEDED | grep -v -E 'libsqlite3|libc\\.so|libm\\.so|libgcc_s|ld-linux'"
must "and a URL of one says how to get it" sh -c "cd '$dir' && printf '#include <belay/belay.h>\n#include <stdio.h>\nint main(void) { belay_db *db = belay_open(\"postgresql://h/d\", NULL); puts(belay_db_error(db)->hint); belay_close(db); }\n' >no.c && cc -o no no.c \$(pkg-config --cflags --libs belay) && LD_LIBRARY_PATH='$dir/usr/lib' ./no | grep libpq-dev"
must "the shared library exports nothing but its API" \
    sh -c "! nm -D --defined-only '$dir/usr/lib/libbelay.so' | awk '{print \$3}' | grep -v -E '^(belay_|belayi_(block_open|block_finish|block_abandon|read_options|rows_cleanup))'"
must "headers are installed" test -f "$dir/usr/include/belay/belay.h" -a -f "$dir/usr/include/belay/sys/driver.h"
echo "$passed passed, 0 failed"
BELAY_PREFIX="$dir/usr" /usr/bin/python3 tools/check_docs.py docs/*.md
