# isolation.bats - `belay isolation` as a person uses it. BELAY is the command; the database is an SQLite file of the
# test's own, or that of BELAY_TEST_URL.

setup() {
    cd "$BATS_TEST_TMPDIR"
    url=${BELAY_TEST_URL:-sqlite:shop.db}
}

# Names of what checks have made and not removed. On a server the command itself tells them, which
# tests/isolation/test_isolation_site.c proves.
leftovers() {
    case $url in
    sqlite:*) ls | grep -e -isolation- || true ;;
    *) "$BELAY" isolation "$url" --clean || echo "who is to tell them failed" ;;
    esac
}

# Starts a check, and sends it the signal a moment later. Sets pid, and code to how it ended; false when it had ended.
strike() {
    # A shell starts what runs in the background with SIGINT ignored: env puts it back.
    env --default-signal=INT "$BELAY" isolation "$url" >out 2>err 3>&- &
    pid=$!
    sleep "$2"
    kill -s "$1" $pid 2>/dev/null || true
    code=0
    wait $pid || code=$?
    [ $code -ne 0 ]
}

# The same, while it is at work: a little earlier where it was done before that.
strike_amid() {
    local delay
    for delay in 0.5 0.3 0.2 0.1 0.05; do
        if strike "$1" $delay; then
            return 0
        fi
    done
    return 1
}

@test "it prints a table of every anomaly, within 80 columns, and exits with 0" {
    run "$BELAY" isolation "$url"
    [ "$status" -eq 0 ]
    [[ "$output" == *"default level: "* ]]
    for sign in G0 G1a G1b G1c MAV OTV PMP PMP-write P4 counter G-single G-single-predicate G-single-write G2-item G2; do
        [ "$(grep -c -E "^$sign( +(allowed|prevented|waits|error|refused)){5}\$" <<<"$output")" -eq 1 ]
    done
    [ "$(awk 'length > 80' <<<"$output" | wc -l)" -eq 0 ]
    [[ "$output" != *$'\e'* ]]
    [ -z "$(leftovers)" ]
}

@test "what is allowed comes with one line of advice" {
    case $url in sqlite:*) skip "SQLite allows nothing" ;; esac
    run "$BELAY" isolation "$url" --level read-committed
    [ "$status" -eq 0 ]
    [[ "$output" == *"P4, lost update"* ]]
    [[ "$output" == *"SELECT ... FOR UPDATE, or SET n = n - ?; or BELAY_SNAPSHOT and .retries"* ]]
}

@test "one level is one column" {
    run "$BELAY" isolation "$url" --level serializable
    [ "$status" -eq 0 ]
    [ "$(grep -c -E '^G2 +(waits|error)$' <<<"$output")" -eq 1 ]
    [ "$(grep -c -E '^ +serializable$' <<<"$output")" -eq 1 ]
}

@test "levels may be written with spaces, dashes or an equals sign" {
    run "$BELAY" isolation "$url" --level "repeatable read" --level=read-committed --json
    [ "$status" -eq 0 ]
    [ "$(jq -r '[.levels[].level] | join(",")' <<<"$output")" = "read committed,repeatable read" ]
}

@test "JSON says for each cell what was seen" {
    run "$BELAY" isolation "$url" --level serializable --json
    [ "$status" -eq 0 ]
    [ "$(jq '.levels | length' <<<"$output")" -eq 1 ]
    [ "$(jq '.levels[0].cells | length' <<<"$output")" -eq 15 ]
    [ "$(jq '.undecided' <<<"$output")" -eq 0 ]
    [ "$(jq -r '.levels[0].in_force' <<<"$output")" = serializable ]
    [ "$(jq -r '.levels[0].cells[] | select(.anomaly == "P4") | .seen' <<<"$output" | grep -c 'left 1:12 2:20')" -eq 1 ]
    [ "$(jq '[.levels[0].cells[] | select(.verdict == "error") | select(.reruns == 0 or .code == null)] | length' \
        <<<"$output")" -eq 0 ]
}

