/*
 * test_faults.c - every call to the engine fails, one after the other, in every way in which the world fails.
 *
 * For each scenario the n-th call of the driver is failed, n counting up until the scenario runs through without
 * meeting the fault: once, and from then on; with an error, without memory, busy, with the transaction rolled back by
 * the engine, told or in silence, with the connection lost before the engine sees the call and after it has done it.
 * Then again with a second fault, at one of the calls that follow: in the midst of the recovery from the first. After
 * each the promises are looked at from outside, by a handle that had no part in it and by SQLite itself.
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

#include "database.h"
#include "db.h"
#include "fake.h"
#include "scenarios.h"
#include "sqlite.h"

/* Built a second time with -DPIPELINED: every outermost scope is one with .pipeline then (support/pipelined.c), on a
   driver with a queue. */
#ifdef PIPELINED
#include "queueing.h"

#define REAL_DRIVER queueing_driver()
#else
#define REAL_DRIVER (&belayi_driver_sqlite)
#endif

enum { CALLS_AT_MOST = 2000, REPORTS_AT_MOST = 5, RECOVERY = 6 /* calls in which a second fault may come */ };

/* What the fault points of all scenarios share. */
typedef struct stand {
    database d;
    belay_db *plain; /* the same file, without the fake */
    belay_session *witness;
    sqlite3 *raw;
    long points;
} stand;

/* One fault point. */
typedef struct point {
    const scenario *scenario;
    unsigned fail_at;
    fake_fault fault;
    bool onwards;
    unsigned second_after; /* the second fault comes so many calls after the first; 0: there is none */
    fake_fault second_fault;
    fake_driver fake; /* stands in for SQLite */
    scenario_notes notes;
    unsigned ended_at[SCENARIO_UNITS], begun_at[SCENARIO_UNITS], last_end; /* in calls of the fake */
    unsigned failed;                                                       /* calls of the fake */
    unsigned doubts;                                                       /* commits whose answer was lost */
    char log[FAKE_LOG_ROOM];                                               /* of the calls, as the fake wrote it */
    scenario_text broken;
} point;

