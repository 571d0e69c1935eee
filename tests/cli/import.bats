# import.bats - `belay import` as a person uses it. BELAY is the command; the database is an SQLite file of the test's
# own, or that of BELAY_TEST_URL. What it does on a terminal: terminal.py.

setup() {
    cd "$BATS_TEST_TMPDIR"
    url=${BELAY_TEST_URL:-sqlite:bank.db}
    sql "DROP TABLE IF EXISTS tx"
    sql "DROP TABLE IF EXISTS belay_imports"
    sql "CREATE TABLE tx (id INTEGER PRIMARY KEY, day DATE NOT NULL, payee VARCHAR(20) NOT NULL,
         amount NUMERIC(12,2) NOT NULL CHECK (amount > 0))"
}

# Rows, their columns with a bar between.
sql() {
    case $url in
    sqlite:*) sqlite3 -batch "${url#sqlite:}" "$1" ;;
    postgresql:*) psql -XAtq -d "$url" -c "SET client_min_messages = warning" -c "$1" ;;
    mariadb:*)
        local place=${url#mariadb://}
        local host=${place#*@}
        mariadb --no-defaults -BN -u "${place%%@*}" -h "${host%%:*}" -P "$(sed 's/.*:\([0-9]*\)\/.*/\1/' <<<"$host")" \
            "${host##*/}" -e "$1" | tr '\t' '|'
        ;;
    esac
}

ids() {
    sql "SELECT id FROM tx ORDER BY id" | paste -s -d ' '
}

twelve() {
    cat >tx.csv <<'END'
id,day,payee,amount
1,2026-01-01,Ann,10.50
2,2026-01-02,"multi
line memo",20.00
3,2026-01-03,Bob,twenty
4,2026-01-04,Cat,40.00
4,2026-01-05,Dup,41.00
6,2026-01-06,Neg,-5.00
7,2026-01-07,,70.00
8,2026-13-45,BadDate,80.00
9,2026-01-09,Short
10,2026-01-10,Long,100.00,extra
11,2026-01-11,Ok,110.00
12,2026-01-12,Last,120.00
END
}

# so_many N: that many good records
so_many() {
    echo "id,day,payee,amount"
    local i
    for ((i = 1; i <= $1; i++)); do
        echo "$i,2026-01-01,payee $i,$i.25"
    done
}

import() {
    run --separate-stderr "$BELAY" import --into "$url" --table tx "$@"
}

counts() {
    jq -r '[.read, .inserted, .updated, .skipped, .rejected] | join(" ")' <<<"$output"
}

bats_require_minimum_version 1.5.0

# ---- The twelve records ----------------------------------------------------------------------------------------------

@test "of the twelve records five are kept, and of each of the seven others it is said where and why" {
    twelve
    import tx.csv --rejects bad.csv --errors bad.jsonl
    [ "$status" -eq 1 ]
    [ -z "$stderr" ]
    [ "$(ids)" = "1 2 4 11 12" ]
    [ "${lines[0]}" = 'rejected: record 3, line 5, amount: DATA: "twenty" is no decimal number' ]
    [[ "${lines[1]}" == "rejected: record 5, line 7, id: UNIQUE: "* ]]
    [[ "${lines[2]}" == "rejected: record 6, line 8, amount: CHECK: "* ]]
    [[ "${lines[3]}" == "rejected: record 7, line 9, payee: NOT_NULL: "* ]]
    [[ "${lines[4]}" == "rejected: record 8, line 10, day: DATA: "* ]]
    [ "${lines[5]}" = "rejected: record 9, line 11: DATA: 3 fields for 4 columns" ]
    [ "${lines[6]}" = "rejected: record 10, line 12: DATA: 5 fields for 4 columns" ]
    [ "${lines[7]}" = "12 read: 5 inserted, 0 updated, 0 skipped, 7 rejected" ]
    [ "${lines[8]}" = "the rejected records are in bad.csv" ]
    [ "${lines[9]}" = "the reasons are in bad.jsonl" ]
    [ "${#lines[@]}" -eq 10 ]
}

@test "the rejects are the records as they are in the file, and the errors say all of each" {
    twelve
    import tx.csv --rejects bad.csv --errors bad.jsonl
    [ "$(cat bad.csv)" = "$(sed -n '1p;5p;7,12p' tx.csv)" ]
    [ "$(jq -r '[.record, .line, .column // "", .code] | join(" ")' bad.jsonl | paste -s -d '|')" = \
        "3 5 amount DATA|5 7 id UNIQUE|6 8 amount CHECK|7 9 payee NOT_NULL|8 10 day DATA|9 11  DATA|10 12  DATA" ]
    [ "$(jq -r 'select(.record == 3) | .value' bad.jsonl)" = twenty ]
    while read -r offset line; do
        [ "$(tail -c +$((offset + 1)) tx.csv | head -n 1)" = "$(sed -n "${line}p" tx.csv)" ]
    done < <(jq -r '"\(.offset) \(.line)"' bad.jsonl)
    case $url in sqlite:*) ;; *) [ "$(jq -r 'select(.record == 5) | .sqlstate' bad.jsonl | cut -c 1-2)" = 23 ] ;; esac
}

