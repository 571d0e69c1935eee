/*
 * test_sandbox_faults.c - a sandbox in which every call to the engine fails, one after the other.
 *
 * Whatever fails, nothing is ever left outside of it. Inside, what is there is the work of the units that ended well,
 * until an error ended the sandbox's transaction: then nothing is, and everything answers with that error until it is
 * caught. Hooks are captured for the units that ended well, and their arguments freed once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/testing.h>

#include "database.h"
#include "db.h"
#include "every_call.h"
#include "sqlite.h"

enum { UNITS = 7 };

typedef struct captured_arg {
    int given, ran, freed;
} captured_arg;

/* What the program does in one run, and what came of it. */
typedef struct program {
    fault_point *at;
    fake_driver fake;
    belay_code codes[UNITS]; /* how the units ended */
    captured_arg args[UNITS];
} program;

typedef struct stand {
    database d;
    belay_db *plain;
    belay_session *witness; /* looks from outside */
    bool closing;           /* the fault comes while the sandbox is closed, with a scope open */
    long points;
} stand;

/* ---- What the program does: unit n writes the rows 10 n and more ------------------------------------------------ */

static int count_run(belay_session *s, void *arg)
{
    (void)s;
    ((captured_arg *)arg)->ran++;
    return 0;
}

static void count_free(void *arg)
{
    ((captured_arg *)arg)->freed++;
}

static void register_hook(belay_session *s, captured_arg *arg)
{
    arg->given++;
    belay_on_commit(s, count_run, arg, count_free);
}

static void write_row(belay_session *s, int id)
{
    belay_exec(s, "INSERT INTO item(id) VALUES (?)", id);
}

static void run_nested(belay_session *s, program *p)
{
    BELAY_ATOMIC(s) {
        write_row(s, 1);
        BELAY_ATOMIC(s)
            write_row(s, 2);
        register_hook(s, &p->args[0]);
    }
}

static void run_with_retries(belay_session *s)
{
    BELAY_ATOMIC_WITH(s, .retries = 2, .backoff_ms = 1, .backoff_max_ms = 1) {
        write_row(s, 11);
        belay_savepoint(s, "mark");
        write_row(s, 12);
        belay_rollback_to(s, "mark");
        belay_try(s, "INSERT INTO item(id) VALUES (13), (13)");
    }
}

static void run_deferred(belay_session *s, program *p)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO child(item) VALUES (31)");
        write_row(s, 31);
        register_hook(s, &p->args[3]);
    }
}

static void run_caught(belay_session *s)
{
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            write_row(s, 51);
            write_row(s, 51);
        }
        belay_ignore(s, BELAY_UNIQUE);
        write_row(s, 52);
        rows_of(s, "SELECT count(*) FROM item");
    }
}

static void run_once(belay_session *s)
{
    BELAY_ATOMIC_WITH(s, .once = "key")
        write_row(s, 61);
}

