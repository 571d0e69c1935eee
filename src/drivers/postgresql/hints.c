/*
 * hints.c - which rows look bad, as far as that can be seen without the server: a
 * NULL where there must be none, a text that is too long, a simple CHECK, a key that
 * an earlier row has had, a value that COPY would take for another.
 *
 * A hint may be wrong: a row that looks bad is run by its own INSERT, and one that
 * looks good and is not fails the COPY. But one thing is relied on: of two rows of
 * a window that may have a key in common, the later one is not copied. So the keys
 * of all rows are looked at, and one that is unclear stops the window.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include "checks.h"
#include "keys.h"
#include "store.h"
#include "values.h"

enum { LARGE = 1 << 24 }; /* bytes: such a row goes alone */

static bool is_too_long(const belayi_pg_column *column, const belay_value *value)
{
    if (column->length < 0 || value->type != BELAY_TYPE_TEXT || value->size <= (size_t)column->length)
        return false;
    const char *text = value->as.data;
    size_t count = 0;
    for (size_t i = 0; i < value->size; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count > (size_t)column->length;
}

/* Looks at the values one by one. *out_never: it is refused before it is sent. */
static bool look_good(const belayi_pg_storing *w, const belay_value *row, bool *out_never)
{
    belay_error ignored;
    bool good = true;
    size_t bytes = 0;
    *out_never = false;
    for (size_t i = 0; i < w->table.count; i++) {
        const belayi_pg_column *column = &w->table.columns[i];
        if (belayi_values_check(&row[i], i + 1, &ignored) != BELAY_OK) {
            *out_never = true;
            return false;
        }
        bytes += row[i].size;
        good &= belayi_pg_column_takes(column, &row[i]) && !is_too_long(column, &row[i]) &&
                !(column->not_null && row[i].type == BELAY_TYPE_NULL);
    }
    return good && bytes < LARGE;
}

static belayi_pg_fate look(belayi_pg_storing *w, size_t row)
{
    const belay_value *values = belayi_pg_store_row(w, row);
    bool never, unclear = false, good = look_good(w, values, &never);
    belayi_pg_fate bad = w->table.apart ? BELAYI_PG_FATE_ALONE : BELAYI_PG_FATE_STOP;
    if (never)
        return bad;
    for (size_t i = 0; i < w->table.rule_count; i++) {
        const belayi_pg_rule *rule = &w->table.rules[i];
        uint64_t number;
        if (rule->check)
            good &= !belayi_pg_check_fails(rule->check, values);
        if (rule->kind != BELAYI_PG_RULE_UNIQUE)
            continue;
        belayi_pg_key key = belayi_pg_key_of(&w->table, rule, values, &number);
        unclear |= key == BELAYI_PG_KEY_UNCLEAR;
        if (key == BELAYI_PG_KEY_KNOWN)
            good &= !belayi_pg_keys_add(&w->s->keys, number);
    }
    return unclear ? BELAYI_PG_FATE_STOP : good ? BELAYI_PG_FATE_COPY : bad;
}

belayi_pg_fate belayi_pg_hints_look(belayi_pg_storing *w, size_t row)
{
    if (row == w->known) {
        w->fates[row] = (unsigned char)look(w, row);
        w->known++;
    }
    return (belayi_pg_fate)w->fates[row];
}

void belayi_pg_hints_mark(belayi_pg_storing *w, size_t row)
{
    w->fates[row] = w->table.apart ? BELAYI_PG_FATE_ALONE : BELAYI_PG_FATE_STOP;
}

/* Rows that were looked at before are looked at again when their keys had to be forgotten. */
bool belayi_pg_hints_prepare(belayi_pg_storing *w, size_t from, size_t count)
{
    bool forgot;
    belayi_pg_keys *keys = &w->s->keys;
    if (keys->since != w->conn->undone)
        belayi_pg_keys_forget(keys); /* of rows that may not be there */
    keys->since = w->conn->undone;
    if (!belayi_pg_keys_prepare(keys, count * w->uniques, &forgot))
        return false;
    if (forgot || w->known < from)
        w->known = from;
    return true;
}
