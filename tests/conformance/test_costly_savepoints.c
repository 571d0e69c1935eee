/*
 * test_costly_savepoints.c - more savepoints with work in them than a server keeps without cost: the work is right, and
 * the trace warns of it, once a transaction.
 *
 * PostgreSQL keeps 64 of them for each transaction in the memory that everybody's snapshots are made from. What it
 * thinks of a transaction is in a snapshot that another session exports: "sof:1" when it has more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "database.h"

enum { CHEAP = 64, MANY = 200 };

typedef struct ear {
    int warnings, savepoints, releases, gone_back, unreleased;
    unsigned last_back; /* the savepoint that was gone back to last, until it is released */
    int line, depth;    /* of the last warning */
    char detail[200], file[200];
} ear;

typedef struct bench {
    database d;
    belay_db *traced;
    belay_session *s;
    ear heard;
} bench;

static void hear(void *arg, const belay_trace_event *event)
{
    ear *e = arg;
    e->savepoints += event->kind == BELAY_TRACE_SAVEPOINT;
    e->releases += event->kind == BELAY_TRACE_RELEASE;
    if (event->kind == BELAY_TRACE_ROLLBACK_TO) {
        e->gone_back++;
        e->unreleased += e->last_back > 0;
        e->last_back = event->number;
    }
    if (event->kind == BELAY_TRACE_RELEASE && event->number <= e->last_back)
        e->last_back = 0;
    if (event->kind != BELAY_TRACE_WARNING)
        return;
    e->warnings++;
    e->line = event->line;
    e->depth = event->depth;
    snprintf(e->detail, sizeof e->detail, "%s", event->detail);
    snprintf(e->file, sizeof e->file, "%s", event->file);
}

static int open_bench(void **state)
{
    static bench b;
    static const char *const tables[] = {
        "DROP TABLE IF EXISTS entry",
        "CREATE TABLE entry (id INTEGER PRIMARY KEY, note INTEGER)",
        "INSERT INTO entry (id, note) VALUES (-1, 0)",
        "DROP TABLE IF EXISTS witness",
        "CREATE TABLE witness (seen INTEGER NOT NULL)",
        "INSERT INTO witness (seen) VALUES (0)",
        NULL,
    };
    memset(&b, 0, sizeof b);
    database_open(&b.d, NULL);
    database_run(b.d.s, tables);
    belay_db_options options = database_options(&b.d, BELAY_DB_OPTIONS(.trace = hear, .trace_arg = &b.heard));
    b.traced = belay_open(b.d.url, &options);
    b.s = belay_session_open(b.traced);
    *state = &b;
    return 0;
}

static int close_bench(void **state)
{
    bench *b = *state;
    belay_session_close(b->s);
    belay_close(b->traced);
    return database_close(&b->d) == BELAY_OK ? 0 : -1;
}

/* How many savepoints the engine keeps without cost; 0: any number. */
static int cheap_on(const bench *b)
{
    return database_is_sqlite(&b->d) || database_is_mariadb(&b->d) ? 0 : CHEAP;
}

/* Whether PostgreSQL says that a transaction has more than it keeps; elsewhere what the trace should have said. */
static bool overflowed(bench *b)
{
    char sql[200];
    if (cheap_on(b) == 0)
        return false;
    belay_exec(b->d.s, "UPDATE witness SET seen = seen + 1"); /* a snapshot begins with what was the last to commit */
    belay_begin(b->d.s, BELAY_SCOPE_OPTIONS(.isolation = BELAY_REPEATABLE_READ));
    snprintf(sql, sizeof sql,
             "SELECT count(*) FROM pg_read_file('pg_snapshots/%s') AS t(text) WHERE text LIKE '%%sof:1%%'",
             rows_of(b->d.s, "SELECT pg_export_snapshot()"));
    int64_t found = belay_int_of(b->d.s, sql);
    assert_int_equal(belay_commit(b->d.s), BELAY_OK);
    return found > 0;
}

/* ---- What a transaction does ------------------------------------------------------------------------------------- */

