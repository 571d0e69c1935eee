/* exact_case.c - a case from its seed: the table, the statement, and the calls that its rows come in. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"

/* ---- Texts and chance ------------------------------------------------------------------------------------------- */

void exact_add(exact_text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (text->size + (size_t)size + 1 > text->room) {
        text->room = (text->size + (size_t)size + 1) * 2;
        text->bytes = realloc(text->bytes, text->room);
    }
    if (!text->bytes || size < 0)
        abort();
    vsnprintf(text->bytes + text->size, (size_t)size + 1, format, again);
    va_end(again);
    text->size += (size_t)size;
}

unsigned exact_below(exact_case *c, unsigned below)
{
    uint64_t z = c->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (unsigned)((z ^ (z >> 31)) % below);
}

bool exact_chance(exact_case *c, unsigned in_a_hundred)
{
    return exact_below(c, 100) < in_a_hundred;
}

exact_text *exact_statement(exact_case *c)
{
    if (c->made_count == EXACT_STATEMENTS)
        abort();
    return &c->made[c->made_count++];
}

/* ---- Columns ---------------------------------------------------------------------------------------------------- */

static const char *const types[][KINDS] = {
    [ON_SQLITE] = {"INT", "SMALLINT", "BIGINT", "NUMERIC(8,2)", "REAL", "TEXT", "VARCHAR(8)", "CHAR(5)", "BOOLEAN",
                   "DATE", "TIMESTAMP", "BLOB", ""},
    [ON_POSTGRESQL] = {"integer", "smallint", "bigint", "numeric(8,2)", "double precision", "text", "varchar(8)",
                       "char(5)", "boolean", "date", "timestamptz", "bytea", "uuid"},
    [ON_MARIADB] = {"INT", "TINYINT", "BIGINT", "DECIMAL(8,2)", "DOUBLE", "TEXT", "VARCHAR(8)", "CHAR(5)", "BOOLEAN",
                    "DATE", "DATETIME(6)", "BLOB", "ENUM('a','b','c')"}};
static const char *const strict_types[KINDS] = {"INT",  "INT", "INTEGER", "REAL", "REAL", "TEXT", "TEXT",
                                                "TEXT", "INT", "TEXT",    "TEXT", "BLOB", "ANY"};

static const char *type_of(const exact_case *c, exact_kind kind)
{
    return c->strict ? strict_types[kind] : types[c->engine][kind];
}

/* SQLite: what the table itself says is to be done. */
static const char *clause(exact_case *c)
{
    static const char *const clauses[] = {" ON CONFLICT IGNORE", " ON CONFLICT REPLACE",  " ON CONFLICT FAIL",
                                          " ON CONFLICT ABORT",  " ON CONFLICT ROLLBACK", ""};
    return c->own_clauses ? clauses[exact_below(c, sizeof clauses / sizeof clauses[0])] : "";
}

static exact_column *give(exact_case *c, const char *name, exact_kind kind, exact_role role)
{
    exact_column *column = &c->columns[c->column_count++];
    snprintf(column->name, sizeof column->name, "%s", name);
    column->kind = kind;
    column->role = role;
    return column;
}

static void show(exact_case *c, const char *name)
{
    exact_add(&c->shown_text, "%s%s", c->shown_text.size > 0 ? ", " : "", name);
}

static const char *default_of(exact_kind kind)
{
    static const char *const defaults[KINDS] = {[KIND_INT] = "7",       [KIND_SMALL] = "7",     [KIND_BIG] = "7",
                                                [KIND_DECIMAL] = "7.5", [KIND_VARCHAR] = "'x'", [KIND_CHAR] = "'y'"};
    return defaults[kind];
}

/* A constraint on the column alone, or none. */
static void add_column_rules(exact_case *c, exact_text *t, exact_column *column)
{
    bool number = column->kind <= KIND_DOUBLE;
    bool given = column == &c->columns[c->column_count - 1];
    if (default_of(column->kind) && (!given || exact_chance(c, 30)))
        exact_add(t, " DEFAULT %s", default_of(column->kind));
    if (exact_chance(c, 35)) {
        exact_add(t, " NOT NULL%s", clause(c));
        column->may_be_null = false;
    }
    if (!number || !exact_chance(c, 20))
        return;
    if (c->engine != ON_MARIADB && exact_chance(c, 60))
        exact_add(t, " CONSTRAINT %s_range", column->name);
    exact_add(t, " CHECK (%s >= 0)", column->name);
}

