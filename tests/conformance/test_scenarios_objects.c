/*
 * test_scenarios_objects.c - what programs do with objects, on the engine of BELAY_TEST_URL:
 * situations 1 (checkout), 5 (states), 6 (a constraint before the commit) and 19 (budget tracker).
 *
 * The tables are made by belay_create_tables. What is committed is looked at by
 * SQL, from another session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <belay/belay.h>

#include "database.h"

typedef struct item {
    const char *name;
    int32_t pieces;
} item;

typedef struct purchase {
    int64_t id;
    const char *customer;
} purchase;

typedef struct line {
    int64_t id;
    purchase *of;
    int64_t purchase_id;
    item *what;
    const char *item_name;
    int32_t pieces;
} line;

BELAY_MODEL(item, "item", BELAY_KEY(item, name, .size = 20), BELAY_COLUMN(item, pieces, .check = "pieces >= 0"))
BELAY_MODEL(purchase, "purchase", BELAY_KEY(purchase, id),
            BELAY_COLUMN(purchase, customer, .not_null = true, .size = 20))
BELAY_MODEL(line, "line", BELAY_KEY(line, id), BELAY_PARENT(line, of, purchase_id, purchase, .not_null = true),
            BELAY_PARENT(line, what, item_name, item, .not_null = true), BELAY_COLUMN(line, pieces))

typedef struct person {
    const char *name;
    const char *email;
} person;

typedef struct category {
    int64_t id;
    const char *name;
} category;

typedef struct expense {
    int64_t id;
    person *by;
    const char *person_name;
    category *in;
    int64_t category_id;
    const char *cents; /* a decimal */
    int64_t version;
} expense;

BELAY_MODEL(person, "person", BELAY_KEY(person, name, .size = 20),
            BELAY_COLUMN(person, email, .unique = true, .size = 40))
BELAY_MODEL(category, "category", BELAY_KEY(category, id),
            BELAY_COLUMN(category, name, .not_null = true, .unique = true, .size = 20))
BELAY_MODEL(expense, "expense", BELAY_KEY(expense, id),
            BELAY_PARENT(expense, by, person_name, person, .not_null = true),
            BELAY_PARENT(expense, in, category_id, category, .not_null = true),
            BELAY_COLUMN(expense, cents, .precision = 12, .scale = 2, .not_null = true),
            BELAY_VERSION_COLUMN(expense, version))

typedef struct shop {
    database d;
    belay_db *looking;
    belay_session *s, *other;
} shop;

static shop the;

static int open_shop(void **state)
{
    (void)state;
    the = (shop){0};
    database_open(&the.d, NULL);
    the.s = the.d.s;
    the.looking = belay_open(the.d.url, NULL);
    the.other = belay_session_open(the.looking);
    belay_create_tables(the.s, line, purchase, item, expense, category, person);
    BELAY_ATOMIC(the.s) {
        belay_merge(the.s, item, (&(item){"lamp", 5}));
        belay_merge(the.s, item, (&(item){"clock", 1}));
        belay_merge(the.s, person, (&(person){"Ana", "ana@example.org"}));
        belay_merge(the.s, person, (&(person){"Bea", NULL}));
        belay_merge(the.s, category, (&(category){1, "Food"}));
        belay_merge(the.s, category, (&(category){2, "Coffee"}));
    }
    assert_status(the.s, BELAY_OK);
    return 0;
}

static int close_shop(void **state)
{
    (void)state;
    belay_session_close(the.other);
    belay_close(the.looking);
    database_close(&the.d);
    return 0;
}

#define in_shop(test)           cmocka_unit_test_setup_teardown(test, open_shop, close_shop)
#define assert_there(sql, rows) assert_rows(the.other, sql, rows)

/* ---- 1: checkout ------------------------------------------------------------------------------------------------ */

static void add_line(belay_session *s, purchase *order, const char *name, int32_t pieces)
{
    item *what = belay_get(s, item, name);
    line *l = belay_new(s, line);
    if (!what || !l) {
        belay_fail(s, BELAY_NOT_FOUND, "no item %s", name);
        return;
    }
    *l = (line){.of = order, .what = what, .pieces = pieces};
    belay_add(s, line, l);
    what->pieces -= pieces;
}