@test "rejects that were put right are fed again" {
    twelve
    import tx.csv --rejects bad.csv
    sed -i 's/twenty/20/; s/^4,/5,/; s/-5.00/5.00/; s/01-07,,/01-07,Gus,/; s/2026-13-45/2026-01-08/; s/,Short/,Short,9/
        s/,extra//' bad.csv
    import bad.csv --rejects worse.csv
    [ "$status" -eq 0 ]
    [ "$output" = "7 read: 7 inserted, 0 updated, 0 skipped, 0 rejected" ]
    [ "$(ids)" = "1 2 3 4 5 6 7 8 9 10 11 12" ]
    [ "$(cat worse.csv)" = "id,day,payee,amount" ]
}

@test "the summary as JSON has the same counts, and the rejects by their codes" {
    twelve
    import tx.csv --json
    [ "$status" -eq 1 ]
    [ "$(counts)" = "12 5 0 0 7" ]
    [ "$(jq -c .rejected_by_code <<<"$output")" = '{"UNIQUE":1,"CHECK":1,"NOT_NULL":1,"DATA":4}' ] ||
        [ "$(jq -cS .rejected_by_code <<<"$output")" = '{"CHECK":1,"DATA":4,"NOT_NULL":1,"UNIQUE":1}' ]
    [ "$(jq -c '[.error, .dry_run, .stopped, .resumable, .already_done]' <<<"$output")" = "[null,false,false,false,false]" ]
}

# ---- The file --------------------------------------------------------------------------------------------------------

@test "the standard input is a file too" {
    twelve
    import - <tx.csv
    [ "$status" -eq 1 ]
    [ "$(ids)" = "1 2 4 11 12" ]
}

@test "delimiter, quote, null and encoding are what is said" {
    printf 'id;day;payee;amount\n1;2026-01-01;'"'a;b'"';1\n2;2026-01-01;nil;2\n3;2026-01-01;Zo\xeb;3\n' >tx.csv
    import tx.csv --delimiter ';' --quote "'" --null nil --encoding ISO-8859-1
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == "rejected: record 2, line 3, payee: NOT_NULL: "* ]]
    [ "$(sql "SELECT payee FROM tx ORDER BY id" | paste -s -d ' ')" = "a;b Zoë" ]
}

@test "without a header fields go to the columns in their order" {
    echo "1,2026-01-01,Ann,2" >tx.csv
    import tx.csv --no-header
    [ "$status" -eq 0 ]
    [ "$(ids)" = 1 ]
    import tx.csv --no-header --header
    [ "$status" -eq 2 ]
    [[ "$stderr" == *SCHEMA*"no column \"1\""* ]]
}

@test "TSV by its name or by --format, with escapes and NULL" {
    printf 'id\tday\tpayee\tamount\n1\t2026-01-01\ta\\tb\t1\n2\t2026-01-01\t\\N\t2\n' >tx.tsv
    import tx.tsv
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == *"payee: NOT_NULL"* ]]
    [ "$(sql "SELECT payee FROM tx")" = $'a\tb' ] || [ "$(sql "SELECT payee FROM tx")" = 'a\tb' ]
    sed 's/^\([12]\)/3\1/' tx.tsv >tx
    import tx --format tsv --json
    [ "$(counts)" = "2 1 0 0 1" ]
}

