/*
 * each.c - one statement for many rows, each undone alone.
 *
 * Where the rows are those of a table, and nothing about the table stands in the
 * way, they are written together (rows.c), up to one that fails, and from behind
 * it on. Else each is run by itself: as it is, when SQLite undoes a failure by
 * itself (contained.c), and between savepoints when not.
 *
 * The savepoint has a name of its own and lies above all numbered ones. After a
 * row that failed it stays set for the next one.
 * Tests: tests/import, tests/api/test_many.c, tests/unit/drivers/test_sqlite_each.c.
 */
#include "conn.h"
#include "report.h"

enum {
    ENOUGH_TO_ASK = 64, /* rows: fewer are written before it is known whether they could be together */
    MANY = 1000         /* that a larger page cache is worth it */
};

typedef struct run {
    belayi_sqlite_statement *s;
    belayi_sqlite_conn *conn;
    const belay_each *each;
    belay_effect *effect;
    bool contained, together;
    bool marked; /* the savepoint is set */
} run;

/* The row has failed with *error, and nothing of it is left; or the transaction is over, or is to be. */
static belay_code refuse_row(const run *r, size_t row, belay_error *error)
{
    r->effect->changes = 0;
    if (sqlite3_get_autocommit(r->conn->db))
        return error->code;
    belay_code code = error->code;
    return r->each->rejected(r->each->arg, row, error) ? BELAY_OK : code;
}

static belay_code mark(run *r, belayi_sqlite_control which, belay_error *error)
{
    belay_code code = belayi_sqlite_mark_row(r->conn, which, error);
    r->marked = code == BELAY_OK ? which != BELAYI_SQLITE_ROW_GOOD : r->marked;
    return code;
}

/* *out_failed: it was the row that failed. */
static belay_code try_row(run *r, size_t row, bool *out_failed, belay_error *error)
{
    const belay_each *each = r->each;
    bool marks = !r->contained;
    belay_error other;
    belay_code code = marks && !r->marked ? mark(r, BELAYI_SQLITE_ROW, error) : BELAY_OK;
    if (code != BELAY_OK)
        return code;
    code = belayi_sqlite_execute(&r->s->base, each->columns, each->values + row * each->columns, r->effect, error);
    *out_failed = code != BELAY_OK;
    if (code == BELAY_OK)
        *each->changes += r->effect->changes;
    if (!marks || sqlite3_get_autocommit(r->conn->db))
        return code;
    belay_code marked = mark(r, *out_failed ? BELAYI_SQLITE_ROW_BAD : BELAYI_SQLITE_ROW_GOOD, &other);
    if (marked == BELAY_OK)
        return code;
    *out_failed = false;
    *error = other;
    return marked;
}

static belay_code run_row(run *r, size_t row, belay_error *error)
{
    bool failed = false;
    belay_code code = try_row(r, row, &failed, error);
    return failed ? refuse_row(r, row, error) : code;
}

static belay_code run_rows(run *r, belay_error *error)
{
    belay_code code = BELAY_OK;
    for (size_t row = 0; code == BELAY_OK && row < r->each->rows; row++) {
        if (r->together)
            code = belayi_sqlite_write_together(r->s, r->each, &row, r->effect, error);
        if (code != BELAY_OK)
            code = refuse_row(r, row, error);
        else if (row < r->each->rows)
            code = run_row(r, row, error);
    }
    if (code == BELAY_OK && r->marked)
        code = mark(r, BELAYI_SQLITE_ROW_GOOD, error);
    return code;
}

belay_code belayi_sqlite_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                      belay_error *error)
{
    belayi_sqlite_statement *s = (belayi_sqlite_statement *)statement;
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)statement->conn;
    if (!s->is_dml || conn->adopted || conn->lent || sqlite3_get_autocommit(conn->db))
        return belayi_report(error, BELAY_UNSUPPORTED, "there is nothing better here than row by row");
    run r = {.s = s, .conn = conn, .each = each, .effect = effect};
    r.contained = belayi_sqlite_self_contained(statement);
    r.together = r.contained && each->target && each->rows >= ENOUGH_TO_ASK &&
                 belayi_sqlite_can_write_together(s, each->target, each->columns);
    if (each->rows >= MANY)
        belayi_sqlite_widen_cache(conn);
    return run_rows(&r, error);
}
