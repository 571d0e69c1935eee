/*
 * table.c - reads a table's catalog: what may be copied into it, and what can make
 * a row fail there.
 *
 * When in doubt there is no COPY: the user's triggers, rules, row security, views,
 * partitions, foreign tables, a key that refers to the table itself, functions and
 * operators of the user's in constraints, defaults or indexes, as those may look at
 * other rows; domains and types that are not the server's own.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include <stdlib.h>
#include <string.h>

#include "checks.h"
#include "report.h"
#include "table.h"

/* ---- The question ---------------------------------------------------------------------------------------------- */

/* One row a thing: what it is, then as said where it is read. Unique keys and checks in the order in which the server
   looks at them. */
static const char question[] =
    "WITH t AS (SELECT * FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass($1)), "
    "parts AS (SELECT 'pg_catalog.pg_constraint'::regclass AS class, c.oid AS part FROM t, "
    "pg_catalog.pg_constraint c WHERE c.conrelid = t.oid "
    "UNION ALL SELECT 'pg_catalog.pg_attrdef'::regclass, a.oid FROM t, pg_catalog.pg_attrdef a WHERE a.adrelid = t.oid "
    "UNION ALL SELECT 'pg_catalog.pg_class'::regclass, i.indexrelid FROM t, pg_catalog.pg_index i "
    "WHERE i.indrelid = t.oid) "
    "SELECT * FROM (SELECT 't', t.relname::text, "
    "(EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' "
    "AND l.relation = t.oid AND l.granted AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', "
    "'AccessExclusiveLock')))::int::text, "
    "(t.relkind = 'r' AND NOT t.relispartition AND NOT t.relhasrules AND NOT pg_catalog.row_security_active(t.oid) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = t.oid AND NOT g.tgisinternal) "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = t.oid AND c.confrelid = t.oid) "
    "AND NOT EXISTS (SELECT FROM parts p JOIN pg_catalog.pg_depend d ON d.classid = p.class AND d.objid = p.part "
    "WHERE d.refclassid IN ('pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass, "
    "'pg_catalog.pg_opclass'::regclass, 'pg_catalog.pg_opfamily'::regclass)))::int::text, "
    "(pg_catalog.current_setting('transaction_isolation') = 'read committed' "
    "AND pg_catalog.current_setting('server_encoding') = 'UTF8' "
    "AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid AND (i.indexprs IS NOT NULL "
    "OR i.indpred IS NOT NULL OR i.indisexclusion OR NOT i.indimmediate OR NOT i.indisready)))::int::text, '', '' FROM "
    "t "
    "UNION ALL "
    "SELECT 'c', '\"' || pg_catalog.replace(a.attname, '\"', '\"\"') || '\"', a.attnum::text, "
    "CASE WHEN y.typtype = 'e' THEN 'e' WHEN a.atttypid < 16384 AND y.typtype IN ('b', 'r', 'm') "
    "AND (y.typelem = 0 OR y.typelem < 16384) THEN a.atttypid::text ELSE '' END, a.atttypmod::text || ' ' || "
    "a.attnotnull::int || ' ' || (coalesce(l.collisdeterministic, true))::int || ' ' || "
    "(a.attidentity = 'a' OR a.attgenerated <> '')::int || ' ' || (a.attcollation = y.typcollation)::int || ' ' || "
    /* 1: left out, it is NULL; 2: always another; 0: who knows */
    "CASE WHEN a.attidentity <> '' OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) LIKE 'nextval(%' THEN 2 "
    "WHEN NOT a.atthasdef THEN 1 ELSE 0 END, pg_catalog.format_type(a.atttypid, -1), "
    "pg_catalog.format_type(a.atttypid, a.atttypmod) "
    "FROM t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "JOIN pg_catalog.pg_type y ON y.oid = a.atttypid LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation "
    "LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = t.oid AND f.adnum = a.attnum "
    "UNION ALL "
    "SELECT 'u', c.relname::text, i.indkey::text, (i.indexprs IS NULL AND NOT i.indisexclusion)::int::text, "
    "coalesce(pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct', ''), i.indnkeyatts::text, "
    "pg_catalog.lpad(i.indexrelid::text, 10, '0') "
    "FROM t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion) "
    "JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
    "UNION ALL "
    "SELECT 'k', c.conname::text, pg_catalog.array_to_string(c.conkey, ' '), "
    "pg_catalog.pg_get_expr(c.conbin, c.conrelid), '', '', c.conname::text "
    "FROM t JOIN pg_catalog.pg_constraint c ON c.conrelid = t.oid AND c.contype = 'c' "
    "UNION ALL "
    "SELECT 'f', c.conname::text, pg_catalog.array_to_string(c.conkey, ' '), c.confrelid::regclass::text, "
    "(SELECT pg_catalog.string_agg('\"' || pg_catalog.replace(a.attname, '\"', '\"\"') || '\"', E'\\n' ORDER BY k.n) "
    "|| "
    "E'\\n' FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY k(part, n) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.part), "
    "(c.confmatchtype = 's' AND NOT c.condeferrable)::int::text, '' "
    "FROM t JOIN pg_catalog.pg_constraint c ON c.conrelid = t.oid AND c.contype = 'f' "
    ") AS things(what, name, second, third, fourth, fifth, place) ORDER BY place COLLATE \"C\"";

