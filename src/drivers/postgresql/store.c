/*
 * store.c - rows of one table, each with the fate and the error that its own INSERT
 * between savepoints would have, in order; most of them by COPY.
 *
 * The rows go by windows. Of each, the rows that look good are copied, behind one
 * savepoint; then those that look bad are run by their own INSERT (each.c), which
 * gives them their own error, or keeps them where the hint was wrong. Where a COPY
 * fails all the same, the row that it blames looks bad from then on, the server may
 * be asked about its like (asks.c), and the window begins again.
 *
 * Why this is what row by row would have been, though bad-looking rows come late:
 *   - two rows of a window with a key in common are never both copied, nor the later
 *     one alone (hints.c). So a row that is refused for its key is refused for what
 *     was before it, and one that is kept has nothing to do with the rows behind it.
 *   - all other reasons to refuse a row are in the row itself, or in other tables:
 *     for other tables there is no COPY (table.c).
 *   - a key that can't be compared here stops the window: that row is run in its place.
 *   - rows that a COPY takes are looked at by the server in their order.
 *
 * How long a window is depends on how often rows fail that looked good. A window is
 * one subtransaction that holds work; those that were undone cost nobody anything.
 * Tests: tests/unit/drivers/test_postgresql_copy.c, tests/import/test_exact.c.
 */
#include "store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "each.h"
#include "keys.h"
#include "report.h"

enum {
    SHORTEST = 64,     /* window that is worth a COPY */
    LONGEST = 1 << 17, /* rows */
    IN_PLACE = 2000,   /* rows that are run by themselves, where windows would be too short */
    UNASKED = 1 << 11,
    AT_A_TIME = 1 << 17, /* rows, before the share of bad ones counts half */
    ROW_US = 6,          /* what a row costs in a COPY */
    WINDOW_US = 250      /* and a window, besides its trips */
};

/* ---- By their own INSERT ---------------------------------------------------------------------------------------- */

typedef struct some_rows {
    bool (*told)(void *arg, size_t row, belay_error *error);
    void *arg;
    size_t from;
    const size_t *rows; /* which they are; NULL: those from `from` on */
} some_rows;

static bool reject_one(void *arg, size_t row, belay_error *error)
{
    const some_rows *some = arg;
    return some->told(some->arg, some->rows ? some->rows[row] : some->from + row, error);
}

static belay_code run_rows(belayi_pg_storing *w, some_rows *some, size_t count, const belay_value *values,
                           belay_error *error)
{
    belay_each part = *w->each;
    part.rows = count;
    part.values = values;
    part.rejected = reject_one;
    part.arg = some;
    return belayi_pg_each_rows(&w->s->base, &part, some->rows != NULL, w->effect, error);
}

static belay_code run_in_place(belayi_pg_storing *w, size_t from, size_t to, belay_error *error)
{
    some_rows some = {.told = w->each->rejected, .arg = w->each->arg, .from = from};
    return run_rows(w, &some, to - from, belayi_pg_store_row(w, from), error);
}

belay_code belayi_pg_store_run(belayi_pg_storing *w, const size_t *rows, size_t count,
                               bool (*told)(void *arg, size_t row, belay_error *error), void *arg, belay_error *error)
{
    size_t columns = w->each->columns;
    some_rows some = {.told = told ? told : w->each->rejected, .arg = told ? arg : w->each->arg, .rows = rows};
    if (count == 0)
        return BELAY_OK;
    belay_value *values = malloc(count * columns * sizeof *values);
    if (!values)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for %zu rows", count);
    for (size_t i = 0; i < count; i++)
        memcpy(values + i * columns, belayi_pg_store_row(w, rows[i]), columns * sizeof *values);
    belay_code code = run_rows(w, &some, count, values, error);
    free(values);
    return code;
}

