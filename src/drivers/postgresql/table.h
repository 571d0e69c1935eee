/*
 * table.h - a table, as its catalog describes it: whether rows may be stored in it
 * by COPY with the same fate as by INSERT, and what can make a row fail.
 *
 * Read once a call, while the transaction holds a lock on the table, so that it
 * stays as it is. Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#ifndef BELAYI_POSTGRESQL_TABLE_H
#define BELAYI_POSTGRESQL_TABLE_H

#include "arena.h"
#include "conn.h"

/* How a value is told from another, when both are written for the same column. */
typedef enum belayi_pg_kind {
    BELAYI_PG_KIND_NONE, /* a type for which COPY may read what an INSERT does not, or otherwise */
    BELAYI_PG_KIND_INTEGER,
    BELAYI_PG_KIND_NUMERIC,
    BELAYI_PG_KIND_FLOAT4,
    BELAYI_PG_KIND_FLOAT8,
    BELAYI_PG_KIND_TEXT,
    BELAYI_PG_KIND_CHAR,
    BELAYI_PG_KIND_BOOL,
    BELAYI_PG_KIND_BYTES,
    BELAYI_PG_KIND_DATE,
    BELAYI_PG_KIND_TIMESTAMP, /* without time zone */
    BELAYI_PG_KIND_MOMENT,    /* with */
    BELAYI_PG_KIND_UUID,
    BELAYI_PG_KIND_ENUM,
    BELAYI_PG_KIND_OTHER /* only as text */
} belayi_pg_kind;

/* A column that the rows have, in their order. */
typedef struct belayi_pg_column {
    const char *name;      /* quoted */
    const char *type;      /* as SQL writes it, without measures */
    const char *full_type; /* with them */
    int number;            /* in the table */
    belayi_pg_kind kind;
    int bytes;         /* of an integer */
    int precision;     /* of a number: digits in all; -1: any */
    int length, scale; /* of a text, in characters; of a number, behind the point; -1: any */
    bool not_null, exact_collation;
} belayi_pg_column;

/* What makes rows fail of which the server can be asked: see asks.c. */
typedef enum belayi_pg_rule_kind {
    BELAYI_PG_RULE_UNIQUE,
    BELAYI_PG_RULE_CHECK,
    BELAYI_PG_RULE_PARENT
} belayi_pg_rule_kind;

enum { BELAYI_PG_RULE_COLUMNS = 32, BELAYI_PG_RULES = 64 };

typedef struct belayi_pg_rule {
    belayi_pg_rule_kind kind;
    const char *name;                    /* of the constraint, or the index */
    const char *text;                    /* CHECK: its expression; PARENT: the table that is referred to */
    const char *key;                     /* PARENT: its columns, quoted, with a line end behind each */
    const struct belayi_pg_check *check; /* CHECK: when it is simple: see checks.h */
    size_t count;                        /* of the rows' columns that it looks at */
    unsigned short columns[BELAYI_PG_RULE_COLUMNS];
    bool whole;       /* it looks at no others */
    bool nulls_equal; /* UNIQUE: NULL is a value like any other */
} belayi_pg_rule;

typedef struct belayi_pg_table {
    belayi_arena memory;
    const char *name; /* as the server writes it in the context of an error: without schema, not quoted */
    bool locked;      /* by this transaction, so that it stays as it is */
    bool copyable;    /* COPY gives each row the same fate, but for the order in which they are looked at */
    bool provable;    /* the rules are all that can refuse a row whose values fit their types, in their order */
    bool apart;       /* and rows without a key in common do not know of each other */
    size_t count;
    belayi_pg_column *columns;
    size_t rule_count;
    belayi_pg_rule *rules;
} belayi_pg_table;

/* Reads it. A table for which there is no COPY is no failure. The caller frees it in any case. */
belay_code belayi_pg_table_read(belayi_pg_conn *conn, const belay_target *target, size_t columns,
                                belayi_pg_table *out_table, belay_error *error);
void belayi_pg_table_done(belayi_pg_table *table);

/* Whether COPY stores the value's text as an INSERT stores the value. */
bool belayi_pg_column_takes(const belayi_pg_column *column, const belay_value *value);

#endif
