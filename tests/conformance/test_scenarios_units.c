/*
 * test_scenarios_units.c - how units end, and what the session is like afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "database.h"

static int open_posts(void **state)
{
    static database d;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS remark",
        "DROP TABLE IF EXISTS post",
        "CREATE TABLE post (id INTEGER PRIMARY KEY, title VARCHAR(40) NOT NULL)",
        NULL,
    };
    database_open(&d, NULL);
    database_run(d.s, tables);
    *state = &d;
    return 0;
}

static int close_posts(void **state)
{
    return database_close(*state) == BELAY_OK ? 0 : -1;
}

static const char *const posts = "SELECT id, title FROM post ORDER BY id";

/* ---- 15: a failed session used again ---------------------------------------------------------------------------- */

/* The constraint is looked at when the unit commits. */
static void make_deferred(belay_session *s)
{
    static const char *const tables[] = {
        "CREATE TABLE remark (id INTEGER PRIMARY KEY, post INTEGER NOT NULL,"
        " CONSTRAINT of_post FOREIGN KEY (post) REFERENCES post (id) DEFERRABLE INITIALLY DEFERRED)",
        NULL,
    };
    database_run(s, tables);
}

static void a_commit_that_fails_has_rolled_back_and_tells_why(void **state)
{
    database *d = *state;
    if (database_is_mariadb(d))
        skip(); /* it has no deferred constraints */
    make_deferred(d->s);
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "INSERT INTO post (id, title) VALUES (1, 'lost')");
        belay_exec(d->s, "INSERT INTO remark (id, post) VALUES (1, 99)");
    }
    assert_status(d->s, BELAY_FOREIGN_KEY);
    assert_int_equal(belay_pending(d->s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(d->s, posts, "");
    assert_rows(d->s, "SELECT id FROM remark", "");
}

static void after_a_failed_commit_the_next_scope_starts_clean(void **state)
{
    database *d = *state;
    if (database_is_mariadb(d))
        skip();
    make_deferred(d->s);
    belay_begin(d->s, NULL);
    belay_exec(d->s, "INSERT INTO remark (id, post) VALUES (1, 99)");
    assert_int_equal(belay_commit(d->s), BELAY_FOREIGN_KEY);
    assert_int_equal(belay_depth(d->s), 0);
    belay_begin(d->s, NULL);
    assert_status(d->s, BELAY_OK);
    belay_exec(d->s, "INSERT INTO post (id, title) VALUES (2, 'next')");
    assert_int_equal(belay_commit(d->s), BELAY_OK);
    assert_rows(d->s, posts, "2|next");
}

static void a_deferred_violation_that_is_mended_in_time_commits(void **state)
{
    database *d = *state;
    if (database_is_mariadb(d))
        skip();
    make_deferred(d->s);
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "INSERT INTO remark (id, post) VALUES (1, 5)");
        belay_exec(d->s, "INSERT INTO post (id, title) VALUES (5, 'late')");
    }
    assert_status(d->s, BELAY_OK);
    assert_rows(d->s, posts, "5|late");
}

static void a_scope_with_a_pending_error_refuses_every_call_with_its_code(void **state)
{
    belay_session *s = ((database *)*state)->s;
    belay_code codes[6];
    belay_rows *rows = NULL;
    BELAY_ATOMIC(s) {
        belay_fail(s, BELAY_STALE, "somebody was faster");
        codes[0] = belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'no')");
        codes[1] = belay_try(s, "INSERT INTO post (id, title) VALUES (1, 'no')");
        codes[2] = belay_savepoint(s, "m");
        codes[3] = belay_on_commit(s, NULL, NULL, NULL);
        rows = belay_query(s, posts);
        belay_int_of(s, "SELECT count(*) FROM post");
        codes[4] = belay_status(s);
        codes[5] = belay_begin(s, NULL);
        belay_rollback(s);
    }
    assert_status(s, BELAY_STALE);
    assert_null(rows);
    for (int i = 0; i < 6; i++)
        if (i != 3) /* a hook without a function is misuse first */
            assert_int_equal(codes[i], BELAY_STALE);
    assert_string_equal(belay_pending(s)->message, "somebody was faster");
    assert_rows(s, posts, "");
}

static void the_status_of_a_failed_unit_is_readable_until_the_next_one(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC(s) {
        belay_fail(s, BELAY_APPLICATION, "no");
    }
    for (int i = 0; i < 3; i++) {
        assert_status(s, BELAY_APPLICATION);
        assert_string_equal(belay_pending(s)->message, "no");
    }
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'yes')");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(belay_unread(s)->code, BELAY_OK);
}

