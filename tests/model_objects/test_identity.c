/* One row is one object: getting, finding, refreshing, expiring, taking out. */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

static void one_row_is_one_object(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_non_null(a);
    assert_ptr_equal(belay_get(s, account, 1), a);
    account **found = belay_find(s, account, "WHERE balance > ? ORDER BY id DESC", 10);
    assert_int_equal(belay_found(found), 2);
    assert_ptr_equal(found[1], a);
    assert_int_equal(found[0]->id, 2);
    assert_null(found[2]);
    assert_code(belay_commit(s), BELAY_OK);
    belay_begin(s, NULL);
    assert_ptr_equal(belay_get(s, account, 1), a); /* also in the next unit */
    assert_code(belay_commit(s), BELAY_OK);
}

static void what_was_loaded_is_read_again_in_the_next_unit(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(
        belay_exec(w->other, database_is_sqlite(&w->d) ? "SELECT 1" : "UPDATE account SET balance = 3 WHERE id = 1"),
        BELAY_OK);
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_int_equal(a->balance, 100);
    assert_code(belay_commit(s), BELAY_OK);
    assert_code(belay_exec(w->other, "UPDATE account SET balance = 4, owner = 'new' WHERE id = 1"), BELAY_OK);
    assert_int_equal(a->balance, 100);
    assert_string_equal(a->owner, "ann");
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_int_equal(a->balance, 4);
    assert_string_equal(a->owner, "new");
}

static void a_row_that_is_not_there_is_null_and_no_error(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    assert_null(belay_get(s, account, 99));
    assert_null(belay_get(s, account, UINT64_MAX));
    assert_null(belay_get(s, stock, INT64_MAX, "x"));
    assert_null(belay_get(s, stock, 1, "a text that is much too long"));
    assert_null(belay_get(s, setting, (const char *)NULL));
    account **none = belay_find(s, account, "WHERE id > 100");
    assert_non_null(none);
    assert_int_equal(belay_found(none), 0);
    assert_null(none[0]);
    assert_code(belay_commit(s), BELAY_OK);
}

static void a_row_that_has_gone_makes_its_object_detached(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_get(s, account, 2);
    assert_code(belay_exec(w->other, "DELETE FROM account WHERE id = 2"), BELAY_OK);
    belay_begin(s, NULL);
    assert_null(belay_get(s, account, 2));
    assert_state(s, a, "detached");
    assert_string_equal(a->owner, "bob"); /* its memory stays */
    assert_code(belay_refresh(s, a), BELAY_MISUSE);
    belay_rollback(s);
    assert_state(s, a, "persistent"); /* as it was when the scope began */
    belay_begin(s, NULL);
    assert_code(belay_refresh(s, a), BELAY_NOT_FOUND);
    belay_rollback(s);
}

static void a_key_has_all_its_parts_and_the_right_types(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    stock *one = belay_new(s, stock);
    *one = (stock){.warehouse = 3, .sku = "A-1", .amount = 5};
    belay_add(s, stock, one);
    assert_ptr_equal(belay_get(s, stock, 3, "A-1"), one);
    assert_null(belay_get(s, stock, 3, "A-2"));
    assert_null(belay_get(s, stock, 4, "A-1"));
    assert_code(belay_status(s), BELAY_OK);
    assert_null(belay_get(s, stock, 3));
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_null(belay_get(s, stock, "A-1", 3));
    assert_status(s, BELAY_MISUSE);
    assert_null(belay_get(s, account, "x"));
    assert_status(s, BELAY_MISUSE);
}

static void a_text_may_be_the_key(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    char name[] = "color";
    belay_begin(s, NULL);
    setting *one = belay_new(s, setting);
    one->name = name;
    one->value = strdup("red");
    assert_code(belay_add(s, setting, one), BELAY_OK);
    assert_ptr_equal(belay_get(s, setting, "color"), one);
    memset(name, 'x', 5);
    assert_string_equal(one->name, "color"); /* the session's copy, since the flush */
    assert_code(belay_commit(s), BELAY_OK);
    assert_ptr_equal(belay_get(s, setting, "color"), one);
    assert_rows(w->other, "SELECT name, value FROM setting", "color|red");
}

