/*
 * each.c - one statement for many rows, each undone alone, with many under way.
 *
 * Two ways, and the choice between them is made anew for each part by what it will
 * cost, from the share of bad rows so far and the time of a round trip:
 *
 *   a segment: SAVEPOINT, some rows, RELEASE, Sync. One savepoint for all of them;
 *     but when a row fails, those before it in the segment are run once more, and
 *     all has waited for that. It is the longer the fewer rows fail.
 *   self-healing: ROLLBACK TO, the row, RELEASE, SAVEPOINT, Sync, for each row. The
 *     next row's ROLLBACK TO repairs what a failed one has left, and undoes nothing
 *     behind a good one; so nothing waits, and nothing is run again. But each row
 *     is a savepoint that holds work, and a Sync.
 *
 * The savepoint has a name of its own, set above all numbered ones, and is gone
 * when all went well. A row that the library itself refuses, or whose values are of
 * other types than the statement was prepared for, is tried alone.
 * Tests: tests/api/test_many.c.
 */
#include <string.h>

#include "clock.h"
#include "conn.h"
#include "report.h"

enum {
    UNDER_WAY = 128,         /* rows that heal themselves */
    SHORTEST = 8,            /* segment */
    LONGEST = 4096,          /* and longest */
    BYTES_AT_MOST = 1 << 20, /* of values that are under way */
    AT_A_TIME = 2000,        /* rows, before the choice is made anew */
    ROW_US = 25,             /* what a row costs by itself, and */
    HEALING_US = 25          /* besides, when it heals itself */
};

typedef enum each_command { SET, BACK, KEEP } each_command;

static const char *const texts[] = {
    [SET] = "SAVEPOINT belay_each", [BACK] = "ROLLBACK TO belay_each", [KEEP] = "RELEASE belay_each"};

typedef struct each_run {
    belayi_pg_statement *s;
    belayi_pg_conn *conn;
    const belay_each *each;
    belay_effect *effect;
    bool set, aborted; /* the savepoint is set; the transaction takes nothing but the way back to it */
    size_t length;     /* of the last segment */
    size_t seen, bad;  /* rows, lately */
    bool any_bad;
} each_run;

static const belay_value *row_of(const each_run *r, size_t row)
{
    return r->each->values + row * r->each->columns;
}

static size_t bytes_of(const each_run *r, size_t row)
{
    size_t bytes = 0;
    for (size_t i = 0; i < r->each->columns; i++)
        bytes += row_of(r, row)[i].size;
    return bytes;
}

/* ---- Which way -------------------------------------------------------------------------------------------------- */

static size_t square_root(size_t x)
{
    size_t root = 0;
    for (size_t bit = (size_t)1 << 20; bit > 0; bit >>= 1)
        if ((root + bit) * (root + bit) <= x)
            root += bit;
    return root;
}

/* Of a million rows, how many will fail. */
static size_t bad_in_a_million(const each_run *r)
{
    return (1000000 * r->bad + 200000) / (r->seen + 64);
}

static size_t trip_us(const each_run *r)
{
    return (size_t)(r->conn->trip_ns / 1000) + 1;
}

/* A segment of n rows waits once, and runs half of itself again when a row of it fails: it costs least at the n whose
   square is twice the trip by the share of bad rows by a row's own cost. */
static size_t choose_length(const each_run *r)
{
    size_t length = r->any_bad ? square_root(2 * trip_us(r) * 1000000 / (bad_in_a_million(r) * ROW_US)) : 2 * r->length;
    return length < SHORTEST ? SHORTEST : length > LONGEST ? LONGEST : length;
}

static bool is_worth_healing(const each_run *r)
{
    size_t share = bad_in_a_million(r), trip = trip_us(r);
    return square_root(2 * trip * ROW_US * share / 1000000) + 2 * trip * share / 1000000 > HEALING_US;
}

static void count_rows(each_run *r, size_t count)
{
    r->seen += count;
    if (r->seen > AT_A_TIME) {
        r->seen /= 2;
        r->bad /= 2;
    }
}

/* ---- Sending ------------------------------------------------------------------------------------------------------
 */

