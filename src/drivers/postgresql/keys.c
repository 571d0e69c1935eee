/*
 * keys.c - keys of rows as numbers: the hash of a form that all texts of an equal
 * value have in common. What has no such form here is unclear, and never guessed at.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include "keys.h"

#include <stdlib.h>
#include <string.h>

/* ---- Hashing --------------------------------------------------------------------------------------------------- */

static uint64_t stir(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ (hash >> 29);
}

/* The size counts too, so that one column's end is not the next one's beginning. */
static uint64_t stir_bytes(uint64_t hash, const char *bytes, size_t size)
{
    hash = stir(hash, size);
    for (; size > 0;) {
        uint64_t word = 0;
        size_t part = size < sizeof word ? size : sizeof word;
        memcpy(&word, bytes, part);
        hash = stir(hash, word);
        bytes += part;
        size -= part;
    }
    return hash;
}

/* ---- Values ---------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether the text is as the form says: 0 a digit, x one of a lower-case hexadecimal number, others as they are. */
static bool has_form(const char *text, size_t size, const char *form)
{
    if (size != strlen(form))
        return false;
    for (size_t i = 0; i < size; i++) {
        bool hex = form[i] == 'x' && (is_digit(text[i]) || (text[i] >= 'a' && text[i] <= 'f'));
        bool digit = form[i] == '0' && is_digit(text[i]);
        if (!hex && !digit && (form[i] == 'x' || form[i] == '0' || form[i] != text[i]))
            return false;
    }
    return true;
}

/* A number without exponent, by its digits from the first to the last that is not 0. */
static bool stir_decimal(uint64_t *hash, const char *text, size_t size, int scale)
{
    const char *end = text + size;
    bool negative = size > 0 && *text == '-';
    text += size > 0 && (*text == '-' || *text == '+');
    const char *point = text;
    while (point < end && is_digit(*point))
        point++;
    const char *fraction = point < end && *point == '.' ? point + 1 : point, *rest = fraction;
    while (rest < end && is_digit(*rest))
        rest++;
    if (rest != end || (point == text && fraction == end))
        return false;
    while (text < point && *text == '0')
        text++;
    while (end > fraction && end[-1] == '0')
        end--;
    if (scale >= 0 && end - fraction > scale)
        return false; /* it will be rounded */
    bool zero = text == point && end <= fraction;
    *hash = stir(*hash, negative && !zero);
    *hash = stir_bytes(*hash, text, (size_t)(point - text));
    *hash = stir_bytes(*hash, fraction, end > fraction ? (size_t)(end - fraction) : 0);
    return true;
}

static size_t count_characters(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)text[i] & 0xC0) != 0x80;
    return count;
}

static bool stir_text(uint64_t *hash, const belayi_pg_column *column, const char *text, size_t size)
{
    bool padded = column->kind == BELAYI_PG_KIND_CHAR;
    while (padded && size > 0 && text[size - 1] == ' ')
        size--;
    if (column->length >= 0 && count_characters(text, size) > (size_t)column->length)
        return false; /* spaces at its end will be cut, or it fails */
    *hash = stir_bytes(*hash, text, size);
    return true;
}

/* "2026-01-02 03:04:05", and a fraction. */
static bool stir_timestamp(uint64_t *hash, const belayi_pg_column *column, const char *text, size_t size)
{
    enum { WHOLE = 19, LONGEST = 26 };
    bool form = size >= WHOLE && has_form(text, WHOLE, "0000-00-00 00:00:00") &&
                (size == WHOLE || (text[WHOLE] == '.' && size > WHOLE + 1 && size <= LONGEST));
    for (size_t i = WHOLE + 1; form && i < size; i++)
        form = is_digit(text[i]);
    if (!form || (column->scale >= 0 && column->scale < 6) || memcmp(text + 11, "24", 2) >= 0 || text[17] > '5')
        return false;
    while (size > WHOLE && (text[size - 1] == '0' || text[size - 1] == '.'))
        size -= 1;
    *hash = stir_bytes(*hash, text, size);
    return true;
}

