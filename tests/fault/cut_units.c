#include "cut_units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The rig --------------------------------------------------------------------------------------------- */

static int cuts_in_all;

int cut_rig_count(void)
{
    return cuts_in_all;
}

int cut_rig_open(void **state)
{
    static cut_rig r;
    static const char *const tables[] = {
        /* Without a key: it would keep out what is done twice. */
        "CREATE TABLE pair (unit BIGINT NOT NULL, half INTEGER NOT NULL, attempt INTEGER NOT NULL)",
        "CREATE INDEX pair_unit ON pair (unit)",
        "CREATE TABLE probe (n INTEGER NOT NULL)",
        "INSERT INTO probe (n) VALUES (0)",
        NULL,
    };
    memset(&r, 0, sizeof r);
    database_open(&r.d, NULL);
    database_run(r.d.s, tables);
    r.postgresql = strncmp(r.d.url, "postgres", 8) == 0;
    r.p = proxy_before(r.d.url, r.url, sizeof r.url);
    if (!r.p)
        fail_msg("no proxy before %s", r.d.url);
    r.timeout_ms = 20000;
    r.lock_timeout_ms = 5000;
    r.timeout_ms = 20000;
    proxy_watch(r.p, "COMMIT");
    *state = &r;
    return 0;
}

void cut_rig_reopen(cut_rig *r, const belay_db_options *given)
{
    belay_session_close(r->s);
    belay_close(r->db);
    r->db = belay_open(r->url, given);
    r->s = belay_session_open(r->db);
    if (belay_db_error(r->db)->code != BELAY_OK)
        fail_msg("the database can't be used: %s", belay_db_error(r->db)->message);
}

int cut_rig_close(void **state)
{
    cut_rig *r = *state;
    proxy_plan(r->p, NULL, 0);
    belay_session_close(r->s);
    belay_close(r->db);
    proxy_close(r->p);
    cuts_in_all += r->cuts;
    print_message("%d cuts: %d reported committed, %d rolled back, %d in doubt; %d pooled connections found dead\n",
                  r->cuts, r->committed, r->rolled_back, r->in_doubt, r->found_dead);
    return database_close(&r->d) == BELAY_OK ? 0 : -1;
}

/* ---- A unit ---------------------------------------------------------------------------------------------- */

static int count_run(belay_session *s, void *arg)
{
    (void)s;
    ++*(int *)arg;
    return 0;
}

static void put_half(belay_session *s, const unit_run *u, int half)
{
    belay_exec(s, "INSERT INTO pair (unit, half, attempt) VALUES (?, ?, ?)", u->id, half, u->attempts);
}

static void begin_attempt(belay_session *s, unit_run *u)
{
    u->bodies++;
    u->attempts = belay_attempt(s);
    belay_on_commit(s, count_run, &u->committed_hooks, NULL);
    belay_on_rollback(s, count_run, &u->rolled_back_hooks, NULL);
}

static void run_block(cut_rig *r, unit_run *u, const char *key)
{
    belay_session *s = r->s;
    BELAY_ATOMIC_WITH(s, .retries = u->retries, .pipeline = u->form == UNIT_PIPELINE, .once = key,
                      .timeout_ms = r->timeout_ms, .lock_timeout_ms = r->lock_timeout_ms) {
        begin_attempt(s, u);
        put_half(s, u, 1);
        if (u->form == UNIT_NESTED)
            BELAY_ATOMIC(s)
                put_half(s, u, 2);
        else
            put_half(s, u, 2);
    }
}

static void run_form(cut_rig *r, unit_run *u)
{
    char key[32];
    belay_session *s = r->s;
    snprintf(key, sizeof key, "unit-%d", u->id);
    if (u->form == UNIT_LONE) {
        u->attempts = 1;
        belay_exec(s, "INSERT INTO pair (unit, half, attempt) VALUES (?, 1, 1), (?, 2, 1)", u->id, u->id);
    } else if (u->form == UNIT_EXPLICIT) {
        belay_begin(s, BELAY_SCOPE_OPTIONS(.timeout_ms = r->timeout_ms));
        begin_attempt(s, u);
        put_half(s, u, 1);
        put_half(s, u, 2);
        belay_commit(s);
    } else {
        run_block(r, u, u->form == UNIT_KEY ? key : NULL);
    }
    u->error = *belay_pending(s);
}