/* What a get outside all scopes needs of its key is gone with the transaction that it makes. */
static void a_row_with_a_text_as_key_that_has_gone_is_not_there(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_code(belay_exec(s, "INSERT INTO setting VALUES ('a long enough name', 'v')"), BELAY_OK);
    setting *one = belay_get(s, setting, "a long enough name");
    assert_non_null(one);
    assert_code(belay_exec(s, "DELETE FROM setting"), BELAY_OK);
    assert_null(belay_get(s, setting, "a long enough name"));
    assert_state(s, one, "detached");
    assert_null(belay_get(s, setting, belay_text("a long enough name and more", 18)));
}

static void a_key_that_is_null_is_refused(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    belay_add(s, setting, belay_new(s, setting));
    assert_code(belay_commit(s), BELAY_NOT_NULL);
    assert_contains(belay_pending(s)->message, "setting");
}

static void refreshing_reads_the_row_and_drops_what_was_changed(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1), *b = belay_get(s, account, 2);
    assert_code(belay_exec(s, "UPDATE account SET balance = 3 WHERE id = 1"), BELAY_OK);
    a->owner = "nobody";
    b->balance = 51;
    assert_code(belay_refresh(s, a), BELAY_OK);
    assert_int_equal(a->balance, 3);
    assert_string_equal(a->owner, "ann");
    assert_int_equal(b->balance, 51);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|3;2|bob|51");
}

static void expiring_drops_what_was_changed_and_reads_with_the_next_get(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(belay_exec(s, "UPDATE account SET balance = 3 WHERE id = 1"), BELAY_OK);
    a->owner = "nobody";
    assert_code(belay_expire(s, a), BELAY_OK);
    assert_string_equal(a->owner, "ann");
    assert_int_equal(a->balance, 100);
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_int_equal(a->balance, 3);
    assert_code(belay_exec(s, "UPDATE account SET balance = 4 WHERE id = 1"), BELAY_OK);
    assert_code(belay_expire_all(s), BELAY_OK);
    account **all = belay_find(s, account, "ORDER BY id");
    assert_ptr_equal(all[0], a);
    assert_int_equal(a->balance, 4);
    assert_code(belay_commit(s), BELAY_OK);
}

static void what_is_found_stays_as_it_is_unless_it_is_locked(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(belay_exec(s, "UPDATE account SET balance = 3 WHERE id = 1"), BELAY_OK);
    assert_non_null(belay_find(s, account, "WHERE id = ?", 1));
    assert_int_equal(a->balance, 100);
    assert_non_null(belay_find(s, account, "WHERE id = ? FOR UPDATE", 1));
    assert_int_equal(a->balance, 3);
    assert_code(belay_commit(s), BELAY_OK);
}

static void locking_flushes_and_reads_the_row_again(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_code(belay_exec(s, "UPDATE account SET balance = 3 WHERE id = 1"), BELAY_OK);
    a->owner = "eve";
    assert_true(belay_lock(s, a, BELAY_LOCK_WAIT));
    assert_int_equal(a->balance, 3);
    assert_string_equal(a->owner, "eve");
    assert_true(belay_lock(s, a, BELAY_LOCK_NOWAIT));
    assert_true(belay_lock(s, a, BELAY_LOCK_SKIP));
    assert_code(belay_exec(s, "DELETE FROM account WHERE id = 1"), BELAY_OK);
    assert_false(belay_lock(s, a, BELAY_LOCK_SKIP));
    assert_code(belay_status(s), BELAY_OK);
    assert_false(belay_lock(s, a, BELAY_LOCK_WAIT));
    assert_code(belay_status(s), BELAY_NOT_FOUND);
    belay_rollback(s);
}

