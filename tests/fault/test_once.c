/*
 * A unit with a key, and every call to the engine fails in it, one after the
 * other, in every way in which the world fails.
 *
 * The n-th call of the driver is failed, n counting up until the unit runs
 * through without meeting the fault: once, and from then on; with retries and
 * without; where the table of keys is missing, where the key is new, void or
 * done. Then with a second fault, at one of the calls that follow. After each,
 * what was reported is compared with what is there, seen by a handle that had no
 * part in it; and the unit is run again by that one, which must do it if and only
 * if it was not done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "db.h"
#include "fake.h"
#include "sqlite.h"

enum { CALLS_AT_MOST = 500, REPORTS_AT_MOST = 5, RECOVERY = 8 /* calls in which a second fault may come */ };

static database d;
static belay_db *plain;
static belay_session *witness;
static long points;

/* What there is before the unit. */
typedef enum start { START_NO_TABLE, START_NEW, START_VOID, START_DONE, STARTS } start;

static const char *const start_names[] = {"no table", "a new key", "a void key", "a key that is done"};

/* One fault point. */
typedef struct point {
    start start;
    int retries;
    unsigned fail_at;
    fake_fault fault;
    bool onwards;
    unsigned second_after; /* the second fault comes so many calls after the first; 0: there is none */
    fake_fault second_fault;
    fake_driver fake;
    unsigned failed;
    char log[FAKE_LOG_ROOM];
    belay_error status;
    bool already_done;
    int runs, committed, rolled_back; /* of the body, and of the hooks */
    char broken[1024];
} point;

