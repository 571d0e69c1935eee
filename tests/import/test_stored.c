/*
 * test_stored.c - what passes the first gate is stored as it is written, on the engine of BELAY_TEST_URL.
 *
 * For each type of the engine, hundreds of texts, fixed ones and ones that are made
 * of them: what passes is inserted by belay_try, and what the engine gives back
 * means the same, or it refused; and all of them at once, as an import has them
 * stored, come to the same. What does not pass is given to the engine as it is: were it stored unchanged, the gate
 * would have been too strict. The texts are the same in every run, but with another number in BELAY_TEST_SEED.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "catalog.h"
#include "check.h"
#include "database.h"
#include "many.h"
#include "stored.h"
#include "utf8.h"

enum { MADE = 250, TEXT_ROOM = 400, ROWS = 400 };

static database the;

/* A type as it is declared, and how its values are read: # is the column. NULL: as they are. An engine that stores
   anything is asked by its functions instead whether a text is a value as it stands: ?1 is the text. NULL: it can't
   say. */
typedef struct one_type {
    const char *declared, *read, *is_value;
} one_type;

#define SAME_AS(type) "CAST(CAST(?1 AS " type ") AS TEXT) = ?1"

static const one_type sqlite_types[] = {
    {"INTEGER", NULL, SAME_AS("INTEGER")},
    {"SMALLINT", NULL, SAME_AS("INTEGER")},
    {"NUMERIC(12,2)", NULL, "printf('%.2f', ?1) = ?1 AND abs(?1) < 1e10"},
    {"DECIMAL", NULL, SAME_AS("NUMERIC") " AND typeof(CAST(?1 AS NUMERIC)) = 'integer'"},
    {"REAL", NULL, SAME_AS("REAL") " AND ?1 NOT LIKE '%Inf'"},
    {"FLOAT", NULL, SAME_AS("REAL") " AND ?1 NOT LIKE '%Inf'"},
    {"BOOLEAN", NULL, "?1 IN ('0', '1', 'true', 'false')"},
    {"VARCHAR(8)", NULL, "length(?1) <= 8"},
    {"TEXT", NULL, "1"},
    {"BLOB", "hex(#)", "?1 NOT LIKE '\\%'"},
    {"DATE", NULL, "date(?1, '+0 days') = ?1"},
    {"TIME", NULL, "time(?1, '+0 days') = ?1"},
    {"DATETIME", NULL, "datetime(?1, '+0 days') = ?1"},
    {"TIMESTAMP(3)", NULL, "datetime(?1, '+0 days') = ?1"},
    {"TIMESTAMPTZ", NULL, "datetime(?1, '+0 days') = ?1"},
    {"UUID", NULL, NULL},
    {"JSON", NULL,
     "CASE WHEN json_valid(?1) THEN json_type(?1) NOT IN ('integer', 'real') OR " SAME_AS("NUMERIC") " END"},
    {"JSON TEXT", NULL, "1"},
    {"STRING", NULL, SAME_AS("NUMERIC")},
    {"", NULL, "1"},
    {"CHAR(5)", NULL, "length(?1) <= 5"},
};

static const one_type postgresql_types[] = {
    {"SMALLINT", NULL, NULL},
    {"INTEGER", NULL, NULL},
    {"BIGINT", NULL, NULL},
    {"OID", NULL, NULL},
    {"NUMERIC(12,2)", NULL, NULL},
    {"NUMERIC", NULL, NULL},
    {"NUMERIC(3,-1)", NULL, NULL},
    {"NUMERIC(2,5)", NULL, NULL},
    {"REAL", NULL, NULL},
    {"DOUBLE PRECISION", NULL, NULL},
    {"BOOLEAN", "CAST(# AS text)", NULL},
    {"VARCHAR(8)", NULL, NULL},
    {"TEXT", NULL, NULL},
    {"CHAR(5)", NULL, NULL},
    {"NAME", NULL, NULL},
    {"\"char\"", NULL, NULL},
    {"BYTEA", "encode(#, 'hex')", NULL},
    {"DATE", NULL, NULL},
    {"TIME", NULL, NULL},
    {"TIME(0)", NULL, NULL},
    {"TIMESTAMP", NULL, NULL},
    {"TIMESTAMP(3)", NULL, NULL},
    {"TIMESTAMPTZ", "to_char(# AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", NULL},
    {"UUID", NULL, NULL},
    {"JSON", NULL, NULL},
    {"BIT(3)", "CAST(# AS text)", NULL},
    {"BIT VARYING(8)", "CAST(# AS text)", NULL},
    {"mood", NULL, NULL},
    {"cents", NULL, NULL},
};