/* The commands are sent for every row: a trip that prepares them is soon made up for. */
static belay_code prepare_commands(belayi_pg_conn *conn, belay_error *error)
{
    if (belayi_pg_has_prepared(conn, &conn->each[SET]))
        return BELAY_OK;
    belay_code code = belayi_pg_take_off(conn, error);
    for (int i = SET; i <= KEEP && code == BELAY_OK; i++)
        code = belayi_pg_add_prepare(conn, &conn->each[i], texts[i], 0, NULL, error);
    if (code == BELAY_OK)
        code = belayi_pg_launch(conn, 1, error);
    if (code == BELAY_OK)
        code = belayi_pg_read_ahead(conn, error);
    return code == BELAY_OK ? belayi_pg_land(conn, error) : code;
}

static belay_code add(each_run *r, each_command command, belay_error *error)
{
    int queued = PQsendQueryPrepared(r->conn->pg, r->conn->each[command].text, 0, NULL, NULL, NULL, 0);
    return belayi_pg_note_queued(r->conn, queued, error);
}

/* False for a row that can't be sent with the others. */
static bool can_fly(const each_run *r, size_t row)
{
    belay_error ignored;
    belayi_pg_parameters parameters;
    return belayi_pg_is_prepared(r->s, r->each->columns, row_of(r, row)) &&
           belayi_pg_check_run(r->s, r->each->columns, row_of(r, row), &parameters, &ignored) == BELAY_OK;
}

static belay_code add_row(each_run *r, size_t row, belay_error *error)
{
    belayi_pg_parameters parameters;
    belay_code code = belayi_pg_check_run(r->s, r->each->columns, row_of(r, row), &parameters, error);
    return code == BELAY_OK ? belayi_pg_add_run(r->s, r->each->columns, row_of(r, row), &parameters, error) : code;
}

/* ---- Reading ------------------------------------------------------------------------------------------------------
 */

/* Reads one command to its end. *failed and *error are those of the first that fails; what is skipped behind it does
   not count. False when nothing more can be read. */
static bool read_command(each_run *r, bool *failed, belay_error *error)
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

static bool read_commands(each_run *r, int count, bool *failed, belay_error *error)
{
    while (count > 0 && read_command(r, failed, error))
        count--;
    return count == 0;
}

/* The flight lands, whatever was read of it. The first error wins. */
static belay_code land(each_run *r, belay_code code, belay_error *error)
{
    belay_error ignored;
    if (!r->conn->flying)
        return code;
    belay_code landed = belayi_pg_land(r->conn, code == BELAY_OK && !r->aborted ? error : &ignored);
    return code == BELAY_OK && !r->aborted ? landed : code;
}

/* What the savepoint stands for is not there any more, or the statement; or no time is left: no row is to blame. */
static bool blames_no_row(const each_run *r, const belay_error *error)
{
    return r->conn->lost || r->conn->cancelled || strcmp(error->sqlstate, "25P02") == 0 ||
           strcmp(error->sqlstate, "3B001") == 0 || belayi_pg_is_stale(error);
}

/* A row has failed. BELAY_OK: the others go on. */
static belay_code reject(each_run *r, size_t row, belay_error *error)
{
    r->effect->changes = 0;
    r->bad++;
    r->any_bad = true;
    if (blames_no_row(r, error) || !r->each->rejected(r->each->arg, row, error))
        return error->code;
    return BELAY_OK;
}

/* ---- One segment --------------------------------------------------------------------------------------------------
 */

static belay_code send_segment(each_run *r, size_t from, size_t count, belay_error *error)
{
    belay_code code = belayi_pg_take_off(r->conn, error);
    if (code == BELAY_OK && (r->aborted || !r->set))
        code = add(r, r->aborted ? BACK : SET, error);
    for (size_t i = 0; i < count && code == BELAY_OK; i++)
        code = add_row(r, from + i, error);
    if (code == BELAY_OK)
        code = add(r, KEEP, error);
    return code == BELAY_OK ? belayi_pg_launch(r->conn, 1, error) : code;
}

