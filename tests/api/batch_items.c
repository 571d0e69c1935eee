#include "batch_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

void items_make_tables(belay_session *s)
{
    const char *const statements[] = {"DROP TABLE IF EXISTS seen", "DROP TABLE IF EXISTS thing",
                                      "CREATE TABLE thing (id INTEGER PRIMARY KEY, number INTEGER UNIQUE, amount "
                                      "INTEGER NOT NULL CHECK (amount >= 0), "
                                      "taken_id INTEGER REFERENCES taken(id))",
                                      "CREATE TABLE seen (item INTEGER, step INTEGER, things INTEGER, amounts INTEGER)",
                                      NULL};
    database_run(s, statements);
}

void items_reset_tables(belay_session *s)
{
    static const char *const statements[] = {"DELETE FROM seen", "DELETE FROM thing",
                                             "INSERT INTO thing VALUES (1, 1, 10, 1), (2, 2, 20, NULL)", NULL};
    database_run(s, statements);
}

static void append(char *text, size_t room, const char *more)
{
    size_t size = strlen(text);
    snprintf(text + size, room - size, "%s", more);
}

const char *items_rows(belay_session *s)
{
    static char text[1 << 16];
    snprintf(text, sizeof text, "%s", rows_of(s, "SELECT count(*), sum(id * 7 + amount) FROM thing"));
    BELAY_EACH(row, s, "SELECT id, number, amount, taken_id FROM thing ORDER BY id") {
        char line[80];
        snprintf(line, sizeof line, ";%lld|%lld|%lld|%d", (long long)belay_int(row, 0),
                 belay_is_null(row, 1) ? -1LL : (long long)belay_int(row, 1), (long long)belay_int(row, 2),
                 belay_is_null(row, 3));
        append(text, sizeof text, line);
    }
    BELAY_EACH(row, s, "SELECT item, step, things, amounts FROM seen ORDER BY item, step, things, amounts") {
        char line[80];
        snprintf(line, sizeof line, ";%lld.%lld %lld %lld", (long long)belay_int(row, 0), (long long)belay_int(row, 1),
                 (long long)belay_int(row, 2), (long long)belay_int(row, 3));
        append(text, sizeof text, line);
    }
    return text;
}

/* ---- Hooks ------------------------------------------------------------------------------------------------------- */

typedef struct jotting {
    outcome *outcome;
    char text[24];
} jotting;

/* For a hook; freed by it. */
static jotting *jot(items *all, size_t i, int step)
{
    jotting *j = calloc(1, sizeof *j);
    if (!j)
        abort();
    j->outcome = all->outcome;
    snprintf(j->text, sizeof j->text, " %zu.%zu.%d,", all->nested_in, i, step);
    j->outcome->registered++;
    return j;
}

static void free_jotting(void *arg)
{
    jotting *j = arg;
    j->outcome->freed++;
    free(j);
}

static int write_committed(belay_session *s, void *arg)
{
    jotting *j = arg;
    (void)s;
    append(j->outcome->committed, sizeof j->outcome->committed, j->text);
    return 0;
}

static int write_before(belay_session *s, void *arg)
{
    jotting *j = arg;
    append(j->outcome->before, sizeof j->outcome->before, j->text);
    return belay_exec(s, "INSERT INTO seen VALUES (-1, 0, 0, 0)") != BELAY_OK;
}

/* Takes the text out of memory again: the last that is there. */
static int put_right(belay_session *s, void *arg)
{
    jotting *j = arg;
    char *memory = j->outcome->memory, *found = NULL;
    (void)s;
    for (char *at = strstr(memory, j->text); at; at = strstr(at + 1, j->text))
        found = at;
    if (!found)
        return 1;
    memmove(found, found + strlen(j->text), strlen(found + strlen(j->text)) + 1);
    return 0;
}

