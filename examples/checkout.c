/*
 * checkout - an order and its lines, as objects: all of them, or nothing.
 *
 * An order is plain structs: each line points to its order, and takes goods from
 * a stock. The keys that the database makes reach the lines by themselves. When one item is out of stock, the database
 * is as it was before, and so are the structs: the order is new again, and can be tried once more.
 *
 *     checkout [URL]          the default is sqlite::memory:
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/belay.h>

typedef struct item {
    const char *name; /* its key */
    int32_t pieces;
    int64_t cents; /* each */
    int64_t version;
} item;

typedef struct purchase {
    int64_t id;
    const char *customer;
    int64_t total;
} purchase;

typedef struct line {
    int64_t id;
    purchase *of;
    int64_t purchase_id;
    item *what;
    const char *item_name;
    int32_t pieces;
} line;

BELAY_MODEL(item, "shop_item", BELAY_KEY(item, name, .size = 40), BELAY_COLUMN(item, pieces, .check = "pieces >= 0"),
            BELAY_COLUMN(item, cents), BELAY_VERSION_COLUMN(item, version))

BELAY_MODEL(purchase, "shop_purchase", BELAY_KEY(purchase, id),
            BELAY_COLUMN(purchase, customer, .size = 40, .not_null = true), BELAY_COLUMN(purchase, total))

BELAY_MODEL(line, "shop_line", BELAY_KEY(line, id), BELAY_PARENT(line, of, purchase_id, purchase, .not_null = true),
            BELAY_PARENT(line, what, item_name, item, .not_null = true),
            BELAY_COLUMN(line, pieces, .check = "pieces > 0"))

/* ---- The shop ---------------------------------------------------------------------------------- */

static bool open_shop(belay_session *s)
{
    static const item goods[] = {{"lamp", 5, 2500, 0}, {"clock", 1, 8000, 0}, {"vase", 3, 1200, 0}};

    belay_exec(s, "DROP TABLE IF EXISTS shop_line");
    belay_exec(s, "DROP TABLE IF EXISTS shop_purchase");
    belay_exec(s, "DROP TABLE IF EXISTS shop_item");
    belay_create_tables(s, line, purchase, item);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < sizeof goods / sizeof *goods; i++)
            belay_merge(s, item, &goods[i]); /* a copy of it is added */
    }
    return belay_status(s) == BELAY_OK;
}

/* What a customer wants: `count` names and numbers of pieces. */
typedef struct basket {
    const char *customer;
    int count;
    struct {
        const char *name;
        int32_t pieces;
    } wanted[4];
} basket;

/* A line of the order; the goods are taken from the stock. Nothing is sent yet, but for what has to be read. */
static void add_line(belay_session *s, purchase *order, const char *name, int32_t pieces)
{
    item *what = belay_get(s, item, name);
    line *l = belay_new(s, line);

    if (!what || !l) {
        belay_fail(s, BELAY_NOT_FOUND, "there is no item \"%s\"", name); /* unless an error is pending: that wins */
        return;
    }
    *l = (line){.of = order, .what = what, .pieces = pieces};
    belay_add(s, line, l);
    what->pieces -= pieces;
    order->total += pieces * what->cents;
}

/* One unit. The order is the caller's own struct: afterwards it has its number, or is as it was. */
static belay_code check_out(belay_session *s, const basket *b, purchase *order)
{
    BELAY_ATOMIC_WITH(s, .name = "checkout", .retries = 3) {
        belay_add(s, purchase, order);
        for (int i = 0; i < b->count; i++)
            add_line(s, order, b->wanted[i].name, b->wanted[i].pieces);
    }
    return belay_status(s);
}

/* ---- What is shown ------------------------------------------------------------------------------- */

static int64_t lines(belay_session *s)
{
    return belay_int_of(s, "SELECT count(*) FROM shop_line");
}

static int64_t pieces(belay_session *s)
{
    return belay_int_of(s, "SELECT CAST(sum(pieces) AS DECIMAL(10)) FROM shop_item");
}

/* Whether the outcome is the expected one, and the tables and the struct are as that says. */
static bool try_basket(belay_session *s, const char *what, basket b, belay_code expected)
{
    purchase order = {.customer = b.customer};
    int64_t lines_before = lines(s), pieces_before = pieces(s), taken = 0;
    belay_code code = check_out(s, &b, &order);

    printf("%s\n", what);
    if (code == BELAY_OK)
        printf("    an order of %s, %" PRId64 ".%02d in all\n", order.customer, order.total / 100,
               (int)(order.total % 100));
    else
        printf("    refused: %s\n", belay_pending(s)->message);
    for (int i = 0; i < b.count; i++)
        taken += b.wanted[i].pieces;
    if (code != expected)
        return false;
    if (code == BELAY_OK)
        return lines(s) == lines_before + b.count && pieces(s) == pieces_before - taken && order.id > 0 &&
               belay_int_of(s, "SELECT count(*) FROM shop_line WHERE purchase_id = ?", order.id) == b.count;
    return lines(s) == lines_before && pieces(s) == pieces_before && order.id == 0 && order.total == 0;
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db);
    bool right = open_shop(s);

    if (!right)
        printf("no shop: %s\n", belay_message(s));
    right = right &&
            try_basket(s, "Ann wants two lamps and a vase", (basket){"Ann", 2, {{"lamp", 2}, {"vase", 1}}}, BELAY_OK);
    right = right && try_basket(s, "Bob wants a vase, two clocks and a lamp: there is one clock",
                                (basket){"Bob", 3, {{"vase", 1}, {"clock", 2}, {"lamp", 1}}}, BELAY_CHECK);
    right = right && try_basket(s, "Bob wants a lamp and a piano", (basket){"Bob", 2, {{"lamp", 1}, {"piano", 1}}},
                                BELAY_NOT_FOUND);
    right = right &&
            try_basket(s, "Bob wants a vase and a clock", (basket){"Bob", 2, {{"vase", 1}, {"clock", 1}}}, BELAY_OK);
    right = right && belay_int_of(s, "SELECT count(*) FROM shop_purchase") == 2 && lines(s) == 4;
    printf("\n%s\n",
           right ? "Two orders, each with all its lines, and nothing of the others: as promised." : "NOT as promised.");
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