/* Those of a window that were not copied. */
static belay_code run_suspects(belayi_pg_storing *w, size_t from, size_t to, size_t count, belay_error *error)
{
    size_t *rows = malloc(count * sizeof *rows), at = 0;
    if (!rows)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for %zu rows", count);
    for (size_t row = from; row < to; row++)
        if (w->fates[row] != BELAYI_PG_FATE_COPY)
            rows[at++] = row;
    belay_code code = belayi_pg_proofs_run(w, rows, count, error);
    free(rows);
    return code;
}

/* ---- How long ---------------------------------------------------------------------------------------------------- */

static size_t root_of(size_t x)
{
    size_t root = 0;
    for (size_t bit = (size_t)1 << 20; bit > 0; bit >>= 1)
        if ((root + bit) * (root + bit) <= x)
            root += bit;
    return root;
}

/* Half a window is copied in vain when a row of it fails, and each costs trips: see choose_length in each.c. */
static size_t choose_window(const belayi_pg_storing *w)
{
    size_t most =
        w->uniques > 0 && BELAYI_PG_KEYS_MOST / w->uniques < LONGEST ? BELAYI_PG_KEYS_MOST / w->uniques : LONGEST;
    if (w->parents > 0 && w->no_asking && most > UNASKED)
        most = UNASKED; /* a missing parent would be told at the end only */
    if (w->bad == 0)
        return most;
    size_t share = 1000000 * w->bad / (w->seen + 1000) + 1, trip = (size_t)(w->conn->trip_ns / 1000);
    size_t length = root_of(2 * (WINDOW_US + 3 * trip) * 1000000 / (share * ROW_US));
    return length < most ? length : most;
}

static void count_rows(belayi_pg_storing *w, size_t count)
{
    w->seen += count;
    if (w->seen > AT_A_TIME) {
        w->seen /= 2;
        w->bad /= 2;
    }
}

/* How many of the next rows, up to a window that is worth it, can be copied; 0: they had better not be. */
static size_t count_copied(belayi_pg_storing *w, size_t from, size_t to)
{
    size_t copied = 0, row = from;
    for (; row < to && row < from + SHORTEST; row++) {
        belayi_pg_fate fate = belayi_pg_hints_look(w, row);
        if (fate == BELAYI_PG_FATE_STOP)
            return 0;
        copied += fate == BELAYI_PG_FATE_COPY;
    }
    return row - from == SHORTEST && copied > SHORTEST / 4 ? copied : 0;
}

/* Where the window ends before a row that stops it, when all its rows are looked at. */
static size_t look_ahead(belayi_pg_storing *w, size_t from, size_t to)
{
    enum { BYTES = 8 << 20 };
    size_t bytes = 0, row = from;
    for (; row < to && bytes < BYTES && belayi_pg_hints_look(w, row) != BELAYI_PG_FATE_STOP; row++)
        for (size_t i = 0; i < w->each->columns; i++)
            bytes += belayi_pg_store_row(w, row)[i].size;
    return row;
}

/* ---- A window ---------------------------------------------------------------------------------------------------- */

typedef struct window {
    size_t from, to;
    size_t copied, suspects;
    belayi_pg_copy copy;
} window;

/* Which row the n-th line was. */
static size_t find_row(const belayi_pg_storing *w, const window *now, size_t line)
{
    for (size_t row = now->from; row < now->to && line > 0; row++)
        if (w->fates[row] == BELAYI_PG_FATE_COPY && --line == 0)
            return row;
    return now->to;
}

/* Sends rows until one stops the window, or the server has something to say. */
static belay_code send_rows(belayi_pg_storing *w, window *now, belay_error *error)
{
    bool goes_on = true;
    size_t row = now->from;
    belay_code code = belayi_pg_copy_open(&now->copy, w->text, error);
    if (code != BELAY_OK) {
        w->no_copy = true;
        return code;
    }
    for (; row < now->to && goes_on; row++) {
        belayi_pg_fate fate = belayi_pg_hints_look(w, row);
        if (fate == BELAYI_PG_FATE_STOP)
            break;
        now->copied += fate == BELAYI_PG_FATE_COPY;
        now->suspects += fate != BELAYI_PG_FATE_COPY;
        if (fate == BELAYI_PG_FATE_COPY)
            goes_on = belayi_pg_copy_row(&now->copy, belayi_pg_store_row(w, row));
    }
    now->to = row;
    return belayi_pg_copy_close(&now->copy, error);
}