static void broken(point *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void broken(point *p, const char *format, ...)
{
    size_t size = strlen(p->broken);
    va_list list;
    va_start(list, format);
    vsnprintf(p->broken + size, sizeof p->broken - size, format, list);
    va_end(list);
}

/* ---- The unit --------------------------------------------------------------------------------------------------- */

static int count_hook(belay_session *s, void *count)
{
    (void)s;
    ++*(int *)count;
    return 0;
}

static int pay(belay_session *s, void *arg)
{
    point *p = arg;
    p->runs++;
    belay_on_commit(s, count_hook, &p->committed, NULL);
    belay_on_rollback(s, count_hook, &p->rolled_back, NULL);
    belay_exec(s, "INSERT INTO payment (amount) VALUES (100)");
    BELAY_ATOMIC(s)
        belay_exec(s, "UPDATE account SET balance = balance - 100");
    return 0;
}

static void run_unit(point *p)
{
    belay_db_options options = database_options(&d, BELAY_DB_OPTIONS(.pool_size = 2));
    belay_db *db = belayi_db_open_with(&p->fake.driver, d.url, &options);
    belay_session *s = belay_session_open(db);
    belay_atomic(s,
                 BELAY_SCOPE_OPTIONS(.once = "payment-1", .name = "pay", .retries = p->retries, .backoff_ms = 1,
                                     .backoff_max_ms = 1),
                 pay, p);
    p->status = *belay_pending(s);
    p->already_done = belay_already_done(s);
    if (belay_depth(s) != 0)
        broken(p, "the depth is %d after all scopes\n", belay_depth(s));
    belay_session_close(s);
    belay_close(db);
    p->failed = fake_failed(&p->fake);
    memcpy(p->log, p->fake.log, sizeof p->log);
    if (p->fake.open_connections != 0 || p->fake.open_statements != 0)
        broken(p, "%d connections and %d statements were left open\n", p->fake.open_connections,
               p->fake.open_statements);
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static bool is_lost(fake_fault fault)
{
    return fault == FAKE_LOST_BEFORE || fault == FAKE_LOST_AFTER;
}

/* Whether the work is there; whole, and once at most. */
static bool look_for_work(point *p)
{
    const char *rows = rows_of(witness, "SELECT (SELECT count(*) FROM payment), balance FROM account");
    bool there = strcmp(rows, "1|900") == 0;
    if (!there && strcmp(rows, "0|1000") != 0)
        broken(p, "the work is torn: %s\n", rows);
    return there;
}

/* The key as it is committed: "done", "void", or "" when there is none. */
static const char *look_for_key(void)
{
    const char *rows = rows_of(witness, "SELECT state FROM belay_once");
    return strncmp(rows, "ERROR", 5) == 0 ? "" : rows;
}

static void check_answer(point *p, bool there)
{
    bool was_done = p->start == START_DONE;
    belay_outcome outcome = p->status.outcome;
    if (outcome == BELAY_WORK_OPEN)
        broken(p, "the unit has no outcome\n");
    if ((p->status.code == BELAY_OK) != (outcome == BELAY_WORK_COMMITTED))
        broken(p, "the code %s does not fit its outcome\n", belay_code_name(p->status.code));
    if (outcome == BELAY_WORK_COMMITTED && !there)
        broken(p, "reported as committed, and not there\n");
    if (outcome == BELAY_WORK_ROLLED_BACK && there && !was_done)
        broken(p, "reported as rolled back, and there\n");
    if (p->already_done != (was_done && p->status.code == BELAY_OK))
        broken(p, "already done is %d\n", p->already_done);
    if (was_done && p->runs > 0)
        broken(p, "the body of a unit that was done has run\n");
}

/* One fault can't leave a unit in doubt. More can: where a commit was lost, and what should find out fails too. */
static void check_doubt(point *p)
{
    if (p->status.outcome != BELAY_WORK_UNKNOWN)
        return;
    if (!p->onwards && p->second_after == 0)
        broken(p, "a single fault left the unit in doubt\n");
    if (!is_lost(p->fault) && !(p->second_after > 0 && is_lost(p->second_fault)))
        broken(p, "in doubt, and no connection was lost\n");
    if (p->start == START_DONE || !strstr(p->log, "commit"))
        broken(p, "in doubt, and nothing was committed\n");
}

static void check_key(point *p, bool there)
{
    const char *key = look_for_key();
    bool done = strcmp(key, "done") == 0;
    if (done != there)
        broken(p, "the work is %sthere, and the key is \"%s\"\n", there ? "" : "not ", key);
}

static void check_hooks(point *p)
{
    belay_outcome outcome = p->status.outcome;
    bool skipped = p->already_done;
    int committed = outcome == BELAY_WORK_COMMITTED && !skipped;
    int lost = p->runs - (outcome == BELAY_WORK_ROLLED_BACK || skipped ? 0 : 1); /* runs that were rolled back */
    if (p->committed != committed || p->rolled_back != lost)
        broken(p, "%d runs; hooks after a commit: %d, not %d; after a rollback: %d, not %d\n", p->runs, p->committed,
               committed, p->rolled_back, lost);
    if (p->runs > p->retries + 1)
        broken(p, "the body ran %d times\n", p->runs);
}

/* As another process would: on a handle that knows nothing yet. */
static belay_code run_elsewhere(const char *key, belay_unit unit, point *p)
{
    belay_db *db = belay_open(d.url, NULL);
    belay_session *s = belay_session_open(db);
    belay_code code = belay_atomic(s, BELAY_SCOPE_OPTIONS(.once = key, .name = "pay"), unit, p);
    p->already_done = belay_already_done(s);
    belay_session_close(s);
    belay_close(db);
    return code;
}

/* Somebody else comes with the same key: what was done is skipped, and what was not is done. */
static void check_next_run(point *p, bool there)
{
    point next = {.runs = 0};
    belay_code code = run_elsewhere("payment-1", pay, &next);
    if (code != BELAY_OK || next.runs != !there || next.already_done != there)
        broken(p, "the next run: %s, %d runs\n", belay_code_name(code), next.runs);
    if (!look_for_work(p))
        broken(p, "the next run left no work\n");
}

/* ---- All points
 * ----------------------------------------------------------------------------------------------------------
 */

static int call_off(belay_session *s, void *arg)
{
    (void)arg;
    belay_undo(s);
    return 0;
}

static void set_up(start from)
{
    static const char *const again[] = {"DELETE FROM payment", "UPDATE account SET balance = 1000",
                                        "DROP TABLE IF EXISTS belay_once", NULL};
    static const char *const taken = "INSERT INTO belay_once (once_key, unit, state, attempt, since) "
                                     "VALUES ('payment-1', 'pay', 'void', 1, strftime('%s', 'now'))";
    point ignored = {.runs = 0};
    database_run(witness, again);
    if (from != START_NO_TABLE)
        run_elsewhere("payment-1", from == START_DONE ? pay : call_off, &ignored);
    if (from == START_VOID)
        belay_exec(witness, taken);
}

/* True when the fault was met. */
static bool run_point(point *p)
{
    set_up(p->start);
    fake_init(&p->fake, &belayi_driver_sqlite);
    if (p->second_after > 0)
        fake_arm_twice(&p->fake, p->fail_at, p->fault, p->second_after, p->second_fault);
    else
        fake_arm(&p->fake, p->fail_at, p->fault, p->onwards);
    run_unit(p);
    bool there = look_for_work(p);
    check_answer(p, there);
    check_doubt(p);
    check_key(p, there);
    check_hooks(p);
    check_next_run(p, there);
    points += p->failed > 0;
    return p->failed > 0;
}

static void report(const point *p)
{
    print_error("%s, %d retries: %s at call %u %s", start_names[p->start], p->retries, fake_fault_name(p->fault),
                p->fail_at, p->onwards ? "and from then on" : "once");
    if (p->second_after > 0)
        print_error(", %s %u calls later", fake_fault_name(p->second_fault), p->second_after);
    print_error(":\n%s%s: %s\ncalls: %s\n\n", p->broken, belay_code_name(p->status.code), p->status.message, p->log);
}

/* Runs `like` with every call failing in turn. The number of points at which a promise was broken. */
static int run_series(const point *like)
{
    static point p;
    int failures = 0;
    bool met = true;
    for (unsigned n = 1; met && n < CALLS_AT_MOST; n++) {
        p = *like;
        p.fail_at = n;
        met = run_point(&p);
        if (p.broken[0] && ++failures <= REPORTS_AT_MOST)
            report(&p);
    }
    return failures + met; /* it ends because no call was left to fail */
}

static int run_single_faults(start from, int retries)
{
    static point like;
    int failures = 0;
    for (int fault = 0; fault < FAKE_FAULTS; fault++)
        for (int onwards = 0; onwards < 2; onwards++) {
            like = (point){.start = from, .retries = retries, .fault = (fake_fault)fault, .onwards = onwards};
            failures += run_series(&like);
        }
    return failures;
}

static int run_double_faults(start from, int retries)
{
    static point like;
    int failures = 0;
    for (int kinds = 0; kinds < FAKE_FAULTS * FAKE_FAULTS; kinds++)
        for (unsigned after = 1; after <= RECOVERY; after++) {
            like = (point){.start = from, .retries = retries, .second_after = after};
            like.fault = (fake_fault)(kinds / FAKE_FAULTS);
            like.second_fault = (fake_fault)(kinds % FAKE_FAULTS);
            failures += run_series(&like);
        }
    return failures;
}

static void each_answer_is_right_whatever_call_fails(void **state)
{
    int failures = 0;
    (void)state;
    for (int from = 0; from < STARTS; from++)
        for (int retries = 0; retries <= 2; retries += 2)
            failures += run_single_faults((start)from, retries);
    assert_int_equal(failures, 0);
}

static void each_answer_is_right_when_a_second_call_fails_in_the_recovery(void **state)
{
    int failures = 0;
    (void)state;
    for (int from = START_NEW; from <= START_VOID; from++)
        for (int retries = 0; retries <= 2; retries += 2)
            failures += run_double_faults((start)from, retries);
    assert_int_equal(failures, 0);
}

int main(void)
{
    static const char *const tables[] = {"CREATE TABLE payment (id INTEGER PRIMARY KEY, amount INTEGER)",
                                         "CREATE TABLE account (balance INTEGER)", "INSERT INTO account VALUES (1000)",
                                         NULL};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_is_right_whatever_call_fails),
        cmocka_unit_test(each_answer_is_right_when_a_second_call_fails_in_the_recovery),
    };
    unsetenv("BELAY_TEST_URL"); /* the fake wraps SQLite */
    database_make(&d, "?synchronous=normal");
    plain = belay_open(d.url, NULL);
    witness = belay_session_open(plain);
    database_run(witness, tables);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    belay_session_close(witness);
    belay_close(plain);
    database_close(&d);
    printf("once: %ld fault points\n", points);
    return failed;
}
