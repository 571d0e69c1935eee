#!/bin/sh
# compile.sh INCLUDE_DIR - compiles the public headers, and programs that use them, with every compiler there is: each
# header alone and first, every macro, and what must not compile. Prints "N passed, N failed".
set -u
include=$1
here=$(cd "$(dirname "$0")" && pwd)
warnings="-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
passed=0
failed=0

# check WORD COMMAND...: WORD is "good" when the command must succeed, "bad" when it must fail.
check() {
    wanted=$1
    shift
    if output=$("$@" 2>&1); then result=good; else result=bad; fi
    if [ $result = "$wanted" ]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "should be $wanted: $*"
    [ "$result" = bad ] && echo "$output" | head -n 5
}

compile() {
    wanted=$1
    shift
    # shellcheck disable=SC2086 # the flags are words
    check "$wanted" "$@" $warnings -fsyntax-only "-I$include"
}

alone() {
    header=$1
    shift
    printf '#include <%s>\n' "$header" >"$scratch/alone"
    compile good "$@" "$scratch/alone"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
headers=$(cd "$include" && find belay -name '*.h' | sort)

compilers=0
for pair in "gcc g++" "clang clang++"; do
    cc=${pair% *}
    cxx=${pair#* }
    if command -v "$cc" >/dev/null; then
        compilers=$((compilers + 1))
        for header in $headers; do
            alone "$header" "$cc" -std=c11 -x c
        done
        compile good "$cc" -std=c11 "$here/every_macro.c"
        compile good "$cc" -std=gnu17 "$here/every_macro.c"
        compile good "$cc" -std=c11 -DCASE=0 "$here/refused.c"
        for case in $(seq 1 32); do
            compile bad "$cc" -std=c11 -DCASE=$case -Wno-unused "$here/refused.c"
        done
    fi
    if command -v "$cxx" >/dev/null; then
        compilers=$((compilers + 1))
        for standard in c++11 c++17 c++20; do
            for header in $headers; do
                alone "$header" "$cxx" -std=$standard -x c++
            done
            compile good "$cxx" -std=$standard "$here/every_macro.cc" -Wno-missing-field-initializers
            compile good "$cxx" -std=$standard -DCASE=0 "$here/refused.cc"
            for case in 1 2 3 4 5 6 7; do
                compile bad "$cxx" -std=$standard -DCASE=$case "$here/refused.cc"
            done
        done
    fi
done

[ $compilers -gt 0 ] || { echo "there is no compiler"; exit 2; }
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
