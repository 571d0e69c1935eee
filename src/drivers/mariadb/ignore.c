/*
 * ignore.c - what became of each row of a chunk that was stored by INSERT IGNORE: see bulk.c.
 *
 * Tests: tests/unit/drivers/test_mariadb_each.c, tests/import/test_exact.c.
 */
#include <mysqld_error.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "report.h"

enum { CONSTRAINT_FAILED = 4025, SHORTEST = 256 /* chunk */, REST = 4096, MOST_SUSPECTS = 1024 };

/* What became of a chunk. */
typedef enum turn {
    CHUNK_DONE,   /* the fate of each row is known */
    CHUNK_AGAIN,  /* there are more suspects: it is undone, and to be run without them */
    CHUNK_IN_AIR, /* it is undone, and its rows are to fly */
    CHUNK_FAILED
} turn;

/* ---- Conditions ------------------------------------------------------------------------------------------------- */

/* For which IGNORE leaves out the row, and does nothing else. */
static bool is_of_skipped_row(unsigned number)
{
    return number == ER_DUP_ENTRY || number == CONSTRAINT_FAILED || number == ER_NO_REFERENCED_ROW_2 ||
           number == ER_NO_PARTITION_FOR_GIVEN_VALUE;
}

/* Marks what the conditions say of the rows. CHUNK_AGAIN: some say that IGNORE has changed values. */
static turn read_fates(belayi_mariadb_bulk *b, const belayi_mariadb_conditions *conditions)
{
    turn result = CHUNK_DONE;
    size_t skipped = 0;
    for (size_t i = 0; i < conditions->count; i++) {
        const belayi_mariadb_condition *c = &conditions->list[i];
        if (c->row >= b->sent)
            return CHUNK_IN_AIR;
        if (c->is_note)
            continue;
        size_t row = b->rows[c->row];
        if (!is_of_skipped_row(c->number) || b->fates[row] != BELAYI_MARIADB_ROW_SENT) {
            b->fates[row] = BELAYI_MARIADB_ROW_SUSPECT;
            result = CHUNK_AGAIN;
            continue;
        }
        b->fates[row] = BELAYI_MARIADB_ROW_SKIPPED;
        b->reasons[row] = i;
        skipped++;
    }
    if (result == CHUNK_DONE && b->stored != (int64_t)(b->sent - skipped))
        return CHUNK_IN_AIR;
    return result;
}

/* What was skipped is sent again. */
static void forget_skipped(belayi_mariadb_bulk *b)
{
    for (size_t i = 0; i < b->room; i++)
        if (b->fates[i] == BELAYI_MARIADB_ROW_SKIPPED)
            b->fates[i] = BELAYI_MARIADB_ROW_SENT;
}

/* ---- Suspects ---------------------------------------------------------------------------------------------------- */

/* Whether the error comes of the row's values alone, whatever is stored: it would have been the same in the row's turn,
   and comes before any other. */
static bool is_of_values(const belay_error *error)
{
    return error->code == BELAY_NOT_NULL || error->code == BELAY_DATA || error->native_code == CONSTRAINT_FAILED;
}

/* Which column it was that refused a NULL is remembered. */
static void learn(belayi_mariadb_each_run *r, const belay_error *error)
{
    belayi_mariadb_bulk *b = r->s->bulk;
    if (error->code != BELAY_NOT_NULL)
        return;
    for (size_t i = 0; i < b->columns; i++)
        if (belayi_mariadb_is_column(r->each->target->names[i], error->column))
            b->refuses_null[i] = true;
}

static bool note_suspects(belayi_mariadb_each_run *r, size_t first)
{
    belayi_mariadb_bulk *b = r->s->bulk;
    const belayi_mariadb_flight *f = r->flight;
    for (size_t i = 0; i < f->count; i++) {
        if (!f->failed[i] || !is_of_values(&f->why[i])) {
            memset(b->refuses_null, 0, b->columns * sizeof *b->refuses_null);
            return false;
        }
        learn(r, &f->why[i]);
        b->reasons[f->rows[i] - b->from] = first + i;
        b->errors[first + i] = f->why[i];
    }
    return true;
}

