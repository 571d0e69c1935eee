/*
 * recover.c - belay_recover: what a crash left prepared is ended as it was decided.
 * Tests: tests/two_phase, tests/crash/crash_two_phase.py.
 */
#include <belay/two_phase.h>

#include <stdlib.h>
#include <string.h>

#include "db.h"
#include "decisions.h"
#include "prepared.h"
#include "report.h"

enum { PATIENCE_MS = 3000 }; /* for a connection that is dying; one that lives is of a program that will end it */

typedef struct recovery {
    belay_db *const *dbs;
    size_t n, at; /* the database that is being looked at */
    char (*logs)[BELAYI_NUMBER_ROOM];
    belay_recovered tell;
    void *arg;
    char **names; /* what is prepared there */
    size_t count, room;
    belay_code code;
} recovery;

/* ---- What is there ---------------------------------------------------------------------------------------------- */

/* Which of the databases hold decisions. One that can't be asked may be the one that does. */
static belay_code find_logs(recovery *r)
{
    for (size_t i = 0; i < r->n; i++) {
        belay_error error;
        belay_code code = belayi_decisions_find(r->dbs[i], r->logs[i], &error);
        if (code == BELAY_NOT_FOUND)
            r->logs[i][0] = '\0';
        else if (code != BELAY_OK)
            return code;
    }
    return BELAY_OK;
}

static bool has_room(recovery *r)
{
    if (r->count < r->room)
        return true;
    size_t room = r->room ? 2 * r->room : 16;
    char **grown = realloc(r->names, room * sizeof *grown);
    if (!grown)
        return false;
    r->names = grown;
    r->room = room;
    return true;
}

static void note_name(void *arg, const char *name)
{
    recovery *r = arg;
    char *copy = has_room(r) ? strdup(name) : NULL;
    if (copy)
        r->names[r->count++] = copy;
    else
        r->code = BELAY_NO_MEMORY;
}

static void forget_names(recovery *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->names[i]);
    r->count = 0;
}

/* ---- Ending it -------------------------------------------------------------------------------------------------- */

static belay_db *find_log(const recovery *r, const char *number)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->logs[i], number) == 0)
            return r->dbs[i];
    return NULL;
}

static belay_code end_one(const recovery *r, const char *name, bool *out_commit, belay_error *error)
{
    char number[BELAYI_NUMBER_ROOM], unit[BELAYI_NUMBER_ROOM];
    belayi_prepared_read_name(name, number, unit);
    belay_db *log = find_log(r, number);
    if (!log) {
        belayi_report(error, BELAY_IN_DOUBT,
                      "whether it was to be committed is in a log of decisions that is not here");
        BELAYI_REPORT_FORMAT(error->hint, "give the database whose table belay_decisions has the row 'log', '%s'",
                             number);
        return error->code;
    }
    belay_code code = belayi_decisions_settle(log, unit, out_commit, error);
    return code == BELAY_OK ? belayi_prepared_end(r->dbs[r->at], name, *out_commit, PATIENCE_MS, error) : code;
}

static void recover_one(recovery *r, const char *name)
{
    bool commit = false;
    belay_error error;
    belay_code code = end_one(r, name, &commit, &error);
    if (code == BELAY_NOT_FOUND)
        return; /* its program has ended it meanwhile, and knows how */
    belay_recovery told = {.size = sizeof told, .database = r->at, .name = name};
    told.outcome = code != BELAY_OK ? BELAY_WORK_UNKNOWN : commit ? BELAY_WORK_COMMITTED : BELAY_WORK_ROLLED_BACK;
    told.error = code == BELAY_OK ? NULL : &error;
    if (code != BELAY_OK)
        r->code = BELAY_IN_DOUBT;
    if (r->tell)
        r->tell(r->arg, &told);
}

/* The names are taken down first: what is prepared meanwhile has a program that will end it. */
static belay_code recover_database(recovery *r)
{
    belay_error error;
    belay_code code = belayi_prepared_list(r->dbs[r->at], note_name, r, &error);
    for (size_t i = 0; code == BELAY_OK && i < r->count; i++)
        recover_one(r, r->names[i]);
    forget_names(r);
    return code;
}

belay_code belay_recover(belay_db *const *dbs, size_t n, belay_recovered tell, void *arg)
{
    recovery r = {.dbs = dbs, .n = n, .tell = tell, .arg = arg};
    for (size_t i = 0; i < n; i++)
        if (!dbs || !dbs[i])
            return BELAY_MISUSE;
    r.logs = calloc(n ? n : 1, sizeof *r.logs);
    if (!r.logs)
        return BELAY_NO_MEMORY;
    belay_code code = find_logs(&r);
    for (; code == BELAY_OK && r.at < n; r.at++)
        code = recover_database(&r);
    free(r.names);
    free(r.logs);
    return code != BELAY_OK ? code : r.code;
}
