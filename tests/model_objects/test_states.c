/* The five states, and how an object goes from one to the other. */
#include "objects.h"

#include <string.h>

static void an_object_goes_through_its_states(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_new(s, account);
    a->owner = "eve";
    const char *names[4] = {state_name(s, a)};
    BELAY_ATOMIC(s) {
        belay_add(s, account, a);
        names[1] = state_name(s, a);
        belay_flush(s);
        names[2] = state_name(s, a);
    }
    names[3] = state_name(s, a);
    assert_status(s, BELAY_OK);
    assert_string_equal(names[0], "transient");
    assert_string_equal(names[1], "pending");
    assert_string_equal(names[2], "persistent");
    assert_string_equal(names[3], "persistent");
    assert_int_equal(a->id, 3);
    assert_int_equal(a->version, 1);
    assert_accounts(w, "1|ann|100;2|bob|50;3|eve|0");
}

static void a_deleted_object_is_detached_by_the_commit(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = NULL, *again = NULL;
    const char *names[3] = {""};
    BELAY_ATOMIC(s) {
        a = belay_get(s, account, 1);
        belay_delete(s, a);
        names[0] = state_name(s, a);
        again = belay_get(s, account, 1);
        belay_flush(s);
        names[1] = state_name(s, a);
    }
    assert_status(s, BELAY_OK);
    assert_string_equal(names[0], "persistent");
    assert_null(again);
    assert_string_equal(names[1], "deleted");
    assert_state(s, a, "detached");
    assert_accounts(w, "2|bob|50");
}

static void a_rollback_makes_a_new_object_transient_with_the_columns_that_it_had(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_new(s, account);
    a->owner = "eve";
    int64_t id = 0;
    BELAY_ATOMIC(s) {
        belay_add(s, account, a);
        belay_flush(s);
        id = a->id;
        a->balance = 77;
        belay_undo(s);
    }
    assert_int_equal(id, 3);
    assert_state(s, a, "transient");
    assert_int_equal(a->id, 0);
    assert_int_equal(a->version, 0);
    assert_int_equal(a->balance, 0);
    assert_string_equal(a->owner, "eve");
    BELAY_ATOMIC(s)
        belay_add(s, account, a);
    assert_status(s, BELAY_OK);
    assert_string_equal(state_name(s, a), "persistent");
}

static void a_nested_rollback_puts_back_fields_state_and_membership(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = NULL, *b = NULL, *c = belay_new(s, account);
    char owner[20] = "";
    const char *names[3] = {""};
    int64_t balance = 0, version = 0;
    c->owner = "eve";
    BELAY_ATOMIC(s) {
        a = belay_get(s, account, 1);
        b = belay_get(s, account, 2);
        a->balance = 90;
        BELAY_ATOMIC(s) {
            a->owner = "zoe";
            a->balance = 80;
            belay_flush(s);
            belay_delete(s, b);
            belay_add(s, account, c);
            belay_flush(s);
            belay_fail(s, BELAY_APPLICATION, "no");
        }
        belay_ignore(s, BELAY_ANY);
        names[0] = state_name(s, a);
        names[1] = state_name(s, b);
        names[2] = state_name(s, c);
        strncpy(owner, a->owner, sizeof owner - 1);
        balance = a->balance;
        version = a->version;
    }
    assert_status(s, BELAY_OK);
    assert_string_equal(names[0], "persistent");
    assert_string_equal(names[1], "persistent");
    assert_string_equal(names[2], "transient");
    assert_string_equal(owner, "ann");
    assert_int_equal(balance, 90);
    assert_int_equal(version, 2);
    assert_accounts(w, "1|ann|90;2|bob|50");
}

static void what_was_loaded_in_a_scope_that_is_undone_is_read_again(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = NULL, *again = NULL;
    int64_t inside = 0, after = 0;
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "UPDATE account SET balance = 1 WHERE id = 1");
            a = belay_get(s, account, 1);
            inside = a ? a->balance : -1;
            belay_undo(s);
        }
        again = belay_get(s, account, 1);
        after = again ? again->balance : -1;
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(inside, 1);
    assert_int_equal(after, 100);
    assert_ptr_equal(a, again);
}