static void add_extra(exact_case *c, exact_text *t, unsigned number)
{
    char name[8];
    exact_kind kind = exact_below(c, KINDS);
    bool unique = !c->partitioned && exact_chance(c, 20) &&
                  (kind == KIND_INT || kind == KIND_BIG || kind == KIND_VARCHAR || kind == KIND_DECIMAL);
    snprintf(name, sizeof name, "c%u", number);
    exact_column absent = {.kind = kind, .may_be_null = true}, *column = &absent;
    snprintf(absent.name, sizeof absent.name, "%s", name);
    if (exact_chance(c, 85) || !default_of(kind)) {
        column = give(c, name, kind, unique ? ROLE_KEY : ROLE_PLAIN);
        column->may_be_null = true;
    }
    exact_add(t, ", %s %s", name, type_of(c, kind));
    if (unique && column != &absent)
        exact_add(t, " UNIQUE%s", clause(c));
    add_column_rules(c, t, column);
    show(c, name);
}

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

static void add_given_key(exact_case *c, exact_text *t, bool alone)
{
    static const exact_kind kinds[] = {KIND_INT, KIND_INT, KIND_INT, KIND_BIG, KIND_VARCHAR, KIND_DECIMAL};
    exact_kind kind = kinds[exact_below(c, sizeof kinds / sizeof kinds[0])];
    bool rowid = c->engine == ON_SQLITE && kind == KIND_INT && exact_chance(c, 60);
    give(c, "k", kind, ROLE_KEY);
    exact_add(t, ", k %s", rowid ? "INTEGER" : type_of(c, kind));
    if (c->engine == ON_SQLITE && kind == KIND_VARCHAR && exact_chance(c, 40))
        exact_add(t, " COLLATE NOCASE");
    if (alone)
        exact_add(t, " PRIMARY KEY%s", clause(c));
    c->single_key = alone;
    show(c, "k");
}

/* Far from what is ever given. On SQLite nothing is skipped, and all is compared. */
static void add_generated_key(exact_case *c, exact_text *t)
{
    static const char *const keys[] = {
        [ON_POSTGRESQL] = ", g bigint GENERATED BY DEFAULT AS IDENTITY (START WITH 1000000) PRIMARY KEY",
        [ON_MARIADB] = ", g BIGINT AUTO_INCREMENT PRIMARY KEY"};
    c->key = "g";
    if (exact_chance(c, 30))
        give(c, "g", KIND_BIG, ROLE_KEY)->may_be_null = true;
    if (c->engine == ON_SQLITE) {
        exact_add(t, ", g INTEGER PRIMARY KEY%s", exact_chance(c, 50) ? " AUTOINCREMENT" : "");
        show(c, "g");
        return;
    }
    exact_add(t, "%s", keys[c->engine]);
    c->hide_numbers = true;
}

/* Which columns, and what of the constraints belongs behind all of them. */
static void add_key(exact_case *c, exact_text *t, exact_text *behind)
{
    unsigned which = exact_below(c, 100);
    if (c->partitioned || c->without_rowid)
        which = c->partitioned || which < 40 ? 0 : 50;
    if (which < 20) {
        add_given_key(c, t, false);
        exact_add(behind, ", PRIMARY KEY (k, v)%s", clause(c));
    } else if (which < 70) {
        add_given_key(c, t, true);
    } else if (which < 92) {
        add_generated_key(c, t);
    }
}

/* ---- Constraints of the table ----------------------------------------------------------------------------------- */

static const char *deferral(exact_case *c)
{
    return c->engine != ON_MARIADB && exact_chance(c, 40) ? " DEFERRABLE INITIALLY DEFERRED" : "";
}

static void add_references(exact_case *c, exact_text *t, exact_text *behind)
{
    if (c->engine == ON_MARIADB && (c->partitioned || !c->transactional))
        return;
    if (exact_chance(c, 30)) {
        give(c, "p", KIND_INT, ROLE_PARENT);
        exact_add(t, ", p %s", type_of(c, KIND_INT));
        exact_add(behind, ", CONSTRAINT to_parent FOREIGN KEY (p) REFERENCES parent (id)%s", deferral(c));
        show(c, "p");
    }
    exact_kind kind = c->columns[1].kind;
    if (c->single_key && (kind == KIND_INT || kind == KIND_BIG) && exact_chance(c, 30)) {
        give(c, "s", kind, ROLE_SELF);
        exact_add(t, ", s %s", type_of(c, kind));
        exact_add(behind, ", CONSTRAINT to_self FOREIGN KEY (s) REFERENCES t (k)%s", deferral(c));
        show(c, "s");
    }
}