static void an_order_and_its_lines_are_there_together_with_the_keys_that_were_made(void **state)
{
    (void)state;
    purchase first = {.customer = "Ann"}, second = {.customer = "Bob"};
    BELAY_ATOMIC(the.s) { /* the lines are added before their orders; the stock is read first: reading flushes */
        belay_find(the.s, item, "");
        add_line(the.s, &second, "lamp", 1);
        add_line(the.s, &first, "lamp", 2);
        add_line(the.s, &first, "clock", 1);
        belay_add(the.s, purchase, &first);
        belay_add(the.s, purchase, &second);
    }
    assert_status(the.s, BELAY_OK);
    assert_true(first.id > 0 && second.id > 0 && first.id != second.id);
    assert_there(
        "SELECT p.customer, l.item_name, l.pieces FROM purchase p JOIN line l ON l.purchase_id = p.id ORDER BY "
        "p.customer, l.item_name",
        "Ann|clock|1;Ann|lamp|2;Bob|lamp|1");
    assert_there("SELECT name, pieces FROM item ORDER BY name", "clock|0;lamp|2");
}

static void an_item_out_of_stock_leaves_nothing_of_the_order_and_its_lines(void **state)
{
    (void)state;
    purchase order = {.customer = "Ann"};
    BELAY_ATOMIC(the.s) {
        belay_add(the.s, purchase, &order);
        add_line(the.s, &order, "lamp", 2);
        add_line(the.s, &order, "clock", 2);
    }
    assert_status(the.s, BELAY_CHECK);
    assert_int_equal(order.id, 0);
    assert_int_equal(belay_state_of(the.s, &order), BELAY_TRANSIENT);
    assert_there("SELECT count(*) FROM purchase", "0");
    assert_there("SELECT count(*) FROM line", "0");
    assert_there("SELECT name, pieces FROM item ORDER BY name", "clock|1;lamp|5");
    BELAY_ATOMIC(the.s) { /* and again with less, the same struct */
        belay_add(the.s, purchase, &order);
        add_line(the.s, &order, "clock", 1);
    }
    assert_status(the.s, BELAY_OK);
    assert_there("SELECT count(*) FROM line", "1");
}

/* ---- 5: states -------------------------------------------------------------------------------------------------- */

static void a_flush_is_in_the_database_and_seen_by_nobody_until_the_commit(void **state)
{
    (void)state;
    belay_session *s = the.s;
    belay_begin(s, NULL);
    purchase *p = belay_new(s, purchase);
    p->customer = "Ann";
    assert_int_equal(belay_state_of(s, p), BELAY_TRANSIENT);
    belay_add(s, purchase, p);
    assert_int_equal(belay_state_of(s, p), BELAY_PENDING);
    belay_flush(s);
    assert_int_equal(belay_state_of(s, p), BELAY_PERSISTENT);
    assert_true(p->id > 0);
    assert_rows(s, "SELECT customer FROM purchase", "Ann");
    assert_there("SELECT count(*) FROM purchase", "0");
    assert_int_equal(belay_commit(s), BELAY_OK);
    assert_there("SELECT customer FROM purchase", "Ann");
    assert_int_equal(belay_state_of(s, p), BELAY_PERSISTENT);
    belay_begin(s, NULL);
    assert_ptr_equal(belay_get(s, purchase, p->id), p);
    belay_delete(s, p);
    belay_flush(s);
    assert_int_equal(belay_state_of(s, p), BELAY_DELETED);
    assert_there("SELECT customer FROM purchase", "Ann");
    assert_int_equal(belay_commit(s), BELAY_OK);
    assert_int_equal(belay_state_of(s, p), BELAY_DETACHED);
    assert_there("SELECT count(*) FROM purchase", "0");
}

