# recover.bats - `belay recover` as a person uses it, without a server. BELAY is the command.

setup() {
    cd "$BATS_TEST_TMPDIR"
    sqlite3 decisions.db "CREATE TABLE belay_decisions (unit TEXT NOT NULL PRIMARY KEY, decision TEXT NOT NULL);
                          INSERT INTO belay_decisions VALUES ('log', '0123456789abcdef')"
}

@test "where nothing is prepared it says so, and exits with 0" {
    run "$BELAY" recover sqlite:decisions.db
    [ "$status" -eq 0 ]
    [ "$output" = "nothing was left prepared" ]
    run "$BELAY" recover --json sqlite:decisions.db
    [ "$status" -eq 0 ]
    [ "$(jq -c '[.transactions, .committed, .rolled_back, .left_alone]' <<<"$output")" = "[[],0,0,0]" ]
}

@test "a file that is not there is a failure, and is not made" {
    for url in sqlite:typo.db "sqlite:typo.db?journal=delete"; do
        run "$BELAY" recover "$url"
        [ "$status" -eq 1 ]
        [[ "$output" == "belay recover: sqlite:typo.db:"*CONNECTION* ]]
    done
    [ ! -e typo.db ]
}

@test "wrong arguments are told apart from failures" {
    for arguments in "" "--json" "--nonsense sqlite:decisions.db"; do
        run "$BELAY" recover $arguments
        [ "$status" -eq 2 ]
        [[ "$output" == *"belay recover --help"* ]]
    done
}

@test "help" {
    run "$BELAY" recover --help
    [ "$status" -eq 0 ]
    [[ "$output" == "usage: belay recover [--json] URL..."* ]]
    [ "$(awk 'length > 80' <<<"$output" | wc -l)" -eq 0 ]
    run "$BELAY" --help
    [[ "$output" == *"recover "* ]]
}

@test "a database that can't be asked is named, without its password" {
    for url in "postgresql://u:hunter2@127.0.0.1:1/d" "mariadb://u:hunter2@127.0.0.1:1/d?connect_seconds=1" \
        "postgresql://127.0.0.1:1/d?user=u&password=hunter2" "postgresql://u:x@hunter2@127.0.0.1:1/d" \
        "mariadb://u:x@hunter2@127.0.0.1:1/d" \
        "postgresql://u:hunter2?ter2@127.0.0.1:1/d" "mariadb://u:x@hunter2?@127.0.0.1:1/d" "postgres//u:hunter2@h/d"; do
        run "$BELAY" recover sqlite:decisions.db "$url"
        [ "$status" -eq 1 ]
        [[ "$output" != *hunter2* && "$output" != *ter2* ]]
    done
    run "$BELAY" recover "postgresql://u:hunter2@127.0.0.1:1/d?sslmode=disable"
    [[ "$output" == "belay recover: postgresql://u@127.0.0.1:1/d:"*CONNECTION* ]]
}
