/*
 * test_failures.c - every call to the engine fails in turn, and every allocation.
 *
 * Whatever fails: what the unit left in the database is all or nothing, as its outcome says; when it is nothing, every
 * object is what it was before, texts included; and when the session is closed every block of memory has come back.
 */
#include "objects.h"

#include <belay/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scarce.h"

enum { ALLOCATIONS_AT_MOST = 2000 };

/* The objects of one run. */
typedef struct cast {
    account *ann, *bob, own;
    setting *color;
    order *o;
    line *l;
    char eve[8];
    bool ready;
    belay_code code;
    belay_outcome outcome;
    const char *broken;
} cast;

static void look(cast *c, bool good, const char *what)
{
    if (!good && !c->broken)
        c->broken = what;
}

/* Objects that are there before the unit. Nothing fails yet. */
static void prepare(belay_session *s, cast *c)
{
    *c = (cast){.own = {.owner = c->eve}};
    strcpy(c->eve, "eve");
    c->ann = belay_get(s, account, 1);
    c->bob = belay_get(s, account, 2);
    c->color = belay_get(s, setting, "color");
    c->o = belay_new(s, order);
    c->l = belay_new(s, line);
    c->ready = c->ann && c->bob && c->color && c->o && c->l;
    if (!c->ready)
        return;
    c->o->customer = "ann";
    *c->l = (line){.of = c->o, .item = "pen", .quantity = 1};
}

/* A nested scope that is always undone. */
static void try_things(belay_session *s, cast *c)
{
    BELAY_ATOMIC(s) {
        account *ann = belay_get(s, account, 1);
        if (ann)
            ann->owner = "nobody";
        belay_flush(s);
        belay_delete(s, c->bob);
        setting *color = belay_get(s, setting, "color");
        if (color && color->value)
            color->value[0] = 'X';
        belay_flush(s);
        belay_undo(s);
    }
}

static void run_unit(belay_session *s, cast *c)
{
    BELAY_ATOMIC(s) {
        account *ann = belay_get(s, account, 1), *bob = belay_get(s, account, 2);
        belay_add(s, order, c->o);
        belay_add(s, line, c->l);
        belay_add(s, account, &c->own);
        if (ann && bob) {
            ann->balance -= 10;
            bob->balance += 10;
            ann->owner = belay_keep(s, "ANN");
            if (!ann->owner)
                ann->owner = "ann";
        }
        try_things(s, c);
        setting given = {.name = "color", .value = c->eve};
        belay_merge(s, setting, &given);
        account **all = belay_find(s, account, "WHERE id < ? ORDER BY id", 3);
        look(c,
             !all || (belay_found(all) == 2 && all[0] == ann && strcmp(ann->owner, "ANN") == 0 && bob->balance == 60),
             "the nested scope was not undone");
    }
    c->code = belay_status(s);
    c->outcome = belay_pending(s)->outcome;
}

/* Objects after a unit of which nothing is there. `c` was made by prepare. */
static void check_undone(belay_session *s, cast *c)
{
    look(c, c->ann->balance == 100 && c->ann->version == 1 && strcmp(c->ann->owner, "ann") == 0,
         "ann is not as before");
    look(c, c->bob->balance == 50 && belay_state_of(s, c->bob) == BELAY_PERSISTENT, "bob is not as before");
    look(c, c->color->value && strcmp(c->color->value, "red") == 0, "the setting is not as before");
    look(c, c->o->id == 0 && strcmp(c->o->customer, "ann") == 0, "the order is not as before");
    look(c, belay_state_of(s, c->o) == BELAY_TRANSIENT && belay_state_of(s, c->l) == BELAY_TRANSIENT,
         "it is not transient");
    look(c, c->l->of == c->o && c->l->order_id == 0, "the line is not as before");
    look(c, c->own.id == 0 && c->own.version == 0 && c->own.owner == c->eve, "the program's own is not as before");
    look(c, belay_state_of(s, &c->own) == BELAY_TRANSIENT, "the program's own is not transient");
}

static void check_done(belay_session *s, cast *c)
{
    look(c, c->ann->balance == 90 && c->ann->version == 2 && strcmp(c->ann->owner, "ANN") == 0,
         "ann is not as written");
    look(c, c->color->value && strcmp(c->color->value, "eve") == 0, "the setting is not as written");
    look(c, c->o->id != 0 && c->l->order_id == c->o->id, "the line has not its order");
    look(c, belay_state_of(s, c->o) == BELAY_PERSISTENT && belay_state_of(s, &c->own) == BELAY_DETACHED,
         "wrong states");
}