static void a_nested_rollback_reverts_states_and_fields_and_the_outer_work_goes_on(void **state)
{
    (void)state;
    belay_session *s = the.s;
    purchase *added = NULL, *kept = NULL;
    item *lamp = NULL;
    belay_begin(s, NULL);
    lamp = belay_get(s, item, "lamp");
    kept = belay_new(s, purchase);
    kept->customer = "Ann";
    belay_add(s, purchase, kept);
    lamp->pieces = 4;
    belay_begin(s, NULL);
    lamp->pieces = 3;
    kept->customer = "Eve";
    added = belay_new(s, purchase);
    added->customer = "Bob";
    belay_add(s, purchase, added);
    belay_delete(s, belay_get(s, item, "clock"));
    belay_flush(s);
    belay_rollback(s);
    assert_int_equal(belay_state_of(s, added), BELAY_TRANSIENT);
    assert_int_equal(added->id, 0);
    assert_int_equal(lamp->pieces, 4);
    assert_string_equal(kept->customer, "Ann");
    assert_int_equal(belay_state_of(s, kept), BELAY_PERSISTENT);
    assert_int_equal(belay_commit(s), BELAY_OK);
    assert_there("SELECT customer FROM purchase", "Ann");
    assert_there("SELECT name, pieces FROM item ORDER BY name", "clock|1;lamp|4");
}

/* ---- 6: a constraint before the commit -------------------------------------------------------------------------- */

static void a_flush_tells_a_constraint_before_the_commit_and_the_outer_work_is_intact(void **state)
{
    (void)state;
    belay_session *s = the.s;
    belay_code inner = BELAY_OK;
    bool caught = false;
    int32_t pieces = 0;
    const char *email = NULL;
    BELAY_ATOMIC(s) {
        person *bea = belay_get(s, person, "Bea");
        item *lamp = belay_get(s, item, "lamp");
        if (lamp)
            lamp->pieces = 2;
        BELAY_ATOMIC(s) {
            if (bea)
                bea->email = "ana@example.org";
            inner = belay_flush(s); /* not at the commit, which is far */
        }
        caught = belay_catch(s, BELAY_UNIQUE);
        pieces = lamp ? lamp->pieces : 0;
        email = bea ? bea->email : "";
    }
    assert_string_equal(belay_code_name(inner), "UNIQUE");
    assert_true(caught);
    assert_int_equal(pieces, 2);
    assert_null(email);
    assert_status(s, BELAY_OK);
    assert_there("SELECT pieces FROM item WHERE name = 'lamp'", "2");
    assert_there("SELECT count(*) FROM person WHERE email IS NULL", "1");
}

/* ---- 19: budget tracker ----------------------------------------------------------------------------------------- */

static category *find_category(belay_session *s, const char *name)
{
    category **found = belay_find(s, category, "WHERE name = ?", name);
    if (found && *found)
        return *found;
    belay_fail(s, BELAY_NOT_FOUND, "Category not found: %s", name);
    return NULL;
}

static void book(belay_session *s, const char *name, const char *where, const char *cents)
{
    category *in = find_category(s, where);
    person *by = belay_get(s, person, name);
    expense *e = belay_new(s, expense);
    if (!in || !by || !e)
        return;
    *e = (expense){.by = by, .in = in, .cents = cents};
    belay_add(s, expense, e);
}

static void a_transfer_between_categories_is_two_rows_or_none(void **state)
{
    (void)state;
    BELAY_ATOMIC(the.s) {
        book(the.s, "Ana", "Food", "-10.50");
        book(the.s, "Ana", "Pets", "10.50");
    }
    assert_status(the.s, BELAY_NOT_FOUND);
    assert_there("SELECT count(*) FROM expense", "0");
    BELAY_ATOMIC(the.s) {
        book(the.s, "Ana", "Food", "-10.50");
        book(the.s, "Ana", "Coffee", "10.50");
    }
    assert_status(the.s, BELAY_OK);
    assert_there("SELECT category_id, cents FROM expense ORDER BY category_id", "1|-10.50;2|10.50");
}

