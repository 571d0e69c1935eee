/*
 * runner.h - runs a program through Belay and through the model, and compares them after every operation.
 */
#ifndef RUNNER_H
#define RUNNER_H

#include "program.h"

/* What did not agree. */
typedef enum aspect {
    AGREED,
    ASPECT_RETURN,      /* what a call returned */
    ASPECT_STATUS,      /* belay_status or belay_pending */
    ASPECT_DEPTH,       /* belay_depth or belay_in_transaction */
    ASPECT_BODY,        /* whether a body runs */
    ASPECT_CAUGHT,      /* belay_caught */
    ASPECT_ROWS,        /* the rows seen in the session */
    ASPECT_CHANGES,     /* belay_changes */
    ASPECT_ATTEMPT,     /* belay_attempt */
    ASPECT_HOOKS,       /* which hooks ran, in which order, and what their own calls gave */
    ASPECT_HOOK_ERRORS, /* belay_hook_errors */
    ASPECT_FREED,       /* a hook's argument was not freed exactly once */
    ASPECT_CLOSE,       /* belay_session_close or belay_unread */
    ASPECT_COMMITTED,   /* the rows seen by another session in the end */
    ASPECTS
} aspect;

typedef struct difference {
    aspect aspect;
    int at; /* the operation; program.count: the end */
    char expected[200];
    char actual[200];
} difference;

const char *aspect_text(aspect a);

/* Each with the two tables. The one in memory is faster; it has one connection, and the other MODEL_CONNECTIONS. */
typedef struct databases {
    belay_db *memory, *file;
} databases;

/* Opens both; the tables in the file are made anew. False, with a complaint, when that fails. */
bool runner_open(databases *on, const char *path);
void runner_close(databases *on);

/* Runs one program. The tables are empty before and, when all agreed, after it. */
difference runner_run(const databases *on, const program *p);

#endif
