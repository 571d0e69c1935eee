#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "lexer.h"
#include "report.h"
#include "rows.h"
#include "session.h"

/* What a row of the driver's query has. */
enum { SCHEMA, TABLE, COLUMN, DECLARED, NOT_NULL, HAS_DEFAULT, GENERATED, KEY_PART };

/* A table on its way. */
typedef struct reading {
    belay_session *session;
    const belay_driver *driver;
    belayi_arena *memory;
    belayi_table *table;
    belay_error *error;
} reading;

/* ---- Names -------------------------------------------------------------------------------------------------- */

char *belayi_catalog_quote(belay_session *s, const char *name)
{
    if (!s->db)
        return NULL;
    size_t size = strlen(name), room = 2 * size + 3;
    char *quoted = malloc(room);
    if (quoted)
        belayi_sql_quote(quoted, room, name, size, s->db->driver->name_quote);
    return quoted;
}

static const char *quote(const reading *r, const char *name)
{
    size_t size = strlen(name), room = 2 * size + 3;
    char *quoted = belayi_arena_get(r->memory, room);
    if (quoted)
        belayi_sql_quote(quoted, room, name, size, r->driver->name_quote);
    return quoted;
}

static const char *quote_table(const reading *r, const char *schema, const char *name)
{
    const char *quoted = quote(r, name), *before = schema ? quote(r, schema) : NULL;
    if (!schema || !quoted || !before)
        return quoted;
    size_t room = strlen(before) + strlen(quoted) + 2;
    char *whole = belayi_arena_get(r->memory, room);
    if (whole)
        belayi_report_format(whole, room, "%s.%s", before, quoted);
    return whole;
}

static const char *copy(const reading *r, const char *text)
{
    return text ? belayi_arena_copy(r->memory, text, strlen(text)) : NULL;
}

/* ---- The query ---------------------------------------------------------------------------------------------- */

/* What the statement before has done can be asked afterwards as before. Entering does what is queued, which counts. */
static belay_rows *ask(const reading *r, const char *schema, const char *name)
{
    belay_session *s = r->session;
    if (!belayi_session_enter(s))
        return NULL;
    belay_effect effect = s->effect;
    belayi_session_leave(s);
    const belay_value values[] = {belay_string(schema), belay_string(name)};
    belay_rows *rows = belay_query_values(s, r->driver->describe_columns, 2, values);
    s->effect = effect;
    return rows;
}

static bool read_column(const reading *r, belay_rows *rows, belayi_column *column)
{
    column->name = copy(r, belay_str(rows, COLUMN));
    column->declared = copy(r, belay_str(rows, DECLARED));
    if (!column->name || !column->declared)
        return false;
    column->quoted = quote(r, column->name);
    belayi_type_read(column->declared, r->driver->type_flavour, &column->type);
    column->not_null = belay_int(rows, NOT_NULL) != 0;
    column->has_default = belay_int(rows, HAS_DEFAULT) != 0;
    column->generated = belay_int(rows, GENERATED) != 0;
    column->key_part = (unsigned)belay_int(rows, KEY_PART);
    return column->quoted;
}

static bool read_table(const reading *r, belay_rows *rows)
{
    belayi_table *table = r->table;
    table->columns = belayi_arena_get(r->memory, rows->count * sizeof *table->columns);
    for (bool first = true; table->columns && belay_next(rows); first = false) {
        if (first) {
            table->name = copy(r, belay_str(rows, TABLE));
            table->schema = copy(r, belay_str(rows, SCHEMA));
            table->quoted = table->name ? quote_table(r, belay_str(rows, SCHEMA), table->name) : NULL;
        }
        if (!table->quoted || !read_column(r, rows, &table->columns[table->count]))
            return false;
        table->count++;
    }
    return table->columns;
}

/* BELAY_OK also when there is no such table: then the table has no name. */
static belay_code look_for(const reading *r, const char *schema, const char *name)
{
    belay_rows *rows = ask(r, schema, name);
    if (!rows) {
        const belay_session *s = r->session;
        *r->error = s->transaction.depth > 0 ? s->transaction.pending : s->status;
        return r->error->code;
    }
    bool read = rows->count == 0 || read_table(r, rows);
    belay_rows_close(rows);
    return read ? BELAY_OK : belayi_report(r->error, BELAY_NO_MEMORY, "no memory for the columns of %s", name);
}

/* `schema.name` first, then a name that has a point in it. */
static belay_code find_table(const reading *r, const char *name)
{
    const char *point = strchr(name, '.');
    if (point && point > name) {
        const char *schema = belayi_arena_copy(r->memory, name, (size_t)(point - name));
        belay_code code =
            schema ? look_for(r, schema, point + 1) : belayi_report(r->error, BELAY_NO_MEMORY, "no memory for a name");
        if (code != BELAY_OK || r->table->name)
            return code;
    }
    return look_for(r, NULL, name);
}

static belay_code check_found(const belayi_table *table, const char *name, belay_error *error)
{
    bool writable = false;
    for (size_t i = 0; i < table->count; i++)
        writable |= !table->columns[i].generated;
    if (!table->name) {
        belayi_report(error, BELAY_SCHEMA, "there is no table '%s'", name);
        BELAYI_REPORT_FIELD(error->hint, "the name is the catalog's, without quotes: `name` or `schema.name`");
        return BELAY_SCHEMA;
    }
    if (!writable)
        return belayi_report(error, BELAY_SCHEMA, "nothing can be inserted into '%s': none of its columns takes values",
                             name);
    return BELAY_OK;
}

belay_code belayi_catalog_read(belay_session *s, const char *name, belayi_table *out_table, belay_error *error)
{
    *out_table = (belayi_table){0};
    if (!s || !s->db || !s->db->driver->describe_columns)
        return belayi_report(error, BELAY_MISUSE, "there is no database that could be asked for '%s'", name);
    belayi_arena *memory = calloc(1, sizeof *memory);
    if (!memory)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the columns of %s", name);
    out_table->memory = memory;
    const reading r = {s, s->db->driver, memory, out_table, error};
    belay_code code = find_table(&r, name);
    if (code == BELAY_OK)
        code = check_found(out_table, name, error);
    if (code != BELAY_OK)
        belayi_catalog_done(out_table);
    return code;
}

void belayi_catalog_done(belayi_table *table)
{
    if (table->memory)
        belayi_arena_free(table->memory);
    free(table->memory);
    *table = (belayi_table){0};
}

/* ---- Columns ------------------------------------------------------------------------------------------------ */

static char fold(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_but_for_case(const char *a, const char *b)
{
    while (*a && fold(*a) == fold(*b)) {
        a++;
        b++;
    }
    return *a == *b;
}

const belayi_column *belayi_catalog_find(const belayi_table *table, const char *name)
{
    const belayi_column *alike = NULL;
    size_t count = 0;
    for (size_t i = 0; i < table->count; i++) {
        const belayi_column *column = &table->columns[i];
        if (strcmp(column->name, name) == 0)
            return column;
        if (same_but_for_case(column->name, name)) {
            alike = column;
            count++;
        }
    }
    return count == 1 ? alike : NULL;
}