static void broken(point *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void broken(point *p, const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    vsnprintf(line, sizeof line, format, list);
    va_end(list);
    scenario_text_add(&p->broken, "%s\n", line);
}

/* ---- Running into the fault ------------------------------------------------------------------------------------- */

static void note_calls(void *arg, unsigned unit)
{
    point *p = arg;
    p->begun_at[unit] = p->last_end + 1;
    p->ended_at[unit] = p->last_end = fake_calls(&p->fake);
}

static void disarm(point *p)
{
    p->failed = fake_failed(&p->fake);
    p->doubts = p->fake.doubts;
    memcpy(p->log, p->fake.log, sizeof p->log);
    fake_arm(&p->fake, 0, FAKE_ERROR, false);
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static bool is_lost(fake_fault fault)
{
    return fault == FAKE_LOST_BEFORE || fault == FAKE_LOST_AFTER;
}

static bool is_code_of(fake_fault fault, belay_code code)
{
    return code == fake_fault_code(fault) || (is_lost(fault) && code == BELAY_IN_DOUBT);
}

static bool is_own(const scenario *which, belay_code code)
{
    for (const belay_code *own = which->own; *own != BELAY_OK; own++)
        if (*own == code)
            return true;
    return false;
}

/* The first call that failed in the unit; 0: none did. */
static unsigned first_failed(const point *p, unsigned unit)
{
    unsigned first = p->fail_at > p->begun_at[unit] ? p->fail_at : p->begun_at[unit];
    return first <= p->ended_at[unit] && (p->onwards || first == p->fail_at) ? first : 0;
}

/* What was queued before such a call stands before it in the program, and may fail when the call has failed. */
static bool yields_to_queue(const char *call)
{
#ifdef PIPELINED
    return strcmp(call, "queue") == 0 || strcmp(call, "prepare") == 0 || strncmp(call, "savepoint", 9) == 0;
#else
    (void)call;
    return false;
#endif
}

/*
 * The error of a unit is that of the call that failed first in it, and of none that followed. Where that call was part
 * of a rollback, the error of the unit's own that was rolled back for came before it.
 */
static void check_first_call(point *p, unsigned unit)
{
    char call[FAKE_CALL_ROOM];
    unsigned number, first = first_failed(p, unit);
    const belay_error *error = &p->notes.units[unit].error;
    if (p->scenario->swallows || p->second_after > 0 || error->attempt > 1)
        return;
    if (yields_to_queue(fake_call_name(p->log, first, call)))
        return;
    bool numbered = sscanf(error->message, "call %u", &number) == 1 ||
                    sscanf(error->message, "the connection was lost at call %u", &number) == 1;
    if (numbered && number != first)
        broken(p, "unit %u ended with the failure of call %u; the first was %u", unit, number, first);
    fake_call_name(p->log, first, call);
    bool undoing = strncmp(call, "rollback", 8) == 0 || strncmp(call, "release", 7) == 0;
    if (first > 0 && !undoing && !is_code_of(p->fault, error->code))
        broken(p, "call %u failed first, and unit %u ended with %s", first, unit, belay_code_name(error->code));
}

static void check_codes(point *p)
{
    for (unsigned i = 0; i < SCENARIO_UNITS; i++) {
        belay_code code = p->notes.units[i].error.code;
        if (code == BELAY_OK)
            continue;
        bool injected = is_code_of(p->fault, code) || (p->second_after > 0 && is_code_of(p->second_fault, code));
        if (!injected && !is_own(p->scenario, code))
            broken(p, "unit %u ended with %s, which is neither the fault nor its own: %s", i, belay_code_name(code),
                   p->notes.units[i].error.message);
        check_first_call(p, i);
    }
}

/* Whether the engine had a transaction open when the call that failed first was made. All before it succeeded. */
static bool was_open(const point *p)
{
    bool open = false;
    const char *word = p->log;
    for (unsigned i = 1; i < p->fail_at && word; i++) {
        if (strncmp(word, "begin", 5) == 0)
            open = true;
        else if (strncmp(word, "commit ", 7) == 0 || strncmp(word, "rollback ", 9) == 0)
            open = false;
        word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL;
    }
    return open;
}

/* Unknown is what a connection lost at COMMIT leaves, or at a statement that the engine commits by itself. */
static void check_doubt(point *p)
{
    char call[FAKE_CALL_ROOM];
    fake_call_name(p->log, p->fail_at, call);
    unsigned unknown = 0, doubtful = p->doubts;
    for (unsigned i = 0; i < SCENARIO_UNITS; i++)
        unknown += p->notes.units[i].fate == UNIT_UNKNOWN;
    doubtful += is_lost(p->fault) && p->failed > 0 && strcmp(call, "execute") == 0 && !was_open(p);
    if (p->second_after > 0 ? unknown > doubtful + is_lost(p->second_fault) : unknown != doubtful)
        broken(p, "%u units are in doubt after %s at %s", unknown, fake_fault_name(p->fault), call);
}

static void check_next_scope(point *p, stand *st, belay_session *s)
{
    bool ran = false;
    if (belay_depth(s) != 0)
        broken(p, "the depth is %d after all scopes", belay_depth(s));
    BELAY_ATOMIC(s) {
        ran = belay_exec(s, "INSERT INTO aftermath (id) VALUES (1)") == BELAY_OK;
    }
    if (!ran || belay_status(s) != BELAY_OK)
        broken(p, "the next scope failed: %s", belay_message(s));
    if (belay_int_of(st->witness, "SELECT count(*) FROM aftermath") != 1)
        broken(p, "the next scope left nothing");
    if (belay_exec(st->witness, "DELETE FROM aftermath") != BELAY_OK)
        broken(p, "the witness can't write: %s", belay_message(st->witness));
}

static void check_closed(point *p, belay_session *s, belay_db *db)
{
    belay_code code = belay_session_close(s);
    belay_close(db);
    if (code != BELAY_OK)
        broken(p, "every outcome was read, and the session's close returned %s", belay_code_name(code));
    if (p->fake.open_statements != 0 || p->fake.open_connections != 0)
        broken(p, "%d statements and %d connections are still open", p->fake.open_statements, p->fake.open_connections);
}

static void check_integrity(point *p, stand *st)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(st->raw, "PRAGMA integrity_check", -1, &statement, NULL);
    if (sqlite3_step(statement) != SQLITE_ROW || strcmp((const char *)sqlite3_column_text(statement, 0), "ok") != 0)
        broken(p, "SQLite's own check failed: %s", sqlite3_errmsg(st->raw));
    sqlite3_finalize(statement);
}

static void check_promises(point *p, stand *st, belay_session *s)
{
    const char *promises = scenario_check(p->scenario, st->witness, &p->notes);
    if (promises)
        scenario_text_add(&p->broken, "%s", promises);
    check_codes(p);
    check_doubt(p);
    check_next_scope(p, st, s);
    check_integrity(p, st);
}

/* ---- All points ------------------------------------------------------------------------------------------------- */

/* True when the fault was met. */
static bool run_point(point *p, stand *st)
{
    belay_db_options options =
        scenario_options(p->scenario, database_options(&st->d, BELAY_DB_OPTIONS(.pool_size = 2)));
    if (scenario_setup(p->scenario, st->witness) != BELAY_OK)
        fail_msg("the tables can't be made: %s", belay_message(st->witness));
    fake_init(&p->fake, REAL_DRIVER);
    if (p->second_after > 0)
        fake_arm_twice(&p->fake, p->fail_at, p->fault, p->second_after, p->second_fault);
    else
        fake_arm(&p->fake, p->fail_at, p->fault, p->onwards);
    p->notes.ended = note_calls;
    p->notes.arg = p;
    belay_db *db = belayi_db_open_with(&p->fake.driver, st->d.url, &options);
    belay_session *s = belay_session_open(db);
    p->notes.db = db;
    p->last_end = fake_calls(&p->fake);
    p->scenario->run(s, &p->notes);
    disarm(p);
    check_promises(p, st, s);
    check_closed(p, s, db);
    st->points += p->failed > 0;
    return p->failed > 0;
}

static void report(const point *p)
{
    char call[FAKE_CALL_ROOM];
    print_error("%s: %s at call %u (%s) %s", p->scenario->name, fake_fault_name(p->fault), p->fail_at,
                fake_call_name(p->log, p->fail_at, call), p->onwards ? "and from then on" : "once");
    if (p->second_after > 0)
        print_error(", %s %u calls later", fake_fault_name(p->second_fault), p->second_after);
    print_error(":\n%scalls: %s\n\n", p->broken.bytes, p->log);
}

/* Runs `like` with every call failing in turn. The number of points at which a promise was broken. */
static int run_series(stand *st, const point *like)
{
    static point p;
    int failures = 0;
    bool met = true;
    for (unsigned n = 1; met && n < CALLS_AT_MOST; n++) {
        p = *like;
        p.fail_at = n;
        met = run_point(&p, st);
        if (p.broken.size > 0 && ++failures <= REPORTS_AT_MOST)
            report(&p);
    }
    return failures + met; /* it ends because no call was left to fail */
}

typedef struct job {
    stand *stand;
    const scenario *scenario;
} job;

static int run_single_faults(const job *j)
{
    static point like;
    int failures = 0;
    for (int fault = 0; fault < FAKE_FAULTS; fault++)
        for (int onwards = 0; onwards < 2; onwards++) {
            like = (point){.scenario = j->scenario, .fault = (fake_fault)fault, .onwards = onwards};
            failures += run_series(j->stand, &like);
        }
    return failures;
}

static int run_double_faults(const job *j)
{
    static const fake_fault kinds[][2] = {{FAKE_ERROR, FAKE_ERROR},      {FAKE_ERROR, FAKE_LOST_AFTER},
                                          {FAKE_LOST_AFTER, FAKE_ERROR}, {FAKE_LOST_AFTER, FAKE_LOST_AFTER},
                                          {FAKE_DEADLOCK, FAKE_ERROR},   {FAKE_BUSY, FAKE_ENDED}};
    static point like;
    int failures = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (unsigned after = 1; after <= RECOVERY; after++) {
            like = (point){.scenario = j->scenario, .second_after = after};
            like.fault = kinds[i][0];
            like.second_fault = kinds[i][1];
            failures += run_series(j->stand, &like);
        }
    return failures;
}

static void promises_hold_whatever_call_fails(void **state)
{
    const job *j = *state;
    int failures = run_single_faults(j);
    assert_int_equal(failures + run_double_faults(j), 0);
}

static bool open_stand(stand *st)
{
    database_make(&st->d, "?synchronous=normal");
    st->plain = belay_open(st->d.url, NULL);
    st->witness = belay_session_open(st->plain);
    return sqlite3_open(st->d.path, &st->raw) == SQLITE_OK &&
           belay_exec(st->witness, "CREATE TABLE aftermath (id INTEGER PRIMARY KEY)") == BELAY_OK;
}

static void close_stand(stand *st)
{
    sqlite3_close(st->raw);
    belay_session_close(st->witness);
    belay_close(st->plain);
    database_close(&st->d);
}

int main(void)
{
    enum { SCENARIOS_AT_MOST = 64 };
    static stand st;
    static job jobs[SCENARIOS_AT_MOST];
    static struct CMUnitTest tests[SCENARIOS_AT_MOST];
    unsetenv("BELAY_TEST_URL"); /* the fake stands in for SQLite */
    for (size_t i = 0; i < scenario_count; i++) {
        jobs[i] = (job){&st, scenarios[i]};
        tests[i] = (struct CMUnitTest){
            .name = scenarios[i]->name, .test_func = promises_hold_whatever_call_fails, .initial_state = &jobs[i]};
    }
    if (!open_stand(&st))
        return 1;
    int failed = _cmocka_run_group_tests("promises hold whatever call fails", tests, scenario_count, NULL, NULL);
    close_stand(&st);
    printf("faults: %ld fault points\n", st.points);
    return failed;
}
