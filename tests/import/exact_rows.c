/* exact_rows.c - the values of a case: good ones, and such as collide, don't fit, are missing or are no values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"

/* ---- Memory of values ------------------------------------------------------------------------------------------- */

static char *keep(exact_case *c, size_t size)
{
    if (c->kept_count == c->kept_room) {
        c->kept_room = c->kept_room * 2 + 64;
        c->kept = realloc(c->kept, c->kept_room * sizeof *c->kept);
    }
    char *memory = c->kept ? malloc(size + 1) : NULL;
    if (!memory)
        abort();
    memory[size] = '\0';
    c->kept[c->kept_count++] = memory;
    return memory;
}

static belay_value text(exact_case *c, const char *format, unsigned number)
{
    char *kept = keep(c, 40);
    snprintf(kept, 40, format, number);
    return belay_string(kept);
}

static belay_value repeated(exact_case *c, size_t size)
{
    char *kept = keep(c, size);
    memset(kept, 'a' + (int)exact_below(c, 26), size);
    return belay_text(kept, size);
}

/* ---- Good ones -------------------------------------------------------------------------------------------------- */

static belay_value make_word(exact_case *c, size_t longest)
{
    static const char *const words[] = {"ann", "Ann", "bob", "b ", "b", "", "\xc3\xa9t\xc3\xa9", "a'b", "\\N", "x\ty"};
    const char *word = words[exact_below(c, sizeof words / sizeof words[0])];
    return belay_string(strlen(word) > longest ? "z" : word);
}

static belay_value make_own(exact_case *c)
{
    unsigned which = exact_below(c, 4);
    if (c->engine == ON_POSTGRESQL)
        return text(c, "00000000-0000-4000-8000-%012u", which);
    if (c->engine == ON_MARIADB || which == 0)
        return belay_string(which == 1 ? "a" : which == 2 ? "b" : "c");
    return which == 1 ? BELAY_V(7) : which == 2 ? BELAY_V(7.5) : belay_blob("\0\xff", 2);
}

/* From 1 to 999 in the tables' domains: 11 to 19 are what triggers wait for. */
static belay_value make_plain(exact_case *c, exact_kind kind)
{
    unsigned n = exact_below(c, 1000) + 20;
    switch (kind) {
    case KIND_INT:
        return BELAY_V(n % 40 < 20 ? n % 10 : n % 40);
    case KIND_SMALL:
        return BELAY_V(n % 100);
    case KIND_BIG:
        return BELAY_V(n * 900);
    case KIND_DECIMAL:
        return belay_decimal(text(c, "%u.25", n).as.data);
    case KIND_DOUBLE:
        return BELAY_V(n / 8.0);
    case KIND_TEXT:
        return exact_chance(c, 1) ? repeated(c, exact_below(c, 60000)) : make_word(c, 100);
    case KIND_VARCHAR:
        return make_word(c, 8);
    case KIND_CHAR:
        return make_word(c, 5);
    case KIND_BOOL:
        return belay_bool(n % 2);
    case KIND_DATE:
        return text(c, "2026-01-%02u", n % 28 + 1);
    case KIND_STAMP:
        return belay_timestamp(INT64_C(1700000000) * 1000000 + n);
    case KIND_BLOB:
        return belay_blob(text(c, "%u", n).as.data, n % 3);
    case KIND_OWN:
    case KINDS:
        break;
    }
    return make_own(c);
}

static belay_value make_key(exact_case *c, exact_kind kind, unsigned number)
{
    return kind == KIND_INT || kind == KIND_BIG       ? BELAY_V(number + 1)
           : kind == KIND_DECIMAL                     ? belay_decimal(text(c, "%u.5", number).as.data)
           : kind == KIND_BLOB || kind == KIND_DOUBLE ? BELAY_V(number + 0.5)
                                                      : text(c, number % 2 ? "k%u" : "K%u", number);
}

