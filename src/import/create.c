/*
 * create.c - the plan is made for a table that has the names and no types yet; so it
 * says which column gets what, and what is wrong with a map, as for any table. The
 * types are guessed from the values that each column would get.
 */
#include "create.h"

#include <stdlib.h>
#include <string.h>

#include "guess.h"
#include "plan.h"
#include "report.h"
#include "session.h"

/* A table that is to be made. */
typedef struct making {
    belay_session *session;
    const belay_import_spec *spec;
    belayi_table table; /* its columns have names, and texts for their type */
    belayi_plan plan;
    belayi_arena memory;
    char *sql; /* NULL: there was no memory for it */
    size_t size, room;
} making;

static belay_code out_of_memory(belay_error *error)
{
    return belayi_report(error, BELAY_NO_MEMORY, "no memory for the columns of a table");
}

/* ---- Columns ---------------------------------------------------------------------------------------------------- */

/* One more, unless its name is there: then the plan will say what is wrong with that. */
static bool add_column(making *m, const char *name, size_t size)
{
    const belayi_type text = {.kind = BELAYI_TYPE_OTHER, .widest = 0x10FFFF};
    const char *copy = belayi_arena_copy(&m->memory, name, size);
    for (size_t i = 0; copy && i < m->table.count; i++)
        if (strcmp(m->table.columns[i].name, copy) == 0)
            return true;
    if (copy)
        m->table.columns[m->table.count++] = (belayi_column){.name = copy, .type = text};
    return copy;
}

static bool add_pairs(making *m, const char *const *pairs, size_t count)
{
    bool added = true;
    for (size_t i = 0; i < count && added; i++)
        added = add_column(m, pairs[i], strcspn(pairs[i], "="));
    return added;
}

/* Those of the map, or all of the header's, and those that are set. */
static bool name_columns(making *m, size_t count, const char *const *names)
{
    const belay_import_spec *spec = m->spec;
    bool added = true;
    m->table.name = m->table.quoted = spec->table;
    m->table.columns =
        belayi_arena_get(&m->memory, (count + spec->map_count + spec->set_count) * sizeof *m->table.columns);
    if (!m->table.columns || !add_pairs(m, spec->map, spec->map_count))
        return false;
    for (size_t i = 0; i < count && spec->map_count == 0 && added; i++)
        added = add_column(m, names[i], strlen(names[i]));
    return added && add_pairs(m, spec->set, spec->set_count);
}

static void guess_column(const making *m, const belayi_plan_column *planned, const belayi_sample *sample,
                         belayi_guess *out)
{
    belayi_guess_init(out);
    if (planned->field == BELAYI_NO_FIELD) {
        const belay_value *v = &planned->value;
        const belayi_field set = {v->as.data, v->size,
                                  v->type == BELAY_TYPE_NULL ? BELAYI_FIELD_NULL : BELAYI_FIELD_BARE};
        belayi_guess_feed(out, &set);
        return;
    }
    for (size_t i = 0; i < sample->count; i++) {
        const belayi_record *record = &sample->records[i];
        if (!record->flaw && record->count == m->plan.fields)
            belayi_guess_feed(out, &record->fields[planned->field]);
    }
}

/* ---- SQL -------------------------------------------------------------------------------------------------------- */

/* There was no memory: nothing more is put. */
static void give_up(making *m)
{
    free(m->sql);
    m->sql = NULL;
    m->room = SIZE_MAX;
}

static void put(making *m, const char *text)
{
    size_t size = strlen(text);
    if (m->size + size + 1 > m->room) {
        m->room = 2 * (m->size + size + 1);
        char *grown = realloc(m->sql, m->room);
        if (!grown)
            give_up(m);
        else
            m->sql = grown;
    }
    if (!m->sql)
        return;
    memcpy(m->sql + m->size, text, size + 1);
    m->size += size;
}

static void put_name(making *m, const char *name)
{
    char *quoted = name ? belayi_catalog_quote(m->session, name) : NULL;
    if (quoted)
        put(m, quoted);
    else
        give_up(m);
    free(quoted);
}

