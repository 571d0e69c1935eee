/* What a flush writes, when, and in which order. */
#include "objects.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void only_changed_columns_are_sent(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    belay_session *s = l->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 5;
    assert_code(belay_commit(s), BELAY_OK);
    assert_string_equal(
        l->sent.last,
        on_engine(&w->d, "UPDATE \"account\" SET \"balance\" = ?, \"version\" = ? WHERE \"id\" = ? AND \"version\" = ?",
                  "UPDATE \"account\" SET \"balance\" = ?, \"version\" = ? WHERE \"id\" = ? AND \"version\" = ?",
                  "UPDATE `account` SET `balance` = ?, `version` = ? WHERE `id` = ? AND `version` = ?"));
    assert_int_equal(a->version, 2);
    assert_accounts(w, "1|ann|5;2|bob|50");
    listen_close(l);
}

static void nothing_is_sent_for_what_did_not_change(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    belay_session *s = l->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    l->sent.count = 0;
    a->balance = 5;
    a->balance = 100;
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_code(belay_flush(s), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(l->sent.count, 0);
    assert_int_equal(a->version, 1);
    listen_close(l);
}

static void a_query_sees_what_was_changed_before_it(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1), *b = belay_get(s, account, 2);
    a->balance = 7;
    assert_int_equal(belay_int_of(s, "SELECT balance FROM account WHERE id = 1"), 7);
    a->balance = 8;
    assert_rows(s, "SELECT balance FROM account WHERE id = 1", "8");
    a->balance = 9;
    assert_code(belay_exec(s, "UPDATE account SET owner = 'x' WHERE balance = 9"), BELAY_OK);
    assert_int_equal(belay_changes(s), 1);
    a->balance = 10;
    assert_code(belay_try(s, "UPDATE account SET owner = 'y' WHERE balance = 10"), BELAY_OK);
    assert_int_equal(belay_changes(s), 1);
    belay_delete(s, b);
    account **all = belay_find(s, account, "");
    assert_int_equal(belay_found(all), 1);
    a->balance = 11;
    belay_rows *rows = belay_stream(s, "SELECT balance FROM account");
    assert_true(belay_next(rows));
    assert_int_equal(belay_int(rows, 0), 11);
    belay_rows_close(rows);
    assert_code(belay_commit(s), BELAY_OK);
}

static void a_get_flushes_what_was_added_or_deleted_and_not_what_was_only_changed(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    belay_session *s = l->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1), *b = belay_new(s, account);
    a->balance = 5;
    assert_null(belay_get(s, account, 77));
    assert_int_equal(a->version, 1);
    *b = (account){.id = 78, .owner = "eve"};
    belay_add(s, account, b);
    assert_ptr_equal(belay_get(s, account, 78), b);
    assert_int_equal(a->version, 2);
    belay_delete(s, b);
    assert_null(belay_get(s, account, 79));
    assert_state(s, b, "deleted");
    assert_code(belay_commit(s), BELAY_OK);
    listen_close(l);
}

static void a_key_that_is_not_alone_is_given_and_may_be_0(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    stock *one = belay_new(s, stock);
    belay_begin(s, NULL);
    belay_add(s, stock, one);
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT warehouse, amount FROM stock WHERE sku = ''", "0|0");
    assert_ptr_equal(belay_get(s, stock, 0, ""), one);
}

static int add_account(belay_session *s, size_t i, void *arg)
{
    account *all = arg;
    belay_add(s, account, &all[i]);
    account *ann = belay_get(s, account, 1);
    if (ann)
        ann->balance++;
    return 0;
}

static void count_reject(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    (void)s;
    account *all = arg;
    all[i].version = error->code == BELAY_CHECK ? -1 : -2;
}

static void objects_follow_the_fate_of_an_item_of_a_batch(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account all[5] = {{.owner = "a"}, {.owner = "b"}, {.owner = "c", .balance = -1}, {.owner = "d"}, {.owner = "e"}};
    belay_begin(s, NULL);
    account *ann = belay_get(s, account, 1);
    assert_code(belay_batch(s, 5, add_account, all, count_reject), BELAY_OK);
    assert_int_equal(ann->balance, 104);
    assert_int_equal(all[2].version, -1);
    assert_int_equal(all[2].id, 0);
    assert_state(s, &all[2], "transient");
    assert_state(s, &all[3], "persistent");
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT owner, balance FROM account ORDER BY owner", "a|0;ann|104;b|0;bob|50;d|0;e|0");
}

