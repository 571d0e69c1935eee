/*
 * A child after fork: what it inherits is of no use to it, and it can't harm
 * what the parent has.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct inherited {
    world *w;
    belay_rows *stream;
    int freed;
} inherited;

static int nothing_to_do(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

/* ---- What the child gets ------------------------------------------------------------------------------------- */

static int use_session(void *arg)
{
    inherited *what = arg;
    belay_session *s = what->w->s;
    if (belay_status(s) != BELAY_MISUSE || belay_pending(s)->code != BELAY_MISUSE || !belay_message(s))
        return 1;
    if (put(s, 10) != BELAY_MISUSE || belay_try(s, "SELECT 1") != BELAY_MISUSE)
        return 2;
    if (belay_query(s, "SELECT 1") || belay_stream(s, "SELECT 1") || belay_int_of(s, "SELECT 1") != 0)
        return 3;
    if (belay_begin(s, NULL) != BELAY_MISUSE || belay_commit(s) != BELAY_MISUSE || belay_rollback(s) != BELAY_MISUSE)
        return 4;
    if (belay_undo(s) != BELAY_MISUSE || belay_savepoint(s, "a") != BELAY_MISUSE ||
        belay_rollback_to(s, "a") != BELAY_MISUSE)
        return 5;
    if (belay_atomic(s, NULL, nothing_to_do, NULL) != BELAY_MISUSE || belay_catch(s, BELAY_ANY))
        return 6;
    if (belay_on_commit(s, nothing_to_do, &what->freed, count) != BELAY_MISUSE || what->freed != 1)
        return 7;
    BELAY_ATOMIC(s)
        return 8;
    if (belay_fail(s, BELAY_APPLICATION, "x") != BELAY_MISUSE)
        return 9;
    return 0;
}

static void every_inherited_session_answers_with_misuse(void **state)
{
    world *w = *state;
    inherited what = {.w = w};
    assert_int_equal(run_in_child(use_session, &what), 0); /* idle */
    belay_begin(w->s, NULL);
    put(w->s, 1);
    assert_int_equal(run_in_child(use_session, &what), 0); /* in a transaction */
    assert_code(belay_commit(w->s), BELAY_OK);
    clash(w->s);
    assert_int_equal(run_in_child(use_session, &what), 0); /* after a failure */
    assert_stored(w, "1");
}

/* A session opened in the child on the parent's handle: its scopes must not use the parent's connections. */
static int use_handle(void *arg)
{
    inherited *what = arg;
    belay_session *s = belay_session_open(what->w->d.db);
    if (belay_exec(s, "INSERT INTO item(id) VALUES (20)") != BELAY_MISUSE)
        return 1;
    if (belay_query(s, "SELECT 1"))
        return 2;
    BELAY_ATOMIC(s)
        if (put(s, 21) != BELAY_MISUSE)
            return 3;
    return belay_status(s) == BELAY_MISUSE ? 0 : 4;
}

static void a_session_opened_in_the_child_on_the_inherited_handle_answers_with_misuse(void **state)
{
    world *w = *state;
    inherited what = {.w = w};
    put(w->s, 1);
    assert_int_equal(run_in_child(use_handle, &what), 0);
    belay_begin(w->s, NULL);
    put(w->s, 2);
    assert_int_equal(run_in_child(use_handle, &what), 0);
    assert_code(belay_commit(w->s), BELAY_OK);
    assert_stored(w, "1;2");
}

static int ask_handle(void *arg)
{
    inherited *what = arg;
    return belay_db_error(what->w->d.db)->code == BELAY_MISUSE ? 0 : 1;
}

static void the_error_of_an_inherited_handle_is_misuse(void **state)
{
    world *w = *state;
    inherited what = {.w = w};
    assert_int_equal(run_in_child(ask_handle, &what), 0);
}

static int use_stream(void *arg)
{
    inherited *what = arg;
    if (belay_next(what->stream))
        return 1;
    belay_rows_close(what->stream);
    return 0;
}

static void an_inherited_stream_gives_nothing_and_can_be_closed(void **state)
{
    world *w = *state;
    inherited what = {.w = w};
    belay_exec(w->s, "INSERT INTO item(id) VALUES (1), (2), (3)");
    what.stream = belay_stream(w->s, "SELECT id FROM item ORDER BY id");
    assert_true(belay_next(what.stream));
    assert_int_equal(run_in_child(use_stream, &what), 0);
    assert_true(belay_next(what.stream));
    assert_int_equal(belay_int(what.stream, 0), 2);
    belay_rows_close(what.stream);
    assert_status(w->s, BELAY_OK);
}

/* ---- What the parent keeps -------------------------------------------------------------------------------------- */

static int close_all(void *arg)
{
    inherited *what = arg;
    belay_session_close(what->w->s);
    belay_session_close(what->w->other);
    belay_close(what->w->d.db);
    belay_close(what->w->looking);
    return 0;
}

static int close_handles_first(void *arg)
{
    inherited *what = arg;
    belay_close(what->w->d.db);
    belay_close(what->w->looking);
    belay_session_close(what->w->s);
    return 0;
}

