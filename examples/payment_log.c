/*
 * payment_log - the log of an attempt is kept, even when the payment is not.
 *
 * A payment is charged and recorded in a scope inside another one that logs the
 * attempt. When the payment fails, only the inner scope is undone: the money
 * goes back, the log stays, and the support desk is told once the rollback has
 * happened.
 *
 *     payment_log [URL]       the default is sqlite::memory:
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/belay.h>

typedef struct payment {
    int64_t id;
    int64_t user;
    int64_t cents;
    const char *reference;
} payment;

typedef struct support_desk {
    int told;
} support_desk;

static bool create_tables(belay_session *s)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS payment",
        "DROP TABLE IF EXISTS payment_log",
        "DROP TABLE IF EXISTS wallet",
        "CREATE TABLE wallet (user_id INTEGER PRIMARY KEY, balance INTEGER NOT NULL,"
        " CONSTRAINT balance_not_negative CHECK (balance >= 0))",
        "CREATE TABLE payment_log (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, amount INTEGER NOT NULL,"
        " result VARCHAR(400) NOT NULL)",
        "CREATE TABLE payment (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, amount INTEGER NOT NULL,"
        " reference VARCHAR(20) NOT NULL UNIQUE, FOREIGN KEY (user_id) REFERENCES wallet (user_id))",
        "INSERT INTO wallet (user_id, balance) VALUES (7, 10000)",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (belay_exec(s, statements[i]) != BELAY_OK)
            return false;
    return true;
}

/*
 * Runs when the inner scope has been undone. The transaction around it is still
 * open, so this is no place for a slow call: a real program would put the notice
 * into a queue here, and send it after the outermost commit.
 */
static int tell_support(belay_session *s, void *arg)
{
    support_desk *desk = arg;
    (void)s;
    desk->told++;
    printf("    support is told that a payment was rolled back\n");
    return 0;
}

/* Returns BELAY_OK when the attempt was logged; *out_paid says whether the payment went through too. */
static belay_code pay(belay_session *s, const payment *p, support_desk *desk, bool *out_paid)
{
    bool paid = false;

    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO payment_log (id, user_id, amount, result) VALUES (?, ?, ?, 'attempted')", p->id,
                   p->user, p->cents);
        BELAY_ATOMIC(s) {
            belay_on_rollback(s, tell_support, desk, NULL);
            belay_exec(s, "UPDATE wallet SET balance = balance - ? WHERE user_id = ?", p->cents, p->user);
            belay_exec(s, "INSERT INTO payment (id, user_id, amount, reference) VALUES (?, ?, ?, ?)", p->id, p->user,
                       p->cents, p->reference);
        }
        paid = belay_status(s) == BELAY_OK;
        if (belay_catch(s, BELAY_INTEGRITY)) /* only the inner scope was rolled back */
            belay_exec(s, "UPDATE payment_log SET result = ? WHERE id = ?", belay_caught(s)->message, p->id);
        else
            belay_exec(s, "UPDATE payment_log SET result = 'paid' WHERE id = ?", p->id);
    }
    *out_paid = paid && belay_status(s) == BELAY_OK;
    return belay_status(s);
}

static bool attempt(belay_session *s, support_desk *desk, const char *what, payment p, bool expected)
{
    bool paid;

    printf("%s\n", what);
    if (pay(s, &p, desk, &paid) != BELAY_OK) {
        printf("    not even logged: %s\n", belay_message(s));
        return false;
    }
    printf("    %s, %lld cents left\n", paid ? "paid" : "not paid",
           (long long)belay_int_of(s, "SELECT balance FROM wallet WHERE user_id = 7"));
    return paid == expected;
}

static bool verify(belay_session *s, const support_desk *desk)
{
    printf("\nThe log:\n");
    BELAY_EACH(row, s, "SELECT id, amount, result FROM payment_log ORDER BY id")
        printf("    %s  %6s  %s\n", belay_str(row, 0), belay_str(row, 1), belay_str(row, 2));

    return belay_int_of(s, "SELECT count(*) FROM payment_log") == 3 &&
           belay_int_of(s, "SELECT count(*) FROM payment_log WHERE result = 'paid'") == 1 &&
           belay_int_of(s, "SELECT count(*) FROM payment_log WHERE result = 'attempted'") == 0 &&
           belay_int_of(s, "SELECT count(*) FROM payment") == 1 &&
           belay_int_of(s, "SELECT balance FROM wallet WHERE user_id = 7") == 6000 && desk->told == 2;
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);
    support_desk desk = {0};
    bool right = create_tables(s);

    if (!right)
        printf("no tables: %s\n", belay_message(s));
    right = right &&
            attempt(s, &desk, "A payment of 4000 cents from a wallet with 10000", (payment){1, 7, 4000, "A-1"}, true);
    right =
        right && attempt(s, &desk, "One of 9000: the wallet can't go below zero", (payment){2, 7, 9000, "A-2"}, false);
    right = right && attempt(s, &desk, "One of 500 with a reference that is used already: the charge is undone",
                             (payment){3, 7, 500, "A-1"}, false);
    right = right && verify(s, &desk);
    printf("\n%s\n", right ? "Three attempts logged, one paid, support told twice: as promised." : "NOT as promised.");
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
