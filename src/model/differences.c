/*
 * differences.c - belay_check_tables: what is in the catalog, against the models.
 *
 * It works by the calls that programs have. What is told is copied first, so that
 * nothing of the catalog is open while the program is told.
 * Tests: tests/model_objects/test_differences.c.
 */
#include <string.h>
#include <strings.h>

#include <belay/model.h>

#include "catalog.h"
#include "column_type.h"
#include "keys.h"
#include "report.h"
#include "session.h"
#include "shape.h"

enum { SENTENCE = 256 };

/* One model, and its table. */
typedef struct comparing {
    belay_session *session;
    const belay_driver *driver;
    belay_differs tell;
    void *arg;
    const belayi_shape *shape;
    belayi_table table;
    belayi_keys keys;
    belay_error *first; /* what is raised at the end; its code is OK when there is no difference */
} comparing;

static void differ(const comparing *c, const char *column, const char *text)
{
    const char *table = c->shape->model->table;
    const belay_difference difference = {sizeof difference, table, column, text};
    if (c->first->code == BELAY_OK) {
        belayi_report(c->first, BELAY_SCHEMA, "the table %s, column %s: %s", table, column ? column : "-", text);
        if (!column)
            BELAYI_REPORT_FORMAT(c->first->message, "the table %s: %s", table, text);
        BELAYI_REPORT_FIELD(c->first->table, table);
        BELAYI_REPORT_FIELD(c->first->column, column);
    }
    if (c->tell)
        c->tell(c->arg, &difference);
}

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

/* Writes the names of the table's primary key, or of the model's, joined by ", ". */
static void name_table_key(const comparing *c, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned part = 1; part <= c->table.count; part++)
        for (size_t i = 0; i < c->table.count && used < room; i++)
            if (c->table.columns[i].key_part == part) {
                belayi_report_format(out + used, room - used, "%s%s", part > 1 ? ", " : "", c->table.columns[i].name);
                used += strlen(out + used);
            }
}

static void name_model_key(const comparing *c, char *out, size_t room)
{
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < c->shape->keys && used < room; i++) {
        belayi_report_format(out + used, room - used, "%s%s", i > 0 ? ", " : "",
                             belayi_shape_name(&c->shape->model->columns[c->shape->key[i]]));
        used += strlen(out + used);
    }
}

/* The same columns, in any order. */
static bool has_same_key(const comparing *c)
{
    size_t parts = 0;
    for (size_t i = 0; i < c->table.count; i++)
        parts += c->table.columns[i].key_part > 0;
    for (unsigned i = 0; i < c->shape->keys; i++) {
        const char *name = belayi_shape_name(&c->shape->model->columns[c->shape->key[i]]);
        const belayi_column *there = belayi_catalog_find(&c->table, name);
        if (!there || there->key_part == 0)
            return false;
    }
    return parts == c->shape->keys;
}

static void compare_primary_key(const comparing *c)
{
    char there[SENTENCE], wanted[SENTENCE], text[2 * SENTENCE + 64];
    if (has_same_key(c))
        return;
    name_table_key(c, there, sizeof there);
    name_model_key(c, wanted, sizeof wanted);
    belayi_report_format(text, sizeof text, "the primary key is (%s), and the model's is (%s)", there, wanted);
    differ(c, NULL, text);
}

static bool is_unique(const comparing *c, const belayi_column *column)
{
    unsigned parts = 0;
    for (size_t i = 0; i < c->table.count; i++)
        parts += c->table.columns[i].key_part > 0;
    if (column->key_part > 0 && parts == 1)
        return true;
    for (size_t i = 0; i < c->keys.count; i++) {
        const belayi_key *key = &c->keys.list[i];
        if (!key->foreign && key->columns && strcmp(key->columns, column->name) == 0)
            return true;
    }
    return false;
}

/* Whether what a foreign key refers to is the key of that model's table. */
static bool refers_to(const belayi_key *key, const belay_model *parent)
{
    const char *point = strchr(parent->table, '.'), *name = point ? point + 1 : parent->table;
    if (!key->table || strcasecmp(key->table, name) != 0)
        return false;
    if (point && key->schema && strncasecmp(key->schema, parent->table, (size_t)(point - parent->table)) != 0)
        return false;
    for (size_t i = 0; i < parent->count && key->references; i++)
        if (belayi_shape_is_key(&parent->columns[i]))
            return strcasecmp(key->references, belayi_shape_name(&parent->columns[i])) == 0;
    return true;
}

static void compare_reference(const comparing *c, const belay_column_def *column, const belayi_column *there)
{
    char text[SENTENCE];
    for (size_t i = 0; i < c->keys.count; i++) {
        const belayi_key *key = &c->keys.list[i];
        if (key->foreign && key->columns && strcmp(key->columns, there->name) == 0 && refers_to(key, column->parent))
            return;
    }
    belayi_report_format(text, sizeof text, "there is no foreign key from it to %s", column->parent->table);
    differ(c, there->name, text);
}

