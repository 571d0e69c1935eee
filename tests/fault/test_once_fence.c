/*
 * The fence: a lost attempt that is still alive at the engine, after the program
 * has lost sight of it. It holds its key; who wants to find out waits for it; and
 * once the key is committed as void, it can't get past that any more.
 */
#include "cutting.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

/* The lost attempt: what the unit had done, in a transaction on a connection that nobody of the program's knows. */
typedef struct ghost {
    stand *stand;
    sqlite3 *db;
    sqlite3_int64 attempt; /* the number in the unit's row */
    const char *end;       /* after a while; NULL: it is not over by itself */
    pthread_t thread;
} ghost;

static int keep_number(void *ghost_of_it, int n, char **values, char **names)
{
    ghost *g = ghost_of_it;
    (void)n;
    (void)names;
    return sscanf(values[0], "%lld", &g->attempt) != 1;
}

static void look_at_row(void *arg, sqlite3 *db)
{
    assert_int_equal(sqlite3_exec(db, "SELECT attempt FROM belay_once WHERE once_key = 'a'", keep_number, arg, NULL),
                     0);
}

static int run_sql(sqlite3 *db, const char *sql)
{
    sqlite3_exec(db, sql, NULL, NULL, NULL);
    return sqlite3_extended_errcode(db);
}

static void *end_ghost(void *arg)
{
    ghost *g = arg;
    sqlite3_sleep(50);
    run_sql(g->db, g->end);
    return NULL;
}

/* The engine goes on with what the program takes for lost. */
static void live_on(void *arg)
{
    ghost *g = arg;
    char claim[200];
    snprintf(claim, sizeof claim, "INSERT INTO belay_once VALUES ('a', '', 'done', %lld, strftime('%%s', 'now'))",
             g->attempt);
    assert_int_equal(run_sql(g->db, "BEGIN IMMEDIATE"), SQLITE_OK);
    assert_int_equal(run_sql(g->db, claim), SQLITE_OK);
    assert_int_equal(run_sql(g->db, "INSERT INTO item VALUES (77)"), SQLITE_OK);
    if (g->end)
        pthread_create(&g->thread, NULL, end_ghost, g);
}

static void haunt(ghost *g, stand *st)
{
    *g = (ghost){.stand = st};
    assert_int_equal(sqlite3_open(st->d.path, &g->db), SQLITE_OK);
    st->cut.next = CUT_BEFORE;
    st->cut.look = look_at_row;
    st->cut.meanwhile = live_on;
    st->cut.arg = g;
}

static void lay(ghost *g)
{
    if (g->end)
        pthread_join(g->thread, NULL);
    assert_int_equal(sqlite3_close(g->db), SQLITE_OK);
    g->stand->cut.look = NULL;
    g->stand->cut.meanwhile = NULL;
}

static void who_finds_out_waits_for_a_lost_attempt_that_commits_after_all(void **state)
{
    stand *st = *state;
    ghost g;
    haunt(&g, st);
    g.end = "COMMIT";
    assert_int_equal(stand_put_once(st, 1, .once = "a", .lock_timeout_ms = 20000, .retries = 1), 1);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_false(belay_already_done(st->s)); /* the row has the number of this very attempt */
    assert_hooks(st, 1, 0);
    lay(&g);
    assert_items(st, "77");
    assert_keys(st, "a|done;first|done");
}

static void who_finds_out_waits_for_a_lost_attempt_that_is_rolled_back(void **state)
{
    stand *st = *state;
    ghost g;
    haunt(&g, st);
    g.end = "ROLLBACK";
    assert_int_equal(stand_put_once(st, 1, .once = "a", .lock_timeout_ms = 20000), 1);
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_hooks(st, 0, 1);
    lay(&g);
    assert_items(st, "");
    assert_keys(st, "a|void;first|done");
}

static void a_lost_attempt_that_outlives_the_lock_limit_leaves_the_unit_in_doubt(void **state)
{
    static const char *const ends[] = {"COMMIT", "ROLLBACK"};
    stand *st = *state;
    for (int i = 0; i < 2; i++) {
        ghost g;
        belay_exec(st->witness, "DELETE FROM belay_once");
        belay_exec(st->witness, "DELETE FROM item");
        haunt(&g, st);
        assert_int_equal(stand_put_once(st, 1, .once = "a", .lock_timeout_ms = 20, .retries = 5), 1);
        assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
        assert_hooks(st, 0, 0);
        assert_string_equal(belay_pending(st->s)->hint,
                            "run it again under the same key: it is skipped if it was committed");
        assert_int_equal(run_sql(g.db, ends[i]), SQLITE_OK);
        lay(&g);
        assert_int_equal(stand_put_once(st, 2, .once = "a"), i); /* which is what the hint says */
        assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
        assert_int_equal(belay_already_done(st->s), !i);
        assert_items(st, i ? "2" : "77");
        assert_hooks(st, i, 0);
    }
}

/* ---- What the engine says to a lost attempt, when the key is void ----------------------------------------------- */

static void open_snapshot(void *arg)
{
    ghost *g = arg;
    assert_int_equal(run_sql(g->db, "BEGIN; SELECT count(*) FROM belay_once"), SQLITE_OK);
}

static void behind_a_void_key_an_attempt_of_before_can_write_nothing(void **state)
{
    stand *st = *state;
    ghost g;
    haunt(&g, st);
    st->cut.meanwhile = open_snapshot;
    stand_put_once(st, 1, .once = "a");
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_keys(st, "a|void;first|done");
    assert_int_equal(run_sql(g.db, "INSERT INTO item VALUES (77)"), SQLITE_BUSY_SNAPSHOT);
    assert_int_equal(run_sql(g.db, "UPDATE belay_once SET state = 'done'"), SQLITE_BUSY_SNAPSHOT);
    run_sql(g.db, "ROLLBACK");
    /* And sent anew, its INSERT finds the key taken. */
    assert_int_equal(run_sql(g.db, "INSERT INTO belay_once VALUES ('a', '', 'done', 1, 1)"),
                     SQLITE_CONSTRAINT_PRIMARYKEY);
    lay(&g);
    assert_items(st, "");
}

static void while_an_attempt_holds_its_key_nobody_can_void_it(void **state)
{
    stand *st = *state;
    ghost g;
    haunt(&g, st);
    st->cut.next = CUT_NEVER;
    live_on(&g); /* numbered 0 */
    BELAY_ATOMIC_WITH(st->s, .once = "a", .lock_timeout_ms = 20)
        fail_msg("two have one key");
    assert_status(st->s, BELAY_LOCK_TIMEOUT);
    assert_int_equal(run_sql(g.db, "COMMIT"), SQLITE_OK);
    lay(&g);
    assert_int_equal(stand_put_once(st, 1, .once = "a"), 0);
    assert_true(belay_already_done(st->s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_stand(who_finds_out_waits_for_a_lost_attempt_that_commits_after_all),
        on_stand(who_finds_out_waits_for_a_lost_attempt_that_is_rolled_back),
        on_stand(a_lost_attempt_that_outlives_the_lock_limit_leaves_the_unit_in_doubt),
        on_stand(behind_a_void_key_an_attempt_of_before_can_write_nothing),
        on_stand(while_an_attempt_holds_its_key_nobody_can_void_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
