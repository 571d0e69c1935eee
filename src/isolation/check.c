/*
 * check.c - belay_isolation_check: every anomaly at every level, and what is to be said of each.
 * Tests: tests/isolation.
 */
#include <belay/isolation.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "director.h"
#include "report.h"
#include "site.h"

enum { TRIES = 5 }; /* of a cell in which a step was slow without waiting */

typedef struct check {
    belayi_site site;
    belayi_director director;
    belay_isolation_options options;
    belay_isolation_report *report;
} check;

/* ---- What was seen ----------------------------------------------------------------------------------------------- */

typedef struct text {
    char *out;
    size_t room, used;
} text;

static void BELAYI_PRINTF(2, 3) add(text *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int size = vsnprintf(t->out + t->used, t->room - t->used, format, list);
    va_end(list);
    t->used += size > 0 ? (size_t)size : 0;
    if (t->used >= t->room)
        t->used = t->room - 1;
}

/* "A read 10, 20; B read 10; B waited; B failed with SERIALIZATION, and was run again; left 1:12 2:20" */
static void describe_play(const belayi_script *script, const belayi_performance *p, char *out, size_t room)
{
    text t = {out, room, 0};
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        const char *lead = " read ";
        for (const belayi_step *step = script->steps; step->act != BELAYI_END_OF_SCRIPT; step++)
            if (step->act == BELAYI_READ && step->who == who) {
                if (*lead == ' ')
                    add(&t, "%c", 'A' + who);
                add(&t, "%s%" PRId64, lead, p->history.read[step->slot]);
                lead = ", ";
            }
        add(&t, "%s", *lead == ',' ? "; " : "");
    }
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        if (p->waits[who])
            add(&t, "%c waited; ", 'A' + who);
        if (p->failures[who].code != BELAY_OK)
            add(&t, "%c got %s, and was run again; ", 'A' + who, belay_code_name(p->failures[who].code));
    }
    add(&t, "left");
    if (p->history.x != BELAYI_NO_ROW)
        add(&t, " 1:%" PRId64, p->history.x);
    if (p->history.y != BELAYI_NO_ROW)
        add(&t, " 2:%" PRId64, p->history.y);
}

static bool read_what_is_left(check *c, belayi_history *h, belay_error *error)
{
    char sql[128];
    h->x = h->y = BELAYI_NO_ROW;
    snprintf(sql, sizeof sql, "SELECT id, value FROM %s WHERE id < 3", c->site.table);
    BELAY_EACH(row, c->site.s, sql)
        *(belay_int(row, 0) == 1 ? &h->x : &h->y) = belay_int(row, 1);
    *error = *belay_pending(c->site.s);
    return error->code == BELAY_OK;
}

/* ---- A cell ------------------------------------------------------------------------------------------------------ */

static void leave_undecided(belay_isolation_cell *cell, const belay_error *error)
{
    cell->verdict = BELAY_UNDECIDED;
    cell->code = error->code;
    BELAYI_REPORT_FORMAT(cell->seen, "%s: %s%s%s", belay_code_name(error->code), error->message,
                         error->statement[0] ? ", in " : "", error->statement);
}

/* Only what was done to the sessions that the anomaly is about has prevented it. */
static void judge(const belayi_script *script, const belayi_performance *p, belay_isolation_cell *cell)
{
    bool waited = false;
    for (int who = 0; who < BELAYI_SESSIONS; who++) {
        bool counts = strchr(script->suspects, 'A' + who) != NULL;
        cell->waits += p->waits[who];
        cell->reruns += p->failures[who].code != BELAY_OK;
        waited |= counts && p->waits[who] > 0;
        if (counts && cell->code == BELAY_OK)
            cell->code = p->failures[who].code;
    }
    if (script->happened(&p->history)) {
        cell->verdict = BELAY_ALLOWED;
        cell->code = BELAY_OK;
    } else {
        cell->verdict = cell->code != BELAY_OK ? BELAY_PREVENTED_BY_ERROR
                        : waited               ? BELAY_PREVENTED_BY_WAITING
                                               : BELAY_PREVENTED;
    }
}

/* False: a step was slow, so that it is not known what was seen. */
static bool try_cell(check *c, const belayi_script *script, belay_level level, belay_isolation_cell *cell)
{
    belayi_performance p = {.slow = false};
    belay_error error = {.code = BELAY_OK};
    *cell = (belay_isolation_cell){.verdict = BELAY_UNDECIDED};
    if (belayi_site_lay(&c->site, &error)) {
        belayi_director_play(&c->director, script, c->site.table, level, &p);
        error = p.error;
        if (error.code == BELAY_OK)
            read_what_is_left(c, &p.history, &error);
    }
    bool decided = error.code != BELAY_OK || !p.slow;
    if (error.code != BELAY_OK) {
        leave_undecided(cell, &error);
    } else if (p.slow) {
        BELAYI_REPORT_FORMAT(cell->seen, "a step took long without waiting for a lock");
    } else {
        judge(script, &p, cell);
        describe_play(script, &p, cell->seen, sizeof cell->seen);
    }
    belayi_site_clear(&c->site);
    return decided;
}