@test "JSON lines by their name or by --format" {
    printf '%s\n' '{"id":1,"day":"2026-01-01","payee":"Ann","amount":1.50}' '{"id":2,"day":"2026-01-01","payee":null,"amount":2}' \
        'nonsense' '{"payee":"Bob","amount":"3","id":3,"day":"2026-01-01"}' >tx.jsonl
    import tx.jsonl --rejects bad.jsonl
    [ "$status" -eq 1 ]
    [ "$(ids)" = "1 3" ]
    [ "$(cat bad.jsonl)" = "$(sed -n 2,3p tx.jsonl)" ]
    sed -n 4p tx.jsonl | sed 's/3/4/g' >tx
    import - --format jsonl <tx
    [ "$status" -eq 0 ]
    [ "$(ids)" = "1 3 4" ]
}

@test "a record longer than --max-record is rejected alone" {
    { so_many 2; printf '3,2026-01-01,%1200d,1\n4,2026-01-01,x,1\n' 1; } >tx.csv
    import tx.csv --max-record 1K --rejects bad.csv
    [ "$status" -eq 1 ]
    [[ "${lines[0]}" == *"line 4: DATA: the record is longer than 1024 bytes" ]]
    [ "$(ids)" = "1 2 4" ]
    [ "$(sed -n 2p bad.csv)" = "$(sed -n 4p tx.csv)" ]
}

# ---- The table -------------------------------------------------------------------------------------------------------

@test "map and set say what each column gets" {
    printf 'nr,who,what\n1,Ann,x\n2,Bob,y\n' >tx.csv
    import tx.csv --map 'id=nr, payee=2' --set 'day=2026-05-05' --set 'amount=7.50'
    [ "$status" -eq 0 ]
    [ "$(sql "SELECT id, payee, day FROM tx ORDER BY id" | paste -s -d ' ')" = "1|Ann|2026-05-05 2|Bob|2026-05-05" ]
    import tx.csv --map 'id=nr,payee=who' --set 'day=tomorrow'
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"day can't be set: \"tomorrow\" is no date"* ]]
}

@test "a key that is there is rejected, skipped or updated, as was asked for" {
    so_many 3 >tx.csv
    import tx.csv
    printf 'id,day,payee,amount\n2,2026-02-02,new,2\n4,2026-02-02,new,4\n' >more.csv
    import more.csv --dry-run --json
    [ "$status" -eq 1 ]
    [ "$(counts)" = "2 1 0 0 1" ]
    import more.csv --dry-run --json --on-conflict error
    [ "$(counts)" = "2 1 0 0 1" ]
    import more.csv --on-conflict skip --json
    [ "$status" -eq 0 ]
    [ "$(counts)" = "2 1 0 1 0" ]
    [ "$(sql "SELECT payee FROM tx WHERE id IN (2, 4) ORDER BY id" | paste -s)" = $'payee 2\tnew' ]
    import more.csv --on-conflict update --json
    [ "$status" -eq 0 ]
    [ "$(counts)" = "2 0 2 0 0" ]
    [ "$(sql "SELECT payee FROM tx WHERE id IN (2, 4) ORDER BY id" | paste -s)" = $'new\tnew' ]
}

@test "the key may be another than the primary key" {
    sql "CREATE UNIQUE INDEX tx_payee ON tx (payee, day)"
    so_many 2 >tx.csv
    import tx.csv
    sed 's/^\([0-9]\),/9\1,/; s/25$/75/' tx.csv >more.csv
    import more.csv --on-conflict update --key day,payee --json
    [ "$status" -eq 0 ]
    [ "$(counts)" = "2 0 2 0 0" ]
    [ "$(ids)" = "91 92" ]
}

@test "truncate empties the table in the same transaction" {
    so_many 3 >tx.csv
    import tx.csv
    printf 'id,day,payee,amount\n7,2026-01-01,x,1\n8,2026-01-01,x,bad\n' >other.csv
    import other.csv --truncate --max-rejects 0
    [ "$status" -eq 2 ]
    [ "$(ids)" = "1 2 3" ]
    import other.csv --truncate
    [ "$status" -eq 1 ]
    [ "$(ids)" = 7 ]
}