enum { KIND, NAME, SECOND, THIRD, FOURTH, FIFTH, SIXTH };

/* ---- Types ----------------------------------------------------------------------------------------------------- */

static const struct {
    Oid type;
    belayi_pg_kind kind;
} known_types[] = {
    {16, BELAYI_PG_KIND_BOOL},      {17, BELAYI_PG_KIND_BYTES},   {20, BELAYI_PG_KIND_INTEGER},
    {21, BELAYI_PG_KIND_INTEGER},   {23, BELAYI_PG_KIND_INTEGER}, {25, BELAYI_PG_KIND_TEXT},
    {700, BELAYI_PG_KIND_FLOAT4},   {701, BELAYI_PG_KIND_FLOAT8}, {1042, BELAYI_PG_KIND_CHAR},
    {1043, BELAYI_PG_KIND_TEXT},    {1082, BELAYI_PG_KIND_DATE},  {1114, BELAYI_PG_KIND_TIMESTAMP},
    {1184, BELAYI_PG_KIND_MOMENT},  {1560, BELAYI_PG_KIND_OTHER}, {1562, BELAYI_PG_KIND_OTHER},
    {1700, BELAYI_PG_KIND_NUMERIC}, {2950, BELAYI_PG_KIND_UUID},
};

/* A measure may change what a text means: '5' is five minutes in an interval of minutes. So others come without. */
static belayi_pg_kind find_kind(const char *type, int measure)
{
    Oid oid = (Oid)strtoul(type, NULL, 10);
    if (type[0] == 'e')
        return BELAYI_PG_KIND_ENUM;
    for (size_t i = 0; i < sizeof known_types / sizeof known_types[0]; i++)
        if (known_types[i].type == oid)
            return known_types[i].kind;
    return oid != 0 && measure == -1 ? BELAYI_PG_KIND_OTHER : BELAYI_PG_KIND_NONE;
}

static int find_bytes(const char *type)
{
    return strcmp(type, "21") == 0 ? 2 : strcmp(type, "23") == 0 ? 4 : strcmp(type, "20") == 0 ? 8 : 0;
}

bool belayi_pg_column_takes(const belayi_pg_column *column, const belay_value *value)
{
    belayi_pg_kind kind = column->kind;
    bool number = kind == BELAYI_PG_KIND_INTEGER || kind == BELAYI_PG_KIND_NUMERIC || kind == BELAYI_PG_KIND_FLOAT4 ||
                  kind == BELAYI_PG_KIND_FLOAT8;
    switch (value->type) {
    case BELAY_TYPE_NULL:
    case BELAY_TYPE_TEXT:
    case BELAY_TYPE_TIMESTAMP:
        return true; /* it goes as a text that is taken for what the column is */
    case BELAY_TYPE_INT:
    case BELAY_TYPE_UINT:
        return number || kind == BELAYI_PG_KIND_TEXT || kind == BELAYI_PG_KIND_CHAR;
    case BELAY_TYPE_DECIMAL:
        return number;
    case BELAY_TYPE_DOUBLE:
        return kind == BELAYI_PG_KIND_FLOAT8;
    case BELAY_TYPE_BOOL:
        return kind == BELAYI_PG_KIND_BOOL;
    case BELAY_TYPE_BLOB:
        return kind == BELAYI_PG_KIND_BYTES;
    }
    return false;
}

/* ---- Columns --------------------------------------------------------------------------------------------------- */

typedef struct reading {
    belayi_pg_table *table;
    const belay_target *target;
    const PGresult *result;
    bool failed; /* no memory */
} reading;

static const char *cell(const reading *r, int row, int column)
{
    return PQgetvalue(r->result, row, column);
}

static const char *keep(reading *r, int row, int column)
{
    const char *text = cell(r, row, column);
    const char *copy = belayi_arena_copy(&r->table->memory, text, strlen(text));
    r->failed |= !copy;
    return copy ? copy : "";
}

static const char *next_number(const char *text, int *out)
{
    char *end;
    *out = (int)strtol(text, &end, 10);
    return *end == ' ' ? end + 1 : end;
}

