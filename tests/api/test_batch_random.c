/*
 * belay_batch against what it stands for, a unit of belay_atomic for each item: random items, the same outcome.
 */
#include "batch_items.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int random_open(void **state)
{
    int result = world_open(state);
    items_make_tables(((world *)*state)->s);
    return result;
}

#define in_random_world(test) cmocka_unit_test_setup_teardown(test, random_open, world_close)

/* ---- A batch, and where it is ----------------------------------------------------------------------------------- */

typedef enum around {
    IN_NOTHING,     /* a unit of its own */
    IN_A_SCOPE,     /* between other work */
    IN_A_PIPELINE,  /* the same, with .pipeline */
    IN_DEEP_SCOPES, /* the inner of which is undone */
    IN_EAGER_SCOPE, /* with the engine's own handle lent */
    AROUNDS
} around;

static void do_deep(belay_session *s, items *all)
{
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
            belay_exec(s, "INSERT INTO thing VALUES (5, 5, 5, 1)");
            all->outcome->code = items_do_all(s, all->script->items, all);
        }
        BELAY_ATOMIC(s) {
            items_do_all(s, all->script->items / 2, all);
            belay_undo(s);
        }
    }
}

static void do_between(belay_session *s, items *all, around where)
{
    BELAY_ATOMIC_WITH(s, .pipeline = where == IN_A_PIPELINE) {
        if (where == IN_EAGER_SCOPE)
            belay_native(s);
        belay_exec(s, "INSERT INTO thing VALUES (5, 5, 5, 1)");
        all->outcome->code = items_do_all(s, all->script->items, all);
        belay_exec(s, "INSERT INTO seen SELECT -2, 0, count(*), 0 FROM thing");
    }
}

/* Fills *o, and returns the rows that are there then. Plain code: nothing here may fail the test. */
static const char *do_script(world *w, const script *what, around where, bool batched, outcome *o)
{
    static char rows[1 << 16];
    items all = {.script = what, .outcome = o, .batched = batched};
    memset(o, 0, sizeof *o);
    belay_try(w->s, "INSERT INTO taken VALUES (1)"); /* items look at what was caught before them */
    if (where == IN_NOTHING && batched)
        o->code = items_do_all(w->s, what->items, &all);
    else if (where == IN_NOTHING)
        BELAY_ATOMIC(w->s)
            o->code = items_do_all(w->s, what->items, &all);
    else if (where == IN_DEEP_SCOPES)
        do_deep(w->s, &all);
    else
        do_between(w->s, &all, where);
    for (size_t i = 0; i < o->left_open; i++)
        belay_rows_close(o->left[i]);
    if (o->code == BELAY_OK)
        o->code = belay_status(w->s);
    belay_ignore(w->s, BELAY_ANY);
    snprintf(rows, sizeof rows, "%s", items_rows(w->other));
    return rows;
}

/* ---- The same --------------------------------------------------------------------------------------------------- */

static bool same_error(const belay_error *a, const belay_error *b)
{
    return a->code == b->code && strcmp(a->sqlstate, b->sqlstate) == 0 && a->native_code == b->native_code &&
           strcmp(a->message, b->message) == 0 && strcmp(a->detail, b->detail) == 0 &&
           strcmp(a->table, b->table) == 0 && strcmp(a->column, b->column) == 0 &&
           strcmp(a->constraint, b->constraint) == 0 && strcmp(a->statement, b->statement) == 0 &&
           strcmp(a->scope, b->scope) == 0 && a->attempt == b->attempt && a->outcome == b->outcome;
}

static const char *find_difference(const outcome *a, const outcome *b)
{
    static char text[400];
    if (a->code != b->code)
        return "the codes that were returned";
    for (size_t i = 0; i < a->rejected && i < b->rejected; i++)
        if (a->items[i] != b->items[i] || !same_error(&a->errors[i], &b->errors[i])) {
            snprintf(text, sizeof text, "rejection %zu: %zu %s %.80s, %zu %s %.80s", i, a->items[i],
                     belay_code_name(a->errors[i].code), a->errors[i].message, b->items[i],
                     belay_code_name(b->errors[i].code), b->errors[i].message);
            return text;
        }
    if (a->rejected != b->rejected)
        return "how many were rejected";
    if (strcmp(a->memory, b->memory) != 0)
        return "memory";
    if (strcmp(a->committed, b->committed) != 0)
        return "hooks after the commit";
    if (strcmp(a->before, b->before) != 0)
        return "hooks before the commit";
    return NULL;
}

/* False, and says where, when the two differ. */
static bool agrees(world *w, const script *what, around where)
{
    static outcome batched, each;
    static char first[1 << 16];
    items_reset_tables(w->s);
    snprintf(first, sizeof first, "%s", do_script(w, what, where, true, &batched));
    items_reset_tables(w->s);
    const char *second = do_script(w, what, where, false, &each), *difference = find_difference(&batched, &each);
    if (!difference && strcmp(first, second) != 0)
        difference = "rows";
    if (!difference && (batched.registered != batched.freed || each.registered != each.freed))
        difference = "arguments of hooks that were not freed once";
    if (difference)
        print_error("seed %u, %zu items, around %d, %u bad: %s\n%s\n%s\n", what->seed, what->items, (int)where,
                    what->bad_in_a_thousand, difference, first, second);
    return !difference;
}

/* ---- Many ------------------------------------------------------------------------------------------------------- */

static void compare_some(world *w, unsigned from, unsigned count, bool fatal)
{
    static const unsigned bad[] = {0, 3, 20, 80, 300};
    for (unsigned seed = from; seed < from + count; seed++) {
        script what = {.seed = seed,
                       .items = 1 + seed * 37 % (seed % 4 == 0 ? MOST_ITEMS : 40),
                       .bad_in_a_thousand = bad[seed / 7 % 5],
                       .sqlite = database_is_sqlite(&w->d),
                       .fatal = fatal};
        assert_true(agrees(w, &what, (around)(seed % AROUNDS)));
    }
}

/* SQLite is quick; a server does the same a fifth as often. */
static unsigned times(const world *w, unsigned on_sqlite)
{
    const char *given = getenv("BELAY_TEST_BATCHES");
    return given ? (unsigned)atoi(given) : database_is_sqlite(&w->d) ? on_sqlite : on_sqlite / 5;
}

static void a_batch_does_exactly_what_a_unit_for_each_item_does(void **state)
{
    compare_some(*state, 1, times(*state, 600), false);
}

static void a_batch_ends_as_a_unit_for_each_item_when_an_error_ends_the_transaction(void **state)
{
    compare_some(*state, 5000, times(*state, 200), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_random_world(a_batch_does_exactly_what_a_unit_for_each_item_does),
        in_random_world(a_batch_ends_as_a_unit_for_each_item_when_an_error_ends_the_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