static const one_type mariadb_types[] = {
    {"TINYINT", NULL, NULL},
    {"SMALLINT UNSIGNED", NULL, NULL},
    {"MEDIUMINT", NULL, NULL},
    {"INT(5) ZEROFILL", NULL, NULL},
    {"BIGINT", NULL, NULL},
    {"BIGINT UNSIGNED", NULL, NULL},
    {"DECIMAL(12,2)", NULL, NULL},
    {"DECIMAL(30,10) UNSIGNED", NULL, NULL},
    {"DECIMAL(65,0)", NULL, NULL},
    {"FLOAT", NULL, NULL},
    {"DOUBLE", NULL, NULL},
    {"DOUBLE UNSIGNED", NULL, NULL},
    {"FLOAT(7,4)", NULL, NULL},
    {"BOOLEAN", NULL, NULL},
    {"VARCHAR(8)", NULL, NULL},
    {"VARCHAR(8) CHARACTER SET utf8mb3", NULL, NULL},
    {"VARCHAR(8) CHARACTER SET latin1", NULL, NULL},
    {"VARCHAR(8) CHARACTER SET ascii", NULL, NULL},
    {"CHAR(5)", NULL, NULL},
    {"TINYTEXT", NULL, NULL},
    {"TEXT", NULL, NULL},
    {"BINARY(3)", "HEX(#)", NULL},
    {"VARBINARY(4)", "HEX(#)", NULL},
    {"BLOB", "HEX(#)", NULL},
    {"DATE", NULL, NULL},
    {"TIME", NULL, NULL},
    {"TIME(6)", NULL, NULL},
    {"DATETIME", NULL, NULL},
    {"DATETIME(6)", NULL, NULL},
    {"TIMESTAMP NULL", NULL, NULL},
    {"TIMESTAMP(3) NULL", NULL, NULL},
    {"UUID", NULL, NULL},
    {"JSON", NULL, NULL},
    {"ENUM('sad', 'it''s', '', 'b\\\\x', '10', '2')", NULL, NULL},
    {"SET('a', 'b', 'c')", NULL, NULL},
    {"YEAR", NULL, NULL},
    {"BIT(3)", "BIN(#)", NULL},
    {"BIT(64)", "BIN(#)", NULL},
};

/* ---- Texts -------------------------------------------------------------------------------------------------- */

static uint64_t chance = 1;

static unsigned roll(unsigned sides)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)(chance >> 32) % sides;
}

static size_t count_seeds(const char *const *seeds)
{
    size_t count = 0;
    while (seeds[count])
        count++;
    return count;
}

/* Takes a character out, puts one in, changes one, or puts two texts together. */
static void change_text(char *text, const char *other)
{
    static const char characters[] = "0123456789012345678900119.-+: eETZx'\\,aZ";
    size_t size = strlen(text), at = roll((unsigned)size + 1);
    char c = characters[roll(sizeof characters - 1)];
    switch (roll(5)) {
    case 0:
        if (at < size)
            memmove(text + at, text + at + 1, size - at);
        return;
    case 1:
        memmove(text + at + 1, text + at, size - at + 1);
        text[at] = c;
        return;
    case 2:
    case 3:
        if (at < size)
            text[at] = c;
        return;
    default:
        if (size + strlen(other) < TEXT_ROOM - 20)
            memmove(text + at, other, strlen(other) + 1);
    }
}

static void make_text(const char *const *seeds, size_t number, char text[TEXT_ROOM])
{
    size_t count = count_seeds(seeds);
    snprintf(text, TEXT_ROOM, "%s", seeds[number < count ? number : roll((unsigned)count)]);
    for (unsigned changes = number < count ? 0 : 1 + roll(3); changes > 0; changes--)
        change_text(text, seeds[roll((unsigned)count)]);
}

/* ---- One text in one column --------------------------------------------------------------------------------- */

/* Table `a` gets what passes, row by row, `b` the same at once, and `c` what does not pass. */
typedef struct trial {
    const one_type *type;
    const belayi_column *column;
    belayi_arena memory;
    belay_value values[2 * ROWS]; /* what passed, each behind its id, from 0 */
    bool kept[ROWS], kept_at_once[ROWS];
    int64_t count, others; /* rows of the one and of the other */
    int stored, rejected, wrong;
} trial;