static void an_object_of_the_programs_own_leaves_with_the_outermost_scope(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"}, other = {.owner = "joe"};
    const char *inside = "";
    BELAY_ATOMIC(s) {
        belay_add(s, account, &mine);
        belay_flush(s);
        inside = state_name(s, &mine);
    }
    assert_status(s, BELAY_OK);
    assert_string_equal(inside, "persistent");
    assert_state(s, &mine, "detached");
    assert_int_equal(mine.id, 3);
    BELAY_ATOMIC(s) {
        belay_add(s, account, &other);
        belay_flush(s);
        belay_undo(s);
    }
    assert_state(s, &other, "transient");
    assert_state(s, &mine, "transient");
    assert_int_equal(other.id, 0);
    assert_string_equal(other.owner, "joe");
}

static void a_retry_finds_objects_as_they_were_before(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *new_one = belay_new(s, account), *old = NULL;
    new_one->owner = "eve";
    int64_t ids[2] = {-1, -1}, balances[2] = {-1, -1};
    int attempts = 0;
    BELAY_ATOMIC_WITH(s, .retries = 1, .backoff_ms = 1) {
        int i = attempts++;
        ids[i] = new_one->id;
        belay_add(s, account, new_one);
        old = belay_get(s, account, 1);
        balances[i] = old ? old->balance : 0;
        if (old)
            old->balance -= 10;
        belay_flush(s);
        if (i == 0)
            belay_fail(s, BELAY_SERIALIZATION, "again");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(attempts, 2);
    assert_int_equal(ids[1], 0);
    assert_int_equal(balances[0], 100);
    assert_int_equal(balances[1], 100);
    assert_rows(w->other, "SELECT owner, balance FROM account ORDER BY id", "ann|90;bob|50;eve|0");
}

static void going_back_to_a_mark_puts_objects_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    int64_t balance = 0;
    BELAY_ATOMIC(s) {
        account *a = belay_get(s, account, 1);
        a->balance = 90;
        belay_savepoint(s, "here");
        a->balance = 80;
        belay_flush(s);
        a->balance = 70;
        belay_rollback_to(s, "here");
        balance = a->balance;
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(balance, 90);
    assert_accounts(w, "1|ann|90;2|bob|50");
}

static void a_read_only_block_that_is_left_puts_objects_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = NULL;
    BELAY_READ(s) {
        a = belay_get(s, account, 1);
        if (a)
            a->balance = 5;
        break;
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(a->balance, 100);
    belay_begin(s, NULL);
    assert_code(belay_commit(s), BELAY_OK);
}

static void an_error_of_a_flush_is_undone_by_going_back_to_a_mark(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"};
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 90;
    belay_savepoint(s, "here");
    belay_add(s, account, &mine);
    a->balance = -1;
    assert_code(belay_flush(s), BELAY_CHECK);
    assert_code(belay_rollback_to(s, "here"), BELAY_OK);
    assert_int_equal(a->balance, 90);
    assert_state(s, &mine, "transient");
    assert_int_equal(mine.id, 0);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|90;2|bob|50");
}

/* Each of many scopes, one in the other, changes the same object; they end one by one. */
static void deep_scopes_put_back_what_each_of_them_found(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    enum { DEEP = 40 };
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    for (int i = 1; i <= DEEP; i++) {
        belay_begin(s, NULL);
        a->balance = 1000 + i;
        if (i % 2)
            belay_flush(s);
    }
    for (int i = DEEP; i > DEEP / 2; i--) {
        assert_int_equal(a->balance, 1000 + i);
        belay_rollback(s);
    }
    for (int i = DEEP / 2; i > 0; i--)
        assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(a->balance, 1000 + DEEP / 2);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|1020;2|bob|50");
    assert_int_equal(a->version, 1 + DEEP / 2);
}

static void closing_the_session_ends_its_objects_and_leaves_the_programs_alone(void **state)
{
    world *w = *state;
    belay_session *s = belay_session_open(w->d.db);
    account mine = {.owner = "eve", .balance = 5};
    account *lent = NULL;
    belay_begin(s, NULL);
    lent = belay_get(s, account, 1);
    assert_non_null(lent);
    lent->balance = 1;
    assert_code(belay_add(s, account, &mine), BELAY_OK);
    assert_code(belay_flush(s), BELAY_OK);
    assert_int_equal(mine.id, 3);
    assert_code(belay_session_close(s), BELAY_ABANDONED);
    assert_int_equal(mine.id, 0);
    assert_string_equal(mine.owner, "eve");
    assert_accounts(w, "1|ann|100;2|bob|50");
}

static void one_that_was_loaded_gives_way_to_the_one_that_was_deleted(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    belay_begin(s, NULL);
    belay_delete(s, a);
    assert_code(belay_exec(s, "INSERT INTO account(id, owner, balance, version) VALUES (1, 'new', 7, 1)"), BELAY_OK);
    account *b = belay_get(s, account, 1);
    assert_ptr_not_equal(b, a);
    belay_rollback(s);
    assert_state(s, a, "persistent");
    assert_state(s, b, "detached");
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_code(belay_commit(s), BELAY_OK);
}

static void an_object_that_left_and_came_back_is_not_detached_any_more(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"};
    belay_begin(s, NULL);
    belay_add(s, account, &mine);
    assert_code(belay_commit(s), BELAY_OK);
    assert_state(s, &mine, "detached");
    belay_begin(s, NULL);
    assert_code(belay_add(s, account, &mine), BELAY_OK);
    belay_expunge(s, &mine);
    assert_state(s, &mine, "transient");
    belay_rollback(s);
}

static void an_object_whose_row_has_gone_stays_detached_when_it_is_taken_out(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"};
    belay_begin(s, NULL);
    belay_add(s, account, &mine);
    assert_code(belay_flush(s), BELAY_OK);
    belay_exec(s, "DELETE FROM account WHERE id = ?", mine.id);
    belay_expire(s, &mine);
    assert_null(belay_get(s, account, mine.id));
    assert_state(s, &mine, "detached");
    belay_expunge(s, &mine);
    assert_state(s, &mine, "detached");
    assert_code(belay_commit(s), BELAY_OK);
}

/* What the last unit came to, say. */
static void belay_expire_outside_scopes_tells_how_it_went_itself(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_get(s, account, 1);
    belay_begin(s, NULL);
    belay_rollback(s);
    assert_code(belay_expire(s, a), BELAY_OK);
    assert_code(belay_expire_all(s), BELAY_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(an_object_goes_through_its_states),
        with_objects(a_deleted_object_is_detached_by_the_commit),
        with_objects(a_rollback_makes_a_new_object_transient_with_the_columns_that_it_had),
        with_objects(a_nested_rollback_puts_back_fields_state_and_membership),
        with_objects(what_was_loaded_in_a_scope_that_is_undone_is_read_again),
        with_objects(an_object_of_the_programs_own_leaves_with_the_outermost_scope),
        with_objects(a_retry_finds_objects_as_they_were_before),
        with_objects(going_back_to_a_mark_puts_objects_back),
        with_objects(a_read_only_block_that_is_left_puts_objects_back),
        with_objects(an_error_of_a_flush_is_undone_by_going_back_to_a_mark),
        with_objects(deep_scopes_put_back_what_each_of_them_found),
        with_objects(closing_the_session_ends_its_objects_and_leaves_the_programs_alone),
        with_objects(one_that_was_loaded_gives_way_to_the_one_that_was_deleted),
        with_objects(an_object_that_left_and_came_back_is_not_detached_any_more),
        with_objects(an_object_whose_row_has_gone_stays_detached_when_it_is_taken_out),
        with_objects(belay_expire_outside_scopes_tells_how_it_went_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