static int change_and_refuse(belay_session *s, size_t i, void *arg)
{
    account *ann = belay_get(s, account, 1), *mine = (account *)arg + i;
    if (ann)
        ann->balance += 1;
    belay_add(s, account, mine);
    mine->balance = 3;
    return i % 2 == 1; /* before anything was sent */
}

static void an_item_that_did_nothing_yet_leaves_objects_as_they_were(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account all[4] = {{.owner = "a"}, {.owner = "b"}, {.owner = "c"}, {.owner = "d"}};
    belay_begin(s, NULL);
    account *ann = belay_get(s, account, 1);
    assert_code(belay_batch(s, 4, change_and_refuse, all, NULL), BELAY_OK);
    assert_int_equal(ann->balance, 102);
    assert_int_equal(all[1].balance, 0);
    assert_state(s, &all[1], "transient");
    assert_int_equal(all[2].balance, 3);
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT owner, balance FROM account ORDER BY owner", "a|3;ann|102;bob|50;c|3");
}

/* Belay's own handle, on the engine that every build has. */
static void the_engines_own_handle_sees_what_was_changed(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_session *s = w->s;
    sqlite3_stmt *statement = NULL;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 77;
    sqlite3 *native = belay_native(s);
    assert_int_equal(sqlite3_prepare_v2(native, "SELECT balance FROM account WHERE id = 1", -1, &statement, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 77);
    sqlite3_finalize(statement);
    assert_code(belay_commit(s), BELAY_OK);
}

/* A key that the database makes, and that is not the number of SQLite's row. */
static void a_key_is_what_the_row_has_and_not_what_the_connection_says(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    belay_session *s = w->s;
    assert_code(belay_exec(s, "DROP TABLE category"), BELAY_OK);
    assert_code(belay_exec(s, "CREATE TABLE category(id BIGINT PRIMARY KEY DEFAULT (abs(random() % 1000000000) + 100), "
                              "name TEXT, parent_id BIGINT)"),
                BELAY_OK);
    category *all[4];
    belay_begin(s, NULL);
    for (int i = 0; i < 4; i++) {
        all[i] = belay_new(s, category);
        belay_add(s, category, all[i]);
        assert_code(belay_flush(s), BELAY_OK);
        assert_int_equal(belay_int_of(s, "SELECT count(*) FROM category WHERE id = ?", all[i]->id), 1);
        assert_true(all[i]->id >= 100);
    }
    assert_code(belay_commit(s), BELAY_OK);
}

static void changes_made_before_a_nested_scope_are_of_the_scope_around_it(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 7;
    belay_begin(s, NULL);
    assert_int_equal(a->version, 2); /* written before */
    belay_rollback(s);
    assert_int_equal(a->balance, 7);
    a->balance = -1; /* refused by a CHECK: the outer scope's error */
    assert_code(belay_begin(s, NULL), BELAY_CHECK);
    belay_rollback(s);
    assert_false(belay_catch(s, BELAY_ANY));
    assert_code(belay_commit(s), BELAY_CHECK);
    assert_int_equal(a->balance, 100);
    assert_accounts(w, "1|ann|100;2|bob|50");
}

static void an_error_of_a_flush_at_the_end_is_caught_outside_the_scope(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1), *b = belay_get(s, account, 2);
    b->balance = 60;
    belay_begin(s, NULL);
    a->balance = -5;
    assert_code(belay_commit(s), BELAY_CHECK);
    assert_true(belay_catch(s, BELAY_CHECK));
    assert_int_equal(a->balance, 100);
    assert_int_equal(b->balance, 60);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|100;2|bob|60");
}

static int change_balance(belay_session *s, void *arg)
{
    (void)s;
    ((account *)arg)->balance += 1000;
    return 0;
}

static void what_a_hook_before_the_commit_changes_is_written(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->balance = 1;
    belay_before_commit(s, change_balance, a, NULL);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|1001;2|bob|50");
}

static int note_balance(belay_session *s, void *arg)
{
    (void)s;
    int64_t *pair = ((int64_t **)arg)[1];
    *pair = ((account **)arg)[0]->balance;
    return 0;
}

static void hooks_after_a_rollback_see_the_objects_put_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    int64_t seen[2] = {-1, -1};
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    void *outer[] = {a, &seen[0]}, *inner[] = {a, &seen[1]};
    belay_on_rollback(s, note_balance, outer, NULL);
    a->balance = 90;
    belay_begin(s, NULL);
    belay_on_rollback(s, note_balance, inner, NULL);
    a->balance = 80;
    belay_flush(s);
    belay_rollback(s);
    belay_rollback(s);
    assert_int_equal(seen[1], 90);
    assert_int_equal(seen[0], 100);
}