/* What the engine gives back as a value of the kind. */
static void read_back(const trial *t, char table, int64_t id, char out[STORED_ROOM])
{
    char sql[200];
    const char *read = t->type->read ? t->type->read : "#", *hole = strchr(read, '#');
    snprintf(sql, sizeof sql, "SELECT %.*sv%s FROM %c WHERE id = ?", (int)(hole - read), read, hole + 1, table);
    belay_rows *rows = belay_query(the.s, sql, id);
    if (!belay_next(rows))
        snprintf(out, STORED_ROOM, "no row");
    else if (belay_type_of(rows, 0) == BELAY_TYPE_DOUBLE && t->column->type.kind == BELAYI_TYPE_REAL)
        snprintf(out, STORED_ROOM, "%.17g", belay_double(rows, 0));
    else
        snprintf(out, STORED_ROOM, "%s", belay_is_null(rows, 0) ? "NULL" : belay_str(rows, 0));
    belay_rows_close(rows);
}

/* False when the engine refuses it. */
static bool store(const trial *t, char table, int64_t id, belay_value value, char out[STORED_ROOM])
{
    char sql[100];
    snprintf(sql, sizeof sql, "INSERT INTO %c (id, v) VALUES (?, ?)", table);
    if (belay_try(the.s, sql, id, value) != BELAY_OK)
        return false;
    read_back(t, table, id, out);
    return true;
}

static bool is_hex(const trial *t)
{
    return t->column->type.kind == BELAYI_TYPE_BYTES;
}

/* What was given back, as mean_bytes reads bytes: with \x before them. */
static void as_written(const trial *t, const char *given, char out[STORED_ROOM])
{
    snprintf(out, STORED_ROOM, "%s%.*s", is_hex(t) ? "\\x" : "", STORED_ROOM - 4, given);
}

static void tell(trial *t, const char *text, const char *what, const char *given)
{
    if (t->wrong++ < 10)
        print_error("%s <- '%s': %s '%.300s'\n", t->column->declared, text, what, given);
}

static void try_passed(trial *t, const char *text, belay_value value)
{
    char given[STORED_ROOM], back[STORED_ROOM], written[STORED_ROOM], meaning[STORED_ROOM];
    int64_t id = t->count++;
    t->values[2 * id] = belay_integer(id);
    t->values[2 * id + 1] = value;
    t->kept[id] = store(t, 'a', id, value, given);
    if (!t->kept[id])
        return;
    t->stored++;
    as_written(t, given, back);
    bool means = stored_meaning(&t->column->type, text, strlen(text), written);
    if (!means || !stored_meaning(&t->column->type, back, strlen(back), meaning) || strcmp(written, meaning) != 0)
        tell(t, text, "passed, and is stored as", given);
}

/* Whether an engine that stores anything knows the text for a value as it stands. */
static bool knows_for_a_value(const char *text, const char *is_value)
{
    char sql[300];
    snprintf(sql, sizeof sql, "SELECT coalesce(%s, 0) WHERE ?1 IS NOT NULL", is_value);
    return belay_int_of(the.s, sql, text) != 0;
}

static void try_rejected(trial *t, const char *text, const char *why)
{
    char given[STORED_ROOM], back[STORED_ROOM];
    size_t bad_at;
    t->rejected++;
    if (stored_is_left_out(&t->column->type, text) || !belayi_utf8_valid(text, strlen(text), &bad_at))
        return;
    if (database_is_sqlite(&the)) {
        if (t->type->is_value && knows_for_a_value(text, t->type->is_value))
            tell(t, text, "is a value as it stands, and was rejected:", why);
        return;
    }
    if (!store(t, 'c', t->others++, belay_string(text), given))
        return;
    as_written(t, given, back);
    if (strcmp(text, back) == 0)
        tell(t, text, "is stored as it stands, and was rejected:", why);
}

static void try_text(trial *t, const char *text)
{
    char why[BELAYI_WHY_ROOM];
    belay_value value;
    const belayi_field field = {belayi_arena_copy(&t->memory, text, strlen(text)), strlen(text), BELAYI_FIELD_BARE};
    if (belayi_check_field(t->column, &field, &t->memory, &value, why))
        try_passed(t, text, value);
    else
        try_rejected(t, text, why);
}

/* ---- All at once -------------------------------------------------------------------------------------------- */