/* COMMIT may also have been on its way to a link that was broken behind the answer to a statement, or be part of one: a
   lone statement is its own transaction, and with .pipeline COMMIT leaves with the first. */
static void look_for_commit(cut_rig *r, unit_run *u, const proxy_fault *first)
{
    bool behind_answer = first && first->way == PROXY_TO_CLIENT && first->place == PROXY_AFTER;
    u->saw_commit = u->struck > 0 && proxy_saw(r->p);
    bool with_first = u->form == UNIT_LONE || u->form == UNIT_PIPELINE;
    u->may_be_at_commit = u->struck > 0 && (u->saw_commit || with_first || behind_answer);
}

static void note(cut_rig *r, const unit_run *u)
{
    r->reported[u->id] = u->error.code;
    r->cuts += u->struck > 0;
    r->committed += u->error.code == BELAY_OK;
    r->in_doubt += u->error.code == BELAY_IN_DOUBT;
    r->rolled_back += u->error.code != BELAY_OK && u->error.code != BELAY_IN_DOUBT;
}

unit_run cut_unit(cut_rig *r, unit_form form, int retries, const proxy_fault *faults, size_t count)
{
    unit_run u = {.id = r->units, .form = form, .retries = retries};
    if (r->units++ >= UNITS_MAX)
        fail_msg("too many units");
    proxy_plan(r->p, faults, count);
    run_form(r, &u);
    u.struck = proxy_struck(r->p);
    look_for_commit(r, &u, faults);
    proxy_plan(r->p, NULL, 0);
    proxy_let_go(r->p);
    note(r, &u);
    return u;
}

/* ---- What must be true ----------------------------------------------------------------------------------- */

/* Sessions of this database other than the one that asks. */
static int64_t count_sessions(const cut_rig *r)
{
    return belay_int_of(
        r->d.s,
        r->postgresql
            ? "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            : "SELECT count(*) FROM information_schema.processlist WHERE db = "
              "database() AND id <> connection_id()");
}

static int64_t count_transactions(const cut_rig *r)
{
    return belay_int_of(r->d.s, r->postgresql
                                    ? "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                                      "pid <> pg_backend_pid() AND backend_type = 'client backend' AND xact_start IS "
                                      "NOT NULL"
                                    : "SELECT count(*) FROM information_schema.innodb_trx t JOIN "
                                      "information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.db = "
                                      "database() AND p.id <> connection_id()");
}

/* Waits, at most half a minute, until the server has ended the sessions that have no link any more. */
static void wait_for_server(const cut_rig *r, const char *what)
{
    int64_t sessions = 0;
    for (int i = 0; i < 30000; i++) {
        sessions = count_sessions(r);
        if (belay_status(r->d.s) == BELAY_OK && sessions <= proxy_links(r->p))
            return;
        usleep(i < 20 ? 200 : 1000);
    }
    fail_msg("%s: %d sessions are left at the server, and %u links", what, (int)sessions, proxy_links(r->p));
}

/* InnoDB's list is made anew only every 100 ms: it is not looked at each time. */
static void check_no_transaction(const cut_rig *r, const char *what)
{
    int64_t left = 1;
    bool often = r->postgresql || r->units % 50 == 0;
    for (int i = 0; often && left > 0 && i < 300; i++) {
        left = count_transactions(r);
        if (left > 0)
            usleep(20000);
    }
    if (often && left > 0)
        fail_msg("%s: %d transactions are left open at the server", what, (int)left);
}

static void fail_unit(const unit_run *u, const char *what, const char *why, int rows)
{
    static const char *const forms[] = {"block", "nested", "explicit", "lone", "key", "pipelined"};
    fail_msg("%s: unit %d (%s, %d retries): %s; reported %s in attempt %d (%s), %d rows are there, %d+%d hooks ran",
             what, u->id, forms[u->form], u->retries, why, belay_code_name(u->error.code), u->attempts,
             u->error.message, rows, u->committed_hooks, u->rolled_back_hooks);
}

/* How many rows; -1 when they are torn, or there more than once, or of several attempts. */
static int count_rows(const cut_rig *r, int id)
{
    belay_rows *rows = belay_query(r->d.s,
                                   "SELECT count(*), count(DISTINCT half), count(DISTINCT attempt) FROM pair "
                                   "WHERE unit = ?",
                                   id);
    int count = -1;
    if (belay_next(rows)) {
        int64_t all = belay_int(rows, 0), halves = belay_int(rows, 1), attempts = belay_int(rows, 2);
        count = all == 0 || (all == 2 && halves == 2 && attempts == 1) ? (int)all : -1;
    }
    belay_rows_close(rows);
    return count;
}

