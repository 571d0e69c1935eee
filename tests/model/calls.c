/*
 * calls.c - the operations that are one call: the model's first, then the library's.
 */
#include "runner_inner.h"

/* ---- Statements ----------------------------------------------------------------------- */

#define RUN(...) (alone ? belay_try(__VA_ARGS__) : belay_exec(__VA_ARGS__))

belay_code run_statement(belay_session *s, const model_statement *statement, bool alone)
{
    static const char *const control[] = {"COMMIT",    "BEGIN", "ROLLBACK",       "/* x */ SAVEPOINT x",
                                          "RELEASE x", "END",   "begin immediate"};
    int row = statement->row;
    switch (statement->kind) {
    case MODEL_INSERT:
        return RUN(s, "INSERT INTO t(id, v) VALUES (?, 1)", row);
    case MODEL_CHILD:
        return RUN(s, "INSERT INTO c(id) VALUES (:id)", row);
    case MODEL_DELETE:
        return RUN(s, "DELETE FROM t WHERE id = $1", row);
    case MODEL_CHECK:
        return RUN(s, "INSERT INTO t(id, v) VALUES (100, -1)");
    case MODEL_NOT_NULL:
        return RUN(s, "INSERT INTO t(id, v) VALUES (100, NULL)");
    case MODEL_OR_ROLLBACK:
        return RUN(s, "INSERT OR ROLLBACK INTO t(id, v) VALUES (?, 1)", row);
    case MODEL_OR_FAIL:
        return RUN(s, "INSERT OR FAIL INTO t(id, v) VALUES (?, 1), (?, 1)", row, (row + 1) % MODEL_ROWS);
    case MODEL_SCHEMA:
        return RUN(s, "INSERT INTO missing VALUES (1)");
    case MODEL_CONTROL:
        return RUN(s, control[(size_t)row % (sizeof control / sizeof *control)]);
    case MODEL_PARAMETERS:
        return row % 2 ? RUN(s, "INSERT INTO t(id, v) VALUES (?, 1)") : RUN(s, "DELETE FROM t WHERE id = ?", 1, 2);
    case MODEL_STATEMENTS:
        break;
    }
    return BELAY_OK;
}

static int bits(unsigned set)
{
    return __builtin_popcount(set);
}

/* "The rows that the last statement matched"; 0 "after a statement that failed" */
static int rows_changed(model_rows before, model_rows after)
{
    return bits(before.parents ^ after.parents) + bits(before.children ^ after.children);
}

static void do_statement(runner *r, const op *o)
{
    const model_statement statement = {(model_statement_kind)o->a, o->b};
    bool alone = o->kind == OP_TRY, sent = r->m.depth == 0 || model_usable(&r->m);
    model_rows before = r->m.now;
    belay_code expected = alone ? model_try(&r->m, &statement) : model_exec(&r->m, &statement);
    same_code(r, ASPECT_RETURN, expected, run_statement(r->s, &statement, alone));
    if (sent && r->found.aspect == AGREED)
        same_number(r, ASPECT_CHANGES, expected == BELAY_OK ? rows_changed(before, r->m.now) : 0, belay_changes(r->s));
}

static void do_count(runner *r)
{
    int expected;
    model_count(&r->m, &expected);
    same_number(r, ASPECT_ROWS, expected, belay_int_of(r->s, "SELECT count(*) FROM t"));
}

static void do_catch(runner *r, const op *o)
{
    belay_code which = (belay_code)o->a;
    bool expected = model_catch(&r->m, which);
    if (o->kind == OP_IGNORE)
        belay_ignore(r->s, which);
    else
        same_number(r, ASPECT_RETURN, expected, belay_catch(r->s, which));
}

static void do_fail(runner *r, const op *o)
{
    belay_code code = (belay_code)o->a;
    if (o->kind == OP_FAIL || r->m.attempt == o->b + 1)
        same_code(r, ASPECT_RETURN, model_fail(&r->m, code), belay_fail(r->s, code, "on %s", "purpose"));
}

/* ---- Scopes, marks and errors ------------------------------------------------------------------- */

belay_scope_options real_options(int form)
{
    model_options options = program_options(form);
    return (belay_scope_options){.size = sizeof(belay_scope_options),
                                 .propagation = options.propagation,
                                 .read_only = options.read_only,
                                 .retries = options.retries,
                                 .pipeline = form % 2 == 1, /* SQLite has no queue: it must change nothing */
                                 .backoff_ms = 1,
                                 .backoff_max_ms = 1};
}

static void do_begin(runner *r, const op *o)
{
    model_options options = program_options(o->a);
    belay_scope_options real = real_options(o->a);
    same_code(r, ASPECT_RETURN, model_begin(&r->m, &options), belay_begin(r->s, o->a == FORM_PLAIN ? NULL : &real));
}

static void do_mark(runner *r, const op *o)
{
    static const char *const names[NAMES] = {"a", "a;drop table t", "\"%s\"'"};
    const char *name = names[o->a];
    if (o->kind == OP_SAVEPOINT)
        same_code(r, ASPECT_RETURN, model_savepoint(&r->m, o->a), belay_savepoint(r->s, name));
    else if (o->kind == OP_ROLLBACK_TO)
        same_code(r, ASPECT_RETURN, model_rollback_to(&r->m, o->a), belay_rollback_to(r->s, name));
    else
        same_code(r, ASPECT_RETURN, model_release(&r->m, o->a), belay_release(r->s, name));
}

void do_call(runner *r, const op *o)
{
    switch (o->kind) {
    case OP_BEGIN:
        do_begin(r, o);
        break;
    case OP_COMMIT:
        same_code(r, ASPECT_RETURN, model_commit(&r->m), belay_commit(r->s));
        break;
    case OP_ROLLBACK:
        same_code(r, ASPECT_RETURN, model_rollback(&r->m), belay_rollback(r->s));
        break;
    case OP_UNDO:
        same_code(r, ASPECT_RETURN, model_undo(&r->m), belay_undo(r->s));
        break;
    case OP_SAVEPOINT:
    case OP_ROLLBACK_TO:
    case OP_RELEASE:
        do_mark(r, o);
        break;
    case OP_EXEC:
    case OP_TRY:
        do_statement(r, o);
        break;
    case OP_COUNT:
        do_count(r);
        break;
    case OP_FAIL:
    case OP_FAIL_IN:
        do_fail(r, o);
        break;
    case OP_RAISE: /* "The same rules as for belay_fail." */
        same_code(r, ASPECT_RETURN, model_fail(&r->m, r->m.caught), belay_raise(r->s, belay_caught(r->s)));
        break;
    case OP_CATCH:
    case OP_IGNORE:
        do_catch(r, o);
        break;
    case OP_READ:
        model_read(&r->m);
        same_code(r, ASPECT_STATUS, model_status(&r->m), belay_status(r->s));
        break;
    case OP_HOOK:
        do_hook(r, o);
        break;
    case OP_REQUIRE_NONE:
        same_code(r, ASPECT_RETURN, model_require_no_transaction(&r->m), belay_require_no_transaction(r->s));
        break;
    case OP_BLOCK:
    case OP_CALLBACK:
    case OP_END:
    case OP_CONTINUE:
    case OP_BREAK:
    case OP_RETURN:
    case OP_KINDS:
        break;
    }
}
