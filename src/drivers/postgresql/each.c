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
#include "each.h"

#include "clock.h"
#include "store.h"

enum {
    SHORTEST = 8,     /* segment */
    LONGEST = 4096,   /* and longest */
    AT_A_TIME = 2000, /* rows, before the choice is made anew */
    ROW_US = 25,      /* what a row costs by itself, and */
    HEALING_US = 25   /* besides, when it heals itself */
};

/* ---- Which way ----------------------------------------------------------------------------------------------- */

static size_t square_root(size_t x)
{
    size_t root = 0;
    for (size_t bit = (size_t)1 << 20; bit > 0; bit >>= 1)
        if ((root + bit) * (root + bit) <= x)
            root += bit;
    return root;
}

/* Of a million rows, how many will fail. */
static size_t bad_in_a_million(const belayi_pg_each_run *r)
{
    return (1000000 * r->bad + 200000) / (r->seen + 64);
}

static size_t trip_us(const belayi_pg_each_run *r)
{
    return (size_t)(r->conn->trip_ns / 1000) + 1;
}

/* A segment of n rows waits once, and runs half of itself again when a row of it fails: it costs least at the n whose
   square is twice the trip by the share of bad rows by a row's own cost. */
static size_t choose_length(const belayi_pg_each_run *r)
{
    size_t length = r->any_bad ? square_root(2 * trip_us(r) * 1000000 / (bad_in_a_million(r) * ROW_US)) : 2 * r->length;
    return length < SHORTEST ? SHORTEST : length > LONGEST ? LONGEST : length;
}

static bool is_worth_healing(const belayi_pg_each_run *r)
{
    size_t share = bad_in_a_million(r), trip = trip_us(r);
    return square_root(2 * trip * ROW_US * share / 1000000) + 2 * trip * share / 1000000 > HEALING_US;
}

static void count_rows(belayi_pg_each_run *r, size_t count)
{
    r->seen += count;
    if (r->seen > AT_A_TIME) {
        r->seen /= 2;
        r->bad /= 2;
    }
}

/* ---- Any part ------------------------------------------------------------------------------------------------ */

/* Runs rows as a segment, those before a bad one once more. *out_done: how many their fate is known of. */
static belay_code run_segment(belayi_pg_each_run *r, size_t from, size_t count, size_t *out_done, belay_error *error)
{
    belay_error why;
    size_t failed, again;
    belay_code code = belayi_pg_fly_segment(r, from, count, &failed, &why, error);
    *out_done = count;
    if (code != BELAY_OK || failed == count)
        return code;
    *out_done = failed + 1;
    if (failed > 0 && !belayi_pg_each_blames_no_row(r, &why)) {
        belay_error other;
        code = belayi_pg_fly_segment(r, from, failed, &again, &other, error);
        if (code == BELAY_OK && again < failed) /* what was good is not: so each for itself */
            code = belayi_pg_heal_rows(r, from, failed, error);
    }
    if (code == BELAY_OK && (code = belayi_pg_each_reject(r, from + failed, &why)) != BELAY_OK)
        *error = why;
    return code;
}

/* Back to before the savepoint's last setting, and without it. */
static belay_code clear_savepoint(belayi_pg_each_run *r, belay_error *error)
{
    char ignored[32];
    belay_code code = BELAY_OK;
    if (r->aborted)
        code = belayi_pg_command_back(r->conn, belayi_pg_each_texts[BELAYI_PG_EACH_BACK], error);
    if (code == BELAY_OK && r->set)
        code = belayi_pg_command(r->conn, belayi_pg_each_texts[BELAYI_PG_EACH_KEEP], ignored, error);
    r->set = r->aborted = false;
    return code;
}