/* ---- Columns ---------------------------------------------------------------------------------------------------- */

static void compare_null(const comparing *c, const belay_column_def *column, const belayi_column *there)
{
    bool may = belayi_shape_may_be_null(column), left = column->default_sql && there->has_default;
    if (!may && !there->not_null && there->key_part == 0)
        differ(c, there->name,
               column->not_null ? "it may be NULL, and the model says .not_null"
                                : "it may be NULL, and the member has always a value");
    if (may && there->not_null && !left)
        differ(c, there->name, "it is NOT NULL, and the member may have no value");
}

/* What the model leaves to the database. */
static void compare_default(const comparing *c, const belay_column_def *column, const belayi_column *there)
{
    bool key = c->shape->generated && column == &c->shape->model->columns[c->shape->key[0]];
    if (there->has_default)
        return;
    if (key)
        differ(c, there->name, "the model leaves it to the database to make the key, which does not");
    else if (column->default_sql)
        differ(c, there->name, "it has no default, and the model says .default_sql");
}

static void compare_column(const comparing *c, const belay_column_def *column)
{
    char text[SENTENCE];
    const char *name = belayi_shape_name(column);
    const belayi_column *there = belayi_catalog_find(&c->table, name);
    if (!there) {
        differ(c, name, "there is no such column");
        return;
    }
    if (strcmp(there->name, name) != 0) {
        belayi_report_format(text, sizeof text, "the model spells it %s", name);
        differ(c, there->name, text);
    }
    if (there->generated)
        differ(c, there->name, "it can't be written");
    if (!belayi_column_type_holds(c->driver, column, there, text, sizeof text))
        differ(c, there->name, text);
    compare_null(c, column, there);
    compare_default(c, column, there);
    if (column->unique && !is_unique(c, there))
        differ(c, there->name, "it is not unique, and the model says .unique");
    if (column->role == BELAY_ROLE_PARENT)
        compare_reference(c, column, there);
}

/* A column that no INSERT of the model's has, and that has to have a value. */
static void compare_others(const comparing *c)
{
    for (size_t i = 0; i < c->table.count; i++) {
        const belayi_column *there = &c->table.columns[i];
        bool known = false;
        for (unsigned j = 0; j < c->shape->count; j++)
            known |= belayi_catalog_find(&c->table, belayi_shape_name(&c->shape->model->columns[j])) == there;
        if (!known && there->not_null && !there->has_default && !there->generated)
            differ(c, there->name, "the model does not know it, and it is NOT NULL without a default");
    }
}

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

static belay_code raise_difference(belay_session *s, belay_place place, belay_error *error)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_code code = belayi_session_raise(s, place, error);
    belayi_session_leave(s);
    return code;
}

/* Whether the error is the session's already. */
static bool is_raised(const belay_session *s, belay_code code)
{
    return (s->transaction.depth > 0 ? s->transaction.pending.code : s->status.code) == code;
}

static belay_code compare(comparing *c, belay_place place)
{
    belay_error error = {0};
    belay_session *s = c->session;
    belay_code code = belayi_catalog_read(s, c->shape->model->table, &c->table, &error);
    if (code == BELAY_SCHEMA && !is_raised(s, code)) {
        differ(c, NULL, error.message);
        return BELAY_OK;
    }
    if (code == BELAY_OK)
        code = belayi_keys_read(s, &c->table, &c->keys);
    if (code == BELAY_NO_MEMORY && !is_raised(s, code)) {
        belayi_report(&error, code, "no memory for the columns of %s", c->shape->model->table);
        return raise_difference(s, place, &error);
    }
    if (code != BELAY_OK)
        return code;
    for (unsigned i = 0; i < c->shape->count; i++)
        compare_column(c, &c->shape->model->columns[i]);
    compare_primary_key(c);
    compare_others(c);
    return BELAY_OK;
}

belay_code belay_check_tables_at(belay_session *s, belay_place place, belay_differs tell, void *arg,
                                 const belay_model *const *models, size_t count)
{
    belay_error first = {0};
    belay_code code = BELAY_OK;
    if (!s || !s->db)
        return BELAY_MISUSE;
    for (size_t i = 0; i < count && code == BELAY_OK; i++) {
        belayi_shape shape;
        belay_error error;
        comparing c = {
            .session = s, .driver = s->db->driver, .tell = tell, .arg = arg, .shape = &shape, .first = &first};
        code = belayi_shape_make(models[i], &shape, &error);
        code = code == BELAY_OK ? compare(&c, place) : raise_difference(s, place, &error);
        belayi_catalog_done(&c.table);
    }
    return code == BELAY_OK && first.code != BELAY_OK ? raise_difference(s, place, &first) : code;
}
