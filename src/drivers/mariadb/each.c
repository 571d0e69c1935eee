/*
 * each.c - one statement for many rows, each undone alone: chooses how they are run.
 *
 * Three ways, from the fastest to the one that is always right:
 *
 *   chunks (bulk.c): the rows of a known target, many in one statement;
 *   flights (flight.c): each row a statement, many sent before an answer is read;
 *   one by one, behind a savepoint each, as the caller would.
 *
 * The first two are for tables where a row that fails leaves nothing (table.c). When something fails in them that is
 * not a row's own, all is undone to the savepoint `belay_each` in front, and the rows are run in the next slower way:
 * so the slowest alone says what becomes of a row that is not plain. The savepoint is never released: the next one of
 * its name takes its place, and every scope around takes it along when it ends. Tests:
 * tests/unit/drivers/test_mariadb_each.c, tests/api/test_many.c, tests/import/test_exact.c.
 */
#include "each.h"

#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { FEW = 8 };

/* ---- Failures ----------------------------------------------------------------------------------------------- */

belay_code belayi_mariadb_each_reject(belayi_mariadb_each_run *r, size_t row, belay_error *error)
{
    if (!r->each->rejected(r->each->arg, row, error))
        return error->code;
    return BELAY_OK;
}

/* The engine has ended the transaction, and what was sent behind that was done in another one, as autocommit is off. */
static void end_leftover(belayi_mariadb_conn *conn)
{
    belay_error ignored;
    if (!conn->xa && belayi_mariadb_ready(conn, BELAYI_MARIADB_BACK, &ignored) == BELAY_OK)
        belayi_mariadb_run(conn, "ROLLBACK", &ignored);
    conn->doubt = true; /* `status` asks */
}

/* Whether the error is that of everything, even where the transaction is still there. Who cancels means all of it, and
   not the row that is its turn. */
static bool blames_no_row(const belayi_mariadb_conn *conn, const belay_error *error)
{
    return conn->lost || conn->cancelled || error->code == BELAY_DEADLOCK || error->code == BELAY_SERIALIZATION ||
           error->code == BELAY_CONNECTION || error->code == BELAY_TIMEOUT || error->code == BELAY_CANCELLED;
}

belay_code belayi_mariadb_each_recover(belayi_mariadb_each_run *r, belay_error *error)
{
    belayi_mariadb_conn *conn = r->conn;
    belay_error other;
    bool over = blames_no_row(conn, error);
    unsigned ended_by = conn->ended_by;
    if (conn->lost || !r->marked || conn->ahead.number != 0) /* which was the savepoint itself */
        return error->code;
    belayi_mariadb_owe_nothing(conn);
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_BACK, &other);
    if (code == BELAY_OK)
        code = belayi_mariadb_go_back(conn, "ROLLBACK TO SAVEPOINT belay_each", &other);
    if (code == BELAY_OK) {
        conn->doubt = false;
        conn->ended_by = 0;
        return over ? error->code : BELAY_OK;
    }
    if (other.native_code == ER_SP_DOES_NOT_EXIST)
        end_leftover(conn);
    else if (other.outcome == BELAY_WORK_PARTLY)
        *error = other;
    conn->ended_by = ended_by;
    return error->code;
}

/* ---- One by one ----------------------------------------------------------------------------------------------- */

belay_code belayi_mariadb_try_row(belayi_mariadb_each_run *r, size_t row, belay_error *error)
{
    belay_effect effect = *r->effect;
    belay_error why;
    belayi_mariadb_conn *conn = r->conn;
    conn->owed.each = true;
    belay_code code =
        belayi_mariadb_execute(&r->s->base, r->each->columns, belayi_mariadb_each_row(r, row), &effect, &why);
    r->marked = !conn->owed.each;
    conn->owed.each = false;
    if (code == BELAY_OK) {
        *r->effect = effect;
        r->changes += effect.changes;
        return BELAY_OK;
    }
    r->effect->changes = 0;
    code = BELAY_OK;
    if (r->marked)
        code = belayi_mariadb_each_recover(r, &why);
    else if (blames_no_row(conn, &why) || why.code == BELAY_NO_MEMORY)
        code = why.code;
    if (code == BELAY_OK)
        code = belayi_mariadb_each_reject(r, row, &why);
    if (code != BELAY_OK)
        *error = why;
    return code;
}