/* *out_failed is which of the rows failed, with *why; else it is `count`. */
static belay_code read_segment(each_run *r, int ahead, size_t count, size_t *out_failed, belay_error *why,
                               belay_error *error)
{
    bool failed = false;
    belay_code code = belayi_pg_read_ahead(r->conn, error);
    *out_failed = count;
    if (code == BELAY_OK && !read_commands(r, ahead, &failed, why))
        failed = true;
    for (size_t i = 0; i < count && code == BELAY_OK && !failed; i++) {
        r->effect->changes = 0;
        if (!read_command(r, &failed, why) || failed)
            *out_failed = i;
    }
    if (code == BELAY_OK && (r->conn->lost || (failed && *out_failed == count))) {
        *error = *why;
        code = error->code;
    }
    return code;
}

/* Runs the rows with one savepoint around them. Where one fails none of them is there any more. */
static belay_code fly_segment(each_run *r, size_t from, size_t count, size_t *out_failed, belay_error *why,
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

/* ---- Rows that heal themselves ---------------------------------------------------------------------------------- */

/* Sends a row with what repairs what the one before it has left, and a Sync. */
static belay_code send_healing(each_run *r, size_t row, belay_error *error)
{
    belay_code code = r->set ? BELAY_OK : add(r, SET, error);
    r->set = true;
    if (code == BELAY_OK)
        code = add(r, BACK, error);
    if (code == BELAY_OK)
        code = add_row(r, row, error);
    if (code == BELAY_OK)
        code = add(r, KEEP, error);
    if (code == BELAY_OK)
        code = add(r, SET, error);
    return code == BELAY_OK ? belayi_pg_add_sync(r->conn, error) : code;
}

/* Reads the end of a part of the flight. */
static bool read_sync(each_run *r, belay_error *error)
{
    PGresult *result;
    bool found = belayi_pg_next_result(r->conn, &result) && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    PQclear(result);
    r->conn->syncs -= found;
    if (!found)
        belayi_pg_fail_link(r->conn, error);
    return found;
}

static belay_code read_healing(each_run *r, size_t row, bool first, belay_error *error)
{
    bool failed = false;
    r->effect->changes = 0;
    if (!read_commands(r, first ? 5 : 4, &failed, error) || !read_sync(r, error))
        return error->code;
    return failed ? reject(r, row, error) : BELAY_OK;
}

/* Sends and reads in turns, so that many are under way, and never more than that. */
static belay_code exchange(each_run *r, size_t from, size_t count, bool sets, belay_error *error)
{
    size_t sent = 0, read = 0, bytes = 0;
    belay_code code = BELAY_OK;
    while (code == BELAY_OK && read < count) {
        if (r->conn->cancelled) /* too late for a row to fail by it; and no row is begun any more */
            return belayi_report(error, BELAY_TIMEOUT, "the time limit has passed between two of the rows");
        while (code == BELAY_OK && sent < count && sent - read < UNDER_WAY && bytes < BYTES_AT_MOST) {
            bytes += bytes_of(r, from + sent);
            code = send_healing(r, from + sent++, error);
        }
        for (size_t until = sent < count ? read + (sent - read + 1) / 2 : sent; code == BELAY_OK && read < until;
             read++) {
            code = read_healing(r, from + read, sets && read == 0, error);
            bytes -= bytes_of(r, from + read);
        }
    }
    return code;
}

static belay_code heal(each_run *r, size_t from, size_t count, belay_error *error)
{
    bool sets = !r->set;
    belay_code code = belayi_pg_take_off(r->conn, error);
    if (code != BELAY_OK)
        return code;
    r->conn->base.round_trips++; /* one: all others lie within each other */
    code = exchange(r, from, count, sets, error);
    if (code == BELAY_OK)
        code = add(r, BACK, error);
    if (code == BELAY_OK)
        code = add(r, KEEP, error);
    if (code == BELAY_OK)
        code = belayi_pg_add_sync(r->conn, error);
    r->set = r->aborted = false;
    return land(r, code, error);
}

/* ---- Any part -----------------------------------------------------------------------------------------------------
 */

/* Runs rows as a segment, those before a bad one once more. *out_done: how many their fate is known of. */
static belay_code run_segment(each_run *r, size_t from, size_t count, size_t *out_done, belay_error *error)
{
    belay_error why;
    size_t failed, again;
    belay_code code = fly_segment(r, from, count, &failed, &why, error);
    *out_done = count;
    if (code != BELAY_OK || failed == count)
        return code;
    *out_done = failed + 1;
    if (failed > 0 && !blames_no_row(r, &why)) {
        belay_error other;
        code = fly_segment(r, from, failed, &again, &other, error);
        if (code == BELAY_OK && again < failed) /* what was good is not: so each for itself */
            code = heal(r, from, failed, error);
    }
    if (code == BELAY_OK && (code = reject(r, from + failed, &why)) != BELAY_OK)
        *error = why;
    return code;
}

/* Back to before the savepoint's last setting, and without it. */
static belay_code clear_savepoint(each_run *r, belay_error *error)
{
    char ignored[32];
    belay_code code = BELAY_OK;
    if (r->aborted)
        code = belayi_pg_command_back(r->conn, texts[BACK], error);
    if (code == BELAY_OK && r->set)
        code = belayi_pg_command(r->conn, texts[KEEP], ignored, error);
    r->set = r->aborted = false;
    return code;
}

/* A row that can't fly with others. */
static belay_code run_alone(each_run *r, size_t row, belay_error *error)
{
    char ignored[32];
    belay_error why;
    belay_code code = r->set ? clear_savepoint(r, error) : BELAY_OK;
    if (code == BELAY_OK)
        code = belayi_pg_command(r->conn, texts[SET], ignored, error);
    if (code != BELAY_OK)
        return code;
    r->set = true;
    bool failed = belayi_pg_execute(&r->s->base, r->each->columns, row_of(r, row), r->effect, &why) != BELAY_OK;
    r->aborted = failed;
    if (failed && r->conn->lost) {
        *error = why;
        return error->code;
    }
    code = clear_savepoint(r, error);
    if (code == BELAY_OK && failed && (code = reject(r, row, &why)) != BELAY_OK)
        *error = why;
    return code;
}

/* How many of the next rows can fly together. */
static size_t count_flyers(const each_run *r, size_t from, size_t most)
{
    size_t count = 0, bytes = 0;
    while (count < most && bytes < BYTES_AT_MOST && can_fly(r, from + count))
        bytes += bytes_of(r, from + count++);
    return count;
}

/* Runs some of the rows from `from` on. */
static belay_code run_part(each_run *r, size_t from, size_t *out_done, belay_error *error)
{
    size_t left = r->each->rows - from;
    bool healing = is_worth_healing(r);
    r->length = choose_length(r);
    size_t most = healing ? AT_A_TIME : r->length;
    size_t count = count_flyers(r, from, left < most ? left : most);
    *out_done = count > 0 ? count : 1;
    if (count == 0)
        return run_alone(r, from, error);
    return healing ? heal(r, from, count, error) : run_segment(r, from, count, out_done, error);
}

/* How long a trip takes is measured where it may matter. */
static belay_code measure_trip(each_run *r, belay_error *error)
{
    enum { MANY = 1000 };
    char ignored[32];
    if (r->conn->trip_ns != 0 && r->each->rows < MANY)
        return BELAY_OK;
    int64_t since = belayi_clock_now();
    belay_code code = belayi_pg_command(r->conn, texts[SET], ignored, error);
    int64_t took = belayi_clock_now() - since;
    r->set = code == BELAY_OK;
    if (r->conn->trip_ns == 0 || took < r->conn->trip_ns)
        r->conn->trip_ns = took;
    return code;
}

belay_code belayi_pg_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                  belay_error *error)
{
    each_run r = {.s = (belayi_pg_statement *)statement,
                  .conn = (belayi_pg_conn *)statement->conn,
                  .each = each,
                  .effect = effect,
                  .length = SHORTEST};
    belay_code code = belayi_pg_settle(r.conn, error);
    if (code == BELAY_OK)
        code = prepare_commands(r.conn, error);
    if (code == BELAY_OK)
        code = measure_trip(&r, error);
    for (size_t row = 0, done; row < each->rows && code == BELAY_OK; row += done) {
        code = run_part(&r, row, &done, error);
        count_rows(&r, done);
    }
    return code == BELAY_OK ? clear_savepoint(&r, error) : code;
}