/* The COPY has failed and is undone. *out_next: where it goes on. */
static belay_code begin_again(belayi_pg_storing *w, const window *now, const belay_error *why, size_t *out_next,
                              belay_error *error)
{
    bool learned = belayi_pg_asks_learn(w, why);
    size_t row = now->copy.line > 0 ? find_row(w, now, now->copy.line) : now->to;
    *out_next = now->from;
    if (row < now->to) {
        belayi_pg_hints_mark(w, row);
        w->bad += !learned;
        w->until = learned ? 0 : row + 1; /* those before it are good, as far as is known */
        w->asked = learned ? now->from : w->asked;
        return BELAY_OK;
    }
    if (why->code == BELAY_FOREIGN_KEY && !w->asked_again) {
        belayi_pg_keys_forget(&w->s->parents); /* one of them is not there any more */
        w->asked_again = learned = true;
    }
    if (learned || w->no_copy) {
        w->asked = now->from;
        return BELAY_OK;
    }
    *out_next = now->to;
    w->bad++;
    return run_in_place(w, now->from, now->to, error);
}

static belay_code go_back(belayi_pg_storing *w, belay_error *error)
{
    char ignored[32];
    belay_code code = belayi_pg_command_back(w->conn, "ROLLBACK TO belay_copy", error);
    return code == BELAY_OK ? belayi_pg_command(w->conn, "RELEASE belay_copy", ignored, error) : code;
}

static belay_code finish_window(belayi_pg_storing *w, const window *now, belay_error *error)
{
    if (now->copy.stored != (int64_t)now->copied)
        return belayi_report(error, BELAY_IO, "COPY has stored %lld rows of %zu", (long long)now->copy.stored,
                             now->copied);
    *w->each->changes += now->copy.stored;
    belay_code code = BELAY_OK;
    w->until = 0;
    count_rows(w, now->to - now->from);
    if (now->suspects > 0)
        code = run_suspects(w, now->from, now->to, now->suspects, error);
    if (w->fates[now->to - 1] == BELAYI_PG_FATE_COPY)
        *w->effect = (belay_effect){.changes = 1};
    return code;
}

static belay_code copy_window(belayi_pg_storing *w, window *now, size_t *out_next, belay_error *error)
{
    belay_error why;
    belay_code code = send_rows(w, now, &why);
    *out_next = now->to;
    if (code == BELAY_OK)
        return finish_window(w, now, error);
    if (w->conn->lost || w->conn->cancelled || !belayi_pg_is_of_row(&why)) {
        *error = why;
        return error->code;
    }
    code = go_back(w, error);
    return code == BELAY_OK ? begin_again(w, now, &why, out_next, error) : code;
}

/* ---- All rows ---------------------------------------------------------------------------------------------------- */

/* Before the COPY, what only the server knows. */
static belay_code look_and_ask(belayi_pg_storing *w, window *now, belay_error *error)
{
    belay_code code = BELAY_OK;
    now->to = look_ahead(w, now->from, now->to);
    size_t from = w->asked > now->from ? w->asked : now->from;
    if (from < now->to && belayi_pg_asks_any(w))
        code = belayi_pg_asks_run(w, from, now->to, error);
    if (from < now->to && code == BELAY_OK && w->parents > 0 && !w->no_asking)
        code = belayi_pg_parents_look(w, from, now->to, error);
    w->asked = now->to;
    return code;
}