static void put_table(making *m)
{
    const char *name = m->spec->table, *point = strchr(name, '.');
    if (point && point > name) {
        put_name(m, belayi_arena_copy(&m->memory, name, (size_t)(point - name)));
        put(m, ".");
        name = point + 1;
    }
    put_name(m, name);
}

static bool is_key(const making *m, const belayi_column *column)
{
    for (size_t i = 0; i < m->spec->key_count; i++)
        if (belayi_catalog_find(&m->table, m->spec->key[i]) == column)
            return true;
    return false;
}

/* Each column is planned: it is there for that. */
static const belayi_plan_column *find_planned(const making *m, const belayi_column *column)
{
    const belayi_plan_column *planned = m->plan.columns;
    while (planned->column != column)
        planned++;
    return planned;
}

/* In the order of the file; those that are set are last. */
static void put_columns(making *m, const belayi_sample *sample)
{
    char type[64];
    belayi_guess guess;
    for (size_t i = 0; i < m->table.count; i++) {
        const belayi_column *column = &m->table.columns[i];
        guess_column(m, find_planned(m, column), sample, &guess);
        belayi_guess_write(&guess, m->session->db->driver, is_key(m, column), type, sizeof type);
        put(m, i > 0 ? ", " : "");
        put_name(m, column->name);
        put(m, " ");
        put(m, type);
    }
}

static void put_key(making *m)
{
    for (size_t i = 0; i < m->spec->key_count; i++) {
        put(m, i > 0 ? ", " : ", PRIMARY KEY (");
        put_name(m, belayi_catalog_find(&m->table, m->spec->key[i])->name);
    }
    put(m, m->spec->key_count > 0 ? "))" : ")");
}

/* ---- All -------------------------------------------------------------------------------------------------------- */

static belay_code check_key(const making *m, belay_error *error)
{
    for (size_t i = 0; i < m->spec->key_count; i++)
        if (!belayi_catalog_find(&m->table, m->spec->key[i]))
            return belayi_report(error, BELAY_MISUSE, "the key's column %s is not among those that the file gives",
                                 m->spec->key[i]);
    return BELAY_OK;
}

/* The columns, and which of them gets what. */
static belay_code plan(making *m, const belayi_reader *reader, belayi_sample *sample, belay_error *error)
{
    bool members = sample->members;
    const char *const *names = sample->names;
    size_t count = members ? sample->name_count : belayi_reader_names(reader, &names);
    if (count == 0)
        return belayi_report(error, BELAY_MISUSE, "the table %s is made with the names of fields, and the file has %s",
                             m->spec->table, members ? "no record" : "no header");
    if (!name_columns(m, count, names))
        return out_of_memory(error);
    belay_code code = belayi_plan_make(&m->plan, m->spec, &m->table, members ? 0 : count, names, error);
    if (code == BELAY_OK && members && !belayi_sample_select(sample, m->plan.fields, m->plan.names))
        return out_of_memory(error);
    return code;
}

static belay_code make(making *m, const belayi_reader *reader, belayi_sample *sample, belay_error *error)
{
    belay_code code = plan(m, reader, sample, error);
    if (code == BELAY_OK)
        code = check_key(m, error);
    if (code != BELAY_OK)
        return code;
    put(m, "CREATE TABLE ");
    put_table(m);
    put(m, " (");
    put_columns(m, sample);
    put_key(m);
    put(m, m->session->db->driver->table_end);
    return m->sql ? BELAY_OK : out_of_memory(error);
}

char *belayi_create_table(belay_session *s, const belay_import_spec *spec, const belayi_reader *reader,
                          belayi_sample *sample, belay_error *error)
{
    making m = {.session = s, .spec = spec};
    if (make(&m, reader, sample, error) != BELAY_OK) {
        free(m.sql);
        m.sql = NULL;
    }
    belayi_plan_done(&m.plan);
    belayi_arena_free(&m.memory);
    return m.sql;
}
