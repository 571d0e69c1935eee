/*
 * test_adopt_faults.c - a session over the program's own connection, with every call to the engine failing in turn.
 *
 * The program writes by its connection, and Belay by the session, inside the same scopes. With no transaction of the
 * program's, what is stored is the work of the units that ended well. Inside one, that is so when the program commits,
 * as long as nothing has ended it; and a unit that could not be undone says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adopt.h"
#include "database.h"
#include "every_call.h"
#include "sqlite.h"

enum { UNITS = 5 };

typedef struct stand {
    database d;
    belay_db *plain;
    belay_session *witness; /* looks from outside */
    sqlite3 *own;           /* the program's connection */
    bool foreign;           /* the program has begun a transaction before */
    long points;
} stand;

typedef struct program {
    fault_point *at;
    sqlite3 *own;
    belay_session *s;
    fake_driver fake;
    belay_error ends[UNITS]; /* how the units ended */
} program;

/* ---- What the program does: unit n writes the rows 10 n and more ------------------------------------------------ */

/* A program that writes past Belay need not know of errors, but whether there is a transaction to write in. */
static void write_own(const program *p, int id)
{
    char sql[64];
    snprintf(sql, sizeof sql, "INSERT INTO item(id) VALUES (%d)", id);
    if (!sqlite3_get_autocommit(p->own))
        sqlite3_exec(p->own, sql, NULL, NULL, NULL);
}

static void write_row(const program *p, int id)
{
    belay_exec(p->s, "INSERT INTO item(id) VALUES (?)", id);
}

static void run_nested(const program *p)
{
    BELAY_ATOMIC(p->s) {
        write_own(p, 1);
        BELAY_ATOMIC(p->s) {
            write_own(p, 2);
            write_row(p, 3);
        }
    }
}

static void run_caught(const program *p)
{
    BELAY_ATOMIC(p->s) {
        BELAY_ATOMIC(p->s) {
            write_own(p, 11);
            write_row(p, 11);
        }
        belay_ignore(p->s, BELAY_UNIQUE);
        write_own(p, 12);
        belay_try(p->s, "INSERT INTO item(id) VALUES (13), (13)");
    }
}

static void run_marks(const program *p)
{
    BELAY_ATOMIC(p->s) {
        write_own(p, 31);
        belay_savepoint(p->s, "mark");
        write_own(p, 32);
        belay_rollback_to(p->s, "mark");
        write_row(p, 33);
    }
}

static void run_undone(const program *p)
{
    BELAY_ATOMIC(p->s) {
        write_own(p, 41);
        BELAY_ATOMIC(p->s)
            write_row(p, 42);
        belay_undo(p->s);
    }
}