/* A row that can't fly with others. */
static belay_code run_alone(belayi_pg_each_run *r, size_t row, belay_error *error)
{
    char ignored[32];
    belay_error why;
    belay_code code = r->set ? clear_savepoint(r, error) : BELAY_OK;
    if (code == BELAY_OK)
        code = belayi_pg_command(r->conn, belayi_pg_each_texts[BELAYI_PG_EACH_SET], ignored, error);
    if (code != BELAY_OK)
        return code;
    r->set = true;
    bool failed =
        belayi_pg_execute(&r->s->base, r->each->columns, belayi_pg_each_row(r, row), r->effect, &why) != BELAY_OK;
    r->aborted = failed;
    if (failed && r->conn->lost) {
        *error = why;
        return error->code;
    }
    if (!failed)
        *r->each->changes += r->effect->changes;
    code = clear_savepoint(r, error);
    if (code == BELAY_OK && failed && (code = belayi_pg_each_reject(r, row, &why)) != BELAY_OK)
        *error = why;
    return code;
}

/* How many of the next rows can fly together. */
static size_t count_flyers(const belayi_pg_each_run *r, size_t from, size_t most)
{
    size_t count = 0, bytes = 0;
    while (count < most && bytes < BELAYI_PG_EACH_BYTES && belayi_pg_each_can_fly(r, from + count))
        bytes += belayi_pg_each_bytes(r, from + count++);
    return count;
}

/* Runs some of the rows from `from` on. */
static belay_code run_part(belayi_pg_each_run *r, size_t from, size_t *out_done, belay_error *error)
{
    size_t left = r->each->rows - from;
    bool healing = is_worth_healing(r);
    r->length = choose_length(r);
    size_t most = healing ? AT_A_TIME : r->length;
    size_t count = count_flyers(r, from, left < most ? left : most);
    *out_done = count > 0 ? count : 1;
    if (count == 0)
        return run_alone(r, from, error);
    return healing ? belayi_pg_heal_rows(r, from, count, error) : run_segment(r, from, count, out_done, error);
}

/* How long a trip takes is measured where it may matter. */
static belay_code measure_trip(belayi_pg_each_run *r, belay_error *error)
{
    enum { MANY = 1000 };
    char ignored[32];
    if (r->conn->trip_ns != 0 && r->each->rows < MANY)
        return BELAY_OK;
    int64_t since = belayi_clock_now();
    belay_code code = belayi_pg_command(r->conn, belayi_pg_each_texts[BELAYI_PG_EACH_SET], ignored, error);
    int64_t took = belayi_clock_now() - since;
    r->set = code == BELAY_OK;
    if (r->conn->trip_ns == 0 || took < r->conn->trip_ns)
        r->conn->trip_ns = took;
    return code;
}

belay_code belayi_pg_each_rows(belay_statement *statement, const belay_each *each, bool suspects, belay_effect *effect,
                               belay_error *error)
{
    enum { AT_FIRST = 64 };
    belayi_pg_each_run r = {.s = (belayi_pg_statement *)statement,
                            .conn = (belayi_pg_conn *)statement->conn,
                            .each = each,
                            .effect = effect,
                            .length = SHORTEST,
                            .seen = suspects ? AT_FIRST : 0,
                            .bad = suspects ? AT_FIRST : 0,
                            .any_bad = suspects};
    belay_code code = belayi_pg_settle(r.conn, error);
    if (code == BELAY_OK)
        code = belayi_pg_each_prepare(r.conn, error);
    if (code == BELAY_OK)
        code = measure_trip(&r, error);
    for (size_t row = 0, done; row < each->rows && code == BELAY_OK; row += done) {
        code = run_part(&r, row, &done, error);
        count_rows(&r, done);
    }
    return code == BELAY_OK ? clear_savepoint(&r, error) : code;
}

belay_code belayi_pg_execute_each(belay_statement *statement, const belay_each *each, belay_effect *effect,
                                  belay_error *error)
{
    bool stored = each->target && each->rows >= BELAYI_PG_STORE_LEAST && each->columns > 0;
    return stored ? belayi_pg_store(statement, each, effect, error)
                  : belayi_pg_each_rows(statement, each, false, effect, error);
}
