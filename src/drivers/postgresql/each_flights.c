/*
 * each_flights.c - rows of one statement under way: a segment with one savepoint
 * around it, or rows that heal themselves.
 *
 * Which of the two is better is not known here: see each.c, which says too what
 * they are.
 * Tests: tests/api/test_many.c.
 */
#include <string.h>

#include "each.h"
#include "report.h"

enum { UNDER_WAY = 128 }; /* rows that heal themselves */

const char *const belayi_pg_each_texts[] = {[BELAYI_PG_EACH_SET] = "SAVEPOINT belay_each",
                                            [BELAYI_PG_EACH_BACK] = "ROLLBACK TO belay_each",
                                            [BELAYI_PG_EACH_KEEP] = "RELEASE belay_each"};

/* ---- Sending ------------------------------------------------------------------------------------------------- */

/* The commands are sent for every row: a trip that prepares them is soon made up for. */
belay_code belayi_pg_each_prepare(belayi_pg_conn *conn, belay_error *error)
{
    if (belayi_pg_has_prepared(conn, &conn->each[BELAYI_PG_EACH_SET]))
        return BELAY_OK;
    belay_code code = belayi_pg_take_off(conn, error);
    for (int i = BELAYI_PG_EACH_SET; i <= BELAYI_PG_EACH_KEEP && code == BELAY_OK; i++)
        code = belayi_pg_add_prepare(conn, &conn->each[i], belayi_pg_each_texts[i], 0, NULL, error);
    if (code == BELAY_OK)
        code = belayi_pg_launch(conn, 1, error);
    if (code == BELAY_OK)
        code = belayi_pg_read_ahead(conn, error);
    return code == BELAY_OK ? belayi_pg_land(conn, error) : code;
}

static belay_code add(belayi_pg_each_run *r, belayi_pg_each_command command, belay_error *error)
{
    int queued = PQsendQueryPrepared(r->conn->pg, r->conn->each[command].text, 0, NULL, NULL, NULL, 0);
    return belayi_pg_note_queued(r->conn, queued, error);
}

bool belayi_pg_each_can_fly(const belayi_pg_each_run *r, size_t row)
{
    belay_error ignored;
    belayi_pg_parameters parameters;
    return belayi_pg_is_prepared(r->s, r->each->columns, belayi_pg_each_row(r, row)) &&
           belayi_pg_check_run(r->s, r->each->columns, belayi_pg_each_row(r, row), &parameters, &ignored) == BELAY_OK;
}

static belay_code add_row(belayi_pg_each_run *r, size_t row, belay_error *error)
{
    belayi_pg_parameters parameters;
    belay_code code = belayi_pg_check_run(r->s, r->each->columns, belayi_pg_each_row(r, row), &parameters, error);
    return code == BELAY_OK ? belayi_pg_add_run(r->s, r->each->columns, belayi_pg_each_row(r, row), &parameters, error)
                            : code;
}

/* The transaction's, behind the rows: the landing takes the answer. */
static int ask_number(const belayi_pg_each_run *r)
{
    return belayi_pg_identity_ask(r->conn, r->s->is_other);
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

/* Reads one command to its end. *failed and *error are those of the first that fails; what is skipped behind it does
   not count. False when nothing more can be read. */
static bool read_command(belayi_pg_each_run *r, bool *failed, belay_error *error)
{
    PGresult *result;
    while (belayi_pg_next_result(r->conn, &result)) {
        if (!result)
            return true;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            belayi_pg_note_effect(r->conn, result, r->effect);
        } else if (status != PGRES_PIPELINE_ABORTED && !*failed) {
            belayi_pg_fail(r->conn, result, error);
            *failed = true;
        }
        PQclear(result);
        if (r->conn->lost)
            return false;
    }
    belayi_pg_fail_link(r->conn, error);
    return false;
}

static bool read_commands(belayi_pg_each_run *r, int count, bool *failed, belay_error *error)
{
    while (count > 0 && read_command(r, failed, error))
        count--;
    return count == 0;
}

/* The flight lands, whatever was read of it. The first error wins. */
static belay_code land(belayi_pg_each_run *r, belay_code code, belay_error *error)
{
    belay_error ignored;
    if (!r->conn->flying)
        return code;
    if (code == BELAY_OK && !r->aborted)
        return belayi_pg_land(r->conn, error);
    belayi_pg_land_early(r->conn, &ignored);
    return code;
}

bool belayi_pg_each_blames_no_row(const belayi_pg_each_run *r, const belay_error *error)
{
    return r->conn->lost || r->conn->cancelled || strcmp(error->sqlstate, "25P02") == 0 ||
           strcmp(error->sqlstate, "3B001") == 0 || belayi_pg_is_stale(error) ||
           (r->each->target && !belayi_pg_is_of_row(error));
}

belay_code belayi_pg_each_reject(belayi_pg_each_run *r, size_t row, belay_error *error)
{
    r->effect->changes = 0;
    r->bad++;
    r->any_bad = true;
    if (belayi_pg_each_blames_no_row(r, error) || !r->each->rejected(r->each->arg, row, error))
        return error->code;
    return BELAY_OK;
}

/* ---- One segment --------------------------------------------------------------------------------------------- */

static belay_code send_segment(belayi_pg_each_run *r, size_t from, size_t count, belay_error *error)
{
    belay_code code = belayi_pg_take_off(r->conn, error);
    if (code == BELAY_OK && (r->aborted || !r->set))
        code = add(r, r->aborted ? BELAYI_PG_EACH_BACK : BELAYI_PG_EACH_SET, error);
    for (size_t i = 0; i < count && code == BELAY_OK; i++)
        code = add_row(r, from + i, error);
    if (code == BELAY_OK)
        code = add(r, BELAYI_PG_EACH_KEEP, error);
    return code == BELAY_OK ? belayi_pg_launch(r->conn, ask_number(r), error) : code;
}