static void run_unit(program *p, int unit)
{
    switch (unit) {
    case 0:
        run_nested(p);
        break;
    case 1:
        run_caught(p);
        break;
    case 2:
        write_row(p, 21);
        break;
    case 3:
        run_marks(p);
        break;
    default:
        run_undone(p);
    }
    p->ends[unit] = *belay_pending(p->s);
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static const char shown[] = "SELECT id FROM item ORDER BY id";

/* With `doubtful`, a unit whose outcome is unknown is taken for one that ended well. */
static const char *rows_of_units(const program *p, bool doubtful)
{
    static const char *const rows[UNITS] = {"1;2;3", "12", "21", "31;33", NULL};
    static char texts[2][64];
    char *text = texts[doubtful];
    text[0] = '\0';
    for (int i = 0; i < UNITS; i++)
        if (rows[i] && (p->ends[i].code == BELAY_OK || (doubtful && p->ends[i].outcome == BELAY_WORK_UNKNOWN)))
            snprintf(text + strlen(text), sizeof texts[0] - strlen(text), "%s%s", text[0] ? ";" : "", rows[i]);
    return text;
}

static void check_rows(program *p, stand *st, bool kept)
{
    const char *rows = rows_of(st->witness, shown);
    const char *sure = kept ? rows_of_units(p, false) : "", *doubtful = kept ? rows_of_units(p, true) : "";
    if (strcmp(rows, sure) != 0 && strcmp(rows, doubtful) != 0)
        point_broken(p->at, "there is %s instead of %s", rows, sure);
}

static void check_outcomes(program *p, const stand *st)
{
    for (int i = 0; i < UNITS; i++) {
        belay_outcome outcome = p->ends[i].outcome;
        if (st->foreign && (outcome == BELAY_WORK_COMMITTED || outcome == BELAY_WORK_UNKNOWN))
            point_broken(p->at, "unit %d was committed in a transaction of the program's", i);
        if (!st->foreign && outcome == BELAY_WORK_OPEN)
            point_broken(p->at, "unit %d has no outcome", i);
    }
}

/* Whether a unit has said that it could not be undone: then the program must not commit. */
static bool is_torn(const program *p)
{
    for (int i = 0; i < UNITS; i++)
        if (p->ends[i].code != BELAY_OK && p->ends[i].outcome == BELAY_WORK_OPEN)
            return true;
    return false;
}

/* The program ends its transaction. True when what is in it was kept. */
static bool end_foreign(program *p)
{
    bool over = sqlite3_get_autocommit(p->own), torn = is_torn(p);
    if ((over || torn) && belay_exec(p->s, "SELECT 1") == BELAY_OK)
        point_broken(p->at, "the program's transaction is %s, and the session goes on", over ? "over" : "torn");
    belay_ignore(p->s, BELAY_ANY);
    if (!over)
        sqlite3_exec(p->own, torn ? "ROLLBACK" : "COMMIT", NULL, NULL, NULL);
    return !over && !torn;
}

static void check_next_unit(program *p, stand *st)
{
    if (!sqlite3_get_autocommit(p->own))
        point_broken(p->at, "a transaction was left open");
    sqlite3_exec(p->own, "DELETE FROM item", NULL, NULL, NULL);
    BELAY_ATOMIC(p->s)
        write_own(p, 99);
    if (belay_status(p->s) != BELAY_OK || strcmp(rows_of(st->witness, shown), "99") != 0)
        point_broken(p->at, "the next unit failed: %s", belay_message(p->s));
    sqlite3_exec(p->own, "DELETE FROM item", NULL, NULL, NULL);
}

static bool run_point(void *arg, fault_point *at)
{
    static program p;
    stand *st = arg;
    p = (program){.at = at, .own = st->own};
    fake_init(&p.fake, &belayi_driver_sqlite);
    p.s = belayi_adopt(&p.fake.driver, st->own);
    if (st->foreign)
        sqlite3_exec(st->own, "BEGIN", NULL, NULL, NULL);
    belay_native(p.s); /* the connection is taken over: that is not lost before it was had */
    fake_arm(&p.fake, at->fail_at, at->fault, at->onwards);
    for (int i = 0; i < UNITS; i++)
        run_unit(&p, i);
    bool met = fake_failed(&p.fake) > 0;
    fake_arm(&p.fake, 0, FAKE_ERROR, false);
    check_outcomes(&p, st);
    check_rows(&p, st, !st->foreign || end_foreign(&p));
    check_next_unit(&p, st);
    belay_session_close(p.s);
    if (p.fake.open_statements != 0 || p.fake.open_connections != 0 || sqlite3_next_stmt(st->own, NULL))
        point_broken(at, "something was left on the program's connection");
    st->points += met;
    return met;
}

static void units_beside_the_program_keep_their_promises_whatever_call_fails(void **state)
{
    stand *st = *state;
    st->foreign = false;
    assert_int_equal(every_call_fails(run_point, st), 0);
}

static void units_inside_the_programs_transaction_keep_their_promises_whatever_call_fails(void **state)
{
    stand *st = *state;
    st->foreign = true;
    assert_int_equal(every_call_fails(run_point, st), 0);
}

static int open_stand(void **state)
{
    static stand st;
    database_make(&st.d, "?synchronous=normal");
    st.plain = belay_open(st.d.url, NULL);
    st.witness = belay_session_open(st.plain);
    belay_exec(st.witness, "CREATE TABLE item(id INTEGER PRIMARY KEY)");
    *state = &st;
    return sqlite3_open(st.d.path, &st.own) == SQLITE_OK ? 0 : -1;
}

static int close_stand(void **state)
{
    stand *st = *state;
    printf("adopted: %ld fault points\n", st->points);
    int rc = sqlite3_close(st->own);
    belay_session_close(st->witness);
    belay_close(st->plain);
    database_close(&st->d);
    return rc == SQLITE_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_beside_the_program_keep_their_promises_whatever_call_fails),
        cmocka_unit_test(units_inside_the_programs_transaction_keep_their_promises_whatever_call_fails),
    };
    unsetenv("BELAY_TEST_URL"); /* the fake wraps SQLite */
    return cmocka_run_group_tests(tests, open_stand, close_stand);
}