static void what_was_changed_while_it_was_expired_is_refused(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_get(s, account, 1);
    assert_int_equal(a->balance, 100);
    a->balance = 5;
    belay_begin(s, NULL);
    assert_code(belay_flush(s), BELAY_MISUSE);
    assert_contains(belay_message(s), "account(1)");
    belay_rollback(s);
    assert_int_equal(a->balance, 100);
    a->balance = 6;
    belay_begin(s, NULL);
    assert_null(belay_get(s, account, 1));
    assert_code(belay_commit(s), BELAY_MISUSE);
    a->balance = 7;
    belay_begin(s, NULL);
    assert_code(belay_refresh(s, a), BELAY_OK); /* what was changed is lost, as asked for */
    assert_int_equal(a->balance, 100);
    a->balance = 8;
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|8;2|bob|50");
}

static void the_key_and_the_version_are_not_the_programs_to_change(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->id = 9;
    assert_code(belay_flush(s), BELAY_MISUSE);
    assert_contains(belay_message(s), "account(1)");
    belay_rollback(s);
    assert_int_equal(a->id, 1);
    belay_begin(s, NULL);
    a = belay_get(s, account, 1);
    a->version = 9;
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_int_equal(a->version, 1);
}

static void a_read_only_scope_refuses_changes(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    int64_t balance = 0;
    BELAY_READ(s) {
        account *a = belay_get(s, account, 1);
        balance = a->balance;
        a->balance = 3;
    }
    assert_status(s, BELAY_READ_ONLY);
    assert_int_equal(balance, 100);
    assert_accounts(w, "1|ann|100;2|bob|50");
}

static void many_rows_of_one_kind_share_statements_on_servers(void **state)
{
    world *w = *state;
    enum { MANY = 150 };
    listening *l = listen_open(w);
    belay_session *s = l->s;
    char names[MANY][12];
    category *all[MANY];
    belay_begin(s, NULL);
    belay_exec(s, "DELETE FROM category");
    l->sent.count = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "n%d", i);
        all[i] = belay_new(s, category);
        all[i]->name = names[i];
        belay_add(s, category, all[i]);
    }
    assert_code(belay_flush(s), BELAY_OK);
    assert_int_equal(l->sent.count, database_is_sqlite(&w->d) ? MANY : 2 + 2 + 6); /* 64, 64, 8, 8 and six alone */
    for (int i = 0; i < MANY; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT name FROM category WHERE id = %lld", (long long)all[i]->id);
        assert_rows(s, sql, names[i]);
    }
    assert_code(belay_commit(s), BELAY_OK);
    listen_close(l);
}

static void a_unit_without_objects_changed_sends_no_more_than_without_objects(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    belay_session *s = l->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(belay_get(s, account, 1), a);
    assert_null(belay_get(s, account, 77));
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(l->sent.count, 2);
    listen_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(only_changed_columns_are_sent),
        with_objects(nothing_is_sent_for_what_did_not_change),
        with_objects(a_query_sees_what_was_changed_before_it),
        with_objects(a_get_flushes_what_was_added_or_deleted_and_not_what_was_only_changed),
        with_objects(a_key_that_is_not_alone_is_given_and_may_be_0),
        with_objects(objects_follow_the_fate_of_an_item_of_a_batch),
        with_objects(an_item_that_did_nothing_yet_leaves_objects_as_they_were),
        with_objects(the_engines_own_handle_sees_what_was_changed),
        with_objects(a_key_is_what_the_row_has_and_not_what_the_connection_says),
        with_objects(changes_made_before_a_nested_scope_are_of_the_scope_around_it),
        with_objects(an_error_of_a_flush_at_the_end_is_caught_outside_the_scope),
        with_objects(what_a_hook_before_the_commit_changes_is_written),
        with_objects(hooks_after_a_rollback_see_the_objects_put_back),
        with_objects(what_was_changed_while_it_was_expired_is_refused),
        with_objects(the_key_and_the_version_are_not_the_programs_to_change),
        with_objects(a_read_only_scope_refuses_changes),
        with_objects(many_rows_of_one_kind_share_statements_on_servers),
        with_objects(a_unit_without_objects_changed_sends_no_more_than_without_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
