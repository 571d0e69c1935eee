#include "keys.h"

#include <string.h>

#include <belay/rows.h>

#include "arena.h"
#include "report.h"
#include "rows.h"
#include "session.h"

enum { KIND, COLUMNS, SCHEMA, TABLE, REFERENCES };

static const char *copy(const belayi_table *table, const char *text)
{
    return text ? belayi_arena_copy(table->memory, text, strlen(text)) : NULL;
}

/* NULL for NULL; false without memory. */
static bool read_text(const belayi_table *table, belay_rows *rows, int column, const char **out)
{
    *out = copy(table, belay_str(rows, column));
    return *out || belay_is_null(rows, column);
}

static bool read_key(const belayi_table *table, belay_rows *rows, belayi_key *key)
{
    key->foreign = strcmp(belay_str(rows, KIND), "foreign") == 0;
    return read_text(table, rows, COLUMNS, &key->columns) && read_text(table, rows, SCHEMA, &key->schema) &&
           read_text(table, rows, TABLE, &key->table) && read_text(table, rows, REFERENCES, &key->references);
}

static bool read_rows(const belayi_table *table, belay_rows *rows, belayi_keys *keys)
{
    keys->list = belayi_arena_get(table->memory, rows->count * sizeof *keys->list);
    while (keys->list && belay_next(rows))
        if (!read_key(table, rows, &keys->list[keys->count++]))
            return false;
    return keys->list;
}

belay_code belayi_keys_read(belay_session *s, const belayi_table *table, belayi_keys *out_keys)
{
    const belay_value values[] = {belay_string(table->schema), belay_string(table->name)};
    *out_keys = (belayi_keys){0};
    belay_rows *rows = belay_query_values(s, s->db->driver->describe_keys, 2, values);
    if (!rows)
        return belay_status(s);
    bool read = rows->count == 0 || read_rows(table, rows, out_keys);
    belay_rows_close(rows);
    return read ? BELAY_OK : BELAY_NO_MEMORY;
}
