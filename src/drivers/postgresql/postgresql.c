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
