/*
 * quickstart - the whole of Belay in one page: open a database, move money in
 * one unit that succeeds, and in one that a CHECK refuses half-way.
 *
 *     quickstart [URL]        the default is sqlite::memory:
 */
#include <stdio.h>

#include <belay/belay.h>

static void transfer(belay_session *s, int from, int to, int amount)
{
    BELAY_ATOMIC(s) { /* both updates happen, or neither does */
        belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", amount, to);
        belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", amount, from);
    }
    if (belay_status(s) == BELAY_OK)
        printf("%d moved\n", amount);
    else
        printf("%d not moved: %s\n", amount, belay_message(s));
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);

    belay_exec(s, "DROP TABLE IF EXISTS account");
    belay_exec(s, "CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))");
    belay_exec(s, "INSERT INTO account (id, balance) VALUES (1, 100), (2, 0)");

    transfer(s, 1, 2, 30);
    transfer(s, 1, 2, 500);
    BELAY_EACH(row, s, "SELECT id, balance FROM account ORDER BY id")
        printf("account %s has %s\n", belay_str(row, 0), belay_str(row, 1));

    bool right = belay_int_of(s, "SELECT balance FROM account WHERE id = 1") == 70 &&
                 belay_int_of(s, "SELECT balance FROM account WHERE id = 2") == 30;
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