static void run_unit(belay_session *s, program *p, int unit)
{
    belay_code tried = BELAY_OK;
    switch (unit) {
    case 0:
        run_nested(s, p);
        break;
    case 1:
        run_with_retries(s);
        break;
    case 2:
        write_row(s, 21);
        break;
    case 3:
        run_deferred(s, p);
        break;
    case 4:
        tried = belay_try(s, "INSERT INTO item(id) VALUES (41)");
        break;
    case 5:
        run_caught(s);
        break;
    default:
        run_once(s);
    }
    p->codes[unit] = tried != BELAY_OK ? tried : belay_status(s);
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static const char *rows_of_units(const program *p)
{
    static const char *const rows[UNITS] = {"1;2", "11", "21", "31", "41", "52", "61"};
    static char text[64];
    text[0] = '\0';
    for (int i = 0; i < UNITS; i++)
        if (p->codes[i] == BELAY_OK)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", text[0] ? ";" : "", rows[i]);
    return text;
}

static const char shown[] = "SELECT id FROM item ORDER BY id";

/* An error has ended the sandbox's transaction: all is gone, and it can be used again when that is caught. */
static void check_ended(program *p, belay_session *s)
{
    belay_code code = belay_status(s);
    if (p->codes[UNITS - 1] != code)
        point_broken(p->at, "it has ended with %s, and the last unit with %s", belay_code_name(code),
                     belay_code_name(p->codes[UNITS - 1]));
    if (!belay_catch(s, BELAY_ANY))
        point_broken(p->at, "it has ended, and that can't be caught");
    if (strcmp(rows_of(s, shown), "") != 0)
        point_broken(p->at, "it has ended, and there is still %s", rows_of(s, shown));
}

static void check_inside(program *p, belay_session *s)
{
    const char *rows = rows_of(s, shown);
    if (strncmp(rows, "ERROR", 5) == 0)
        check_ended(p, s);
    else if (strcmp(rows, rows_of_units(p)) != 0)
        point_broken(p->at, "there is %s instead of %s", rows, rows_of_units(p));
    write_row(s, 99);
    if (belay_status(s) != BELAY_OK)
        point_broken(p->at, "it can't be used any more: %s", belay_message(s));
}

static void check_hooks(program *p, belay_session *s)
{
    int expected = (p->codes[0] == BELAY_OK) + (p->codes[3] == BELAY_OK);
    if (belay_captured(s) != expected)
        point_broken(p->at, "%d hooks were captured instead of %d", belay_captured(s), expected);
    if (belay_run_captured(s) != 0)
        point_broken(p->at, "captured hooks failed");
    for (int i = 0; i < 4; i += 3)
        if (p->args[i].ran != (p->codes[i] == BELAY_OK))
            point_broken(p->at, "the hook of unit %d ran %d times", i, p->args[i].ran);
}

static void check_outside(program *p, stand *st)
{
    if (strcmp(rows_of(st->witness, shown), "") != 0 || strcmp(rows_of(st->witness, "SELECT * FROM child"), "") != 0)
        point_broken(p->at, "it has left %s", rows_of(st->witness, shown));
    if (belay_exec(st->witness, "DELETE FROM item") != BELAY_OK)
        point_broken(p->at, "it has left its lock: %s", belay_message(st->witness));
    if (p->fake.open_statements != 0 || p->fake.open_connections != 0)
        point_broken(p->at, "%d statements and %d connections are still open", p->fake.open_statements,
                     p->fake.open_connections);
    for (int i = 0; i < 4; i += 3)
        if (p->args[i].freed != p->args[i].given)
            point_broken(p->at, "the argument of unit %d was freed %d times", i, p->args[i].freed);
}

/* ---- All points ------------------------------------------------------------------------------------------------- */

static bool run_point(void *arg, fault_point *at)
{
    static program p;
    stand *st = arg;
    belay_db_options options = database_options(&st->d, BELAY_DB_OPTIONS(.pool_size = 1));
    p = (program){.at = at};
    fake_init(&p.fake, &belayi_driver_sqlite);
    belay_db *db = belayi_db_open_with(&p.fake.driver, st->d.url, &options);
    belay_session *s = belay_sandbox(db);
    fake_arm(&p.fake, st->closing ? 0 : at->fail_at, at->fault, at->onwards);
    for (int i = 0; i < UNITS; i++)
        run_unit(s, &p, i);
    bool met = fake_failed(&p.fake) > 0;
    fake_arm(&p.fake, 0, FAKE_ERROR, false);
    check_hooks(&p, s);
    check_inside(&p, s);
    if (st->closing) {
        belay_begin(s, NULL);
        write_row(s, 90);
        fake_arm(&p.fake, at->fail_at, at->fault, at->onwards);
    }
    belay_session_close(s);
    belay_close(db);
    met = met || fake_failed(&p.fake) > 0;
    check_outside(&p, st);
    st->points += met;
    return met;
}

static void a_sandbox_keeps_its_promises_whatever_call_fails(void **state)
{
    stand *st = *state;
    st->closing = false;
    assert_int_equal(every_call_fails(run_point, st), 0);
}

static void a_sandbox_leaves_nothing_whatever_call_of_its_closing_fails(void **state)
{
    stand *st = *state;
    st->closing = true;
    assert_int_equal(every_call_fails(run_point, st), 0);
}

static int open_stand(void **state)
{
    static stand st;
    static const char *const tables[] = {
        "CREATE TABLE item(id INTEGER PRIMARY KEY)",
        "CREATE TABLE child(item INTEGER REFERENCES item(id) DEFERRABLE INITIALLY DEFERRED)", NULL};
    database_make(&st.d, "?synchronous=normal");
    st.plain = belay_open(st.d.url, NULL);
    st.witness = belay_session_open(st.plain);
    database_run(st.witness, tables);
    *state = &st;
    return 0;
}

static int close_stand(void **state)
{
    stand *st = *state;
    printf("sandbox: %ld fault points\n", st->points);
    belay_session_close(st->witness);
    belay_close(st->plain);
    database_close(&st->d);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sandbox_keeps_its_promises_whatever_call_fails),
        cmocka_unit_test(a_sandbox_leaves_nothing_whatever_call_of_its_closing_fails),
    };
    unsetenv("BELAY_TEST_URL"); /* the fake wraps SQLite */
    return cmocka_run_group_tests(tests, open_stand, close_stand);
}