@test "create makes the table from the header and the values" {
    sql "DROP TABLE tx"
    printf 'id,day,payee,amount,note\n1,2026-01-01,Ann,10.50,\n2,2026-01-02,Bob,20,007\n' >tx.csv
    import tx.csv
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"SCHEMA: there is no table 'tx'"*"; with --create it is made" ]]
    import tx.csv --create --key id --dry-run
    case $url in
    mariadb:*) [[ "$status" -eq 2 && "$stderr" == *UNSUPPORTED* ]] ;; # there a table can't be rolled back
    *) [[ "$status" -eq 0 && "$output" == *"2 inserted"*"a dry run"* ]] ;;
    esac
    import tx.csv --create --key id --set 'source=bank'
    [ "$status" -eq 0 ]
    [ "$(sql "SELECT id, payee, note, source FROM tx ORDER BY id" | tail -n 1)" = "2|Bob|007|bank" ]
    import tx.csv --create --key id --set 'source=bank' --on-conflict skip --json
    [ "$(counts)" = "2 0 0 2 0" ]
    printf 'id,day,payee,amount,note\n3,soon,Cat,1,\n4,2026-01-04,Dan,much,\n' >more.csv
    import more.csv --set 'source=bank' --json
    [ "$status" -eq 2 ]
    [ "$(jq -c .rejected_by_code <<<"$output")" = '{"DATA":2}' ]
}

# ---- How -------------------------------------------------------------------------------------------------------------

@test "past max-rejects, a number or a percentage, nothing is kept" {
    twelve
    import tx.csv --max-rejects 6
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"DATA: 7 of 12 records were rejected: more than allowed"* ]]
    [[ "$output" == *"kept: 0 read: "*"; nothing was kept" ]]
    [ -z "$(ids)" ]
    import tx.csv --max-rejects 58%
    [ "$status" -eq 2 ]
    [ -z "$(ids)" ]
    import tx.csv --max-rejects 58.4%
    [ "$status" -eq 1 ]
    sql "DELETE FROM tx"
    import tx.csv --max-rejects=7
    [ "$status" -eq 1 ]
    [ "$(ids)" = "1 2 4 11 12" ]
}

@test "a dry run reports what would be, and keeps nothing" {
    twelve
    import tx.csv --dry-run --errors bad.jsonl
    [ "$status" -eq 1 ]
    [ "${lines[7]}" = "12 read: 5 inserted, 0 updated, 0 skipped, 7 rejected; a dry run: nothing was kept" ]
    [ "$(wc -l <bad.jsonl)" -eq 7 ]
    [ -z "$(ids)" ]
}

@test "what failed half-way says how to go on, and does" {
    { so_many 30; echo "31,never,x,1"; echo "32,2026-01-01,x,1"; } >"my tx.csv"
    run --separate-stderr "$BELAY" import --into "$url" --table tx --commit every:10 --rej bad.csv --max-rejects 0 \
        --restart -- "my tx.csv"
    [ "$status" -eq 3 ]
    [[ "$output" == *"kept: 30 read: 30 inserted, 0 updated, 0 skipped, 0 rejected" ]]
    [ "$(sql "SELECT count(*) FROM tx")" -eq 30 ]
    command=$(sed -n 's/^belay import: to go on: belay //p' <<<"$stderr")
    [[ "$command" == "import --resume --into"*" -- 'my tx.csv'" ]]
    import "my tx.csv"
    [ "$status" -eq 2 ]
    [[ "$stderr" == *"MISUSE: an import of my tx.csv was stopped behind 30 records: --resume goes on there, --restart begins anew"* ]]
    run eval "\"$BELAY\" ${command/--max-rejects 0/--max-rejects 1}"
    [ "$status" -eq 1 ]
    [ "${lines[1]}" = "32 read: 31 inserted, 0 updated, 0 skipped, 1 rejected" ]
    [ "$(sed -n 2p bad.csv)" = "31,never,x,1" ]
    import "my tx.csv" --commit every:10 --resume --json
    [ "$status" -eq 1 ]
    [ "$(jq .already_done <<<"$output")" = true ]
    [ "$(counts)" = "32 31 0 0 1" ]
}

