/*
 * tables.c - belay_create_tables: the tables of models, in the types of the engine.
 *
 * Parents come first. Where DDL is part of a transaction, all tables are made or
 * none. It works by the calls that programs have.
 * Tests: tests/model_objects/test_tables.c.
 */
#include <stdlib.h>
#include <string.h>

#include <belay/model.h>
#include <belay/scope.h>
#include <belay/statement.h>

#include "catalog.h"
#include "column_type.h"
#include "report.h"
#include "session.h"
#include "shape.h"
#include "texts.h"

enum { CHECK_NAME_MAX = 63 };

typedef struct making {
    belay_session *session;
    belay_place place;
    const belay_driver *driver;
    const belay_model *const *models;
    size_t count;
    bool *made;
} making;

/* ---- The text of a table ---------------------------------------------------------------------------------------- */

static void add_name(belayi_draft *draft, const making *m, const char *name)
{
    belayi_draft_name(draft, name, false, m->driver->name_quote);
}

static void add_column(belayi_draft *draft, const making *m, const belayi_shape *shape, unsigned at)
{
    const belay_column_def *column = &shape->model->columns[at];
    bool generated = shape->generated && at == shape->key[0] && !column->default_sql;
    add_name(draft, m, belayi_shape_name(column));
    belayi_draft_add(draft, " ");
    belayi_column_type_add(draft, m->driver, column, generated);
    belayi_draft_add(draft, belayi_shape_may_be_null(column) ? "" : " NOT NULL");
    if (column->default_sql) {
        belayi_draft_add(draft, " DEFAULT (");
        belayi_draft_add(draft, column->default_sql);
        belayi_draft_add(draft, ")");
    } else if (column->role == BELAY_ROLE_VERSION) { /* of a row that another program inserts */
        belayi_draft_add(draft, " DEFAULT 1");
    }
    belayi_draft_add(draft, column->unique ? " UNIQUE" : "");
}

static void add_key(belayi_draft *draft, const making *m, const belayi_shape *shape)
{
    belayi_draft_add(draft, ", PRIMARY KEY (");
    for (unsigned i = 0; i < shape->keys; i++) {
        belayi_draft_add(draft, i > 0 ? ", " : "");
        add_name(draft, m, belayi_shape_name(&shape->model->columns[shape->key[i]]));
    }
    belayi_draft_add(draft, ")");
}

/* Its name is the same on each engine, so that an error's is. A long one is the engine's own. */
static void add_check(belayi_draft *draft, const making *m, const belay_column_def *column)
{
    char name[CHECK_NAME_MAX + 1];
    const char *of = belayi_shape_name(column);
    belayi_draft_add(draft, ", ");
    if (strlen(of) + strlen("_check") < sizeof name) {
        belayi_report_format(name, sizeof name, "%s_check", of);
        belayi_draft_add(draft, "CONSTRAINT ");
        add_name(draft, m, name);
        belayi_draft_add(draft, " ");
    }
    belayi_draft_add(draft, "CHECK (");
    belayi_draft_add(draft, column->check);
    belayi_draft_add(draft, ")");
}

static const char *key_name(const belay_model *model)
{
    for (size_t i = 0; i < model->count; i++)
        if (belayi_shape_is_key(&model->columns[i]))
            return belayi_shape_name(&model->columns[i]);
    return "";
}

static void add_reference(belayi_draft *draft, const making *m, const belay_column_def *column)
{
    belayi_draft_add(draft, ", FOREIGN KEY (");
    add_name(draft, m, belayi_shape_name(column));
    belayi_draft_add(draft, ") REFERENCES ");
    belayi_draft_name(draft, column->parent->table, true, m->driver->name_quote);
    belayi_draft_add(draft, " (");
    add_name(draft, m, key_name(column->parent));
    belayi_draft_add(draft, ")");
}

static void add_table(belayi_draft *draft, const making *m, const belayi_shape *shape)
{
    belayi_draft_add(draft, "CREATE TABLE IF NOT EXISTS ");
    belayi_draft_name(draft, shape->model->table, true, m->driver->name_quote);
    for (unsigned i = 0; i < shape->count; i++) {
        belayi_draft_add(draft, i > 0 ? ", " : " (");
        add_column(draft, m, shape, i);
    }
    add_key(draft, m, shape);
    for (unsigned i = 0; i < shape->count; i++) {
        const belay_column_def *column = &shape->model->columns[i];
        if (column->check)
            add_check(draft, m, column);
        if (column->role == BELAY_ROLE_PARENT)
            add_reference(draft, m, column);
    }
    belayi_draft_add(draft, ")");
    belayi_draft_add(draft, m->driver->table_end);
}

