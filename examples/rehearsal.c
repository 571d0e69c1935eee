/*
 * rehearsal - a shop tests what it does with gift cards: every call to the
 * database is made to fail, in every way, and after each time it is looked at
 * what is left.
 *
 * The same piece of work is written three times: without a scope, with the mail
 * sent from inside the scope, and right. The rehearsal finds what is wrong with
 * the first two.
 *
 *     rehearsal [URL]         the default is a file that is removed at the end
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <belay/belay.h>
#include <belay/testing.h>

enum { CUSTOMER = 7, CENTS = 2500 };

/* What the outside world has seen of one run. */
typedef struct shop {
    int mails;
} shop;

/* ---- The program under test ---------------------------------------------------------------------------------- */

static void move_cents(belay_session *s)
{
    belay_exec(s, "UPDATE gift_card SET cents = cents - ? WHERE code = 'SPRING'", CENTS);
    belay_exec(s, "UPDATE customer SET credit = credit + ? WHERE id = ?", CENTS, CUSTOMER);
    belay_exec(s, "INSERT INTO redemption (customer, cents) VALUES (?, ?)", CUSTOMER, CENTS);
}

static int send_mail(belay_session *s, void *arg)
{
    shop *world = arg;
    (void)s;
    world->mails++;
    return 0;
}

/* WRONG: each statement is kept or lost by itself. */
static int redeem_without_a_scope(belay_session *s, void *arg)
{
    move_cents(s);
    return belay_status(s) == BELAY_OK ? send_mail(s, arg) : 1;
}

/* WRONG: when the commit fails, the mail is out already; and a second attempt sends a second one. */
static int redeem_with_an_early_mail(belay_session *s, void *arg)
{
    BELAY_ATOMIC_WITH(s, .retries = 2) {
        move_cents(s);
        if (belay_status(s) == BELAY_OK)
            send_mail(s, arg);
    }
    return belay_status(s) == BELAY_OK ? 0 : 1;
}

static int redeem(belay_session *s, void *arg)
{
    BELAY_ATOMIC_WITH(s, .retries = 2) {
        belay_on_commit(s, send_mail, arg, NULL);
        move_cents(s);
    }
    return belay_status(s) == BELAY_OK ? 0 : 1;
}

/* ---- Its test --------------------------------------------------------------------------------------------------- */

static bool create_tables(belay_session *s)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS redemption",
        "DROP TABLE IF EXISTS customer",
        "DROP TABLE IF EXISTS gift_card",
        "CREATE TABLE gift_card (code VARCHAR(20) PRIMARY KEY, cents INTEGER NOT NULL CHECK (cents >= 0))",
        "CREATE TABLE customer (id INTEGER PRIMARY KEY, credit INTEGER NOT NULL)",
        "CREATE TABLE redemption (customer INTEGER PRIMARY KEY, cents INTEGER NOT NULL)",
        "INSERT INTO gift_card (code, cents) VALUES ('SPRING', 4000)",
        "INSERT INTO customer (id, credit) VALUES (7, 100)",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (belay_exec(s, statements[i]) != BELAY_OK)
            return false;
    return true;
}

/* Puts everything back to where the next run begins. */
static void start_over(belay_session *s, shop *world)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "UPDATE gift_card SET cents = 4000");
        belay_exec(s, "UPDATE customer SET credit = 100");
        belay_exec(s, "DELETE FROM redemption");
    }
    world->mails = 0;
}

static bool tables_are(belay_session *s, int64_t cents, int64_t credit, int64_t redemptions)
{
    return belay_int_of(s, "SELECT cents FROM gift_card") == cents &&
           belay_int_of(s, "SELECT credit FROM customer") == credit &&
           belay_int_of(s, "SELECT count(*) FROM redemption") == redemptions;
}

/* All of it and one mail, or nothing and none; in doubt, all or nothing, and no mail that says more than is known. */
static int check(belay_session *s, const belay_rehearsal *run, void *arg)
{
    shop *world = arg;
    bool all = tables_are(s, 4000 - CENTS, 100 + CENTS, 1), nothing = tables_are(s, 4000, 100, 0);
    bool right = run->status.outcome == BELAY_WORK_COMMITTED     ? all && world->mails == 1
                 : run->status.outcome == BELAY_WORK_ROLLED_BACK ? nothing && world->mails == 0
                                                                 : (all || nothing) && world->mails == 0;
    start_over(s, world);
    return right ? 0 : 1;
}

static bool rehearse(belay_db *db, const char *what, belay_unit unit, bool expected)
{
    shop world = {0};
    belay_rehearsal_report report = belay_rehearse(db, unit, check, &world);

    printf("%s: %d runs, %d of them wrong\n", what, report.runs, report.refused);
    if (report.refused > 0)
        printf("    %s\n", report.first);
    if (report.error.code != BELAY_OK)
        printf("    not held: %s\n", report.error.message);
    return report.error.code == BELAY_OK && report.runs > 20 && (report.refused == 0) == expected;
}

/* ---- The program ------------------------------------------------------------------------------------------------- */

static uint64_t no_wait(void *arg)
{
    (void)arg;
    return 0;
}

static bool rehearse_all(const char *url)
{
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    bool right = create_tables(s);

    if (!right)
        printf("no tables: %s\n", belay_message(s));
    belay_session_close(s);
    belay_set_random(no_wait, NULL); /* second attempts begin at once */
    right = right && rehearse(db, "without a scope", redeem_without_a_scope, false);
    right = right && rehearse(db, "with an early mail", redeem_with_an_early_mail, false);
    right = right && rehearse(db, "right", redeem, true);
    belay_close(db);
    return right;
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/belay-rehearsal-XXXXXX", path[64] = "", url[96];
    bool right = false;

    if (argc > 1) {
        right = rehearse_all(argv[1]);
    } else if (mkdtemp(directory)) {
        snprintf(path, sizeof path, "%s/shop.db", directory);
        snprintf(url, sizeof url, "sqlite:%s?synchronous=normal", path);
        right = rehearse_all(url);
        unlink(path);
        rmdir(directory);
    }
    printf("\n%s\n", right ? "The two that are wrong were found, and the third one holds." : "NOT as promised.");
    return right ? 0 : 1;
}