static void merged_categories_leave_the_source_only_while_somebody_is_in_it(void **state)
{
    (void)state;
    belay_session *s = the.s;
    BELAY_ATOMIC(s) {
        book(s, "Ana", "Coffee", "1.00");
        book(s, "Bea", "Coffee", "2.00");
    }
    assert_status(s, BELAY_OK);
    for (int i = 0; i < 2; i++) {
        BELAY_ATOMIC(s) {
            category *from = find_category(s, "Coffee"), *to = find_category(s, "Food");
            BELAY_EACH_OBJECT(expense, e, s, "WHERE person_name = ?", i == 0 ? "Ana" : "Bea")
            e->in = to;
            expense **left = belay_find(s, expense, "WHERE category_id = 2");
            if (left && belay_found(left) == 0)
                belay_delete(s, from);
        }
        assert_status(s, BELAY_OK);
        assert_there("SELECT count(*) FROM category", i == 0 ? "2" : "1");
    }
    assert_there("SELECT person_name, category_id, version FROM expense ORDER BY person_name", "Ana|1|2;Bea|1|2");
}

static void a_user_goes_with_all_expenses_or_stays_with_all(void **state)
{
    (void)state;
    belay_session *s = the.s;
    BELAY_ATOMIC(s) {
        book(s, "Ana", "Food", "1.00");
        book(s, "Ana", "Coffee", "2.00");
        book(s, "Bea", "Coffee", "3.00");
    }
    BELAY_ATOMIC(s) { /* the rows are forgotten */
        belay_delete(s, belay_get(s, person, "Ana"));
    }
    assert_status(s, BELAY_FOREIGN_KEY);
    assert_there("SELECT count(*) FROM person", "2");
    BELAY_ATOMIC(s) {
        belay_delete(s, belay_get(s, person, "Ana"));
        BELAY_EACH_OBJECT(expense, e, s, "WHERE person_name = 'Ana'")
        belay_delete(s, e);
    }
    assert_status(s, BELAY_FOREIGN_KEY); /* the query has flushed the first */
    BELAY_ATOMIC(s) {
        BELAY_EACH_OBJECT(expense, e, s, "WHERE person_name = 'Ana'")
        belay_delete(s, e);
        belay_delete(s, belay_get(s, person, "Ana"));
    }
    assert_status(s, BELAY_OK);
    assert_there("SELECT name FROM person", "Bea");
    assert_there("SELECT person_name FROM expense", "Bea");
}

static void an_expense_that_somebody_else_changed_is_stale_and_nothing_is_lost(void **state)
{
    (void)state;
    belay_session *s = the.s;
    expense form = {0};
    BELAY_ATOMIC(s)
        book(s, "Ana", "Food", "1.00");
    BELAY_READ(s)
        BELAY_EACH_OBJECT(expense, e, s, "")
    form = *e;
    BELAY_ATOMIC(the.other)
        BELAY_EACH_OBJECT(expense, e, the.other, "")
    e->cents = "5.00";
    assert_status(the.other, BELAY_OK);
    form.cents = "2.00";
    BELAY_ATOMIC(s)
        belay_merge(s, expense, &form);
    assert_status(s, BELAY_STALE);
    assert_there("SELECT cents, version FROM expense", "5.00|2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_shop(an_order_and_its_lines_are_there_together_with_the_keys_that_were_made),
        in_shop(an_item_out_of_stock_leaves_nothing_of_the_order_and_its_lines),
        in_shop(a_flush_is_in_the_database_and_seen_by_nobody_until_the_commit),
        in_shop(a_nested_rollback_reverts_states_and_fields_and_the_outer_work_goes_on),
        in_shop(a_flush_tells_a_constraint_before_the_commit_and_the_outer_work_is_intact),
        in_shop(a_transfer_between_categories_is_two_rows_or_none),
        in_shop(merged_categories_leave_the_source_only_while_somebody_is_in_it),
        in_shop(a_user_goes_with_all_expenses_or_stays_with_all),
        in_shop(an_expense_that_somebody_else_changed_is_stale_and_nothing_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