/* Measures of a type, as typmod has them, which counts from 4. */
static void note_measure(belayi_pg_column *column, int measure)
{
    bool text = column->kind == BELAYI_PG_KIND_TEXT || column->kind == BELAYI_PG_KIND_CHAR;
    column->length = text && measure >= 4 ? measure - 4 : -1;
    column->scale = -1;
    column->precision = column->kind == BELAYI_PG_KIND_NUMERIC && measure >= 4 ? (measure - 4) >> 16 & 0xffff : -1;
    if (column->kind == BELAYI_PG_KIND_NUMERIC && measure >= 4)
        column->scale = (((measure - 4) & 0x7ff) ^ 1024) - 1024;
    if (column->kind == BELAYI_PG_KIND_NUMERIC && column->scale < 0 && measure >= 4)
        column->exact_collation = false; /* it rounds before the point: equal numbers can't be told */
    if (column->kind == BELAYI_PG_KIND_TIMESTAMP || column->kind == BELAYI_PG_KIND_MOMENT)
        column->scale = measure;
}

/* An INSERT is refused for what its own row has, as far as this column goes: nothing is computed that could fail. */
static bool leaves_alone(bool found, bool not_null, int without)
{
    return found || (without == 1 && !not_null) || without == 2;
}

static void note_column(reading *r, int row)
{
    belayi_pg_table *table = r->table;
    int measure, not_null, exact, unwritable, usual, without;
    bool found = false;
    const char *rest = next_number(cell(r, row, FOURTH), &measure);
    rest = next_number(next_number(next_number(rest, &not_null), &exact), &unwritable);
    next_number(next_number(rest, &usual), &without);
    for (size_t i = 0; i < table->count; i++) {
        belayi_pg_column *column = &table->columns[i];
        if (strcmp(r->target->names[i], cell(r, row, NAME)) != 0)
            continue;
        found = true;
        table->copyable &= column->number == 0 && !unwritable; /* and not named twice */
        *column = (belayi_pg_column){.name = r->target->names[i],
                                     .type = keep(r, row, FIFTH),
                                     .full_type = keep(r, row, SIXTH),
                                     .bytes = find_bytes(cell(r, row, THIRD)),
                                     .kind = find_kind(cell(r, row, THIRD), measure),
                                     .not_null = not_null,
                                     .exact_collation = exact};
        next_number(cell(r, row, SECOND), &column->number);
        note_measure(column, measure);
        table->copyable &= column->kind != BELAYI_PG_KIND_NONE;
    }
    table->provable &= leaves_alone(found, not_null, without) && usual; /* a collation is not asked along */
}

/* What a column that the rows don't have gets: 1: NULL, 2: always another, 0: who knows. */
static int default_of(const reading *r, int number)
{
    for (int row = 0; row < PQntuples(r->result); row++) {
        int own, what = 0;
        next_number(cell(r, row, SECOND), &own);
        if (cell(r, row, KIND)[0] != 'c' || own != number)
            continue;
        const char *last = strrchr(cell(r, row, FOURTH), ' ');
        next_number(last ? last + 1 : "0", &what);
        return what;
    }
    return 0;
}

/* ---- Rules ----------------------------------------------------------------------------------------------------- */

static bool add_column(belayi_pg_rule *rule, const belayi_pg_table *table, int number)
{
    for (size_t i = 0; i < table->count; i++)
        if (number > 0 && table->columns[i].number == number && rule->count < BELAYI_PG_RULE_COLUMNS) {
            rule->columns[rule->count++] = (unsigned short)i;
            return true;
        }
    return false;
}

/* Reads up to `most` numbers of columns. *out_default: the least that is known of those which the rows don't have. */
static void add_columns(reading *r, belayi_pg_rule *rule, const char *numbers, int most, int *out_default)
{
    bool null = false, other = false, unknown = false;
    rule->whole = true;
    for (int number; *numbers && most > 0; most--) {
        numbers = next_number(numbers, &number);
        if (add_column(rule, r->table, number))
            continue;
        int what = default_of(r, number);
        rule->whole = false;
        null |= what == 1 && !rule->nulls_equal;
        other |= what == 2;
        unknown |= what == 0;
    }
    *out_default = null || other ? 1 : unknown ? 0 : 2;
}

static belayi_pg_rule *new_rule(reading *r, int row, belayi_pg_rule_kind kind)
{
    if (r->table->rule_count == BELAYI_PG_RULES) {
        r->table->copyable = false;
        return NULL;
    }
    belayi_pg_rule *rule = &r->table->rules[r->table->rule_count++];
    *rule = (belayi_pg_rule){.kind = kind, .name = keep(r, row, NAME)};
    return rule;
}

