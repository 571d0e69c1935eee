/*
 * test_beside_memory.c - memory runs out in a sandbox, and in a session over the program's own connection: at the first
 * allocation, the second, and so on, once, and from then on.
 *
 * Nothing is lost of what was given to the library, every block comes back, and what is there afterwards is the work of
 * the units that ended well.
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

#include <belay/testing.h>

#include "database.h"
#include "scarce.h"

enum { HOOKS = 20, DEPTH = 12, ALLOCATIONS_AT_MOST = 400, REPORTS_AT_MOST = 5, FIRST = 100, SECOND = 200 };

typedef struct stand {
    database d;
    belay_db *looking;
    belay_session *witness; /* looks from outside */
    belay_db *plain;        /* the handle of a run */
    bool sandbox;
} stand;

/* What came of one run. */
typedef struct program {
    int given, freed, ran, errors;
    belay_code first, second; /* how its units ended */
    const char *broken;
} program;

static int count_run(belay_session *s, void *arg)
{
    (void)s;
    ((program *)arg)->ran++;
    return 0;
}

static void count_free(void *arg)
{
    ((program *)arg)->freed++;
}

static void write_row(belay_session *s, int id)
{
    belay_exec(s, "INSERT INTO item(id) VALUES (?)", id);
}

/* Deep enough that what holds the scopes must grow. */
static void dig(belay_session *s, program *p, int depth)
{
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "mark");
        write_row(s, FIRST + depth);
        if (depth > 1)
            dig(s, p, depth - 1);
    }
}

static void run_units(belay_session *s, program *p)
{
    BELAY_ATOMIC(s) {
        dig(s, p, DEPTH);
        for (int i = 0; i < HOOKS; i++) {
            p->given++;
            belay_on_commit(s, count_run, p, count_free);
        }
    }
    p->first = belay_status(s);
    p->errors = belay_hook_errors(s);
    BELAY_ATOMIC(s) {
        write_row(s, SECOND);
        belay_native(s);
    }
    p->second = belay_status(s);
}

/* The number of rows that the units which ended well have left. */
static int rows_of_units(const program *p)
{
    return (p->first == BELAY_OK ? DEPTH : 0) + (p->second == BELAY_OK);
}

static void check_rows(program *p, int rows)
{
    if (rows != rows_of_units(p))
        p->broken = "the rows are not those of the units that ended well";
}

static void check_hooks(program *p, int captured)
{
    /* One that there is no memory to capture is lost, and counted as one that failed. */
    if (captured + p->errors != (p->first == BELAY_OK ? HOOKS : 0))
        p->broken = "hooks are missing, or there are too many";
}

static void run_sandbox(stand *st, program *p)
{
    belay_session *s = belay_sandbox(st->plain);
    if (!s)
        return;
    run_units(s, p);
    int captured = belay_captured(s);
    check_hooks(p, captured);
    scarce_disarm(); /* the end of it must not need any */
    check_rows(p, (int)belay_int_of(s, "SELECT count(*) FROM item"));
    if (belay_run_captured(s) != 0 || p->ran != captured)
        p->broken = "captured hooks did not run once each";
    belay_session_close(s);
}

static void run_adopted(stand *st, program *p)
{
    sqlite3 *own = NULL;
    sqlite3_open(st->d.path, &own);
    belay_session *s = belay_adopt_sqlite(own);
    if (s)
        run_units(s, p);
    scarce_disarm();
    belay_session_close(s);
    if (s)
        check_rows(p, (int)belay_int_of(st->witness, "SELECT count(*) FROM item"));
    if (s && p->ran != (p->first == BELAY_OK ? HOOKS : 0))
        p->broken = "hooks did not run once each";
    if (sqlite3_close(own) != SQLITE_OK)
        p->broken = "something was left on the program's connection";
}

/* What the looking itself keeps is there before the first count. */
static void look_outside(const stand *st, program *p)
{
    if (st->sandbox && belay_int_of(st->witness, "SELECT count(*) FROM item") != 0)
        p->broken = "the sandbox has left something";
    if (belay_exec(st->witness, "DELETE FROM item") != BELAY_OK)
        p->broken = "the database can't be written any more";
}

/* True when memory ran out. */
static bool run_point(stand *st, unsigned n, bool onwards, program *p)
{
    *p = (program){.first = BELAY_NO_MEMORY, .second = BELAY_NO_MEMORY};
    long before = scarce_blocks();
    st->plain = belay_open(st->d.url, NULL);
    scarce_arm(n, onwards);
    if (st->sandbox)
        run_sandbox(st, p);
    else
        run_adopted(st, p);
    scarce_disarm();
    belay_close(st->plain);
    look_outside(st, p);
    if (p->freed != p->given)
        p->broken = "an argument was not freed once";
    if (scarce_blocks() != before)
        p->broken = "blocks were not freed";
    return scarce_failed() > 0;
}

static int run_series(stand *st, bool onwards)
{
    int failures = 0;
    bool met = true;
    for (unsigned n = 1; met && n < ALLOCATIONS_AT_MOST; n++) {
        program p;
        met = run_point(st, n, onwards, &p);
        if (p.broken && ++failures <= REPORTS_AT_MOST)
            print_error("no memory at allocation %u %s: %s\n", n, onwards ? "and from then on" : "once", p.broken);
    }
    return failures + met;
}

static void a_sandbox_keeps_its_promises_when_memory_runs_out(void **state)
{
    stand *st = *state;
    st->sandbox = true;
    assert_int_equal(run_series(st, false) + run_series(st, true), 0);
}

static void a_session_beside_the_program_keeps_its_promises_when_memory_runs_out(void **state)
{
    stand *st = *state;
    st->sandbox = false;
    assert_int_equal(run_series(st, false) + run_series(st, true), 0);
}

static int open_stand(void **state)
{
    static stand st;
    program ignored;
    database_make(&st.d, "?synchronous=normal");
    st.looking = belay_open(st.d.url, NULL);
    st.witness = belay_session_open(st.looking);
    belay_exec(st.witness, "CREATE TABLE item(id INTEGER PRIMARY KEY)");
    for (int sandbox = 0; sandbox < 2; sandbox++) { /* so that the witness has all that it will keep */
        st.sandbox = sandbox;
        run_point(&st, 0, false, &ignored);
    }
    *state = &st;
    return ignored.broken ? -1 : 0;
}

static int close_stand(void **state)
{
    stand *st = *state;
    belay_session_close(st->witness);
    belay_close(st->looking);
    database_close(&st->d);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sandbox_keeps_its_promises_when_memory_runs_out),
        cmocka_unit_test(a_session_beside_the_program_keeps_its_promises_when_memory_runs_out),
    };
    unsetenv("BELAY_TEST_URL");
    return cmocka_run_group_tests(tests, open_stand, close_stand);
}