static bool make_room(belayi_mariadb_bulk *b)
{
    if (b->suspects <= b->errors_room)
        return true;
    belay_error *grown = realloc(b->errors, b->suspects * sizeof *grown);
    if (!grown)
        return false;
    b->errors = grown;
    b->errors_room = b->suspects;
    return true;
}

/* Takes as many suspects as fly together; the first of the chunk's rows that is looked at is *next. */
static void fill_flight(belayi_mariadb_each_run *r, size_t *next)
{
    const belayi_mariadb_bulk *b = r->s->bulk;
    belayi_mariadb_flight *f = r->flight;
    size_t bytes = 0;
    for (f->count = 0; *next < b->count && f->count < BELAYI_MARIADB_FLIGHT_ROWS; ++*next) {
        if (b->fates[*next] != BELAYI_MARIADB_ROW_SUSPECT)
            continue;
        bytes += belayi_mariadb_each_bytes(r, b->from + *next);
        if (bytes > BELAYI_MARIADB_FLIGHT_BYTES && f->count > 0)
            return;
        f->rows[f->count++] = b->from + *next;
    }
}

/* Runs them from row *next of the chunk on; `done` is known of already. CHUNK_IN_AIR, with *error of no meaning: one
   was not what it was taken for. */
static turn run_suspects(belayi_mariadb_each_run *r, size_t next, size_t done, belay_error *error)
{
    for (; done < r->s->bulk->suspects; done += r->flight->count) {
        fill_flight(r, &next);
        if (belayi_mariadb_fly(r, false, error) != BELAY_OK)
            return CHUNK_FAILED;
        if (!note_suspects(r, done))
            return CHUNK_IN_AIR;
    }
    return CHUNK_DONE;
}

/* ---- Telling ----------------------------------------------------------------------------------------------------- */

static void describe(const belayi_mariadb_condition *c, belay_error *error)
{
    const char *state = c->number == ER_NO_PARTITION_FOR_GIVEN_VALUE ? "HY000" : "23000";
    belayi_mariadb_describe(c->number, state, c->text, error);
}

/* As the last row's statement would have left it. */
static void note_effect(belayi_mariadb_each_run *r)
{
    const belayi_mariadb_bulk *b = r->s->bulk;
    size_t last = b->count;
    r->changes += b->stored;
    r->effect->changes = b->fates[b->count - 1] == BELAYI_MARIADB_ROW_SENT;
    while (last > 0 && b->fates[last - 1] != BELAYI_MARIADB_ROW_SENT)
        last--;
    if (last == 0)
        return;
    r->effect->has_last_id = r->key != NULL;
    if (r->key)
        r->effect->last_id = r->key[(b->from + last - 1) * r->each->columns].as.integer;
}

static belay_code tell(belayi_mariadb_each_run *r, const belayi_mariadb_conditions *conditions, belay_error *error)
{
    const belayi_mariadb_bulk *b = r->s->bulk;
    belay_error why;
    note_effect(r);
    for (size_t i = 0; i < b->count; i++) {
        if (b->fates[i] == BELAYI_MARIADB_ROW_SENT)
            continue;
        if (b->fates[i] == BELAYI_MARIADB_ROW_SUSPECT)
            why = b->errors[b->reasons[i]];
        else
            describe(&conditions->list[b->reasons[i]], &why);
        if (belayi_mariadb_each_reject(r, b->from + i, &why) != BELAY_OK) {
            *error = why;
            return why.code;
        }
    }
    return BELAY_OK;
}

/* ---- A chunk ---------------------------------------------------------------------------------------------------- */

/* Sends the chunk and the first of its suspects, and waits for all of it. *next: the first row that may be another. */
static belay_code exchange(belayi_mariadb_each_run *r, belayi_mariadb_conditions *conditions, size_t *next,
                           belay_error *error)
{
    belay_error other;
    belay_code code = belayi_mariadb_send_chunk(r, error), behind = BELAY_OK;
    if (code != BELAY_OK)
        return code;
    fill_flight(r, next);
    if (r->flight->count > 0)
        behind = belayi_mariadb_take_off(r, false, &other);
    code = belayi_mariadb_read_chunk(r, conditions, error);
    if (code == BELAY_OK && behind != BELAY_OK)
        *error = other;
    belay_code landed = belayi_mariadb_land(r, code == BELAY_OK && behind == BELAY_OK ? error : &other);
    return code != BELAY_OK ? code : behind != BELAY_OK ? behind : landed;
}