static void put(belay_session *s, int id)
{
    belay_exec(s, "INSERT INTO entry (id, note) VALUES (?, 1)", id);
}

/* Nested scopes that write, one after the other. */
static void write_in_turn(belay_session *s, int from, int count)
{
    for (int i = from; i < from + count; i++)
        BELAY_ATOMIC(s)
            put(s, i);
}

static void write_and_undo(belay_session *s, int count)
{
    for (int i = 0; i < count; i++)
        BELAY_ATOMIC(s) {
            put(s, 1000);
            belay_undo(s);
        }
}

static void fail_and_catch(belay_session *s, int count)
{
    for (int i = 0; i < count; i++)
        belay_try(s, "INSERT INTO entry (id, note) VALUES (-1, 1)");
}

static void read_in_turn(belay_session *s, int count)
{
    for (int i = 0; i < count; i++)
        BELAY_ATOMIC(s)
            belay_int_of(s, "SELECT count(*) FROM entry");
}

/* The unit so far, with `more` scopes that write besides: what the trace and the server say of it. */
typedef void filling(belay_session *);

static void check(bench *b, filling *fill, int more, bool costly)
{
    bool told = false, seen = false;
    b->heard = (ear){0};
    BELAY_ATOMIC(b->s) {
        if (fill)
            fill(b->s);
        write_in_turn(b->s, 2000, more);
        told = b->heard.warnings > 0;
        seen = overflowed(b);
    }
    assert_int_equal(belay_status(b->s), BELAY_OK);
    assert_int_equal(belay_int_of(b->s, "SELECT count(*) FROM entry WHERE id >= 2000"), more);
    assert_int_equal(belay_exec(b->s, "DELETE FROM entry WHERE id >= 0"), BELAY_OK);
    assert_int_equal(seen, costly && cheap_on(b) > 0);
    assert_int_equal(told, seen);
    assert_int_equal(b->heard.warnings, seen ? 1 : 0);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------- */

static void sixty_four_are_no_word_worth_and_the_one_after_is_told_once(void **state)
{
    check(*state, NULL, CHEAP, false);
    check(*state, NULL, CHEAP + 1, true);
    check(*state, NULL, MANY, true);
}

/* All open at once: one inside the other. */
static void open_ones_count_as_released_ones_do(void **state)
{
    bench *b = *state;
    bool at_64 = true, at_65 = false, seen = false;
    belay_begin(b->s, NULL);
    for (int i = 1; i <= CHEAP + 1; i++) {
        belay_begin(b->s, NULL);
        put(b->s, i);
        if (i == CHEAP)
            at_64 = overflowed(b) || b->heard.warnings > 0;
    }
    at_65 = b->heard.warnings > 0;
    seen = overflowed(b);
    while (belay_depth(b->s) > 0)
        assert_int_equal(belay_commit(b->s), BELAY_OK);
    assert_false(at_64);
    assert_int_equal(seen, cheap_on(b) > 0);
    assert_int_equal(at_65, seen);
    assert_int_equal(belay_int_of(b->s, "SELECT count(*) FROM entry WHERE id > 0"), CHEAP + 1);
}

static void fill_with_what_was_undone(belay_session *s)
{
    write_and_undo(s, MANY);
    fail_and_catch(s, MANY);
}

static void those_that_were_gone_back_to_do_not_count(void **state)
{
    check(*state, fill_with_what_was_undone, CHEAP, false);
    check(*state, fill_with_what_was_undone, CHEAP + 1, true);
}

static void fill_with_reads(belay_session *s)
{
    read_in_turn(s, MANY);
}

static void those_that_only_read_do_not_count(void **state)
{
    check(*state, fill_with_reads, CHEAP, false);
    check(*state, fill_with_reads, CHEAP + 1, true);
}

static void fill_with_tries_marks_and_locks(belay_session *s)
{
    for (int i = 0; i < 20; i++)
        belay_try(s, "INSERT INTO entry (id, note) VALUES (?, 1)", 100 + i);
    for (int i = 0; i < 20; i++) {
        belay_savepoint(s, "mark");
        put(s, 200 + i);
    }
    for (int i = 0; i < 4; i++)
        BELAY_ATOMIC(s)
            belay_int_of(s, "SELECT id FROM entry WHERE id = ? FOR UPDATE", 100 + i);
}

static void tries_marks_and_locking_reads_count(void **state)
{
    check(*state, fill_with_tries_marks_and_locks, CHEAP - 44, false);
    check(*state, fill_with_tries_marks_and_locks, CHEAP - 43, true);
}

/* Here a hundred scopes are inside one that is undone as a whole. */
static void fill_and_undo_at_once(belay_session *s)
{
    BELAY_ATOMIC(s) {
        write_in_turn(s, 1, CHEAP - 1);
        belay_undo(s);
    }
}

static void what_is_undone_with_the_scope_around_does_not_count_any_more(void **state)
{
    check(*state, fill_and_undo_at_once, CHEAP, false);
    check(*state, fill_and_undo_at_once, CHEAP + 1, true);
}

/* The same mark again and again, and never released. */
static void fill_with_a_mark_gone_back_to(belay_session *s)
{
    for (int i = 0; i < MANY; i++) {
        belay_savepoint(s, "again");
        put(s, 1000);
        belay_rollback_to(s, "again");
    }
}

static void a_mark_that_is_set_and_gone_back_to_in_a_loop_does_not_pile_up(void **state)
{
    check(*state, fill_with_a_mark_gone_back_to, CHEAP - 1, false);
}

static void every_scope_that_is_gone_back_from_is_released_then(void **state)
{
    bench *b = *state;
    BELAY_ATOMIC(b->s) {
        put(b->s, 1);
        write_and_undo(b->s, 3);
        fail_and_catch(b->s, 3);
    }
    assert_int_equal(belay_status(b->s), BELAY_OK);
    assert_int_equal(b->heard.gone_back, database_is_sqlite(&b->d) ? 3 : 6);
    assert_int_equal(b->heard.releases, b->heard.gone_back);
    assert_int_equal(b->heard.unreleased + (int)b->heard.last_back, 0);
}

static void the_warning_names_the_statement_and_comes_once_a_transaction(void **state)
{
    bench *b = *state;
    int line = 0, warnings[2] = {0, 0};
    for (int unit = 0; unit < 2; unit++) {
        b->heard = (ear){0};
        BELAY_ATOMIC_WITH(b->s, .name = "batch") {
            write_in_turn(b->s, 1 + 1000 * unit, CHEAP);
            BELAY_ATOMIC(b->s) {
                line = __LINE__ + 1;
                belay_exec(b->s, "UPDATE entry SET note = note + 1");
            }
            write_in_turn(b->s, 500 + 1000 * unit, MANY);
        }
        warnings[unit] = b->heard.warnings;
    }
    assert_int_equal(belay_status(b->s), BELAY_OK);
    assert_int_equal(warnings[0], cheap_on(b) > 0);
    assert_int_equal(warnings[1], warnings[0]);
    if (cheap_on(b) == 0)
        return;
    assert_int_equal(b->heard.line, line);
    assert_int_equal(b->heard.depth, 2);
    assert_non_null(strstr(b->heard.file, "test_costly_savepoints.c"));
    assert_string_equal(b->heard.detail, "more savepoints with work in them than the server keeps without cost");
}

#define on_bench(test) cmocka_unit_test_setup_teardown(test, open_bench, close_bench)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_bench(sixty_four_are_no_word_worth_and_the_one_after_is_told_once),
        on_bench(open_ones_count_as_released_ones_do),
        on_bench(those_that_were_gone_back_to_do_not_count),
        on_bench(those_that_only_read_do_not_count),
        on_bench(tries_marks_and_locking_reads_count),
        on_bench(what_is_undone_with_the_scope_around_does_not_count_any_more),
        on_bench(a_mark_that_is_set_and_gone_back_to_in_a_loop_does_not_pile_up),
        on_bench(every_scope_that_is_gone_back_from_is_released_then),
        on_bench(the_warning_names_the_statement_and_comes_once_a_transaction),
    };
    return cmocka_run_group_tests_name("costly savepoints", tests, NULL, NULL);
}