@test "when there is no room for the rejects it ends, and goes on when there is" {
    python3 - >tx.csv <<'END'
print("id,day,payee,amount")
for i in range(1, 1001):
    print(f"{i},2026-01-01,{'x' * 2000 if i % 2 else 'short'},1")
END
    import tx.csv --rejects all.csv --dry-run
    # A write past the limit fails, and the signal that would tell of it is ignored.
    run bash -c "trap '' XFSZ; ulimit -f 600; exec \"$BELAY\" import tx.csv --into \"$url\" --table tx --commit every:50 \
        --rejects bad.csv"
    [ "$status" -eq 3 ]
    [[ "$output" == *"belay import: IO: bad.csv can't be written: File too large"*"to go on: belay import --resume"* ]]
    kept=$(sql "SELECT count(*) FROM tx")
    [ "$kept" -gt 0 ] && [ "$kept" -lt 500 ]
    import tx.csv --commit every:50 --rejects bad.csv --resume --json
    [ "$status" -eq 1 ]
    [ "$(counts)" = "1000 500 0 0 500" ]
    cmp bad.csv all.csv
}

@test "the standard input is gone on with when it gives the same again" {
    { so_many 25; echo "26,bad,x,1"; so_many 30 | tail -n 4; } >tx.csv
    import - --commit every:10 --max-rejects 0 --rejects bad.csv <tx.csv
    [ "$status" -eq 3 ]
    [[ "$stderr" == *"the standard input is to be the same, from its beginning"* ]]
    import - --commit every:10 --resume --rejects bad.csv --json < <(cat tx.csv)
    [ "$status" -eq 1 ]
    [ "$(counts)" = "30 29 0 0 1" ]
    [ "$(sed -n 2p bad.csv)" = "26,bad,x,1" ]
    import - --commit every:10 --resume </dev/null
    [ "$(sql "SELECT count(*) FROM tx")" -eq 29 ]
}

@test "the command to go on with has no password, and says so" {
    case $url in postgresql:*) ;; *) skip "a server that takes any password" ;; esac
    { so_many 25; echo "26,bad,x,1"; } >tx.csv
    run "$BELAY" import tx.csv --table tx --commit every:10 --max-rejects 0 "--into=${url/belay@/belay:hunter2@}"
    [ "$status" -eq 3 ]
    [[ "$output" != *hunter2* ]]
    [[ "$output" == *"to go on: belay import --resume tx.csv"*"give it whole"* ]]
}

@test "restart begins anew" {
    so_many 25 >tx.csv
    echo "26,bad,x,1" >>tx.csv
    import tx.csv --commit every:10 --max-rejects 0
    [ "$status" -eq 3 ]
    import tx.csv --commit every:10 --restart --on-conflict skip --json
    [ "$status" -eq 1 ]
    [ "$(counts)" = "26 5 0 20 1" ]
}

@test "what was begun on another file is not gone on with" {
    { so_many 25; echo "26,bad,x,1"; } >tx.csv
    import tx.csv --commit every:10 --max-rejects 0
    [ "$status" -eq 3 ]
    sed -i 's/payee 3,/payee x,/' tx.csv
    import tx.csv --commit every:10 --resume
    [ "$status" -eq 3 ]
    [[ "$stderr" == *"tx.csv is not the file that was being imported"*"--restart"* ]]
    [[ "$stderr" != *"to go on"* ]]
}

# ---- What goes wrong -------------------------------------------------------------------------------------------------

@test "all rejected is nothing kept, and an empty file is no failure" {
    printf 'id,day,payee,amount\nx,y,z,a\n' >tx.csv
    import tx.csv
    [ "$status" -eq 2 ]
    head -n 1 tx.csv >empty.csv
    import empty.csv
    [ "$status" -eq 0 ]
    [ "$output" = "0 read: 0 inserted, 0 updated, 0 skipped, 0 rejected" ]
}

