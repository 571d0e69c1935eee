/*
 * pair.c - what two sessions need before a unit over both can begin.
 *
 * Tests: tests/two_phase.
 */
#include "pair.h"

#include "db.h"
#include "options.h"
#include "report.h"
#include "retry.h"

/* ---- Errors of one are errors of both --------------------------------------------------------------------------- */

void belayi_pair_raise(belayi_pair *p, const belay_error *error)
{
    for (int i = 0; i < BELAYI_SIDES; i++) {
        belay_error copy = *error;
        belayi_session_raise(p->sides[i].s, p->place, &copy);
    }
}

static belay_code refuse(belayi_pair *p, belay_code code, const char *message, const char *hint)
{
    belay_error error;
    belayi_report(&error, code, "%s", message);
    BELAYI_REPORT_FIELD(error.hint, hint);
    belayi_pair_raise(p, &error);
    return code;
}

bool belayi_pair_agree(belayi_pair *p)
{
    for (int i = 0; i < BELAYI_SIDES; i++) {
        belayi_transaction *t = belayi_side_transaction(&p->sides[i]), *other = belayi_side_transaction(&p->sides[!i]);
        if (belayi_transaction_has_error(t) && !belayi_transaction_has_error(other)) {
            belay_error copy = t->pending;
            belayi_scope_raise(other, &copy);
        } else if (belayi_transaction_state(t) == BELAYI_SCOPE_UNDONE &&
                   belayi_transaction_state(other) == BELAYI_SCOPE_WORKING) {
            belayi_scope_undo(other);
        }
    }
    return belayi_transaction_state(belayi_side_transaction(&p->sides[0])) == BELAYI_SCOPE_WORKING;
}

/* ---- Before ----------------------------------------------------------------------------------------------------- */

static belay_code check_side(belayi_pair *p, const belayi_side *one)
{
    const belay_session *s = one->s;
    if (s->transaction.depth > 0)
        return refuse(p, BELAY_MISUSE, "belay_commit_two_phase was called inside a scope of one of its sessions",
                      "it begins, and ends, the outermost scope of each");
    if (s->kind)
        return refuse(p, BELAY_UNSUPPORTED, "belay_commit_two_phase in a sandbox: what it commits would stay", "");
    if (!s->db)
        return refuse(p, BELAY_MISUSE, "the session was opened on no database: belay_open gave NULL", "");
    return BELAY_OK;
}

/* Whether it can be prepared decides which part it takes. */
static belay_code find_part(belayi_pair *p, belayi_side *one)
{
    belay_error error;
    belay_db *db = one->s->db;
    belay_code code = belayi_prepared_can(db, &error);
    if (code == BELAY_OK)
        return code;
    if (code == BELAY_UNSUPPORTED && db->driver && p->last) {
        belayi_report(&error, code, "neither of the two databases can prepare a transaction");
        BELAYI_REPORT_FIELD(error.hint,
                            "one must be MariaDB, or PostgreSQL with max_prepared_transactions above 0; two "
                            "SQLite files can be one unit by ATTACH");
    } else if (code == BELAY_UNSUPPORTED && db->driver && db->dies_with_connection) {
        belayi_report(&error, code, "a database in memory can't hold the decision: it dies with the program");
    } else if (code == BELAY_UNSUPPORTED && db->driver) {
        p->last = one;
        return BELAY_OK;
    }
    belayi_pair_raise(p, &error);
    return error.code;
}

static belay_code find_log(belayi_pair *p)
{
    belay_error error;
    char number[BELAYI_NUMBER_ROOM];
    for (int i = 0; i < BELAYI_SIDES && !p->last && !p->log; i++)
        p->log = belayi_decisions_log_of(p->sides[i].s->db);
    if (p->last)
        p->log = p->last->s->db;
    if (!p->log)
        return refuse(p, BELAY_UNSUPPORTED, "there is no place for the decision: no handle has a .decision_log",
                      "open one of them with .decision_log = \"sqlite:decisions.db\"");
    if (belayi_decisions_open(p->log, number, &error) != BELAY_OK) {
        belayi_pair_raise(p, &error);
        return error.code;
    }
    belayi_decisions_draw(p->unit);
    for (int i = 0; i < BELAYI_SIDES; i++)
        if (&p->sides[i] != p->last)
            belayi_prepared_name(p->sides[i].name, number, p->unit, i + 1);
    return BELAY_OK;
}

static belay_code open_side(belayi_pair *p, belayi_side *one)
{
    belay_error error;
    belayi_scope_spec spec;
    belay_session *s = one->s;
    belay_code code = belayi_options_resolve(s, NULL, BELAYI_FORM_CALLBACK, &spec, &error);
    if (code == BELAY_OK && spec.foreign)
        code = belayi_report(&error, BELAY_UNSUPPORTED,
                             "the connection is inside a transaction of the program's, which can't be prepared for it");
    if (code != BELAY_OK) {
        belayi_pair_raise(p, &error);
        return code;
    }
    spec.gid = one->name[0] ? one->name : NULL;
    belayi_session_begin_unit(s);
    belayi_retry_remember(s, &spec, NULL, BELAYI_FORM_CALLBACK, p->place);
    belayi_scope_open(&s->transaction, &spec, BELAYI_FORM_CALLBACK, &p->place);
    one->serial = belayi_transaction_top(&s->transaction)->serial;
    return BELAY_OK;
}

belay_code belayi_pair_open(belayi_pair *p)
{
    belay_code code = BELAY_OK;
    for (int i = 0; i < BELAYI_SIDES && code == BELAY_OK; i++)
        code = check_side(p, &p->sides[i]);
    for (int i = 0; i < BELAYI_SIDES && code == BELAY_OK; i++)
        code = find_part(p, &p->sides[i]);
    if (code == BELAY_OK)
        code = find_log(p);
    for (int i = 0; i < BELAYI_SIDES && code == BELAY_OK; i++)
        code = open_side(p, &p->sides[i]);
    return code;
}