static void keep_in_memory(belay_session *s, items *all, size_t i, int step)
{
    jotting *j = jot(all, i, step);
    append(all->outcome->memory, sizeof all->outcome->memory, j->text);
    belay_on_rollback(s, put_right, j, free_jotting);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

typedef struct doing {
    belay_session *s;
    items *all;
    size_t i;
    unsigned random;
    int steps, depth, result;
    bool left_open; /* a stream: then no batch can begin, while a unit can, and fails */
} doing;

static unsigned draw(doing *d, unsigned bound)
{
    d->random = d->random * 1664525u + 1013904223u;
    return (d->random >> 8) % bound;
}

static void do_steps(doing *d, int most);

static void insert_good(doing *d)
{
    int id = 1000 + (int)d->i * 40 + (int)d->all->nested_in * 10000 + d->steps;
    belay_exec(d->s, "INSERT INTO thing VALUES (?, ?, ?, ?)", id, id, (int)draw(d, 50), 1);
}

static void write_seen(doing *d)
{
    belay_exec(d->s, "INSERT INTO seen SELECT ?, ?, count(*), sum(amount) FROM thing", (int)d->i, d->steps);
}

static void update_some(doing *d)
{
    belay_exec(d->s, "UPDATE thing SET amount = amount + ? WHERE id < ?", (int)draw(d, 9), (int)draw(d, 3000));
}

static void try_one(doing *d)
{
    belay_try(d->s, "INSERT INTO thing VALUES (?, NULL, 1, NULL)", (int)draw(d, 30));
}

/* Reads what the items before it did, and goes by it. */
static void read_and_write(doing *d)
{
    int64_t things = belay_int_of(d->s, "SELECT count(*) FROM thing");
    if (things % 3 == 0)
        write_seen(d);
    belay_exec(d->s, "DELETE FROM thing WHERE id = ?", 1000 + things);
}

static void nest(doing *d)
{
    BELAY_ATOMIC(d->s)
        do_steps(d, 3);
    if (draw(d, 3) > 0)
        belay_ignore(d->s, BELAY_ANY);
}

static void nest_by_calls(doing *d)
{
    belay_begin(d->s, NULL);
    do_steps(d, 2);
    if (draw(d, 2) == 0)
        belay_commit(d->s);
    else
        belay_rollback(d->s);
    if (draw(d, 4) > 0)
        belay_ignore(d->s, BELAY_ANY);
}

static void mark(doing *d)
{
    belay_savepoint(d->s, "here");
    do_steps(d, 2);
    if (draw(d, 2) == 0)
        belay_rollback_to(d->s, "here");
}

/* What the items before it left in the session. */
static void look_back(doing *d)
{
    int64_t changes = belay_changes(d->s);
    belay_exec(d->s, "INSERT INTO seen VALUES (?, ?, ?, ?)", (int)d->i, d->steps, (int)belay_caught(d->s)->code,
               changes);
}

static void hook(doing *d)
{
    switch (draw(d, 4)) {
    case 0:
        belay_before_commit(d->s, write_before, jot(d->all, d->i, d->steps), free_jotting);
        break;
    case 1:
        belay_on_commit(d->s, write_committed, jot(d->all, d->i, d->steps), free_jotting);
        break;
    default:
        keep_in_memory(d->s, d->all, d->i, d->steps);
    }
}

static void batch_inside(doing *d)
{
    items inner = {
        .script = d->all->script, .outcome = d->all->outcome, .nested_in = d->i + 1, .batched = d->all->batched};
    size_t n = draw(d, 6);
    if (d->all->nested_in == 0 && !d->left_open)
        items_do_all(d->s, n, &inner);
}

static void many_inside(doing *d)
{
    const belay_value values[] = {BELAY_V((int)draw(d, 30)), BELAY_V(500), BELAY_V((int)draw(d, 30))};
    belay_try_many(d->s, "INSERT INTO thing VALUES (?, NULL, 1, NULL)", 3, 1, values, NULL, NULL, NULL);
}

static void do_good(doing *d)
{
    static void (*const kinds[])(doing *) = {insert_good, insert_good,    insert_good,  write_seen, update_some,
                                             try_one,     hook,           hook,         nest,       nest_by_calls,
                                             mark,        read_and_write, batch_inside, look_back,  many_inside};
    kinds[draw(d, sizeof kinds / sizeof kinds[0])](d);
}

/* ---- Steps that fail --------------------------------------------------------------------------------------------- */

static void fail_at_engine(doing *d)
{
    static const char *const texts[] = {
        "INSERT INTO thing VALUES (1, NULL, 1, NULL)",
        "INSERT INTO thing VALUES (901, 2, 1, NULL)",
        "INSERT INTO thing VALUES (902, NULL, NULL, NULL)",
        "INSERT INTO thing VALUES (903, NULL, -1, NULL)",
        "INSERT INTO thing VALUES (904, NULL, 1, 99)",
        "INSERT INTO thing VALUES (905, NULL, 1, 1), (906, 1, 1, 1)", /* the second of them */
        "UPDATE thing SET amount = 5 - amount",
        "UPDATE thing SET number = 7",
        "DELETE FROM taken",
        "INSERT INTO nowhere VALUES (1)",
        "SELECT amount FROM",
        "COMMIT",
        "",
    };
    belay_exec(d->s, texts[draw(d, sizeof texts / sizeof texts[0])]);
}

static void fail_on_sqlite(doing *d)
{
    static const char *const texts[] = {
        "INSERT OR FAIL INTO thing VALUES (907, NULL, 1, 1), (1, NULL, 1, 1)", /* keeps the first of them */
        "UPDATE OR FAIL thing SET number = number + 1 WHERE id < 3",
        "INSERT OR ABORT INTO thing VALUES (908, NULL, 1, 1), (1, NULL, 1, 1)",
        "INSERT OR ROLLBACK INTO thing VALUES (1, NULL, 1, 1)", /* ends the transaction */
    };
    belay_exec(d->s, texts[draw(d, d->all->script->fatal ? 4 : 3)]);
}

static void fail_by_values(doing *d)
{
    if (draw(d, 2) == 0)
        belay_exec(d->s, "INSERT INTO thing VALUES (?, ?)", 1);
    else
        belay_exec(d->s, "INSERT INTO seen VALUES (?, 1, 1, 1)", (uint64_t)1 << 63);
}

static void fail_by_program(doing *d)
{
    switch (draw(d, 6)) {
    case 5:
        belay_rollback_to(d->s, "here"); /* a mark of this item, or of none */
        break;
    case 0:
        d->result = 5;
        break;
    case 1:
        belay_fail(d->s, BELAY_NOT_FOUND, "no such thing as %zu", d->i);
        break;
    case 2:
        belay_begin(d->s, NULL); /* and leaves it open */
        break;
    case 3:
        belay_undo(d->s);
        break;
    default:
        belay_commit(d->s);
    }
}

/* A stream that is left open ends with its item. */
static void fail_by_rows(doing *d)
{
    outcome *o = d->all->outcome;
    belay_rows *rows = draw(d, 2) == 0 ? belay_stream(d->s, "SELECT id FROM thing ORDER BY id")
                                       : belay_query(d->s, "SELECT amount FROM thing WHERE nothing = ?", 1);
    belay_next(rows);
    if (draw(d, 2) == 0)
        belay_exec(d->s, "DELETE FROM seen");
    d->left_open |= draw(d, 2) == 0;
    if (rows && o->left_open < MOST_LEFT && d->left_open)
        o->left[o->left_open++] = rows;
    else
        belay_rows_close(rows);
}

static void do_bad(doing *d)
{
    unsigned kind = draw(d, 10);
    if (kind < 5)
        fail_at_engine(d);
    else if (kind < 6 && d->all->script->sqlite)
        fail_on_sqlite(d);
    else if (kind < 7)
        fail_by_values(d);
    else if (kind < 9)
        fail_by_program(d);
    else
        fail_by_rows(d);
}

static void do_steps(doing *d, int most)
{
    int n = 1 + (int)draw(d, (unsigned)most);
    if (++d->depth > 4)
        n = 0;
    for (int k = 0; k < n; k++) {
        d->steps++;
        if (draw(d, 1000) < d->all->script->bad_in_a_thousand)
            do_bad(d);
        else
            do_good(d);
    }
    d->depth--;
}

int items_do(belay_session *s, size_t i, void *arg)
{
    items *all = arg;
    doing d = {.s = s,
               .all = all,
               .i = i,
               .random = all->script->seed * 7919u + (unsigned)(i + 1000 * all->nested_in) * 104729u};
    all->outcome->runs++;
    draw(&d, 2);
    do_steps(&d, all->nested_in > 0 ? 2 : 4);
    return d.result;
}

void items_note(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    items *all = arg;
    outcome *o = all->outcome;
    (void)s;
    if (all->nested_in > 0 || o->rejected == MOST_REJECTED)
        return;
    o->items[o->rejected] = i;
    o->errors[o->rejected++] = *error;
}

/* ---- Each in a unit of its own ----------------------------------------------------------------------------------- */

typedef struct single {
    items *all;
    size_t i;
} single;

static int do_single(belay_session *s, void *arg)
{
    single *one = arg;
    return items_do(s, one->i, one->all);
}

static belay_code do_each(belay_session *s, size_t n, items *all)
{
    for (size_t i = 0; i < n; i++) {
        single one = {all, i};
        belay_code code = belay_atomic(s, NULL, do_single, &one);
        if (code == BELAY_OK || code == BELAY_ROLLED_BACK)
            continue;
        if (!belay_catch(s, BELAY_ANY))
            return code;
        items_note(s, i, belay_caught(s), all);
    }
    return BELAY_OK;
}

belay_code items_do_all(belay_session *s, size_t n, items *all)
{
    return all->batched ? belay_batch(s, n, items_do, all, items_note) : do_each(s, n, all);
}