/* A text, or what is written as one. */
static bool stir_written(uint64_t *hash, const belayi_pg_column *column, const char *text, size_t size)
{
    switch (column->kind) {
    case BELAYI_PG_KIND_INTEGER:
        return stir_decimal(hash, text, size, 0);
    case BELAYI_PG_KIND_NUMERIC:
        return stir_decimal(hash, text, size, column->scale);
    case BELAYI_PG_KIND_TEXT:
    case BELAYI_PG_KIND_CHAR:
        return stir_text(hash, column, text, size);
    case BELAYI_PG_KIND_TIMESTAMP:
        return stir_timestamp(hash, column, text, size);
    case BELAYI_PG_KIND_DATE:
    case BELAYI_PG_KIND_UUID:
        *hash = stir_bytes(*hash, text, size);
        return has_form(text, size,
                        column->kind == BELAYI_PG_KIND_DATE ? "0000-00-00" : "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
    case BELAYI_PG_KIND_ENUM:
        *hash = stir_bytes(*hash, text, size);
        return true;
    case BELAYI_PG_KIND_NONE:
    case BELAYI_PG_KIND_FLOAT4:
    case BELAYI_PG_KIND_FLOAT8:
    case BELAYI_PG_KIND_BOOL:
    case BELAYI_PG_KIND_BYTES:
    case BELAYI_PG_KIND_MOMENT:
    case BELAYI_PG_KIND_OTHER:
        break;
    }
    return false;
}

static bool stir_value(uint64_t *hash, const belayi_pg_column *column, const belay_value *value)
{
    char text[BELAYI_PG_NUMBER_ROOM];
    switch (value->type) {
    case BELAY_TYPE_NULL:
        *hash = stir(*hash, UINT64_MAX);
        return true;
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_DECIMAL:
        return stir_written(hash, column, value->as.data, value->size);
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT:
        belayi_pg_write_number(value, text);
        return stir_written(hash, column, text, strlen(text));
    case BELAY_TYPE_BLOB:
        *hash = stir_bytes(*hash, value->as.data, value->size);
        return column->kind == BELAYI_PG_KIND_BYTES;
    case BELAY_TYPE_BOOL:
        *hash = stir(*hash, (uint64_t)value->as.integer);
        return column->kind == BELAYI_PG_KIND_BOOL;
    case BELAY_TYPE_TIMESTAMP:
        *hash = stir(*hash, (uint64_t)value->as.integer);
        return column->kind == BELAYI_PG_KIND_MOMENT && (column->scale < 0 || column->scale == 6);
    case BELAY_TYPE_DOUBLE:
        break;
    }
    return false;
}

belayi_pg_key belayi_pg_key_of(const belayi_pg_table *table, const belayi_pg_rule *rule, const belay_value *row,
                               uint64_t *out_number)
{
    uint64_t hash = stir(1, (uint64_t)(rule - table->rules));
    bool clear = true;
    for (size_t i = 0; i < rule->count; i++) {
        const belay_value *value = &row[rule->columns[i]];
        if (value->type == BELAY_TYPE_NULL && !rule->nulls_equal)
            return BELAYI_PG_KEY_NONE;
        clear &= stir_value(&hash, &table->columns[rule->columns[i]], value);
    }
    *out_number = hash ? hash : 1;
    return clear ? BELAYI_PG_KEY_KNOWN : BELAYI_PG_KEY_UNCLEAR;
}

/* ---- Which there were ------------------------------------------------------------------------------------------ */

static size_t find_slot(const belayi_pg_keys *keys, uint64_t number)
{
    size_t mask = keys->room - 1, at = (size_t)(number >> 20) & mask;
    while (keys->slots[at] != 0 && keys->slots[at] != number)
        at = (at + 1) & mask;
    return at;
}

static bool grow(belayi_pg_keys *keys, size_t room)
{
    belayi_pg_keys grown = {.slots = calloc(room, sizeof *grown.slots), .room = room, .count = keys->count};
    if (!grown.slots)
        return false;
    for (size_t i = 0; i < keys->room; i++)
        if (keys->slots[i] != 0)
            grown.slots[find_slot(&grown, keys->slots[i])] = keys->slots[i];
    grown.since = keys->since;
    free(keys->slots);
    *keys = grown;
    return true;
}

void belayi_pg_keys_forget(belayi_pg_keys *keys)
{
    if (keys->count > 0)
        memset(keys->slots, 0, keys->room * sizeof *keys->slots);
    keys->count = 0;
}

bool belayi_pg_keys_prepare(belayi_pg_keys *keys, size_t more, bool *out_forgot)
{
    enum { LEAST = 1 << 12 };
    size_t room = keys->room ? keys->room : LEAST;
    *out_forgot = false;
    if (more > BELAYI_PG_KEYS_MOST)
        return false;
    *out_forgot = keys->count + more > BELAYI_PG_KEYS_MOST;
    if (*out_forgot)
        belayi_pg_keys_forget(keys);
    while (room < 2 * (keys->count + more))
        room *= 2;
    return room == keys->room || grow(keys, room);
}

bool belayi_pg_keys_add(belayi_pg_keys *keys, uint64_t number)
{
    size_t at = find_slot(keys, number);
    bool there = keys->slots[at] != 0;
    keys->slots[at] = number;
    keys->count += !there;
    return there;
}

bool belayi_pg_keys_has(const belayi_pg_keys *keys, uint64_t number)
{
    return keys->count > 0 && keys->slots[find_slot(keys, number)] != 0;
}

void belayi_pg_keys_done(belayi_pg_keys *keys)
{
    free(keys->slots);
    *keys = (belayi_pg_keys){0};
}