static void add_rules_of_several(exact_case *c, exact_text *t, exact_text *behind)
{
    if (exact_chance(c, 25))
        exact_add(behind, ", CONSTRAINT below CHECK (v < n + 50)");
    if (!c->partitioned && exact_chance(c, 15))
        exact_add(behind, ", CONSTRAINT pair UNIQUE (v, n)%s", clause(c));
    if (!c->partitioned && exact_chance(c, 10))
        exact_add(behind, ", UNIQUE (v)%s", c->engine == ON_POSTGRESQL && !c->single_key ? deferral(c) : clause(c));
    if (exact_chance(c, 15)) {
        exact_add(t, ", x %s GENERATED ALWAYS AS (v * 2) %s", type_of(c, KIND_BIG),
                  c->engine == ON_POSTGRESQL || exact_chance(c, 50) ? "STORED" : "VIRTUAL");
        show(c, "x");
    }
}

static const char *table_end(const exact_case *c)
{
    if (c->engine == ON_SQLITE)
        return c->strict && c->without_rowid ? " STRICT, WITHOUT ROWID"
               : c->strict                   ? " STRICT"
               : c->without_rowid            ? " WITHOUT ROWID"
                                             : "";
    if (c->engine == ON_MARIADB)
        return !c->transactional ? " ENGINE=Aria AUTO_INCREMENT=1000000"
               : c->partitioned  ? " ENGINE=InnoDB PARTITION BY RANGE (v) (PARTITION low VALUES LESS THAN (20), "
                                   "PARTITION high VALUES LESS THAN (100))"
                                 : " ENGINE=InnoDB AUTO_INCREMENT=1000000";
    return c->partitioned ? " PARTITION BY RANGE (v)" : "";
}

static void add_table(exact_case *c)
{
    exact_text *t = exact_statement(c), behind = {0};
    give(c, "n", KIND_BIG, ROLE_ROW);
    exact_add(t, "CREATE TABLE t (n %s", type_of(c, KIND_BIG));
    show(c, c->engine == ON_SQLITE && !c->without_rowid ? "rowid, n" : "n");
    add_key(c, t, &behind);
    exact_column *v = give(c, "v", KIND_INT, ROLE_PLAIN);
    v->may_be_null = !c->partitioned && exact_chance(c, 50);
    exact_add(t, ", v %s", type_of(c, KIND_INT));
    show(c, "v");
    for (unsigned i = 0, extras = exact_below(c, 6); i < extras; i++)
        add_extra(c, t, i);
    add_references(c, t, &behind);
    add_rules_of_several(c, t, &behind);
    exact_add(t, "%s)%s", behind.bytes ? behind.bytes : "", table_end(c));
    free(behind.bytes);
    if (c->single_key && c->transactional && !c->partitioned && exact_chance(c, 15))
        exact_add(exact_statement(c), "CREATE TABLE child (k %s REFERENCES t (k)%s)", type_of(c, c->columns[1].kind),
                  deferral(c));
}

static void add_tables(exact_case *c)
{
    const char *end = c->engine == ON_MARIADB ? " ENGINE=InnoDB" : "";
    const char *values = "INSERT INTO parent VALUES ";
    exact_add(exact_statement(c), "CREATE TABLE parent (id %s PRIMARY KEY, hits %s)%s",
              c->engine == ON_SQLITE ? "INTEGER" : "INT", "INT", end);
    exact_text *rows = exact_statement(c);
    for (int i = 1; i <= 20; i++)
        exact_add(rows, "%s(%d, 0)", i == 1 ? values : ", ", i);
    exact_add(exact_statement(c), "CREATE TABLE audit (n BIGINT, v INT%s)%s", exact_chance(c, 30) ? " UNIQUE" : "",
              end);
    add_table(c);
}

/* ---- The statement, and the calls ------------------------------------------------------------------------------- */