static void fill_cell(check *c, belay_level level, belay_anomaly anomaly)
{
    belay_isolation_cell *cell = &c->report->cells[level][anomaly];
    for (int i = 0; i < TRIES && !try_cell(c, belayi_script_of(anomaly), level, cell); i++)
        ;
    c->report->undecided += cell->verdict == BELAY_UNDECIDED;
    if (c->options.progress)
        c->options.progress(c->options.progress_arg, level, anomaly, cell);
}

/* ---- A level ----------------------------------------------------------------------------------------------------- */

/* Asks what is in force when the level is asked for. */
static belay_code ask_level(check *c, belay_level level)
{
    belay_session *s = c->site.s;
    belay_begin(s, BELAY_SCOPE_OPTIONS(.isolation = level, .read_only = true));
    if (belay_status(s) == BELAY_OK)
        (void)belay_int_of(s, "SELECT 1");
    c->report->in_force[level] = belay_isolation(s);
    belay_code code = belay_status(s);
    if (code != BELAY_OK)
        c->report->error = *belay_pending(s);
    belay_rollback(s);
    return code;
}

static void refuse_level(check *c, belay_level level)
{
    for (int i = 0; i < BELAY_ANOMALY_COUNT; i++) {
        belay_isolation_cell *cell = &c->report->cells[level][i];
        *cell = (belay_isolation_cell){.verdict = BELAY_LEVEL_REFUSED, .code = BELAY_UNSUPPORTED};
        BELAYI_REPORT_FIELD(cell->seen, c->report->error.message);
    }
    c->report->error = (belay_error){.code = BELAY_OK};
}

/* False: the check can't go on; the report's error says why. */
static bool fill_level(check *c, belay_level level)
{
    belay_code code = ask_level(c, level);
    if (code == BELAY_UNSUPPORTED)
        refuse_level(c, level);
    for (int i = 0; i < BELAY_ANOMALY_COUNT && code == BELAY_OK; i++) {
        if (belayi_director_is_stopped(&c->director))
            code = belayi_report(&c->report->error, BELAY_CANCELLED, "the check was stopped");
        else
            fill_cell(c, level, (belay_anomaly)i);
    }
    return code == BELAY_OK || code == BELAY_UNSUPPORTED;
}

static void fill_all(check *c)
{
    bool well = ask_level(c, BELAY_ISOLATION_DEFAULT) == BELAY_OK;
    for (int level = BELAY_READ_UNCOMMITTED; level <= BELAY_SERIALIZABLE && well; level++)
        if (c->options.levels & 1u << level)
            well = fill_level(c, (belay_level)level);
}

/* ---- The call ---------------------------------------------------------------------------------------------------- */

static const unsigned all_levels = (1u << BELAY_LEVEL_COUNT) - (1u << BELAY_READ_UNCOMMITTED);

static belay_code read_options(check *c, const belay_isolation_options *given)
{
    size_t size = given && given->size ? given->size : sizeof c->options;
    if (size > sizeof c->options)
        return belayi_report(&c->report->error, BELAY_MISUSE,
                             "the options are of a newer release of this library than the one that is linked in");
    if (given)
        memcpy(&c->options, given, size);
    if (c->options.levels == 0)
        c->options.levels = all_levels;
    if (c->options.lock_timeout_ms == 0)
        c->options.lock_timeout_ms = 3000;
    if (c->options.levels & ~all_levels || c->options.lock_timeout_ms < 0)
        return belayi_report(&c->report->error, BELAY_MISUSE, "a level that there is not, or a negative time limit");
    return BELAY_OK;
}

/* What nobody has tested says so. */
static void empty_report(belay_isolation_report *report)
{
    memset(report, 0, sizeof *report);
    for (int level = 0; level < BELAY_LEVEL_COUNT; level++)
        for (int i = 0; i < BELAY_ANOMALY_COUNT; i++)
            BELAYI_REPORT_FIELD(report->cells[level][i].seen, "not tested");
}

static void describe_site(check *c)
{
    BELAYI_REPORT_FIELD(c->report->engine, belay_db_engine(c->site.db));
    BELAY_EACH(row, c->site.s, c->site.dialect->version)
        BELAYI_REPORT_FIELD(c->report->version, belay_str(row, 0));
    belayi_site_describe(&c->site, c->report->place, sizeof c->report->place);
}

static void run(check *c, const char *url)
{
    belay_isolation_report *r = c->report;
    belay_error error = {.code = BELAY_OK};
    if (!belayi_site_make(&c->site, url, &r->error))
        return;
    describe_site(c);
    if (belayi_director_open(&c->director, c->site.url, c->site.s, &c->options, &r->error))
        fill_all(c);
    belayi_director_close(&c->director);
    if (!belayi_site_remove(&c->site, &error) && r->error.code == BELAY_OK)
        r->error = error;
}

belay_code belay_isolation_check(const char *url, const belay_isolation_options *options,
                                 belay_isolation_report *report)
{
    if (!report)
        return BELAY_MISUSE;
    empty_report(report);
    if (!url)
        return belayi_report(&report->error, BELAY_MISUSE, "no URL");
    check *c = calloc(1, sizeof *c);
    if (!c)
        return belayi_report(&report->error, BELAY_NO_MEMORY, "no memory for the check");
    c->report = report;
    if (read_options(c, options) == BELAY_OK)
        run(c, url);
    free(c);
    return report->error.code;
}