/* ---- All of them ---------------------------------------------------------------------------------------------- */

/* Until a row was kept, by which it is known whether there are triggers. */
static belay_code try_first(belayi_mariadb_each_run *r, size_t *out_done, belay_error *error)
{
    belay_code code = BELAY_OK;
    int64_t before = r->changes;
    *out_done = 0;
    if (r->conn->vetted.triggers < 0)
        return BELAY_OK;
    while (code == BELAY_OK && *out_done < r->each->rows && r->changes == before)
        code = belayi_mariadb_try_row(r, (*out_done)++, error);
    if (code == BELAY_OK && r->changes > before)
        code = belayi_mariadb_vet_triggers(r->conn, error);
    return code;
}

static belay_code run_part(belayi_mariadb_each_run *r, bool in_bulk, size_t from, size_t *out_done, belay_error *error)
{
    size_t left = r->each->rows - from;
    *out_done = 1;
    if (!r->conn->vetted.plain)
        return belayi_mariadb_try_row(r, from, error);
    if (in_bulk && r->resting == 0)
        return belayi_mariadb_run_chunk(r, from, out_done, error);
    *out_done = in_bulk && r->resting < left ? r->resting : left;
    r->resting = 0;
    return belayi_mariadb_fly_rows(r, from, *out_done, error);
}

static belay_code run_rows(belayi_mariadb_each_run *r, belay_error *error)
{
    size_t row, done;
    bool in_bulk = false;
    belay_code code = try_first(r, &row, error);
    if (code == BELAY_OK && r->conn->vetted.plain && row < r->each->rows)
        code = belayi_mariadb_prepare_bulk(r, &in_bulk, error);
    for (; code == BELAY_OK && row < r->each->rows; row += done)
        code = run_part(r, in_bulk, row, &done, error);
    return code;
}

/* Whether something may be saved, and what the statement writes to. */
static bool find_table(const belayi_mariadb_each_run *r, const char **out_table, size_t *out_size)
{
    const belay_target *target = r->each->target;
    bool known = r->conn->vetted.statement == &r->s->base;
    if (r->conn->adopted || r->s->base.columns > 0 || (r->each->rows < FEW && !known))
        return false;
    if (!target)
        return belayi_mariadb_is_plain(r->s->kind, r->s->text, out_table, out_size);
    *out_table = target->table;
    *out_size = strlen(target->table);
    return true;
}

static belay_code vet(belayi_mariadb_each_run *r, belay_error *error)
{
    const char *table;
    size_t size;
    if (!find_table(r, &table, &size))
        return belayi_report(error, BELAY_UNSUPPORTED, "there is nothing faster for this statement");
    belay_code code = belayi_mariadb_vet(r, table, size, error);
    if (code != BELAY_OK && blames_no_row(r->conn, error))
        return code;
    if (r->conn->vetted.statement != &r->s->base || !r->conn->vetted.plain)
        return belayi_report(error, BELAY_UNSUPPORTED, "the table is none whose rows are undone alone by the server");
    return BELAY_OK;
}

belay_code belayi_mariadb_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                       belay_error *error)
{
    belayi_mariadb_each_run r = {.s = (belayi_mariadb_statement *)statement,
                                 .conn = (belayi_mariadb_conn *)statement->conn,
                                 .each = each,
                                 .effect = effect};
    *each->changes = 0;
    belay_code code = belayi_mariadb_check_open(r.conn, error);
    if (code == BELAY_OK)
        code = vet(&r, error);
    if (code != BELAY_OK)
        return code;
    r.flight = malloc(sizeof *r.flight);
    if (!r.flight)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for many rows");
    code = run_rows(&r, error);
    free(r.flight);
    *each->changes = r.changes;
    return code;
}