static const char *find_beginning(exact_case *c, const char **out_end)
{
    static const char *const sqlite[] = {"INSERT OR IGNORE", "INSERT OR REPLACE", "INSERT OR FAIL",
                                         "INSERT OR ROLLBACK", "REPLACE"};
    static const char *const mariadb[] = {"INSERT IGNORE", "REPLACE"};
    *out_end = "";
    if (c->engine != ON_POSTGRESQL && exact_chance(c, 50))
        return c->engine == ON_SQLITE ? sqlite[exact_below(c, 5)] : mariadb[exact_below(c, 2)];
    *out_end = c->engine == ON_MARIADB                 ? " ON DUPLICATE KEY UPDATE v = VALUES(v)"
               : !c->single_key || exact_chance(c, 50) ? " ON CONFLICT DO NOTHING"
                                                       : " ON CONFLICT (k) DO UPDATE SET v = excluded.v";
    return "INSERT";
}

static void write_statement(exact_case *c)
{
    const char *beginning = "INSERT", *end = "";
    if (exact_chance(c, 25))
        beginning = find_beginning(c, &end);
    c->has_target = strcmp(beginning, "INSERT") == 0 && !*end;
    exact_add(&c->insert, "%s INTO %s (", beginning, c->table);
    for (size_t i = 0; i < c->column_count; i++)
        exact_add(&c->insert, "%s%s", i > 0 ? ", " : "", c->names[i] = c->columns[i].name);
    exact_add(&c->insert, ") VALUES (");
    for (size_t i = 0; i < c->column_count; i++)
        exact_add(&c->insert, i > 0 ? ", ?" : "?");
    exact_add(&c->insert, ")%s", end);
    c->target = (belay_target){c->table, c->names};
}

static const char *pick_late(exact_case *c)
{
    size_t count = 0;
    while (c->late[count])
        count++;
    return count > 0 ? c->late[exact_below(c, (unsigned)count)] : NULL;
}

static void cut_calls(exact_case *c)
{
    size_t left = c->row_count - c->ahead;
    unsigned largest = (unsigned)(exact_chance(c, 40) ? left : exact_chance(c, 50) ? left / 3 + 1 : 40);
    while (left > 0 && c->call_count < EXACT_CALLS) {
        exact_call *call = &c->calls[c->call_count++];
        call->rows = exact_below(c, largest) + 1;
        if (call->rows > left || c->call_count == EXACT_CALLS)
            call->rows = left;
        if (exact_chance(c, 20))
            call->before = pick_late(c);
        call->undone = exact_chance(c, 10);
        left -= call->rows;
    }
}

static void choose_sizes(exact_case *c, size_t largest)
{
    static const int shares[] = {0, 1, 10, 50, 100, 300, 700, 1000};
    unsigned size = exact_below(c, 100);
    size_t most = size < 60 ? 100 : size < 92 ? 1500 : 6000;
    c->bad_in_a_thousand = shares[exact_below(c, sizeof shares / sizeof shares[0])];
    c->row_count = exact_below(c, (unsigned)(most < largest ? most : largest)) + 3;
    c->ahead = exact_below(c, (unsigned)(c->row_count / 3 + 1));
}

void exact_make(exact_case *c, exact_engine engine, uint64_t seed, size_t largest)
{
    *c = (exact_case){.engine = engine, .seed = seed, .random = seed, .table = "t"};
    c->strict = engine == ON_SQLITE && exact_chance(c, 25);
    c->without_rowid = engine == ON_SQLITE && exact_chance(c, 15);
    c->own_clauses = engine == ON_SQLITE && exact_chance(c, 20);
    c->partitioned = engine != ON_SQLITE && exact_chance(c, 10);
    c->transactional = engine != ON_MARIADB || c->partitioned || exact_chance(c, 92);
    c->bare = exact_chance(c, 12);
    choose_sizes(c, largest);
    add_tables(c);
    if (engine == ON_SQLITE)
        exact_on_sqlite(c);
    else if (engine == ON_POSTGRESQL)
        exact_on_postgresql(c);
    else
        exact_on_mariadb(c);
    c->shown = c->shown_text.bytes;
    write_statement(c);
    exact_fill(c);
    cut_calls(c);
}

void exact_free(exact_case *c)
{
    for (size_t i = 0; i < c->made_count; i++)
        free(c->made[i].bytes);
    for (size_t i = 0; i < c->kept_count; i++)
        free(c->kept[i]);
    free(c->kept);
    free(c->values);
    free(c->insert.bytes);
    free(c->shown_text.bytes);
}
