/*
 * once_worker - pays a list of numbered payments, each once, however often it is started.
 *
 *     once_worker URL FIRST LAST [backwards]
 *
 * Writes a line for each payment that it knows to be paid: "paid N" when it was
 * this process that paid it, "known N" when it had been paid before. Exits with 0
 * when all are paid. Made to be killed: see crash_once.py.
 */
#include <stdio.h>
#include <stdlib.h>

#include <belay/belay.h>

static belay_code create_tables(belay_session *s)
{
    BELAY_ATOMIC_WITH(s, .retries = 20) {
        belay_exec(s, "CREATE TABLE IF NOT EXISTS account (balance INTEGER NOT NULL)");
        belay_exec(s, "INSERT INTO account SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM account)");
        /* Nothing but .once keeps a payment from being there twice. */
        belay_exec(s, "CREATE TABLE IF NOT EXISTS payment (number INTEGER NOT NULL, cents INTEGER NOT NULL)");
    }
    return belay_status(s);
}

static belay_code pay(belay_session *s, int number)
{
    char key[32];
    snprintf(key, sizeof key, "payment-%d", number);
    BELAY_ATOMIC_WITH(s, .name = "pay", .once = key, .retries = 20) {
        belay_exec(s, "INSERT INTO payment (number, cents) VALUES (?, ?)", number, 100);
        belay_exec(s, "UPDATE account SET balance = balance - ?", 100);
    }
    if (belay_status(s) == BELAY_OK)
        printf("%s %d\n", belay_already_done(s) ? "known" : "paid", number);
    return belay_status(s);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    int first = atoi(argv[2]), last = atoi(argv[3]);
    belay_db *db = belay_open(argv[1], NULL);
    belay_session *s = belay_session_open(db);
    belay_code code = create_tables(s);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i <= last - first && code == BELAY_OK; i++)
        code = pay(s, argc > 4 ? last - i : first + i);
    if (code != BELAY_OK)
        fprintf(stderr, "%s\n", belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return code != BELAY_OK;
}