/* Stores what is in the chunk, and makes out what became of each row. */
static turn store(belayi_mariadb_each_run *r, belayi_mariadb_conditions *conditions, belay_error *error)
{
    belayi_mariadb_bulk *b = r->s->bulk;
    size_t next = 0;
    if (!make_room(b)) {
        belayi_report(error, BELAY_NO_MEMORY, "no memory for the errors of rows");
        return CHUNK_FAILED;
    }
    if (exchange(r, conditions, &next, error) != BELAY_OK)
        return CHUNK_FAILED;
    if (!conditions->complete)
        return CHUNK_IN_AIR;
    turn result = read_fates(b, conditions);
    if (result != CHUNK_DONE)
        return result;
    if (!note_suspects(r, 0))
        return CHUNK_IN_AIR;
    return run_suspects(r, next, r->flight->count, error);
}

/* Undoes the chunk, which did not come to its end. CHUNK_FAILED: there is nothing to go on with. */
static turn undo(belayi_mariadb_each_run *r, turn result, belay_error *error)
{
    if (result == CHUNK_FAILED && error->code == BELAY_NO_MEMORY && error->native_code == 0) /* ours */
        return result;
    if (result != CHUNK_FAILED)
        *error = (belay_error){0};
    if (belayi_mariadb_each_recover(r, error) != BELAY_OK)
        return CHUNK_FAILED;
    return result == CHUNK_AGAIN ? CHUNK_AGAIN : CHUNK_IN_AIR;
}

/* Chunks get shorter while they are run in vain, and else longer again. Where the shortest one still was, the next rows
   fly. */
static void adapt_length(belayi_mariadb_each_run *r, bool in_vain)
{
    belayi_mariadb_bulk *b = r->s->bulk;
    b->length = in_vain ? b->count / 2 : b->length + b->length / 2;
    if (b->length < SHORTEST) {
        b->length = SHORTEST;
        r->resting = in_vain ? REST : 0;
    }
    if (b->length > b->room)
        b->length = b->room;
}

/* The chunk is run again at most once. */
static turn store_chunk(belayi_mariadb_each_run *r, belay_error *error)
{
    enum { TRIES = 2 };
    belayi_mariadb_bulk *b = r->s->bulk;
    belayi_mariadb_conditions conditions = {0};
    turn result = CHUNK_AGAIN;
    for (int i = 0; i < TRIES && result == CHUNK_AGAIN; i++) {
        if (belayi_mariadb_fill_chunk(r, error) != BELAY_OK)
            return CHUNK_FAILED;
        if (b->sent == 0 || b->suspects > MOST_SUSPECTS)
            return CHUNK_IN_AIR;
        result = store(r, &conditions, error);
        if (result == CHUNK_DONE && tell(r, &conditions, error) != BELAY_OK)
            result = CHUNK_FAILED;
        else if (result != CHUNK_DONE)
            result = undo(r, result, error);
        adapt_length(r, result != CHUNK_DONE);
        belayi_mariadb_free_conditions(&conditions);
        forget_skipped(b);
    }
    return result == CHUNK_AGAIN ? CHUNK_IN_AIR : result;
}

belay_code belayi_mariadb_run_chunk(belayi_mariadb_each_run *r, size_t from, size_t *out_done, belay_error *error)
{
    belayi_mariadb_bulk *b = r->s->bulk;
    b->from = from;
    memset(b->fates, BELAYI_MARIADB_ROW_SENT, b->room);
    turn result = store_chunk(r, error);
    *out_done = b->count > 0 ? b->count : 1;
    if (result == CHUNK_FAILED)
        return error->code;
    if (result == CHUNK_DONE)
        return BELAY_OK;
    return belayi_mariadb_fly_rows(r, from, *out_done, error);
}