static const char *find_lie(const unit_run *u, unit_doubt doubt, int rows)
{
    int undone = u->rolled_back_hooks, begun = u->bodies; /* a lone statement has no hooks, and no body */
    if (rows < 0)
        return "it is torn, or done twice";
    if (u->error.code == BELAY_OK)
        return rows != 2                               ? "it is not there"
               : u->committed_hooks != (begun > 0)     ? "its hook did not run once"
               : undone != (begun > 0 ? begun - 1 : 0) ? "hooks of its first attempts did not run once each"
                                                       : NULL;
    if (u->committed_hooks != 0)
        return "a hook ran that waits for the commit";
    if (u->error.code == BELAY_IN_DOUBT)
        return u->error.outcome != BELAY_WORK_UNKNOWN  ? "the outcome of what is in doubt is not unknown"
               : doubt == DOUBT_NEVER                  ? "it could have been found out"
               : !u->may_be_at_commit                  ? "it was cut before COMMIT left"
               : undone != (begun > 0 ? begun - 1 : 0) ? "a hook ran that waits for the rollback"
                                                       : NULL;
    return u->error.outcome != BELAY_WORK_ROLLED_BACK ? "its outcome is not said to be rolled back"
           : rows != 0                                ? "it is there"
           : undone != begun                          ? "hooks of its attempts did not run once each"
                                                      : NULL;
}

void check_unit(cut_rig *r, const unit_run *u, unit_doubt doubt, const char *what)
{
    wait_for_server(r, what);
    check_no_transaction(r, what);
    int rows = count_rows(r, u->id);
    const char *lie = find_lie(u, doubt, rows);
    if (lie)
        fail_unit(u, what, lie, rows);
}

void check_session(cut_rig *r, bool may_be_dead, const char *what)
{
    const belay_error *error;
    for (int i = 0; i < 2; i++) {
        BELAY_ATOMIC(r->s)
            belay_exec(r->s, "UPDATE probe SET n = n + 1");
        error = belay_pending(r->s);
        r->probes += error->code == BELAY_OK;
        bool told = error->code == BELAY_CONNECTION && error->outcome == BELAY_WORK_ROLLED_BACK;
        if (!may_be_dead || !told)
            break;
        may_be_dead = false;
        r->found_dead++;
    }
    if (error->code != BELAY_OK)
        fail_msg("%s: the next scope failed: %s", what, belay_message(r->s));
}

void resolve_doubt(cut_rig *r, const unit_run *before, const char *what)
{
    unit_run u = {.id = before->id, .form = before->form, .retries = 1};
    int limit = r->timeout_ms; /* of what was to fail */
    if (before->error.code != BELAY_IN_DOUBT || before->form != UNIT_KEY)
        return;
    r->timeout_ms = 20000;
    run_form(r, &u);
    r->timeout_ms = limit;
    int rows = count_rows(r, u.id);
    if (u.error.code != BELAY_OK || rows != 2 || u.committed_hooks != !belay_already_done(r->s))
        fail_unit(&u, what, "it was in doubt, was run again, and is not there once", rows);
    r->reported[u.id] = BELAY_OK;
}

/* All that is attempted is there whole or not at all, and as it was reported. */
void check_all_units(cut_rig *r)
{
    belay_rows *rows = belay_query(r->d.s, "SELECT unit, count(*), sum(half), min(attempt), max(attempt) FROM pair "
                                           "GROUP BY unit ORDER BY unit");
    char *there = calloc(UNITS_MAX, 1);
    int wrong = 0;
    while (belay_next(rows)) {
        int64_t id = belay_int(rows, 0);
        bool whole = belay_int(rows, 1) == 2 && belay_int(rows, 2) == 3 && belay_int(rows, 3) == belay_int(rows, 4);
        bool attempted = id >= 0 && id < r->units;
        wrong += !whole || !attempted;
        if (attempted)
            there[id] = 1;
    }
    belay_rows_close(rows);
    for (int i = 0; i < r->units; i++)
        wrong += r->reported[i] == BELAY_OK ? !there[i] : r->reported[i] != BELAY_IN_DOUBT && there[i];
    free(there);
    assert_int_equal(wrong, 0);
    assert_int_equal(belay_int_of(r->d.s, "SELECT n FROM probe"), r->probes);
}