static void a_failed_unit_that_nobody_read_is_logged_once_and_returned_at_the_end(void **state)
{
    database d;
    (void)state;
    database_open(&d, NULL);
    BELAY_ATOMIC(d.s) {
        belay_fail(d.s, BELAY_NOT_FOUND, "nobody reads this");
    }
    assert_int_equal(belay_unread(d.s)->code, BELAY_NOT_FOUND);
    for (int i = 0; i < 3; i++)
        BELAY_ATOMIC(d.s) {
            belay_exec(d.s, "SELECT 1");
        }
    assert_int_equal(d.log_lines, 1);
    assert_non_null(strstr(database_log(&d), "nobody reads this"));
    assert_int_equal(database_close(&d), BELAY_NOT_FOUND);
}

static void a_session_closed_in_the_middle_of_a_unit_rolls_back_and_says_so(void **state)
{
    database *d = *state;
    belay_session *other = belay_session_open(d->db);
    belay_begin(other, NULL);
    belay_exec(other, "INSERT INTO post (id, title) VALUES (1, 'left')");
    belay_begin(other, NULL);
    belay_exec(other, "INSERT INTO post (id, title) VALUES (2, 'left')");
    assert_int_equal(belay_session_close(other), BELAY_ABANDONED);
    assert_rows(d->s, posts, "");
}

/* ---- 10: hooks after the commit --------------------------------------------------------------------------------- */

typedef struct calls {
    int count, depth[8], number[8], freed;
    bool in_transaction;
} calls;

typedef struct call {
    calls *all;
    int number, result;
} call;

static int note_call(belay_session *s, void *arg)
{
    const call *c = arg;
    c->all->depth[c->all->count] = belay_depth(s);
    c->all->in_transaction |= belay_in_transaction(s);
    c->all->number[c->all->count++] = c->number;
    return c->result;
}

static void note_free(void *arg)
{
    ((call *)arg)->all->freed++;
}

static void hooks_run_in_order_after_the_commit_outside_any_transaction(void **state)
{
    belay_session *s = ((database *)*state)->s;
    calls all = {.count = 0};
    call list[] = {{&all, 1, 0}, {&all, 2, 0}, {&all, 3, 0}};
    int inside = -1;
    BELAY_ATOMIC(s) {
        belay_on_commit(s, note_call, &list[0], note_free);
        BELAY_ATOMIC(s) {
            belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'kept')");
            belay_on_commit(s, note_call, &list[1], note_free);
        }
        belay_on_commit(s, note_call, &list[2], note_free);
        inside = all.count;
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(inside, 0);
    assert_int_equal(all.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(all.number[i], i + 1);
        assert_int_equal(all.depth[i], 0);
    }
    assert_false(all.in_transaction);
    assert_int_equal(all.freed, 3);
}

static void a_hook_that_fails_stops_no_other_and_changes_nothing(void **state)
{
    database *d = *state;
    calls all = {.count = 0};
    call list[] = {{&all, 1, 0}, {&all, 2, 7}, {&all, 3, 0}};
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "INSERT INTO post (id, title) VALUES (1, 'kept')");
        for (int i = 0; i < 3; i++)
            belay_on_commit(d->s, note_call, &list[i], note_free);
    }
    assert_int_equal(belay_hook_errors(d->s), 1);
    assert_status(d->s, BELAY_OK);
    assert_int_equal(belay_pending(d->s)->outcome, BELAY_WORK_COMMITTED);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.freed, 3);
    assert_int_equal(d->log_lines, 1);
    assert_non_null(strstr(database_log(d), "a hook after a commit failed"));
    belay_session *witness = belay_session_open(d->db);
    assert_rows(witness, posts, "1|kept");
    assert_int_equal(belay_session_close(witness), BELAY_OK);
}

typedef struct look {
    belay_db *db;
    int64_t posts;
} look;

static int look_from_outside(belay_session *s, void *arg)
{
    look *l = arg;
    belay_session *witness = belay_session_open(l->db);
    (void)s;
    l->posts = belay_int_of(witness, "SELECT count(*) FROM post");
    return belay_session_close(witness) != BELAY_OK;
}

static void others_see_the_work_when_its_hook_runs(void **state)
{
    database *d = *state;
    look l = {d->db, -1};
    BELAY_ATOMIC(d->s) {
        belay_exec(d->s, "INSERT INTO post (id, title) VALUES (1, 'outer')");
        BELAY_ATOMIC(d->s) {
            belay_on_commit(d->s, look_from_outside, &l, NULL);
            belay_exec(d->s, "INSERT INTO post (id, title) VALUES (2, 'inner')");
        }
    }
    assert_int_equal(belay_hook_errors(d->s), 0);
    assert_status(d->s, BELAY_OK);
    assert_int_equal(l.posts, 2);
}