/* Whether each value of the column can be told from the others here: see keys.c. */
static bool can_tell(const belayi_pg_column *column)
{
    return column->exact_collation && column->kind != BELAYI_PG_KIND_OTHER && column->kind != BELAYI_PG_KIND_FLOAT4 &&
           column->kind != BELAYI_PG_KIND_FLOAT8;
}

/* A key of which the rows have a part is compared by that: who shares it all shares the part. */
static void note_unique(reading *r, int row)
{
    int most, elsewhere;
    belayi_pg_rule *rule = new_rule(r, row, BELAYI_PG_RULE_UNIQUE);
    if (!rule)
        return;
    next_number(cell(r, row, FIFTH), &most);
    rule->nulls_equal = strcmp(cell(r, row, FOURTH), "true") == 0;
    add_columns(r, rule, cell(r, row, SECOND), most, &elsewhere);
    bool plain = cell(r, row, THIRD)[0] == '1';
    for (size_t i = 0; i < rule->count; i++)
        plain &= can_tell(&r->table->columns[rule->columns[i]]);
    bool never = plain && elsewhere == 1;
    if (never || !plain || rule->count == 0)
        r->table->rule_count--;
    r->table->apart &= plain && (never || rule->count > 0);
    r->table->provable &= never || rule->whole;
}

static void note_other(reading *r, int row, belayi_pg_rule_kind kind)
{
    int ignored;
    belayi_pg_rule *rule = new_rule(r, row, kind);
    if (!rule)
        return;
    add_columns(r, rule, cell(r, row, SECOND), BELAYI_PG_RULE_COLUMNS, &ignored);
    rule->text = keep(r, row, THIRD);
    rule->key = keep(r, row, FOURTH);
    if (kind == BELAYI_PG_RULE_CHECK)
        rule->check = belayi_pg_check_read(r->table, rule->text);
    r->table->provable &=
        rule->whole && rule->count > 0 && (kind == BELAYI_PG_RULE_CHECK || cell(r, row, FIFTH)[0] == '1');
    if (kind == BELAYI_PG_RULE_PARENT && cell(r, row, FIFTH)[0] != '1')
        rule->whole = false; /* NULLs mean something else there, or it is looked at later */
}

/* ---- All ------------------------------------------------------------------------------------------------------- */

static void note_table(reading *r, int row)
{
    r->table->name = keep(r, row, NAME);
    r->table->locked = cell(r, row, SECOND)[0] == '1';
    r->table->copyable = cell(r, row, THIRD)[0] == '1';
    r->table->provable = cell(r, row, FOURTH)[0] == '1';
    r->table->apart = true;
}

static void note(reading *r, char kind)
{
    for (int row = 0; row < PQntuples(r->result) && !r->failed; row++) {
        if (cell(r, row, KIND)[0] != kind)
            continue;
        if (kind == 't')
            note_table(r, row);
        else if (kind == 'c')
            note_column(r, row);
        else if (kind == 'u')
            note_unique(r, row);
        else
            note_other(r, row, kind == 'k' ? BELAYI_PG_RULE_CHECK : BELAYI_PG_RULE_PARENT);
    }
}

static void read_result(reading *r, size_t columns)
{
    belayi_pg_table *table = r->table;
    table->columns = belayi_arena_get(&table->memory, columns * sizeof *table->columns);
    table->rules = belayi_arena_get(&table->memory, BELAYI_PG_RULES * sizeof *table->rules);
    r->failed = !table->columns || !table->rules;
    if (r->failed)
        return;
    memset(table->columns, 0, columns * sizeof *table->columns);
    table->count = columns;
    note(r, 't');
    note(r, 'c');
    for (size_t i = 0; i < columns; i++)
        table->copyable &= table->columns[i].number > 0; /* else it is not there, or written otherwise */
    for (const char *kinds = "ukf"; *kinds && table->copyable; kinds++)
        note(r, *kinds);
}

belay_code belayi_pg_table_read(belayi_pg_conn *conn, const belay_target *target, size_t columns,
                                belayi_pg_table *out_table, belay_error *error)
{
    PGresult *result;
    *out_table = (belayi_pg_table){0};
    belay_code code = belayi_pg_query_with(conn, question, 1, &target->table, &result, error);
    if (code != BELAY_OK)
        return code;
    reading r = {out_table, target, result, false};
    read_result(&r, columns);
    if (r.failed)
        out_table->copyable = false;
    PQclear(result);
    return BELAY_OK;
}

void belayi_pg_table_done(belayi_pg_table *table)
{
    belayi_arena_free(&table->memory);
    *table = (belayi_pg_table){0};
}
