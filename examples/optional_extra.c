/*
 * optional_extra - an order keeps what can be had, and goes on without the rest.
 *
 * Each extra of an order is reserved after a named mark. When one is out of
 * stock, the unit goes back to its mark: the reservation is undone, and the
 * order, the extras before it and the payment are kept.
 *
 *     optional_extra [URL]    the default is sqlite::memory:
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/belay.h>

static bool create_tables(belay_session *s)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS receipt",
        "DROP TABLE IF EXISTS reservation",
        "DROP TABLE IF EXISTS purchase",
        "DROP TABLE IF EXISTS stock",
        "CREATE TABLE stock (item VARCHAR(20) PRIMARY KEY, pieces INTEGER NOT NULL,"
        " CONSTRAINT stock_not_negative CHECK (pieces >= 0))",
        "CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer VARCHAR(20) NOT NULL)",
        "CREATE TABLE reservation (purchase_id INTEGER NOT NULL, item VARCHAR(20) NOT NULL,"
        " PRIMARY KEY (purchase_id, item), FOREIGN KEY (purchase_id) REFERENCES purchase (id),"
        " FOREIGN KEY (item) REFERENCES stock (item))",
        "CREATE TABLE receipt (purchase_id INTEGER PRIMARY KEY, amount INTEGER NOT NULL,"
        " CONSTRAINT amount_is_positive CHECK (amount > 0),"
        " FOREIGN KEY (purchase_id) REFERENCES purchase (id))",
        "INSERT INTO stock (item, pieces) VALUES ('gift wrap', 5), ('engraving', 1)",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (belay_exec(s, statements[i]) != BELAY_OK)
            return false;
    return true;
}

/* Reserves an extra, or leaves no trace of it when it is out of stock. Any other error stays pending. */
static void reserve_if_there(belay_session *s, int64_t id, const char *item)
{
    belay_savepoint(s, item); /* any text will do for a name */
    belay_exec(s, "INSERT INTO reservation (purchase_id, item) VALUES (?, ?)", id, item);
    belay_exec(s, "UPDATE stock SET pieces = pieces - 1 WHERE item = ?", item);
    if (belay_status(s) == BELAY_CHECK) {
        printf("    %s is out of stock: back to the mark\n", item);
        belay_rollback_to(s, item);
    }
    belay_release(s, item);
}

static belay_code place_order(belay_session *s, int64_t id, const char *customer, int64_t cents)
{
    printf("%s orders with gift wrap and engraving, for %lld cents\n", customer, (long long)cents);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO purchase (id, customer) VALUES (?, ?)", id, customer);
        reserve_if_there(s, id, "gift wrap");
        reserve_if_there(s, id, "engraving");
        belay_exec(s, "INSERT INTO receipt (purchase_id, amount) VALUES (?, ?)", id, cents);
    }
    if (belay_status(s) == BELAY_OK)
        printf("    order %lld is placed\n", (long long)id);
    else
        printf("    order %lld is not placed: %s\n", (long long)id, belay_message(s));
    return belay_status(s);
}

static bool has(belay_session *s, int64_t id, int purchases, int reservations, int receipts)
{
    return belay_int_of(s, "SELECT count(*) FROM purchase WHERE id = ?", id) == purchases &&
           belay_int_of(s, "SELECT count(*) FROM reservation WHERE purchase_id = ?", id) == reservations &&
           belay_int_of(s, "SELECT count(*) FROM receipt WHERE purchase_id = ?", id) == receipts;
}

static bool pieces_are(belay_session *s, const char *item, int expected)
{
    int64_t pieces = belay_int_of(s, "SELECT pieces FROM stock WHERE item = ?", item);

    printf("    %s: %lld left in stock\n", item, (long long)pieces);
    return pieces == expected;
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);
    bool right = create_tables(s);

    if (!right)
        printf("no tables: %s\n", belay_message(s));

    /* All there; one extra out of stock; a payment that fails, so that nothing of the order may stay. */
    right = right && place_order(s, 1, "Ana", 5000) == BELAY_OK && has(s, 1, 1, 2, 1);
    right = right && place_order(s, 2, "Bea", 5000) == BELAY_OK && has(s, 2, 1, 1, 1);
    right = right && place_order(s, 3, "Cem", 0) == BELAY_CHECK && has(s, 3, 0, 0, 0);

    printf("\nAfter the three orders:\n");
    right = pieces_are(s, "gift wrap", 3) && right;
    right = pieces_are(s, "engraving", 0) && right;
    printf("\n%s\n", right ? "Orders 1 and 2 are paid, the second without engraving; nothing is left of order 3."
                           : "NOT as promised.");
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