/* *out_failed is which of the rows failed, with *why; else it is `count`. */
static belay_code read_segment(belayi_pg_each_run *r, int ahead, size_t count, size_t *out_failed, belay_error *why,
                               belay_error *error)
{
    bool failed = false;
    belay_code code = belayi_pg_read_ahead(r->conn, error);
    *out_failed = count;
    if (code == BELAY_OK && !read_commands(r, ahead, &failed, why))
        failed = true;
    int64_t changes = 0;
    for (size_t i = 0; i < count && code == BELAY_OK && !failed; i++) {
        r->effect->changes = 0;
        if (!read_command(r, &failed, why) || failed)
            *out_failed = i;
        changes += r->effect->changes;
    }
    if (code == BELAY_OK && !failed && !read_commands(r, 1, &failed, why)) /* the release */
        failed = true;
    if (code == BELAY_OK && !failed)
        *r->each->changes += changes;
    if (code == BELAY_OK && (r->conn->lost || (failed && *out_failed == count))) {
        *error = *why;
        code = error->code;
    }
    return code;
}

belay_code belayi_pg_fly_segment(belayi_pg_each_run *r, size_t from, size_t count, size_t *out_failed, belay_error *why,
                                 belay_error *error)
{
    int ahead = r->aborted || !r->set;
    belay_code code = send_segment(r, from, count, error);
    r->set = true;
    r->aborted = false;
    *out_failed = count;
    if (code == BELAY_OK)
        code = read_segment(r, ahead, count, out_failed, why, error);
    r->aborted = code == BELAY_OK && *out_failed < count;
    r->set = code == BELAY_OK ? r->aborted : r->set;
    return land(r, code, error);
}

/* ---- Rows that heal themselves ------------------------------------------------------------------------------- */

/* Sends a row with what repairs what the one before it has left, and a Sync. */
static belay_code send_healing(belayi_pg_each_run *r, size_t row, belay_error *error)
{
    belay_code code = r->set ? BELAY_OK : add(r, BELAYI_PG_EACH_SET, error);
    r->set = true;
    if (code == BELAY_OK)
        code = add(r, BELAYI_PG_EACH_BACK, error);
    if (code == BELAY_OK)
        code = add_row(r, row, error);
    if (code == BELAY_OK)
        code = add(r, BELAYI_PG_EACH_KEEP, error);
    if (code == BELAY_OK)
        code = add(r, BELAYI_PG_EACH_SET, error);
    return code == BELAY_OK ? belayi_pg_add_sync(r->conn, error) : code;
}

/* Reads the end of a part of the flight. */
static bool read_sync(belayi_pg_each_run *r, belay_error *error)
{
    PGresult *result;
    bool found = belayi_pg_next_result(r->conn, &result) && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    r->conn->syncs -= found;
    if (!found)
        belayi_pg_fail_link(r->conn, error);
    return found;
}

static belay_code read_healing(belayi_pg_each_run *r, size_t row, bool first, belay_error *error)
{
    bool failed = false;
    r->effect->changes = 0;
    if (!read_commands(r, first ? 5 : 4, &failed, error) || !read_sync(r, error))
        return error->code;
    if (failed)
        return belayi_pg_each_reject(r, row, error);
    *r->each->changes += r->effect->changes;
    return BELAY_OK;
}

/* Sends and reads in turns, so that many are under way, and never more than that. */
static belay_code exchange(belayi_pg_each_run *r, size_t from, size_t count, bool sets, belay_error *error)
{
    size_t sent = 0, read = 0, bytes = 0;
    belay_code code = BELAY_OK;
    while (code == BELAY_OK && read < count) {
        if (r->conn->cancelled) /* too late for a row to fail by it; and no row is begun any more */
            return belayi_report(error, BELAY_TIMEOUT, "the time limit has passed between two of the rows");
        while (code == BELAY_OK && sent < count && sent - read < UNDER_WAY && bytes < BELAYI_PG_EACH_BYTES) {
            bytes += belayi_pg_each_bytes(r, from + sent);
            code = send_healing(r, from + sent++, error);
        }
        for (size_t until = sent < count ? read + (sent - read + 1) / 2 : sent; code == BELAY_OK && read < until;
             read++) {
            code = read_healing(r, from + read, sets && read == 0, error);
            bytes -= belayi_pg_each_bytes(r, from + read);
        }
    }
    return code;
}

belay_code belayi_pg_heal_rows(belayi_pg_each_run *r, size_t from, size_t count, belay_error *error)
{
    bool sets = !r->set, failed = false;
    belay_code code = belayi_pg_take_off(r->conn, error);
    if (code != BELAY_OK)
        return code;
    r->conn->base.round_trips++; /* one: all others lie within each other */
    code = exchange(r, from, count, sets, error);
    if (code == BELAY_OK)
        code = add(r, BELAYI_PG_EACH_BACK, error);
    if (code == BELAY_OK)
        code = add(r, BELAYI_PG_EACH_KEEP, error);
    if (code == BELAY_OK)
        code = belayi_pg_note_queued(r->conn, ask_number(r), error);
    if (code == BELAY_OK)
        code = belayi_pg_add_sync(r->conn, error);
    if (code == BELAY_OK && (!read_commands(r, 2, &failed, error) || failed))
        code = error->code;
    r->set = r->aborted = false;
    return land(r, code, error);
}
