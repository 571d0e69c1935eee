# recover_servers.bats - `belay recover` with PostgreSQL and MariaDB. BELAY is the command, STOPPED the program that
# stops between two steps of a unit; the servers' URLs are in BELAY_TEST_POSTGRESQL and BELAY_TEST_MARIADB.

setup() {
    cd "$BATS_TEST_TMPDIR"
    log="sqlite:$PWD/decisions.db"
    "$STOPPED" make "$BELAY_TEST_POSTGRESQL" "$BELAY_TEST_MARIADB"
}

# Runs units until the step, and dies there.
die_after() {
    "$STOPPED" "$BELAY_TEST_POSTGRESQL" "$BELAY_TEST_MARIADB" "$log" "$1" >said 3>said || [ $? -eq 137 ]
    grep -q "after $1" said
    sleep 0.5 # the servers notice it
}

recover() {
    run "$BELAY" recover "$@" "$BELAY_TEST_POSTGRESQL" "$BELAY_TEST_MARIADB" "$log"
}

@test "what was decided is committed in both, and said in words" {
    die_after "commit of the log"
    recover
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 3 ]
    [[ "${lines[0]}" =~ ^belay_[0-9a-f]{16}_[0-9a-f]{16}_1\ in\ postgresql://belay@.*:\ committed,\ as\ its\ log ]]
    [[ "${lines[1]}" =~ ^belay_[0-9a-f]{16}_[0-9a-f]{16}_2\ in\ mariadb://belay@.*:\ committed,\ as\ its\ log ]]
    [ "${lines[2]}" = "2 committed, 0 rolled back, 0 left alone" ]
    recover
    [ "$output" = "nothing was left prepared" ]
}

@test "what was not decided is rolled back in both" {
    die_after "prepare of the second"
    recover --json
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.committed, .rolled_back, .left_alone]' <<<"$output")" = "[0,2,0]" ]
    [ "$(jq -r '[.transactions[].outcome] | unique[]' <<<"$output")" = "rolled back" ]
}

@test "without its log it is left alone, and exits with 1" {
    die_after "prepare of the first"
    run "$BELAY" recover "$BELAY_TEST_POSTGRESQL" "$BELAY_TEST_MARIADB"
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == *"_1 in postgresql://"*": left alone: "*"log of decisions that is not here; give the database"* ]]
    [ "${lines[1]}" = "0 committed, 0 rolled back, 1 left alone" ]
    recover
    [ "$status" -eq 0 ]
    [ "${lines[1]}" = "0 committed, 1 rolled back, 0 left alone" ]
}
