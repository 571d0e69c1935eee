/*
 * run.h - one sequence, run through the session and the reference model side by side.
 */
#ifndef BELAY_TESTS_RANDOM_RUN_H
#define BELAY_TESTS_RANDOM_RUN_H

#include "plain.h"
#include "sequence.h"

enum { DEEP = 6, MARKS = 6, LENT = 32, WATCHED = 256, STORY = 16384 };

/* What is put back by a rollback. */
typedef struct beginning {
    plain m;
    int since;
    bool uncertain;
} beginning;

typedef struct mark {
    int name, depth;
    bool dead; /* it was refused, and hides others of its name */
    beginning at;
} mark;

/* A text in the session's memory that must stay as it is until the unit has ended. */
typedef struct watched {
    int slot;
    const char *text;
    char copy[64];
} watched;

typedef struct run {
    belay_db *db;
    belay_session *s, *other; /* under test; looks at the rows */
    const sequence *p;

    plain m;
    void *real[SLOTS];
    int clock;
    beginning begin[DEEP + 1]; /* by depth */
    int depth;
    mark marks[MARKS];
    int mark_count;

    belay_code pending; /* in the innermost scope */
    bool from_inside;   /* it came out of a scope that has just ended, and may be caught */
    bool fatal;         /* it ends the transaction */
    bool uncertain;     /* a flush or reading failed half-way: objects make no sense until they are put back */

    char *lent[LENT]; /* texts of the program's, wiped after the next flush */
    int lent_count;
    watched watched[WATCHED];
    int watched_count;

    const char *wrong; /* NULL: all as it should be */
    char expected[160], actual[400];
    bool tells;          /* prints what it does */
    const void *batches; /* the innermost that runs */
} run;

/* The first difference is kept. */
void differ(run *, const char *what, const char *expected, const char *actual);
void tell(run *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- calls.c: single calls, each on both ---- */

void call_do(run *, const op *);
/* A flush that a call makes first, or an end, in the reference model; after the real one. */
codes call_flush(run *);
/* A call returned `real`; `wanted` is what it may fail with. True when it succeeded. */
bool call_came_to(run *, belay_code real, codes wanted);
/* The outermost scope has ended. */
void call_end_unit(run *);

/* ---- scopes.c ---- */

void beginning_take(run *, beginning *);
void beginning_put_back(run *, const beginning *);
void scopes_run(run *, int from, int to);

/* ---- compare.c ---- */

void compare_objects(run *);
void compare_rows(run *);

/* ---- run.c ---- */

/* True when nothing differed; else run->wrong says what. */
bool run_sequence(run *, belay_db *db, belay_session *other, const sequence *);

#endif