@test "wrong arguments exit with 64, say what is right, and touch nothing" {
    so_many 1 >tx.csv
    while IFS='|' read -r arguments words; do
        eval "run --separate-stderr \"\$BELAY\" import $arguments"
        [ "$status" -eq 64 ]
        [ -z "$output" ]
        [[ "$stderr" == "belay import: "*"$words"*"see belay import --help" ]] || { echo "$arguments: $stderr"; false; }
    done <<'END'
|which file?
tx.csv --table tx|--into URL
tx.csv --into "$url"|--table NAME
tx.csv --into|a value is missing behind: --into
tx.csv more.csv --into "$url" --table tx|one file at a time: there is also: more.csv
tx.csv --nonsense|no such option
tx.csv -x|no such option: -x
tx.csv --max=1|more than one that begins so: --max=1
tx.csv --json=1|no value goes with this option
tx.csv --format xml|csv, tsv or jsonl, and not: xml
tx.csv --delimiter ab|one character
tx.csv --quote ""|one character
tx.csv --commit every:x|every:N with a number of records, and not: every:x
tx.csv --commit every:0|every:N
tx.csv --commit some|every:N
tx.csv --max-rejects many|a percentage such as 0.5%, and not: many
tx.csv --max-rejects 101%|percentage
tx.csv --max-rejects -1|percentage
tx.csv --max-rejects 5%%|percentage
tx.csv --max-record 0|a number of bytes
tx.csv --max-record 5G|a number of bytes
tx.csv --max-record 99999999999999999999|a number of bytes
tx.csv --on-conflict ignore|error, skip or update, and not: ignore
tx.csv --map ""|name columns
tx.csv --key ,|name columns
tx.csv --into "$url" --table ""|is empty
"" --into "$url" --table tx|is empty
tx.csv --into "$url" --table tx --resume|--commit every:N
tx.csv --into "$url" --table tx --commit every:5 --resume --restart|not with --restart
tx.csv --into "$url" --table tx --commit every:5 --resume --dry-run|--dry-run
tx.csv --into "$url" --table tx --create --no-header|not with --no-header
tx.csv --into "$url" --table tx --key id|--on-conflict skip or update
END
    [ -z "$(ids)" ]
}

@test "what can not be read or written is said, and nothing is kept" {
    so_many 2 >tx.csv
    while IFS='|' read -r arguments words; do
        eval "import $arguments"
        [ "$status" -eq 2 ] || { echo "$arguments: $status"; false; }
        [[ "$output" == *"nothing was kept" ]]
        [[ "$stderr" == "belay import: "*"$words"* ]] || { echo "$arguments: $stderr"; false; }
    done <<'END'
nowhere.csv|NOT_FOUND: the file nowhere.csv can't be opened
.|IO: the file . can't be opened: Is a directory
tx.csv --rejects /nowhere/bad.csv|NOT_FOUND: /nowhere/bad.csv can't be opened
tx.csv --rejects .|. can't be opened
tx.csv --errors /dev/full --set "payee="  --map "id=id,day=day,amount=amount"|DISK_FULL: /dev/full can't be written
tx.csv --rejects /dev/full|DISK_FULL: /dev/full can't be written
tx.csv --rejects tx.csv|tx.csv is the file that is imported
tx.csv --rejects bad --errors bad|can't be both
tx.csv --encoding nonsense|the encoding nonsense is not known
tx.csv --table nowhere|SCHEMA
tx.csv --map "id=nope"|no field "nope"
tx.csv --map "nope=id"|no column "nope"
END
    [ -z "$(ids)" ]
    [ "$(so_many 2)" = "$(cat tx.csv)" ]
}

@test "a server that can't be reached is a failure, and its password is never printed" {
    so_many 2 >tx.csv
    for place in "postgresql://u:hunter2@127.0.0.1:1/d" "mariadb://u:hunter2@127.0.0.1:1/d?connect_seconds=1" \
        "mariadb:/u:hunter2@127.0.0.1:1/d" "oracle://u:hunter2@127.0.0.1/d"; do
        run "$BELAY" import tx.csv --into "$place" --table tx
        [ "$status" -eq 2 ]
        [[ "$output" == *"nothing was kept"*"belay import: "* && "$output" != *hunter2* ]]
        run "$BELAY" import tx.csv "$place" --table tx --into "$url"
        [ "$status" -eq 64 ]
        [[ "$output" != *hunter2* ]]
        run "$BELAY" import tx.csv --table tx "--url=$place"
        [ "$status" -eq 64 ]
        [[ "$output" != *hunter2* ]]
    done
}

