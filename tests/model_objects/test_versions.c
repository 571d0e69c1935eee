/* Lost updates: BELAY_STALE. */
#include "objects.h"

#include <string.h>

/* Somebody else changes a row between two units. */
static void change_outside(world *w, const char *sql)
{
    assert_code(belay_exec(w->other, sql), BELAY_OK);
}

/* An object that was read in an earlier unit, and whose image is therefore old: deleting needs no new reading. */
static void a_lost_update_is_stale_and_names_the_object(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(belay_exec(s, "UPDATE account SET version = 7 WHERE id = 1"), BELAY_OK); /* as somebody else would */
    a->balance = 90;
    assert_code(belay_flush(s), BELAY_STALE);
    assert_contains(belay_pending(s)->message, "account(1)");
    assert_string_equal(belay_pending(s)->table, "account");
    belay_rollback(s);
    assert_int_equal(a->balance, 100);
    assert_int_equal(a->version, 1);
}

static void a_lost_update_of_another_session_is_found(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account copy;
    belay_begin(s, NULL);
    copy = *(account *)belay_get(s, account, 1);
    assert_code(belay_commit(s), BELAY_OK);
    change_outside(w, "UPDATE account SET balance = 70, version = 2 WHERE id = 1");
    belay_begin(s, NULL);
    copy.balance = 60; /* as a form would send it back */
    assert_null(belay_merge(s, account, &copy));
    assert_code(belay_status(s), BELAY_STALE);
    assert_contains(belay_pending(s)->message, "account(1)");
    belay_rollback(s);
    assert_accounts(w, "1|ann|70;2|bob|50");
}

static void deleting_what_somebody_else_has_changed_is_stale(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_get(s, account, 1);
    change_outside(w, "UPDATE account SET version = 2 WHERE id = 1");
    belay_begin(s, NULL);
    assert_code(belay_delete(s, a), BELAY_OK);
    assert_code(belay_commit(s), BELAY_STALE);
    assert_accounts(w, "1|ann|100;2|bob|50");
}

static void an_update_to_equal_values_is_never_stale(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(belay_exec(s, "UPDATE account SET version = 7 WHERE id = 1"), BELAY_OK);
    char same[] = "ann";
    a->owner = same;
    a->balance = 100;
    assert_code(belay_flush(s), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT version FROM account WHERE id = 1", "7");
}

/* MariaDB tells an UPDATE that changes nothing from one that finds nothing only when it is asked to. */
static void a_row_without_version_is_stale_only_when_it_is_gone(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_code(belay_exec(s, "INSERT INTO stock VALUES (1, 'a', 5)"), BELAY_OK);
    belay_begin(s, NULL);
    stock *one = belay_get(s, stock, 1, "a");
    assert_code(belay_exec(s, "UPDATE stock SET amount = 6"), BELAY_OK);
    one->amount = 6;
    assert_code(belay_flush(s), BELAY_OK);
    assert_code(belay_exec(s, "DELETE FROM stock"), BELAY_OK);
    one->amount = 7;
    assert_code(belay_flush(s), BELAY_STALE);
    assert_contains(belay_pending(s)->message, "stock(1, 'a')");
    belay_rollback(s);
    belay_begin(s, NULL);
    one = belay_get(s, stock, 1, "a");
    assert_code(belay_exec(s, "DELETE FROM stock"), BELAY_OK);
    belay_delete(s, one);
    assert_code(belay_commit(s), BELAY_STALE);
}

static void stale_is_caught_outside_the_scope_and_the_object_read_again(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(belay_exec(s, "UPDATE account SET version = 7, balance = 10 WHERE id = 1"), BELAY_OK);
    belay_begin(s, NULL);
    a->balance += 1;
    assert_code(belay_commit(s), BELAY_STALE);
    assert_true(belay_catch(s, BELAY_STALE));
    assert_code(belay_refresh(s, a), BELAY_OK);
    a->balance += 1;
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT balance, version FROM account WHERE id = 1", "11|8");
}

static void the_version_counts_every_update_and_goes_back_with_a_rollback(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance++;
    belay_flush(s);
    a->balance++;
    belay_flush(s);
    assert_int_equal(a->version, 3);
    belay_begin(s, NULL);
    a->balance++;
    belay_flush(s);
    assert_int_equal(a->version, 4);
    belay_rollback(s);
    assert_int_equal(a->version, 3);
    a->balance++;
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT balance, version FROM account WHERE id = 1", "103|4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(a_lost_update_is_stale_and_names_the_object),
        with_objects(a_lost_update_of_another_session_is_found),
        with_objects(deleting_what_somebody_else_has_changed_is_stale),
        with_objects(an_update_to_equal_values_is_never_stale),
        with_objects(a_row_without_version_is_stale_only_when_it_is_gone),
        with_objects(stale_is_caught_outside_the_scope_and_the_object_read_again),
        with_objects(the_version_counts_every_update_and_goes_back_with_a_rollback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