static void check_objects(belay_session *s, cast *c)
{
    if (c->ready && c->code != BELAY_OK && c->outcome == BELAY_WORK_ROLLED_BACK)
        check_undone(s, c);
    else if (c->ready && c->code == BELAY_OK)
        check_done(s, c);
}

static const char all_rows[] =
    "SELECT a.owner, a.balance, s.value, (SELECT count(*) FROM line) FROM account a, setting s ORDER BY a.id";
static const char rows_before[] = "ann|100|red|0;bob|50|red|0";
static const char rows_after[] = "ANN|90|eve|1;bob|60|eve|1;eve|0|eve|1";

static void put_tables_back(belay_session *s)
{
    const char *const statements[] = {"DELETE FROM line",
                                      "DELETE FROM account",
                                      "DELETE FROM setting",
                                      "INSERT INTO setting VALUES ('color', 'red')",
                                      "INSERT INTO account VALUES (1, 'ann', 100, 1)",
                                      "INSERT INTO account VALUES (2, 'bob', 50, 1)",
                                      NULL};
    for (int i = 0; statements[i]; i++)
        belay_exec(s, statements[i]);
}

/* ---- Every call ------------------------------------------------------------------------------------------------- */

static int rehearsed_unit(belay_session *s, void *arg)
{
    cast *c = arg;
    prepare(s, c);
    belay_status(s);
    if (c->ready) {
        run_unit(s, c);
        check_objects(s, c);
    }
    return 0;
}

static int check_rehearsal(belay_session *s, const belay_rehearsal *r, void *arg)
{
    cast *c = arg;
    const char *rows = rows_of(s, all_rows);
    bool before = strcmp(rows, rows_before) == 0, after = strcmp(rows, rows_after) == 0;
    bool good = !c->broken && (before || after);
    if (c->ready && c->code == BELAY_OK)
        good &= after;
    if (c->ready && c->code != BELAY_OK && c->outcome == BELAY_WORK_ROLLED_BACK)
        good &= before;
    if (!good)
        print_error("call %u (%s) failing with %s%s: %s; rows: %s\n", r->call, r->kind, belay_code_name(r->code),
                    r->onwards ? " onwards" : "", c->broken ? c->broken : "wrong rows", rows);
    put_tables_back(s);
    return !good;
}

static void whatever_call_fails_objects_are_as_before_or_as_written(void **state)
{
    world *w = *state;
    cast c = {0};
    put_tables_back(w->s);
    belay_rehearsal_report report = belay_rehearse(w->d.db, rehearsed_unit, check_rehearsal, &c);
    assert_string_equal(report.error.message, "");
    assert_string_equal(report.first, "");
    assert_true(report.runs > 200);
}

/* ---- Every allocation ------------------------------------------------------------------------------------------- */

/* How many allocations failed: 0 when all that there are were tried. */
static unsigned run_scarce(world *w, unsigned fail_at, bool onwards)
{
    cast c;
    belay_session *s = belay_session_open(w->d.db);
    prepare(s, &c);
    assert_true(c.ready);
    scarce_arm(fail_at, onwards);
    run_unit(s, &c);
    unsigned failed = scarce_failed();
    scarce_disarm();
    /* A text of malloc that could not be put back is NULL, and never written. */
    bool torn = failed > 0 && c.code != BELAY_OK && !c.color->value;
    if (!torn)
        check_objects(s, &c);
    else
        belay_refresh(s, c.color);
    look(&c, c.color->value != NULL, "a text is missing");
    belay_session_close(s);
    if (c.broken)
        print_error("allocation %u%s: %s\n", fail_at, onwards ? " onwards" : "", c.broken);
    assert_null(c.broken);
    const char *rows = rows_of(w->s, all_rows);
    assert_true(strcmp(rows, rows_before) == 0 ||
                (c.outcome != BELAY_WORK_ROLLED_BACK && strcmp(rows, rows_after) == 0));
    put_tables_back(w->s);
    return failed;
}

static void whatever_allocation_fails_nothing_is_lost_or_left(void **state)
{
    world *w = *state;
    put_tables_back(w->s);
    run_scarce(w, ALLOCATIONS_AT_MOST, false); /* the connection has its statements now */
    long blocks = scarce_blocks();
    for (int onwards = 0; onwards < 2; onwards++) {
        unsigned n = 1;
        while (n < ALLOCATIONS_AT_MOST && run_scarce(w, n, onwards) > 0)
            n++;
        assert_true(n > 10 && n < ALLOCATIONS_AT_MOST);
        run_scarce(w, ALLOCATIONS_AT_MOST, false);
        assert_int_equal(scarce_blocks(), blocks);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(whatever_call_fails_objects_are_as_before_or_as_written),
        with_objects(whatever_allocation_fails_nothing_is_lost_or_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
