/*
 * cut_units.h - units over a link that breaks, and what must be true of them afterwards.
 *
 * Each unit commits a pair of rows through a proxy. What was attempted and what was reported is noted here, outside of
 * the database. After each cut a session that has a link of its own looks at what is there.
 */
#ifndef BELAY_TESTS_CUT_UNITS_H
#define BELAY_TESTS_CUT_UNITS_H

#include "database.h"
#include "proxy.h"

typedef enum unit_form {
    UNIT_BLOCK,    /* a block of two statements */
    UNIT_NESTED,   /* the second one in a nested scope */
    UNIT_EXPLICIT, /* belay_begin and belay_commit: never run again */
    UNIT_LONE,     /* one statement outside any scope: never run again, no hooks */
    UNIT_KEY,      /* a block with .once */
    UNIT_PIPELINE, /* a block with .pipeline: on PostgreSQL all of it is one flight */
    UNIT_FORMS
} unit_form;

/* What may be reported, besides what is true. */
typedef enum unit_doubt {
    DOUBT_NEVER,    /* it must be found out */
    DOUBT_AT_COMMIT /* where COMMIT has left and no answer came, and only there */
} unit_doubt;

typedef struct unit_run {
    int id;
    unit_form form;
    int retries;
    belay_error error;
    unsigned struck;                        /* faults */
    int attempts, bodies;                   /* the number of the last one, and how many were begun */
    int committed_hooks, rolled_back_hooks; /* how often they ran */
    bool saw_commit, may_be_at_commit;      /* COMMIT had left, or may have, when the first fault struck */
} unit_run;

enum { UNITS_MAX = 20000 };

typedef struct cut_rig {
    database d; /* its session has a link of its own */
    proxy *p;
    char url[400]; /* by way of the proxy */
    belay_db *db;
    belay_session *s;
    bool postgresql;
    int timeout_ms, lock_timeout_ms; /* of the units */
    int units, probes;
    belay_code reported[UNITS_MAX];
    int cuts, committed, rolled_back, in_doubt, found_dead;
} cut_rig;

int cut_rig_open(void **state);
int cut_rig_close(void **state);

/* Cuts in all rigs that were closed. */
int cut_rig_count(void);

/* Opens the handle under test anew. */
void cut_rig_reopen(cut_rig *, const belay_db_options *);

/* Runs a unit under these faults, and ends what they left silent. */
unit_run cut_unit(cut_rig *, unit_form, int retries, const proxy_fault *faults, size_t count);

/* Runs a unit that is in doubt again, under its key and without a fault. Fails the test unless it is there once then.
 */
void resolve_doubt(cut_rig *, const unit_run *, const char *what);

/* Fails the test unless what was reported is true, and the server holds nothing any more. */
void check_unit(cut_rig *, const unit_run *, unit_doubt, const char *what);

/* Fails the test unless the next scope on the session works. Where the link may have been cut after the last answer,
   the connection was given back as sound: then one scope may fail with an error that says so. */
void check_session(cut_rig *, bool may_be_dead, const char *what);

/* Fails the test unless all that was attempted is there whole or not at all, as it was reported last. */
void check_all_units(cut_rig *);

#endif
