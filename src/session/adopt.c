/*
 * adopt.c - a session over the program's own connection; the engine's handle lent.
 *
 * The program may use that connection where the library can't see it. So nothing
 * is owed there: what a scope promises is at the engine before the program's
 * code runs in it. Whether the connection is inside a transaction of the
 * program's is asked of the engine each time that an outermost scope begins.
 */
#include "adopt.h"

#include "report.h"

belay_session *belayi_adopt(const belay_driver *driver, void *native)
{
    belay_db *db = belayi_db_adopt(driver, native);
    if (!db)
        return NULL;
    belay_session *s = belay_session_open(db);
    if (s)
        s->adopted = true;
    belayi_db_let_go(db); /* the session alone holds it now */
    return s;
}

/* ---- What an outermost scope begins in -------------------------------------------------------------------------- */

static belay_code ask_status(belay_session *s, belay_transaction_status *out_status, belay_error *error)
{
    belay_conn *conn;
    belay_limits no_limits = {.lock_wait_ns = -1};
    belay_code code = belayi_db_lend(s->db, &no_limits, &conn, error);
    if (code != BELAY_OK)
        return code;
    *out_status = conn->driver->status(conn);
    belayi_pool_take_back(&s->db->pool, conn, true);
    return BELAY_OK;
}

/* What a unit that is a part of somebody else's transaction can't do, as only a commit of its own could; else NULL. */
static const char *needs_commit(const belay_scope_options *o)
{
    if (o->propagation == BELAY_OUTERMOST || o->propagation == BELAY_REQUIRES_NEW)
        return o->propagation == BELAY_OUTERMOST ? "BELAY_OUTERMOST" : "BELAY_REQUIRES_NEW";
    return o->retries > 0 ? ".retries" : o->once ? ".once" : NULL;
}

static belay_code check_foreign(const belay_scope_options *o, belay_error *error)
{
    const char *what = o ? needs_commit(o) : NULL;
    if (!what)
        return BELAY_OK;
    return belayi_report(error, BELAY_UNSUPPORTED,
                         "%s: the connection is inside a transaction of the program's, of which this scope is a part",
                         what);
}

belay_code belayi_adopt_resolve(belay_session *s, const belay_scope_options *o, belayi_form form,
                                belayi_scope_spec *spec, belay_error *error)
{
    if (s->transaction.depth > 0)
        return BELAY_OK;
    if (s->foreign_end.code != BELAY_OK) {
        *error = s->foreign_end;
        return error->code;
    }
    spec->foreign = spec->sandboxed = s->kind != NULL;
    if (!s->adopted)
        return BELAY_OK;
    belay_transaction_status status;
    belay_code code = ask_status(s, &status, error);
    if (code != BELAY_OK)
        return code;
    spec->foreign = status == BELAY_TRANSACTION_OPEN || status == BELAY_TRANSACTION_FAILED;
    spec->eager = form != BELAYI_FORM_STATEMENT;
    return spec->foreign ? check_foreign(o, error) : BELAY_OK;
}

bool belayi_adopt_in_foreign(belay_session *s)
{
    belay_error ignored;
    belayi_scope_spec spec = {0};
    if (s->transaction.depth > 0)
        return s->transaction.foreign && !s->transaction.sandboxed;
    return s->adopted && belayi_adopt_resolve(s, NULL, BELAYI_FORM_STATEMENT, &spec, &ignored) == BELAY_OK &&
           spec.foreign;
}

/* ---- belay_native ----------------------------------------------------------------------------------------------- */

/* Outside all scopes there is a connection to speak of only when it is the program's. */
static void *lend_outside(belay_session *s, belay_place place)
{
    if (s->adopted && s->db->driver) {
        belay_conn *conn;
        belay_error error;
        belay_limits no_limits = {.lock_wait_ns = -1};
        if (belayi_db_lend(s->db, &no_limits, &conn, &error) == BELAY_OK) {
            void *native = conn->driver->native(conn);
            belayi_pool_take_back(&s->db->pool, conn, true);
            return native;
        }
        belayi_session_raise(s, place, &error);
        return NULL;
    }
    belayi_session_misuse(s, place, "belay_native: the handle is lent inside a scope only");
    return NULL;
}

static void *lend_inside(belay_session *s, belay_place place)
{
    belayi_transaction *t = &s->transaction;
    if (s->stream) {
        belayi_session_misuse(s, place, "belay_native: a stream is open; close it first");
        return NULL;
    }
    belayi_scope_follow(t);
    if (belayi_scope_be_eager(t) != BELAY_OK)
        return NULL;
    t->wrote = true; /* for all that is known */
    void *native = t->conn->driver->native(t->conn);
    if (native)
        return native;
    belay_error error;
    belayi_report(&error, BELAY_CONNECTION, "the engine's handle can't be lent: what was owed to it could not be sent");
    belayi_session_raise(s, place, &error);
    return NULL;
}

void *belay_native_at(belay_session *s, belay_place place)
{
    if (!belayi_session_enter(s))
        return NULL;
    void *native = s->transaction.depth > 0 ? lend_inside(s, place) : lend_outside(s, place);
    belayi_session_leave(s);
    return native;
}
