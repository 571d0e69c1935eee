/*
 * postgresql.c - the driver's table.
 *
 * Tests: tests/unit/drivers/test_postgresql_*.c.
 */
#include "postgresql.h"

#include "conn.h"

enum {
    /* READ UNCOMMITTED is READ COMMITTED there, and REPEATABLE READ is a snapshot. */
    ALL_LEVELS = 1 << BELAY_READ_UNCOMMITTED | 1 << BELAY_READ_COMMITTED | 1 << BELAY_REPEATABLE_READ |
                 1 << BELAY_SNAPSHOT | 1 << BELAY_SERIALIZABLE
};

/* The name is looked for along the search_path. A domain is what it is made of in the end, with all its NOT NULLs. */
static const char describe_columns[] =
    "SELECT n.nspname, c.relname, a.attname, "
    "CASE t.typtype WHEN 'e' THEN (SELECT 'enum(' || pg_catalog.string_agg('''' || "
    "pg_catalog.replace(e.enumlabel, '''', '''''') || '''', ',' ORDER BY e.enumsortorder) || ')' "
    "FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid) ELSE pg_catalog.format_type(t.oid, base.modifier) END, "
    "CAST(a.attnotnull OR base.not_null AS int), "
    "CAST((a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '' OR base.has_default AS int), "
    "CAST(a.attgenerated <> '' OR a.attidentity = 'a' OR pg_catalog.pg_relation_is_updatable(c.oid, true) & 8 = 0 "
    "OR (c.relkind = 'v' AND pg_catalog.pg_relation_is_updatable(c.oid, false) & 8 <> 0 "
    "AND NOT pg_catalog.pg_column_is_updatable(c.oid, a.attnum, false)) AS int), "
    "coalesce((SELECT k.part FROM pg_catalog.pg_index i, "
    "pg_catalog.unnest(CAST(i.indkey AS pg_catalog.int2[])) WITH ORDINALITY AS k (attnum, part) "
    "WHERE i.indrelid = c.oid AND i.indisprimary AND k.attnum = a.attnum), 0) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "CROSS JOIN LATERAL (WITH RECURSIVE chain (oid, modifier, base, base_modifier, not_null, has_default, depth) AS ("
    "SELECT d.oid, a.atttypmod, d.typbasetype, d.typtypmod, d.typnotnull, d.typdefault IS NOT NULL, 1 "
    "FROM pg_catalog.pg_type d WHERE d.oid = a.atttypid UNION ALL "
    "SELECT d.oid, chain.base_modifier, d.typbasetype, d.typtypmod, chain.not_null OR d.typnotnull, "
    "chain.has_default OR d.typdefault IS NOT NULL, chain.depth + 1 "
    "FROM chain JOIN pg_catalog.pg_type d ON d.oid = chain.base) "
    "SELECT * FROM chain ORDER BY depth DESC LIMIT 1) AS base "
    "JOIN pg_catalog.pg_type t ON t.oid = base.oid "
    "WHERE c.oid = pg_catalog.to_regclass(coalesce(pg_catalog.quote_ident(CAST(?1 AS text)) || '.', '') || "
    "pg_catalog.quote_ident(CAST(?2 AS text))) AND c.relkind IN ('r', 'p', 'v', 'f', 'm') ORDER BY a.attnum";

/* A unique index need not be a constraint. Of the columns of a CHECK, those of the table's order. */
static const char describe_constraints[] =
    "WITH t AS (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = $2) "
    "SELECT k.conname, (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY CASE k.contype WHEN 'c' THEN a.attnum "
    "ELSE key.part END) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS key (attnum, part) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.attnum), NULL "
    "FROM pg_catalog.pg_constraint k JOIN t ON t.oid = k.conrelid "
    "UNION ALL SELECT c.relname, (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY key.part) "
    "FROM pg_catalog.unnest(CAST(i.indkey AS pg_catalog.int2[])) WITH ORDINALITY AS key (attnum, part) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.attnum), NULL "
    "FROM pg_catalog.pg_index i JOIN t ON t.oid = i.indrelid JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid "
    "WHERE i.indisunique AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid)";

static const char describe_keys[] =
    "WITH t AS (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = $1 AND c.relname = $2) "
    "SELECT 'unique', (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY key.part) "
    "FROM pg_catalog.unnest(CAST(i.indkey AS pg_catalog.int2[])) WITH ORDINALITY AS key (attnum, part) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = key.attnum "
    "WHERE key.part <= i.indnkeyatts AND i.indexprs IS NULL), "
    "CAST(NULL AS text), CAST(NULL AS text), CAST(NULL AS text) "
    "FROM pg_catalog.pg_index i JOIN t ON t.oid = i.indrelid WHERE i.indisunique AND i.indpred IS NULL "
    "UNION ALL SELECT 'foreign', (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY key.part) "
    "FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS key (attnum, part) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.attnum), "
    "CAST(n.nspname AS text), CAST(c.relname AS text), (SELECT pg_catalog.string_agg(a.attname, ', ' ORDER BY "
    "key.part) "
    "FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS key (attnum, part) "
    "JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.attnum) "
    "FROM pg_catalog.pg_constraint k JOIN t ON t.oid = k.conrelid JOIN pg_catalog.pg_class c ON c.oid = k.confrelid "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE k.contype = 'f'";

const belay_driver belayi_driver_postgresql = {
    .abi = BELAY_DRIVER_ABI,
    .name = "postgresql",
    .capabilities = BELAY_CAN_TRANSACT_DDL | BELAY_CAN_STAND_ALONE | BELAY_HAS_ON_CONFLICT,
    .levels = ALL_LEVELS,
    .cheap_savepoints = 64, /* PGPROC_MAX_CACHED_SUBXIDS */
    .epoch_seconds = "CAST(floor(extract(epoch FROM clock_timestamp())) AS bigint)",
    .insert_new = "INSERT INTO",
    .insert_new_end = " ON CONFLICT (%s) DO NOTHING",
    .key_type = "VARCHAR(255)",
    .table_end = "",
    .describe_columns = describe_columns,
    .describe_constraints = describe_constraints,
    .describe_keys = describe_keys,
    .type_flavour = BELAY_TYPES_STANDARD,
    .name_quote = '"',
    .timestamp_type = "TIMESTAMP",
    .text_type = "TEXT",
    .bytes_type = "BYTEA",
    .moment_type = "TIMESTAMP WITH TIME ZONE",
    .decimal_type = "NUMERIC",
    .text_end = "",
    .generated_key = "%s GENERATED BY DEFAULT AS IDENTITY",
    .shared_size = sizeof(belayi_pg_shared),
    .conn_size = sizeof(belayi_pg_conn),
    .shared_init = belayi_pg_shared_init,
    .shared_adopt = belayi_pg_shared_adopt,
    .shared_done = belayi_pg_shared_done,
    .open = belayi_pg_open,
    .close = belayi_pg_close,
    .disown = belayi_pg_disown,
    .native = belayi_pg_native,
    .status = belayi_pg_status,
    .hung_up = belayi_pg_hung_up,
    .isolation = belayi_pg_isolation,
    .begin = belayi_pg_begin,
    .commit = belayi_pg_commit,
    .check_deferred = belayi_pg_check_deferred,
    .rollback = belayi_pg_rollback,
    .identify = belayi_pg_identify,
    .outcome = belayi_pg_outcome,
    .savepoint = belayi_pg_savepoint,
    .release = belayi_pg_release,
    .rollback_to = belayi_pg_rollback_to,
    .prepare = belayi_pg_prepare,
    .finalize = belayi_pg_finalize,
    .execute = belayi_pg_execute,
    .start = belayi_pg_start,
    .step = belayi_pg_step,
    .finish = belayi_pg_finish,
    .column_name = belayi_pg_column_name,
    .execute_each = belayi_pg_execute_each,
    .queue = belayi_pg_queue,
    .drain = belayi_pg_drain,
    .can_prepare = belayi_pg_can_prepare,
    .prepare_transaction = belayi_pg_prepare_transaction,
    .finish_prepared = belayi_pg_finish_prepared,
    .list_prepared = belayi_pg_list_prepared,
};