static void a_row_that_somebody_else_has_locked_is_skipped_or_busy(void **state)
{
    world *w = *state;
    if (database_is_sqlite(&w->d))
        skip(); /* there is one lock, and the scope has it */
    belay_begin(w->other, NULL);
    account *theirs = belay_get(w->other, account, 1);
    assert_true(belay_lock(w->other, theirs, BELAY_LOCK_WAIT));
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    assert_false(belay_lock(s, a, BELAY_LOCK_SKIP));
    assert_code(belay_status(s), BELAY_OK);
    assert_int_equal(belay_found(belay_find(s, account, "ORDER BY id FOR UPDATE SKIP LOCKED")), 1);
    assert_false(belay_lock(s, a, BELAY_LOCK_NOWAIT));
    assert_code(belay_status(s), BELAY_BUSY);
    belay_rollback(s);
    belay_rollback(w->other);
}

static void what_is_taken_out_is_never_written_nor_brought_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"}, *new_one = belay_new(s, account);
    new_one->owner = "joe";
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    belay_begin(s, NULL);
    assert_code(belay_add(s, account, &mine), BELAY_OK);
    assert_code(belay_flush(s), BELAY_OK);
    assert_code(belay_add(s, account, new_one), BELAY_OK);
    a->balance = 5;
    assert_code(belay_expunge(s, a), BELAY_OK);
    assert_code(belay_expunge(s, &mine), BELAY_OK);
    assert_code(belay_expunge(s, new_one), BELAY_OK);
    assert_state(s, &mine, "detached");
    mine.balance = 8;
    int64_t id = mine.id;
    belay_rollback(s);
    assert_int_equal(mine.id, id); /* nobody touches it any more */
    account *again = belay_get(s, account, 1);
    assert_int_equal(again->balance, 100);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|100;2|bob|50");
}

static void all_objects_may_be_let_go_at_once(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"};
    assert_non_null(belay_new(s, account));
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 5;
    assert_code(belay_add(s, account, &mine), BELAY_OK);
    assert_code(belay_expunge_all(s), BELAY_OK);
    assert_state(s, &mine, "transient");
    assert_int_equal(belay_get(s, account, 1)->balance, 100);
    assert_code(belay_commit(s), BELAY_OK);
    assert_code(belay_expunge_all(s), BELAY_OK);
    assert_accounts(w, "1|ann|100;2|bob|50");
}

static void a_transaction_of_its_own_has_objects_of_its_own(void **state)
{
    world *w = *state;
    if (database_is_sqlite(&w->d))
        skip(); /* the scope around holds the one lock */
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 90;
    belay_begin(s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_REQUIRES_NEW));
    account *b = belay_get(s, account, 2);
    assert_state(s, a, "transient");
    b->balance = 51;
    account *c = belay_new(s, account);
    c->owner = "log";
    assert_code(belay_add(s, account, c), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    assert_state(s, a, "persistent");
    assert_int_equal(a->balance, 90);
    belay_rollback(s);
    assert_int_equal(a->balance, 100);
    assert_accounts(w, "1|ann|100;2|bob|51;3|log|0");
}

static void a_transaction_of_its_own_puts_the_programs_objects_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"}, kept = {.owner = "joe"};
    belay_begin(s, BELAY_SCOPE_OPTIONS(.read_only = true)); /* on SQLite there may be no other one in one that writes */
    belay_begin(s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_REQUIRES_NEW));
    assert_code(belay_add(s, account, &mine), BELAY_OK);
    assert_code(belay_flush(s), BELAY_OK);
    assert_true(mine.id != 0);
    belay_rollback(s);
    assert_int_equal(mine.id, 0);
    assert_state(s, &mine, "transient");
    belay_begin(s, BELAY_SCOPE_OPTIONS(.propagation = BELAY_REQUIRES_NEW));
    assert_code(belay_add(s, account, &kept), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    assert_true(kept.id != 0);
    belay_rollback(s);
    assert_rows(w->other, "SELECT owner FROM account ORDER BY id", "ann;bob;joe");
}

