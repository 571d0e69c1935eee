/*
 * model.h - the reference model: what Belay's scopes, errors, marks and hooks mean, without a database.
 *
 * The model is plain code over a stack of frames, each with a copy of the rows that it began with. It is
 * written from the documentation alone ("the page": the C API and the public headers) and shares no code with
 * the library: of the headers it uses the names of the codes only. A sentence in quotes is taken from the page;
 * what the page leaves open is decided in one place, the CHOICE list at the top of model.c.
 *
 * Rows: two tables, so small that a bit set holds each. `parents` has the ids of table t, `children` the ids of
 * table c, whose row N refers to row N of t by a foreign key that is checked at the commit.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>

#include <belay/belay.h>

enum { MODEL_DEPTH = 192, MODEL_MARKS = 512, MODEL_HOOKS = 1024, MODEL_EVENTS = 2048, MODEL_ROWS = 12 };

/* Connections of the pool, which is as many transactions as can be inside one another. */
enum { MODEL_CONNECTIONS = 3 };

typedef struct model_rows {
    unsigned parents;
    unsigned children;
} model_rows;

/* Statements, by what they do to the rows. */
typedef enum model_statement_kind {
    MODEL_INSERT,      /* row `row` into t; there already: BELAY_UNIQUE */
    MODEL_CHILD,       /* row `row` into c; there already: BELAY_UNIQUE; its parent is asked for at the commit */
    MODEL_DELETE,      /* row `row` from t, if it is there */
    MODEL_CHECK,       /* breaks a CHECK */
    MODEL_NOT_NULL,    /* breaks a NOT NULL */
    MODEL_OR_ROLLBACK, /* INSERT OR ROLLBACK of `row`: a duplicate ends the engine's transaction */
    MODEL_OR_FAIL,     /* INSERT OR FAIL of `row` and the row after it: a duplicate second keeps the first */
    MODEL_SCHEMA,      /* names a table that is not there */
    MODEL_CONTROL,     /* transaction control as SQL text */
    MODEL_PARAMETERS,  /* one parameter too few or too many */
    MODEL_STATEMENTS   /* how many kinds there are */
} model_statement_kind;

typedef struct model_statement {
    model_statement_kind kind;
    int row;
} model_statement;

typedef enum model_kind { MODEL_BLOCK, MODEL_CALLBACK, MODEL_EXPLICIT } model_kind;

typedef struct model_options {
    belay_propagation propagation;
    bool read_only;
    int retries;
} model_options;

typedef enum model_leave { MODEL_FALL_OFF, MODEL_JUMP_OUT } model_leave;

typedef enum model_hook_kind { MODEL_ON_COMMIT, MODEL_ON_ROLLBACK, MODEL_BEFORE_COMMIT } model_hook_kind;

/* What a hook does when it runs. */
typedef enum model_action {
    MODEL_NOTHING,
    MODEL_FAILS,          /* returns non-zero */
    MODEL_INSERTS,        /* inserts a row and returns the code of that */
    MODEL_REGISTERS,      /* registers an on-commit hook that does nothing */
    MODEL_REGISTERS_SAME, /* registers a hook of its own kind that does nothing */
    MODEL_OPENS,          /* begins a scope, inserts a row and leaves the scope open */
    MODEL_NESTS,          /* inserts a row in a scope of its own */
    MODEL_RAISES,         /* raises a deadlock: an error that a unit is run again for */
    MODEL_UNDOES,         /* calls the scope off */
    MODEL_GOES_BACK,      /* goes back to the mark `a`, and registers a hook of its own kind */
    MODEL_ENDS,           /* commits the scope that is not its own */
    MODEL_ACTIONS         /* how many there are */
} model_action;

typedef struct model_hook {
    model_hook_kind kind;
    model_action action;
    int row;
    int id;
} model_hook;

/* A hook that ran: which, and the code that its own call on the session gave. */
typedef struct model_event {
    int id;
    belay_code code;
} model_event;

/* One open scope. */
typedef struct model_frame {
    model_kind kind;
    model_options options;
    bool joined;      /* has no savepoint of its own */
    bool read_only;   /* by its own options or those of a scope around it */
    bool undone;      /* belay_undo was called */
    bool dropped;     /* to be rolled back without a word */
    bool from_inner;  /* the pending error came out of an inner scope, and no call was refused because of it */
    belay_code error; /* pending; BELAY_OK: none */
    model_rows base;  /* the rows when it began */
    int first_mark;
    int first_hook;
} model_frame;

typedef struct model_mark {
    int name;
    bool dead; /* set while an error was pending: can't be gone back to */
    model_rows rows;
    int hooks; /* registered before it */
} model_mark;

/* A transaction that waits while one of BELAY_REQUIRES_NEW runs inside it. */
typedef struct model_around {
    int first;
    model_rows now;
    bool looked, ended;
    int attempt;
} model_around;

typedef struct model {
    model_frame frames[MODEL_DEPTH];
    int depth;
    int first;   /* the outermost frame of the transaction that is running */
    bool looked; /* it has read: what others commit from now on is not seen by it */
    model_around around[MODEL_CONNECTIONS];
    int around_count;
    int connections; /* of the pool */
    model_mark marks[MODEL_MARKS];
    int mark_count;
    model_hook hooks[MODEL_HOOKS];
    int hook_count;
    int next_hook;   /* id of the next one registered */
    int next_before; /* the hook that is looked at next before the commit */
    bool running;    /* hooks run just now, with no scope open around them */
    model_event events[MODEL_EVENTS];
    int event_count;
    model_rows now;       /* what a query in the session sees */
    model_rows committed; /* what everybody sees */
    bool ended;           /* the transaction was ended by an error; its scopes are still open */
    int attempt;
    int hook_errors;
    belay_code status; /* how the last outermost scope ended */
    belay_code caught;
    bool status_unread; /* it is a failure that nobody read */
    belay_code unread;  /* the first failure that nobody read and that the status does not tell any more */
    bool status_first;  /* the status is older than that: it was a hook's */
} model;

void model_init(model *m, model_rows committed, int connections);

/* ---- Scopes: each returns what the call of the same name must return ---------------------------- */

/* A block or callback begins. True when its body runs; `code` gets what belay_atomic returns when it does not. */
bool model_enter(model *m, model_kind kind, const model_options *options, belay_code *code);

/*
 * The block or callback that was the `level`th scope ends. `result` is the callback's (0 for a block). True when
 * the body runs again. `code` gets what belay_atomic returns.
 */
bool model_exit(model *m, int level, model_leave leave, int result, belay_code *code);

belay_code model_begin(model *m, const model_options *options);
belay_code model_commit(model *m);
belay_code model_rollback(model *m);
belay_code model_undo(model *m);
belay_code model_savepoint(model *m, int name);
belay_code model_rollback_to(model *m, int name);
belay_code model_release(model *m, int name);
belay_code model_close(model *m);

/* ---- Statements, errors, hooks ------------------------------------------------------------------ */

belay_code model_exec(model *m, const model_statement *statement);
belay_code model_try(model *m, const model_statement *statement);
belay_code model_count(model *m, int *count);
belay_code model_fail(model *m, belay_code code);
belay_code model_require_no_transaction(model *m);
bool model_catch(model *m, belay_code which);
belay_code model_hook_add(model *m, model_hook_kind kind, model_action action, int row);

/* What belay_status must say. Reading it is an event of its own: model_read. What belay_unread must say. */
belay_code model_status(const model *m);
void model_read(model *m);
belay_code model_unread(const model *m);

/* Whether a query could be sent now; and that one was. */
bool model_usable(const model *m);
void model_look(model *m);

#endif