/* ---- Their order ------------------------------------------------------------------------------------------------ */

/* Whether the model is one of those that are yet to be made. */
static bool is_missing(const making *m, const belay_model *model)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->models[i] == model)
            return !m->made[i];
    return false;
}

static bool is_ready(const making *m, const belay_model *model)
{
    for (size_t i = 0; i < model->count; i++) {
        const belay_column_def *column = &model->columns[i];
        if (column->role == BELAY_ROLE_PARENT && column->parent != model && is_missing(m, column->parent))
            return false;
    }
    return true;
}

/* The first whose parents are made; `count` when there is none. */
static size_t find_ready(const making *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (!m->made[i] && is_ready(m, m->models[i]))
            return i;
    return m->count;
}

static belay_code refuse_circle(const making *m, belay_error *error)
{
    size_t at = 0;
    while (at + 1 < m->count && m->made[at])
        at++;
    return belayi_report(error, BELAY_MISUSE,
                         "the model %s and its parents refer to each other in a circle: no table can be the first",
                         m->models[at]->type);
}

/* ---- Making ----------------------------------------------------------------------------------------------------- */

static belay_code raise_making(const making *m, belay_error *error)
{
    if (!belayi_session_enter(m->session))
        return BELAY_MISUSE;
    belay_code code = belayi_session_raise(m->session, m->place, error);
    belayi_session_leave(m->session);
    return code;
}

static belay_code make_table(const making *m, const belay_model *model, belay_error *error)
{
    belayi_shape shape;
    belayi_draft draft = {0};
    belay_code code = belayi_shape_make(model, &shape, error);
    if (code != BELAY_OK)
        return raise_making(m, error);
    add_table(&draft, m, &shape);
    if (draft.failed)
        belayi_report(error, BELAY_NO_MEMORY, "no memory for the definition of the table %s", model->table);
    code = draft.failed ? raise_making(m, error) : belay_exec_at(m->session, m->place, draft.text, 0, NULL);
    free(draft.text);
    return code;
}

static belay_code make_tables(const making *m)
{
    belay_error error;
    belay_code code = BELAY_OK;
    for (size_t i = 0; i < m->count && code == BELAY_OK; i++) {
        size_t at = find_ready(m);
        if (at == m->count) {
            refuse_circle(m, &error);
            return raise_making(m, &error);
        }
        code = make_table(m, m->models[at], &error);
        m->made[at] = true;
    }
    return code;
}

/* What is wrong before anything is sent. */
static belay_code check_call(making *m, belay_error *error)
{
    const belay_session *s = m->session;
    belayi_shape shape;
    m->driver = s->db->driver;
    if (s->transaction.depth > 0 && !(m->driver->capabilities & BELAY_CAN_TRANSACT_DDL))
        return belayi_report(error, BELAY_MISUSE,
                             "belay_create_tables: on this engine, making a table commits: not inside a scope");
    for (size_t i = 0; i < m->count; i++) {
        belay_code code = belayi_shape_make(m->models[i], &shape, error);
        if (code != BELAY_OK)
            return code;
    }
    m->made = calloc(m->count + 1, sizeof *m->made);
    return m->made ? BELAY_OK : belayi_report(error, BELAY_NO_MEMORY, "no memory for the order of tables");
}

/* False: *out_code is what the call returns. */
static bool begin(making *m, belay_code *out_code)
{
    belay_session *s = m->session;
    belay_error error;
    *out_code = BELAY_MISUSE;
    if (!s || !s->db || !belayi_session_enter(s))
        return false;
    if (s->transaction.depth > 0 && s->transaction.pending.code != BELAY_OK)
        *out_code = s->transaction.pending.code;
    else if ((*out_code = check_call(m, &error)) != BELAY_OK)
        belayi_session_raise(s, m->place, &error);
    belayi_session_leave(s);
    return *out_code == BELAY_OK && m->made;
}

belay_code belay_create_tables_at(belay_session *s, belay_place place, const belay_model *const *models, size_t count)
{
    making m = {.session = s, .place = place, .models = models, .count = count};
    belay_code code;
    if (!begin(&m, &code))
        return code;
    bool own = s->transaction.depth == 0 && (m.driver->capabilities & BELAY_CAN_TRANSACT_DDL);
    code = own ? belay_begin_at(s, place, NULL) : BELAY_OK;
    if (code == BELAY_OK)
        code = make_tables(&m);
    if (own)
        code = belay_commit_at(s, place);
    free(m.made);
    return code;
}