/* The next rows, by COPY or not. *out_next: where it goes on. */
static belay_code store_some(belayi_pg_storing *w, char **bytes, size_t *room, size_t from, size_t *out_next,
                             belay_error *error)
{
    size_t left = w->each->rows - from, length = choose_window(w);
    window now = {.from = from, .to = from + (left < length ? left : length)};
    belay_code code = BELAY_OK;
    if (w->until > from && w->until < now.to)
        now.to = w->until;
    bool copies = !w->no_copy && length >= SHORTEST && belayi_pg_hints_prepare(w, from, now.to - from) &&
                  count_copied(w, from, now.to) > 0;
    if (copies && (w->parents > 0 || belayi_pg_asks_any(w)))
        code = look_and_ask(w, &now, error);
    if (code != BELAY_OK)
        return code;
    if (!copies) {
        size_t most = length < SHORTEST ? IN_PLACE : SHORTEST;
        *out_next = from + (left < most ? left : most);
        count_rows(w, length < SHORTEST ? *out_next - from : 0); /* so that COPY is tried again some time */
        return run_in_place(w, from, *out_next, error);
    }
    now.copy = (belayi_pg_copy){.conn = w->conn, .table = &w->table, .bytes = *bytes, .room = *room};
    code = copy_window(w, &now, out_next, error);
    *bytes = now.copy.bytes;
    *room = now.copy.room;
    return code;
}

static char *make_text(const belay_each *each)
{
    static const char form[] = "SAVEPOINT belay_copy; COPY %s (%s) FROM STDIN; RELEASE belay_copy";
    size_t size = sizeof form + strlen(each->target->table);
    for (size_t i = 0; i < each->columns; i++)
        size += strlen(each->target->names[i]) + 2;
    char *names = malloc(size), *text = malloc(size);
    if (names && text) {
        names[0] = '\0';
        for (size_t i = 0, at = 0; i < each->columns; i++)
            at += (size_t)snprintf(names + at, size - at, "%s%s", i > 0 ? ", " : "", each->target->names[i]);
        snprintf(text, size, form, each->target->table, names);
    }
    free(names);
    return text;
}

static belay_code store_all(belayi_pg_storing *w, size_t from, belay_error *error)
{
    belay_code code = BELAY_OK;
    char *bytes = NULL;
    size_t room = 0;
    w->text = make_text(w->each);
    w->fates = malloc(w->each->rows);
    w->no_copy = !w->table.copyable || !w->text || !w->fates;
    for (size_t i = 0; i < w->table.rule_count; i++)
        w->uniques += w->table.rules[i].kind == BELAYI_PG_RULE_UNIQUE;
    for (size_t i = 0; i < w->table.rule_count; i++)
        w->parents += w->table.rules[i].kind == BELAYI_PG_RULE_PARENT;
    for (size_t row = from, next = 0; row < w->each->rows && code == BELAY_OK; row = next)
        if (w->no_copy)
            code = run_in_place(w, row, next = w->each->rows, error);
        else
            code = store_some(w, &bytes, &room, row, &next, error);
    for (size_t i = 0; i < BELAYI_PG_VERDICTS; i++)
        free(w->kinds[i]);
    free(bytes);
    free(w->text);
    free(w->fates);
    return code;
}

/* The table is locked by any row that was kept: one that is undone gives the lock back. So rows are run by themselves
   until one is kept, and the catalog says what will hold to the end. */
belay_code belayi_pg_store(belay_statement *statement, const belay_each *each, belay_effect *effect, belay_error *error)
{
    belayi_pg_storing w = {.s = (belayi_pg_statement *)statement,
                           .conn = (belayi_pg_conn *)statement->conn,
                           .each = each,
                           .effect = effect};
    size_t from = 0, part = 1;
    belay_code code = belayi_pg_table_read(w.conn, each->target, each->columns, &w.table, error);
    while (code == BELAY_OK && w.table.copyable && !w.table.locked && from < each->rows) {
        size_t next = from + (part < each->rows - from ? part : each->rows - from);
        belayi_pg_table_done(&w.table);
        code = run_in_place(&w, from, next, error);
        from = next;
        part *= 4;
        if (code == BELAY_OK)
            code = belayi_pg_table_read(w.conn, each->target, each->columns, &w.table, error);
    }
    if (code == BELAY_OK)
        code = store_all(&w, from, error);
    belayi_pg_table_done(&w.table);
    return code;
}