static void a_hook_of_a_scope_that_was_undone_never_runs_and_is_freed(void **state)
{
    belay_session *s = ((database *)*state)->s;
    calls all = {.count = 0};
    call list[] = {{&all, 1, 0}, {&all, 2, 0}};
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_on_commit(s, note_call, &list[0], note_free);
            belay_undo(s);
        }
        belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'kept')");
    }
    assert_status(s, BELAY_OK);
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_on_commit(s, note_call, &list[1], note_free);
        }
        belay_undo(s);
    }
    assert_status(s, BELAY_ROLLED_BACK);
    assert_int_equal(all.count, 0);
    assert_int_equal(all.freed, 2);
}

static int write_next(belay_session *s, void *arg)
{
    (void)arg;
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (2, 'by a hook')");
    }
    return belay_status(s) != BELAY_OK;
}

static void a_hook_can_do_a_unit_of_its_own_and_the_status_stays_the_programs(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'first')");
        belay_on_commit(s, write_next, NULL, NULL);
        belay_exec(s, "UPDATE post SET title = 'first of all'");
    }
    assert_status(s, BELAY_OK);
    assert_int_equal(belay_changes(s), 1);
    assert_int_equal(belay_hook_errors(s), 0);
    assert_rows(s, posts, "1|first of all;2|by a hook");
}

/* ---- 18: post and mail in one unit ------------------------------------------------------------------------------ */

static int send_mail(belay_session *s, void *arg)
{
    (void)s;
    return *(const int *)arg;
}

static void a_post_is_not_there_when_its_mail_could_not_be_sent_before_the_commit(void **state)
{
    belay_session *s = ((database *)*state)->s;
    int down = 1, up = 0;
    BELAY_ATOMIC(s) {
        belay_before_commit(s, send_mail, &down, NULL);
        belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'unsent')");
    }
    assert_status(s, BELAY_APPLICATION);
    assert_int_equal(belay_pending(s)->outcome, BELAY_WORK_ROLLED_BACK);
    assert_rows(s, posts, "");
    BELAY_ATOMIC(s) {
        belay_before_commit(s, send_mail, &up, NULL);
        belay_exec(s, "INSERT INTO post (id, title) VALUES (2, 'sent')");
    }
    assert_status(s, BELAY_OK);
    assert_rows(s, posts, "2|sent");
}

static void a_unit_that_calls_itself_off_carries_the_programs_own_error(void **state)
{
    belay_session *s = ((database *)*state)->s;
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO post (id, title) VALUES (1, 'unsent')");
        belay_fail(s, BELAY_APPLICATION, "mail to %s: %d", "ann@example.org", 550);
    }
    assert_status(s, BELAY_APPLICATION);
    assert_string_equal(belay_pending(s)->message, "mail to ann@example.org: 550");
    assert_rows(s, posts, "");
}

#define posts_test(test) cmocka_unit_test_setup_teardown(test, open_posts, close_posts)

int main(void)
{
    const struct CMUnitTest tests[] = {
        posts_test(a_commit_that_fails_has_rolled_back_and_tells_why),
        posts_test(after_a_failed_commit_the_next_scope_starts_clean),
        posts_test(a_deferred_violation_that_is_mended_in_time_commits),
        posts_test(a_scope_with_a_pending_error_refuses_every_call_with_its_code),
        posts_test(the_status_of_a_failed_unit_is_readable_until_the_next_one),
        cmocka_unit_test(a_failed_unit_that_nobody_read_is_logged_once_and_returned_at_the_end),
        posts_test(a_session_closed_in_the_middle_of_a_unit_rolls_back_and_says_so),
        posts_test(hooks_run_in_order_after_the_commit_outside_any_transaction),
        posts_test(a_hook_that_fails_stops_no_other_and_changes_nothing),
        posts_test(others_see_the_work_when_its_hook_runs),
        posts_test(a_hook_of_a_scope_that_was_undone_never_runs_and_is_freed),
        posts_test(a_hook_can_do_a_unit_of_its_own_and_the_status_stays_the_programs),
        posts_test(a_post_is_not_there_when_its_mail_could_not_be_sent_before_the_commit),
        posts_test(a_unit_that_calls_itself_off_carries_the_programs_own_error),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