static void note_rejected(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    (void)s;
    (void)error;
    ((trial *)arg)->kept_at_once[row] = false;
}

static void compare_row(trial *t, int64_t id)
{
    char one[STORED_ROOM] = "refused", other[STORED_ROOM] = "refused";
    if (t->kept[id])
        read_back(t, 'a', id, one);
    if (t->kept_at_once[id])
        read_back(t, 'b', id, other);
    if (strcmp(one, other) != 0)
        tell(t, one, "among others it comes to", other);
}

static void store_at_once(trial *t)
{
    int64_t changes;
    const char *const names[] = {"id", "v"};
    const belay_target target = {"b", names};
    const belayi_insert insert = {.sql = "INSERT INTO b (id, v) VALUES (?, ?)",
                                  .target = &target,
                                  .rows = (size_t)t->count,
                                  .columns = 2,
                                  .values = t->values,
                                  .on_reject = note_rejected,
                                  .arg = t};
    memset(t->kept_at_once, true, sizeof t->kept_at_once);
    belayi_many_insert(the.s, &insert, &changes);
    for (int64_t id = 0; id < t->count; id++)
        compare_row(t, id);
}

/* ---- All ---------------------------------------------------------------------------------------------------- */

static void make_tables(const one_type *type)
{
    char sql[200], drop[] = "DROP TABLE IF EXISTS a";
    for (char table = 'a'; table <= 'c'; table++) {
        drop[sizeof drop - 2] = table;
        snprintf(sql, sizeof sql, "CREATE TABLE %c (id INTEGER PRIMARY KEY, v %s)", table, type->declared);
        database_run(the.s, (const char *const[]){drop, sql, NULL});
    }
}

/* How many of its texts went wrong. */
static int try_type(const one_type *type)
{
    static trial t;
    char text[TEXT_ROOM];
    belayi_table table;
    belay_error error;
    make_tables(type);
    if (belayi_catalog_read(the.s, "a", &table, &error) != BELAY_OK)
        fail_msg("%s", error.message);
    t = (trial){.type = type, .column = &table.columns[1]};
    const char *const *seeds = stored_seeds(&t.column->type);
    belay_begin(the.s, NULL);
    for (size_t i = 0; i < count_seeds(seeds) + MADE && belay_status(the.s) == BELAY_OK; i++) {
        make_text(seeds, i, text);
        try_text(&t, text);
    }
    store_at_once(&t);
    if (belay_commit(the.s) != BELAY_OK)
        fail_msg("%s: %s", type->declared, belay_message(the.s));
    belayi_catalog_done(&table);
    belayi_arena_free(&t.memory);
    if (t.stored == 0 || (t.rejected == 0 && t.column->type.kind != BELAYI_TYPE_OTHER)) {
        print_error("%s: %d stored, %d rejected: nothing was tried\n", type->declared, t.stored, t.rejected);
        t.wrong++;
    }
    return t.wrong;
}

static int try_types(const one_type *types, size_t count)
{
    int wrong = 0;
    for (size_t i = 0; i < count; i++)
        wrong += try_type(&types[i]);
    return wrong;
}

static void what_passes_is_stored_as_it_is_written_or_refused_and_nothing_else_would_have_been(void **state)
{
    (void)state;
    if (database_is_sqlite(&the)) {
        assert_int_equal(try_types(sqlite_types, sizeof sqlite_types / sizeof *sqlite_types), 0);
        return;
    }
    if (database_is_mariadb(&the)) {
        assert_int_equal(try_types(mariadb_types, sizeof mariadb_types / sizeof *mariadb_types), 0);
        return;
    }
    database_run(the.s, (const char *const[]){"CREATE TYPE mood AS ENUM ('sad', 'it''s', '', 'b\\x', '10', '2')",
                                              "CREATE DOMAIN cents AS NUMERIC(12,2)", NULL});
    assert_int_equal(try_types(postgresql_types, sizeof postgresql_types / sizeof *postgresql_types), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_passes_is_stored_as_it_is_written_or_refused_and_nothing_else_would_have_been),
    };
    const char *seed = getenv("BELAY_TEST_SEED");
    chance = seed && *seed ? strtoull(seed, NULL, 10) * UINT64_C(0x9E3779B97F4A7C15) + 1 : 1;
    database_open(&the, BELAY_DB_OPTIONS(.pool_size = 1));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    database_close(&the);
    return failed;
}
