/*
 * flaky_step - a step that may fail is tried up to three times, inside one unit.
 *
 * A payment gets a reference at random, which may be taken already. Each try is
 * a scope of its own: one that fails is undone with all that it did, and the
 * next one begins where the unit was before. Either there is one payment, with
 * no trace of the failed tries, or an error after three.
 *
 *     flaky_step [URL]        the default is sqlite::memory:
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <belay/belay.h>

/* ---- To copy --------------------------------------------------------------------------------- */

/* Whether a step that failed so may succeed at another try. */
typedef bool (*worth_a_try)(const belay_error *);

/*
 * Runs `step` in a scope of its own until it succeeds, `tries` times at most and
 * only while the error is worth another try. The error of the last try is then
 * raised as it was; like that of any function with a scope, it can be caught by
 * the caller.
 *
 * What ended the whole transaction is not tried again here, and can't be: after
 * a deadlock, a serialization failure or a lost connection the work that the unit
 * did before the step is gone too. belay_catch is false then, and the error goes
 * on to the outermost scope. Only that one can be run again, as a whole, which
 * .retries does. A lock timeout could be caught; but the lock is as likely to be
 * held again, and the locks of the unit are kept meanwhile: leave it to .retries.
 */
static belay_code try_step(belay_session *s, int tries, worth_a_try again, belay_unit step, void *arg)
{
    BELAY_ATOMIC_WITH(s, .name = "tries") {
        for (int try = 1; belay_atomic(s, BELAY_SCOPE_OPTIONS(.name = "try"), step, arg) != BELAY_OK; try++) {
            if (!belay_catch(s, BELAY_ANY))
                break; /* out of the loop: the error is pending */
            if (try == tries || !again(belay_caught(s))) {
                belay_raise(s, belay_caught(s));
                break;
            }
        }
    }
    return belay_status(s);
}

/* ---- The step -------------------------------------------------------------------------------- */

typedef struct payment {
    int64_t purchase;
    int64_t cents;
    const char *references[3]; /* stands for a source of random ones */
    int conflicts;             /* that the step is to meet: stands for another program's transactions */
    int tries;                 /* all that were made: a local keeps its value, whatever is undone */
} payment;

static bool reference_was_taken(const belay_error *error)
{
    if (error->code != BELAY_UNIQUE)
        return false;
    /* SQLite tells the column of a key, other engines its name. */
    return strcmp(error->column, "reference") == 0 || strcmp(error->constraint, "reference_once") == 0;
}

static int pay(belay_session *s, void *arg)
{
    payment *p = arg;
    const char *reference = p->references[p->tries++ % 3];

    printf("    attempt %d of the unit, try %d, reference %s\n", belay_attempt(s), p->tries, reference);
    belay_exec(s, "UPDATE wallet SET balance = balance - ? WHERE id = 1", p->cents);
    belay_exec(s, "INSERT INTO payment (purchase_id, amount, reference) VALUES (?, ?, ?)", p->purchase, p->cents,
               reference);
    if (p->conflicts > 0 && belay_status(s) == BELAY_OK) {
        p->conflicts--;
        belay_fail(s, BELAY_SERIALIZATION, "made to fail, as if the engine had said so");
    }
    return 0; /* a pending error makes it fail */
}

static belay_code buy(belay_session *s, payment *p)
{
    BELAY_ATOMIC_WITH(s, .name = "purchase", .retries = 2) {
        belay_exec(s, "INSERT INTO purchase (id) VALUES (?)", p->purchase);
        try_step(s, 3, reference_was_taken, pay, p);
    }
    return belay_status(s);
}

/* ---- What is shown --------------------------------------------------------------------------- */

static bool create_tables(belay_session *s)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS payment",
        "DROP TABLE IF EXISTS purchase",
        "DROP TABLE IF EXISTS wallet",
        "CREATE TABLE wallet (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL,"
        " CONSTRAINT balance_not_negative CHECK (balance >= 0))",
        "CREATE TABLE purchase (id INTEGER PRIMARY KEY)",
        "CREATE TABLE payment (purchase_id INTEGER PRIMARY KEY, amount INTEGER NOT NULL,"
        " reference VARCHAR(20) NOT NULL, CONSTRAINT reference_once UNIQUE (reference),"
        " FOREIGN KEY (purchase_id) REFERENCES purchase (id))",
        "INSERT INTO wallet (id, balance) VALUES (1, 10000)",
        "INSERT INTO purchase (id) VALUES (1), (2)",
        "INSERT INTO payment (purchase_id, amount, reference) VALUES (1, 500, 'R-10'), (2, 500, 'R-11')",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (belay_exec(s, statements[i]) != BELAY_OK)
            return false;
    return true;
}

static bool show(belay_session *s, const char *what, payment p, belay_code expected, int tries)
{
    int64_t before = belay_int_of(s, "SELECT balance FROM wallet");

    printf("%s\n", what);
    belay_code code = buy(s, &p);
    printf("    %s\n", code == BELAY_OK ? "paid" : belay_message(s));
    int there = code == BELAY_OK ? 1 : 0;
    return code == expected && p.tries == tries &&
           belay_int_of(s, "SELECT count(*) FROM purchase WHERE id = ?", p.purchase) == there &&
           belay_int_of(s, "SELECT count(*) FROM payment WHERE purchase_id = ?", p.purchase) == there &&
           belay_int_of(s, "SELECT balance FROM wallet") == before - there * p.cents;
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);
    bool right = create_tables(s);

    if (!right)
        printf("no tables: %s\n", belay_message(s));
    right = right && show(s, "Two references are taken, the third is free",
                          (payment){.purchase = 3, .cents = 4000, .references = {"R-10", "R-11", "R-12"}}, BELAY_OK, 3);
    right =
        right && show(s, "Three are taken: an error, and nothing of the purchase",
                      (payment){.purchase = 4, .cents = 400, .references = {"R-10", "R-11", "R-12"}}, BELAY_UNIQUE, 3);
    right =
        right && show(s, "Too little money: another try would not help",
                      (payment){.purchase = 5, .cents = 7000, .references = {"R-20", "R-21", "R-22"}}, BELAY_CHECK, 1);
    right = right &&
            show(s, "A conflict ends the transaction: the whole unit runs again",
                 (payment){.purchase = 6, .cents = 600, .references = {"R-30", "R-31"}, .conflicts = 1}, BELAY_OK, 2);
    printf("\n%s\n", right ? "One payment each, or none: as promised." : "NOT as promised.");
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