static int just_exit(void *arg)
{
    (void)arg;
    exit(0); /* with everything that is done at exit */
}

static int work_on_its_own(void *arg)
{
    inherited *what = arg;
    char url[600];
    belay_db *db = belay_open(url_for_child(what->w, url, sizeof url), NULL);
    belay_session *s = belay_session_open(db);
    bool works = belay_exec(s, "SELECT 1") == BELAY_OK;
    belay_session_close(s);
    belay_close(db);
    return works ? 0 : 1;
}

static void closing_in_the_child_never_touches_the_parents_transaction(void **state)
{
    static int (*const ways[])(void *) = {close_all, close_handles_first, just_exit, work_on_its_own};
    world *w = *state;
    inherited what = {.w = w};
    only_on_sqlite(w);
    assert_stored(w, "");
    for (int i = 0; i < 4; i++) {
        BELAY_ATOMIC(w->s) {
            put(w->s, 2 * i);
            assert_int_equal(run_in_child(ways[i], &what), 0);
            BELAY_ATOMIC_WITH(w->other, .lock_timeout_ms = 10)
                put(w->other, 99);
            assert_code(belay_status(w->other), BELAY_LOCK_TIMEOUT); /* the lock is still held */
            put(w->s, 2 * i + 1);
        }
        assert_status(w->s, BELAY_OK);
    }
    assert_stored(w, "0;1;2;3;4;5;6;7");
    assert_rows(w->s, "PRAGMA integrity_check", "ok");
}

static void a_child_that_falls_out_of_its_parents_block_commits_nothing(void **state)
{
    world *w = *state;
    only_on_sqlite(w);
    int status = 0;
    pid_t child = 0;
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        child = fork();
        if (child == 0)
            continue;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_stored(w, "");
    }
    if (child == 0)
        _exit(belay_status(w->s) == BELAY_MISUSE ? 0 : 1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_status(w->s, BELAY_OK);
    assert_stored(w, "1");
}

static int hook_runs = 0;

static int note_run(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    hook_runs++;
    return 0;
}

static int close_with_hooks(void *arg)
{
    inherited *what = arg;
    belay_session_close(what->w->s);
    belay_close(what->w->d.db);
    return hook_runs;
}

static void hooks_of_the_parents_scope_never_run_in_the_child(void **state)
{
    world *w = *state;
    inherited what = {.w = w};
    BELAY_ATOMIC(w->s) {
        put(w->s, 1);
        belay_on_commit(w->s, note_run, NULL, NULL);
        belay_on_rollback(w->s, note_run, NULL, NULL);
        assert_int_equal(run_in_child(close_with_hooks, &what), 0);
    }
    assert_int_equal(hook_runs, 1);
}

static int work_with_own(void *arg)
{
    inherited *what = arg;
    char url[600];
    belay_db *db = belay_open(url_for_child(what->w, url, sizeof url), NULL);
    belay_session *s = belay_session_open(db);
    belay_exec(s, "CREATE TABLE IF NOT EXISTS own(id INTEGER)");
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO own VALUES (5)");
    belay_code code = belay_status(s);
    belay_session_close(s);
    belay_close(db);
    return code == BELAY_OK ? 0 : 1;
}

static void a_child_works_with_handles_of_its_own(void **state)
{
    world *w = *state;
    inherited what = {.w = w};
    put(w->s, 1);
    assert_int_equal(run_in_child(work_with_own, &what), 0);
    assert_code(put(w->s, 6), BELAY_OK);
    assert_stored(w, "1;6");
}

static void close_world(world *w)
{
    belay_session_close(w->d.s);
    belay_close(w->d.db);
    belay_session_close(w->other);
    belay_close(w->looking);
}

static int open_and_write(void *arg)
{
    const char *url = arg;
    belay_db *db = belay_open(url, NULL);
    belay_session *s = belay_session_open(db);
    belay_code code = put(s, 3);
    belay_session_close(s);
    belay_close(db);
    return code == BELAY_OK ? 0 : 1;
}

static void a_file_that_was_closed_before_the_fork_can_be_opened_in_the_child(void **state)
{
    world *w = *state;
    put(w->s, 1);
    close_world(w);
    int result = run_in_child(open_and_write, w->d.url);
    w->d.db = belay_open(w->d.url, NULL);
    w->s = w->d.s = belay_session_open(w->d.db);
    w->looking = belay_open(w->d.url, NULL);
    w->other = belay_session_open(w->looking);
    assert_int_equal(result, 0);
    assert_stored(w, "1;3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(every_inherited_session_answers_with_misuse),
        in_world(a_session_opened_in_the_child_on_the_inherited_handle_answers_with_misuse),
        in_world(the_error_of_an_inherited_handle_is_misuse),
        in_world(an_inherited_stream_gives_nothing_and_can_be_closed),
        in_world(closing_in_the_child_never_touches_the_parents_transaction),
        in_world(a_child_that_falls_out_of_its_parents_block_commits_nothing),
        in_world(hooks_of_the_parents_scope_never_run_in_the_child),
        in_world(a_child_works_with_handles_of_its_own),
        in_world(a_file_that_was_closed_before_the_fork_can_be_opened_in_the_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