@test "what a file has in it never steers the terminal" {
    printf 'id,day,payee,amount\n1,2026-01-01,x,\033[31m\007\n2,2026-01-01,x,\302\233\n3,2026-01-01,x,\342\200\256\n' >tx.csv
    printf '4,2026-01-01,x,a\r\n' >>tx.csv
    import tx.csv
    [ "$status" -eq 2 ]
    [ "$(LC_ALL=C grep -c -P '[\x01-\x08\x0b-\x1f\x7f]|\xc2\x9b|\xe2\x80\xae' <<<"$output$stderr")" -eq 0 ]
    [ "${#lines[@]}" -eq 5 ]
    printf 'id,day,payee,\033[31m\n' >tx.csv
    import tx.csv
    [[ "$stderr" == *SCHEMA*'"?[31m"'* ]]
    [ "$(LC_ALL=C grep -c -P '[\x01-\x08\x0b-\x1f\x7f]' <<<"$output$stderr")" -eq 0 ]
}

@test "output that can not be written is told by an exit status of its own" {
    so_many 2 >tx.csv
    for arguments in "" "--json"; do
        sql "DELETE FROM tx"
        code=0
        "$BELAY" import tx.csv --into "$url" --table tx $arguments >/dev/full 2>err || code=$?
        [ $code -eq 74 ]
        [[ "$(cat err)" == *"output can't be written"* ]]
        [ "$(ids)" = "1 2" ]
    done
}

@test "closed descriptors are not mixed up with files" {
    { so_many 2; echo "3,x,x,x"; } >tx.csv
    code=0
    "$BELAY" import tx.csv --into "$url" --table tx --rejects bad.csv <&- >&- 2>&- || code=$?
    [ $code -eq 74 ]
    [ "$(cat bad.csv)" = $'id,day,payee,amount\n3,x,x,x' ]
    [ "$(ids)" = "1 2" ]
}

@test "an input that is closed is no empty file" {
    run sh -c "\"$BELAY\" import - --into \"$url\" --table tx <&-"
    [ "$status" -eq 2 ]
    [[ "$output" == *"IO: reading failed at byte 0"* ]]
}

@test "no color and no bar in a pipe" {
    so_many 2000 >tx.csv
    TERM=xterm import tx.csv
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ "$output" != *$'\e'* && "$output" != *$'\r'* ]]
}

# ---- What is written about it ----------------------------------------------------------------------------------------

options() {
    grep -o -e '--[a-z][a-z-]*' | sort -u
}

@test "help is within 80 columns and names the options that the manual page and the completion name" {
    run "$BELAY" import --help
    [ "$status" -eq 0 ]
    [[ "$output" == "usage: belay import FILE --into URL"* ]]
    [ "$(awk 'length > 80' <<<"$output" | wc -l)" -eq 0 ]
    here=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    diff <(options <<<"$output") <(sed 's/\\-/-/g' "$here/man/belay-import.1" | options)
    # shellcheck source=/dev/null
    source "$here/cli/completion/belay"
    COMP_WORDS=(belay import --) COMP_CWORD=2
    _belay
    diff <(options <<<"$output") <(printf '%s\n' "${COMPREPLY[@]}" | options)
}

# complete WORDS...: the proposals for the last one
complete_words() {
    COMP_WORDS=(belay "$@") COMP_CWORD=$#
    _belay
    echo "${COMPREPLY[*]}"
}

@test "the completion knows commands, options, values and files" {
    source "$BATS_TEST_DIRNAME/../../cli/completion/belay"
    touch tx.csv
    [ "$(complete_words im)" = import ]
    [ "$(complete_words import --on)" = --on-conflict ]
    [ "$(complete_words import --on-conflict s)" = skip ]
    [ "$(complete_words import --format "")" = "csv tsv jsonl" ]
    [ "$(complete_words import t)" = tx.csv ]
    [ "$(complete_words import --rejects tx)" = tx.csv ]
    [ -z "$(complete_words import --table t)" ]
    [ "$(complete_words recover --j)" = --json ]
}