@test "interrupted by a signal, it ends soon and leaves nothing" {
    for signal in INT TERM HUP; do
        strike_amid $signal
        [ $code -eq 1 ]
        [[ "$(cat err)" == *CANCELLED* ]]
        [ ! -s out ]
        [ -z "$(leftovers)" ]
    done
}

@test "what a killed run left is named by the next, and removed by --clean" {
    strike_amid KILL
    sleep 0.3
    run "$BELAY" isolation "$url" --level serializable
    [ "$status" -eq 0 ]
    [[ "$output" == *"a check that was killed left "*"; --clean removes it"* ]]
    run "$BELAY" isolation "$url" --clean
    [ "$status" -eq 0 ]
    [[ "$output" == "removed "*isolation* ]]
    [ -z "$(leftovers)" ]
}

@test "wrong arguments are told apart from failures, and what is right is named" {
    for arguments in "" "--level" "--level nonsense $url" "$url $url" "--nonsense $url"; do
        run "$BELAY" isolation $arguments
        [ "$status" -eq 2 ]
        [[ "$output" == *"belay isolation --help"* ]]
    done
    run "$BELAY" nonsense
    [ "$status" -eq 2 ]
    [[ "$output" == *isolation* ]]
    run "$BELAY"
    [ "$status" -eq 2 ]
}

@test "help and version" {
    run "$BELAY" isolation --help
    [ "$status" -eq 0 ]
    [[ "$output" == "usage: belay isolation URL"* ]]
    [ "$(awk 'length > 80' <<<"$output" | wc -l)" -eq 0 ]
    run "$BELAY" --help
    [ "$status" -eq 0 ]
    run "$BELAY" --version
    [ "$status" -eq 0 ]
    [[ "$output" =~ ^belay\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "a failure exits with 1, says why, and never prints the password" {
    run "$BELAY" isolation "mariadb://u:hunter2@127.0.0.1:1/d?connect_seconds=1"
    [ "$status" -eq 1 ]
    [[ "$output" != *hunter2* ]]
    run "$BELAY" isolation "postgresql://u:hunter2@127.0.0.1:1/d"
    [ "$status" -eq 1 ]
    [[ "$output" != *hunter2* ]]
    run "$BELAY" isolation sqlite::memory:
    [ "$status" -eq 1 ]
    [[ "$output" == *UNSUPPORTED*"one connection"* ]]
}

@test "output that can not be written is a failure, and is said" {
    for arguments in "isolation $url --level serializable" "isolation $url --level serializable --json" \
        "isolation --help" "recover --help" "--help" "--version"; do
        code=0
        "$BELAY" $arguments >/dev/full 2>err || code=$?
        [ $code -eq 1 ]
        [[ "$(cat err)" == *"output can't be written"* ]]
    done
}

@test "what can not be JSON is a failure, and is said" {
    code=0
    "$BELAY" isolation $'sqlite:caf\xe9.db' --level serializable --json >out 2>err || code=$?
    [ $code -eq 1 ]
    [ ! -s out ]
    [[ "$(cat err)" == *"belay isolation: "*JSON* ]]
}

@test "a URL in the wrong place is not printed, as it may have a password" {
    password="mariadb://u:hunter2@127.0.0.1:1/d"
    for arguments in "$password" "isolation --level $password" "isolation --level=$password" \
        "isolation --url=$password $url" "recover --url=$password"; do
        run "$BELAY" $arguments
        [ "$status" -eq 2 ]
        [[ "$output" == *"there is no "* && "$output" != *hunter2* ]]
    done
}

# Of files; tests/isolation proves it on servers.
@test "a database that is full of other things is not touched" {
    echo "no database" >shop.db
    run "$BELAY" isolation sqlite:shop.db --level serializable
    [ "$status" -eq 0 ]
    [ "$(cat shop.db)" = "no database" ]
    [ "$(ls | wc -l)" -eq 1 ]
}