static belay_value make_good(exact_case *c, const exact_column *column, unsigned row)
{
    switch (column->role) {
    case ROLE_ROW:
        return BELAY_V(row);
    case ROLE_KEY:
        return make_key(c, column->kind, row);
    case ROLE_PARENT:
        return BELAY_V(exact_below(c, 20) + 1);
    case ROLE_SELF:
        return row == 0 || exact_chance(c, 30) ? belay_null() : BELAY_V(exact_below(c, row + 1) + 1);
    case ROLE_PLAIN:
        break;
    }
    return column->may_be_null && exact_chance(c, 5) ? belay_null() : make_plain(c, column->kind);
}

/* ---- Bad ones --------------------------------------------------------------------------------------------------- */

/* The same to some collations. */
static belay_value make_like(exact_case *c, belay_value value)
{
    if (value.type != BELAY_TYPE_TEXT || value.size > 30)
        return value;
    char *like = keep(c, value.size + 1);
    memcpy(like, value.as.data, value.size);
    if (like[0] == 'k' || like[0] == 'K')
        like[0] ^= 'k' ^ 'K';
    like[value.size] = ' ';
    return belay_text(like, value.size + exact_below(c, 2));
}

static belay_value make_number(exact_case *c)
{
    static const int64_t numbers[] = {11,
                                      12,
                                      13,
                                      14,
                                      15,
                                      16,
                                      17,
                                      18,
                                      19,
                                      -1,
                                      0,
                                      99,
                                      200,
                                      70000,
                                      INT64_C(5000000000),
                                      INT64_C(4000000000000000000),
                                      INT64_MIN};
    return BELAY_V((long long)numbers[exact_below(c, sizeof numbers / sizeof numbers[0])]);
}

static belay_value make_strange(exact_case *c)
{
    static const char *const words[] = {"twenty", "12", " 13 ", "0000-00-00", "2026-13-45", "1e400", "0x10", "true"};
    switch (exact_below(c, 12)) {
    case 0:
        return repeated(c, 9);
    case 1:
        return repeated(c, exact_below(c, 20) == 0 ? 70000 : 300);
    case 2:
        return belay_text("a\0b", 3);
    case 3:
        return belay_string("\xff\xfe");
    case 4:
        return BELAY_V((double)NAN);
    case 5:
        return belay_decimal(exact_chance(c, 50) ? "123456789012.125" : "12,5");
    case 6:
        return belay_unsigned(UINT64_MAX);
    case 7:
        return belay_blob("\0\1", 2);
    case 8:
        return BELAY_V(exact_chance(c, 50) ? 1e300 : 2.5);
    case 9:
        return belay_timestamp(exact_chance(c, 30) ? INT64_MIN : INT64_C(1000000) * exact_below(c, 1000000));
    default:
        return belay_string(words[exact_below(c, sizeof words / sizeof words[0])]);
    }
}

static void spoil(exact_case *c, size_t row, size_t column)
{
    belay_value *value = &c->values[row * c->column_count + column];
    unsigned how = exact_below(c, 10);
    if (c->columns[column].role == ROLE_ROW)
        return;
    if (strcmp(c->columns[column].name, "v") == 0 && how < 7) /* what triggers wait for */
        *value = BELAY_V(exact_below(c, 10) + 11);
    else if (how < 3 && row > 0) /* as an earlier row has it */
        *value = c->values[exact_below(c, (unsigned)row) * c->column_count + column];
    else if (how < 4 && row > 0)
        *value = make_like(c, c->values[(row - 1) * c->column_count + column]);
    else if (how < 5)
        *value = belay_null();
    else if (how < 8)
        *value = make_number(c);
    else
        *value = make_strange(c);
}

void exact_fill(exact_case *c)
{
    c->values = calloc(c->row_count * c->column_count, sizeof *c->values);
    if (!c->values)
        abort();
    for (size_t row = 0; row < c->row_count; row++) {
        for (size_t i = 0; i < c->column_count; i++)
            c->values[row * c->column_count + i] = make_good(c, &c->columns[i], (unsigned)row);
        if ((int)exact_below(c, 1000) < c->bad_in_a_thousand)
            for (unsigned times = exact_below(c, 2) + 1; times > 0; times--)
                spoil(c, row, exact_below(c, (unsigned)c->column_count));
    }
}
