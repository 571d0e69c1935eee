/*
 * program.h - a random program: a flat list of operations.
 *
 * Blocks and callbacks are opened by one operation and closed by a later one (END, CONTINUE, BREAK, RETURN);
 * RETURN closes everything up to the enclosing callback or the whole function, and the end of the list closes
 * what is left. A closing operation with nothing to close does nothing. So any operation may be taken out and
 * what remains is still a program, which is what shrinking lives on.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum { PROGRAM_OPS = 400 };

typedef enum op_kind {
    OP_BLOCK,    /* a: scope_form */
    OP_CALLBACK, /* a: scope_form, b: what the callback returns */
    OP_BEGIN,    /* a: scope_form */
    OP_END,
    OP_CONTINUE,
    OP_BREAK,
    OP_RETURN,
    OP_COMMIT,
    OP_ROLLBACK,
    OP_UNDO,
    OP_SAVEPOINT, /* a: name */
    OP_ROLLBACK_TO,
    OP_RELEASE,
    OP_EXEC, /* a: model_statement_kind, b: row */
    OP_TRY,
    OP_COUNT,
    OP_FAIL,    /* a: code */
    OP_FAIL_IN, /* a: code, b: only in the attempt after so many */
    OP_RAISE,   /* belay_raise of belay_caught */
    OP_CATCH,   /* a: code */
    OP_IGNORE,
    OP_READ,         /* belay_status */
    OP_HOOK,         /* a: model_hook_kind * MODEL_ACTIONS + model_action, b: row */
    OP_REQUIRE_NONE, /* belay_require_no_transaction */
    OP_KINDS
} op_kind;

/* The options of a scope. */
typedef enum scope_form {
    FORM_PLAIN,
    FORM_READ,
    FORM_REQUIRED,
    FORM_MANDATORY,
    FORM_OUTERMOST,
    FORM_RETRY,      /* .retries = 2 */
    FORM_RETRY_READ, /* and read-only */
    FORM_NEW,        /* a transaction of its own */
    FORM_NEW_READ,   /* a read-only one */
    FORMS
} scope_form;

enum { NAMES = 3 };

typedef struct op {
    op_kind kind;
    int a;
    int b;
} op;

typedef struct program {
    op ops[PROGRAM_OPS];
    int count;
    bool looks; /* the rows are compared after every operation where a query may be sent */
    bool quiet; /* the status is read by OP_READ only: for belay_unread */
} program;

/* Where the body of the block or callback at `at` ends, and where the program goes on after it. */
typedef struct extent {
    int body_end;
    int next;
} extent;

extent program_extent(const program *p, int at);

/* The operation that closes it; program.count when the end of the list does. */
int program_closer(const program *p, int at);

model_options program_options(int form);

/* Whether it has transactions inside one another, so that it needs a database with several connections. */
bool program_is_wide(const program *p);

/* One operation as text, such as `insert 3`. Returns `text`. */
const char *program_op_text(const op *o, char *text, size_t size);

/* The program as pseudo-code, an operation a line, `mark` (or -1) pointed at. */
void program_print(const program *p, int mark);

/* Reads what program_print wrote, lines or `;` between operations. False and a complaint when it can't be read. */
bool program_parse(program *p, const char *text);

/* The code's name, and back; BELAY_ANY when there is no such name. */
const char *program_code_name(belay_code code);

typedef struct generator_options {
    bool hooks;
    bool retries;
    bool own; /* transactions of their own inside others */
} generator_options;

/* The same program for the same seed. */
void program_generate(program *p, uint64_t seed, const generator_options *options);

/* Whether the program still shows the difference. */
typedef bool (*program_predicate)(const program *p, void *arg);

/* Takes out and simplifies operations for as long as the predicate holds. */
void program_shrink(program *p, program_predicate holds, void *arg);

#endif