static void calls_without_a_scope_or_object_are_misuse(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_get(s, account, 1), mine = {.owner = "eve"};
    assert_code(belay_add(s, account, &mine), BELAY_MISUSE);
    assert_code(belay_delete(s, a), BELAY_MISUSE);
    assert_code(belay_flush(s), BELAY_MISUSE);
    assert_false(belay_lock(s, a, BELAY_LOCK_WAIT));
    assert_status(s, BELAY_MISUSE);
    assert_null(belay_merge(s, account, a));
    assert_null(belay_keep(s, "text"));
    assert_code(belay_refresh(s, &mine), BELAY_MISUSE);
    assert_code(belay_expunge(s, &mine), BELAY_MISUSE);
    assert_code(belay_refresh(s, a), BELAY_OK);
    belay_begin(s, NULL);
    assert_code(belay_delete(s, &mine), BELAY_MISUSE);
    belay_rollback(s);
    belay_begin(s, NULL);
    assert_code(belay_add(s, account, NULL), BELAY_MISUSE);
    belay_rollback(s);
    belay_begin(s, NULL);
    assert_code(belay_add(s, account, &mine), BELAY_OK);
    assert_code(belay_delete(s, &mine), BELAY_MISUSE); /* it is pending */
    belay_rollback(s);
    assert_null(belay_get(NULL, account, 1));
    assert_int_equal(belay_state_of(NULL, a), BELAY_TRANSIENT);
    assert_int_equal(belay_found(NULL), 0);
}

static void calls_are_refused_while_an_error_is_pending(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1), mine = {.owner = "eve"};
    belay_fail(s, BELAY_APPLICATION, "no");
    assert_null(belay_get(s, account, 1));
    assert_null(belay_find(s, account, ""));
    assert_code(belay_add(s, account, &mine), BELAY_APPLICATION);
    assert_code(belay_delete(s, a), BELAY_APPLICATION);
    assert_code(belay_flush(s), BELAY_APPLICATION);
    assert_code(belay_refresh(s, a), BELAY_APPLICATION);
    assert_code(belay_expire(s, a), BELAY_APPLICATION);
    assert_false(belay_lock(s, a, BELAY_LOCK_WAIT));
    assert_null(belay_merge(s, account, &mine));
    assert_non_null(belay_new(s, account)); /* so that its fields can be written without a look */
    assert_code(belay_expunge(s, a), BELAY_OK);
    assert_code(belay_commit(s), BELAY_APPLICATION);
}

static void an_object_may_be_added_and_deleted_again_and_again(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    belay_delete(s, a);
    belay_delete(s, a);
    assert_code(belay_add(s, account, a), BELAY_OK); /* takes it back */
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_equal(belay_get(s, account, 1), a);
    belay_delete(s, a);
    assert_code(belay_flush(s), BELAY_OK);
    account *same_key = belay_new(s, account);
    *same_key = (account){.id = 1, .owner = "eve"};
    assert_code(belay_add(s, account, same_key), BELAY_OK);
    assert_ptr_equal(belay_get(s, account, 1), same_key);
    assert_code(belay_add(s, account, a), BELAY_MISUSE);
    belay_rollback(s);
    assert_state(s, a, "persistent");
    assert_state(s, same_key, "transient");
    assert_ptr_equal(belay_get(s, account, 1), a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(one_row_is_one_object),
        with_objects(what_was_loaded_is_read_again_in_the_next_unit),
        with_objects(a_row_that_is_not_there_is_null_and_no_error),
        with_objects(a_row_that_has_gone_makes_its_object_detached),
        with_objects(a_key_has_all_its_parts_and_the_right_types),
        with_objects(a_text_may_be_the_key),
        with_objects(a_row_with_a_text_as_key_that_has_gone_is_not_there),
        with_objects(a_key_that_is_null_is_refused),
        with_objects(refreshing_reads_the_row_and_drops_what_was_changed),
        with_objects(expiring_drops_what_was_changed_and_reads_with_the_next_get),
        with_objects(what_is_found_stays_as_it_is_unless_it_is_locked),
        with_objects(locking_flushes_and_reads_the_row_again),
        with_objects(a_row_that_somebody_else_has_locked_is_skipped_or_busy),
        with_objects(what_is_taken_out_is_never_written_nor_brought_back),
        with_objects(all_objects_may_be_let_go_at_once),
        with_objects(a_transaction_of_its_own_has_objects_of_its_own),
        with_objects(a_transaction_of_its_own_puts_the_programs_objects_back),
        with_objects(calls_without_a_scope_or_object_are_misuse),
        with_objects(calls_are_refused_while_an_error_is_pending),
        with_objects(an_object_may_be_added_and_deleted_again_and_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
