#include "scenarios.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const scenario *const scenarios[] = {
    &scenario_payment_log,    &scenario_flaky_success,  &scenario_flaky_failure, &scenario_transfers,
    &scenario_proof,          &scenario_stock,          &scenario_three_updates, &scenario_marks,
    &scenario_escape,         &scenario_optional_extra, &scenario_depth,         &scenario_user_rows,
    &scenario_duplicate_mail, &scenario_reading,        &scenario_tries,         &scenario_mail_hook,
    &scenario_failed_session, &scenario_no_scope,       &scenario_post_and_mail, &scenario_callbacks,
    &scenario_flaky_given_up, &scenario_orders,
};
const size_t scenario_count = sizeof scenarios / sizeof *scenarios;

/* ---- Texts ----------------------------------------------------------------------------------------------------------
 */

static void add_list(scenario_text *text, const char *format, va_list list)
{
    size_t room = sizeof text->bytes - text->size;
    int size = vsnprintf(text->bytes + text->size, room, format, list);
    if (size > 0)
        text->size += (size_t)size < room ? (size_t)size : room - 1;
}

void scenario_text_add(scenario_text *text, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add_list(text, format, list);
    va_end(list);
}

void note_broken(scenario_notes *notes, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add_list(&notes->broken, format, list);
    va_end(list);
    scenario_text_add(&notes->broken, "\n");
}

/* ---- Units
 * ------------------------------------------------------------------------------------------------------------ */

static void check_told(scenario_notes *notes, unsigned unit, int depth)
{
    const scenario_unit *u = &notes->units[unit];
    if (depth != 0)
        note_broken(notes, "unit %u has ended, and %d scopes are open", unit, depth);
    if ((u->error.code == BELAY_IN_DOUBT) != (u->fate == UNIT_UNKNOWN))
        note_broken(notes, "unit %u: the code is %s, the outcome %d", unit, belay_code_name(u->error.code),
                    (int)u->error.outcome);
    if (u->fate == UNIT_COMMITTED && u->error.outcome != BELAY_WORK_COMMITTED)
        note_broken(notes, "unit %u has the status OK, and the outcome %d", unit, (int)u->error.outcome);
}

void note_end(belay_session *s, scenario_notes *notes, unsigned unit)
{
    scenario_unit *u = &notes->units[unit];
    u->error = *belay_pending(s);
    u->fate = u->error.code == BELAY_OK                ? UNIT_COMMITTED
              : u->error.outcome == BELAY_WORK_UNKNOWN ? UNIT_UNKNOWN
                                                       : UNIT_ROLLED_BACK;
    check_told(notes, unit, belay_depth(s));
    if (notes->ended)
        notes->ended(notes->arg, unit);
}

void note_try(belay_session *s, scenario_notes *notes, unsigned unit, belay_code code)
{
    const belay_error *caught = belay_caught(s);
    if (code == BELAY_OK || belay_status(s) != BELAY_OK) {
        note_end(s, notes, unit);
        return;
    }
    notes->units[unit] = (scenario_unit){.fate = UNIT_ROLLED_BACK, .error = *caught};
    check_told(notes, unit, belay_depth(s));
    if (caught->code != code)
        note_broken(notes, "belay_try returned %s and caught %s", belay_code_name(code), belay_code_name(caught->code));
}

/* ---- Hooks
 * ------------------------------------------------------------------------------------------------------------ */

static int count_run(belay_session *s, void *arg)
{
    scenario_hook *hook = arg;
    (void)s;
    hook->ran++;
    hook->turn = ++hook->notes->turns;
    return 0;
}

static void count_free(void *arg)
{
    scenario_hook *hook = arg;
    hook->freed++;
}

static scenario_hook *new_hook(scenario_notes *notes, bool on_rollback)
{
    scenario_hook *hook = &notes->hooks[notes->hook_count < SCENARIO_HOOKS ? notes->hook_count++ : SCENARIO_HOOKS - 1];
    *hook = (scenario_hook){.unit = notes->unit, .on_rollback = on_rollback, .notes = notes};
    return hook;
}

void note_commit_hook(belay_session *s, scenario_notes *notes)
{
    scenario_hook *hook = new_hook(notes, false);
    hook->accepted = belay_on_commit(s, count_run, hook, count_free) == BELAY_OK;
}

void note_rollback_hook(belay_session *s, scenario_notes *notes)
{
    scenario_hook *hook = new_hook(notes, true);
    hook->accepted = belay_on_rollback(s, count_run, hook, count_free) == BELAY_OK;
}

void note_undone(scenario_notes *notes, unsigned from)
{
    for (unsigned i = from; i < notes->hook_count; i++)
        notes->hooks[i].undone |= notes->hooks[i].unit == notes->unit;
}

void note_attempt(scenario_notes *notes, unsigned unit)
{
    notes->unit = unit;
    note_undone(notes, 0);
}

static int expected_runs(const scenario_notes *notes, const scenario_hook *hook)
{
    scenario_fate fate = notes->units[hook->unit].fate;
    if (!hook->accepted)
        return 0;
    if (hook->on_rollback)
        return hook->undone || fate == UNIT_ROLLED_BACK;
    return !hook->undone && fate == UNIT_COMMITTED;
}

static void check_hooks(const scenario_notes *notes, scenario_text *out)
{
    unsigned last = 0;
    for (unsigned i = 0; i < notes->hook_count; i++) {
        const scenario_hook *hook = &notes->hooks[i];
        const char *kind = hook->on_rollback ? "rollback" : "commit";
        int expected = expected_runs(notes, hook);
        if (hook->ran != expected)
            scenario_text_add(out, "hook %u (%s) of unit %u ran %d times and not %d\n", i, kind, hook->unit, hook->ran,
                              expected);
        if (hook->freed != 1)
            scenario_text_add(out, "the argument of hook %u (%s) was freed %d times\n", i, kind, hook->freed);
        if (!hook->on_rollback && hook->ran == 1 && hook->turn < last)
            scenario_text_add(out, "hook %u ran before one that was registered earlier\n", i);
        if (!hook->on_rollback && hook->ran == 1)
            last = hook->turn;
    }
}

/* ---- Tables
 * ------------------------------------------------------------------------------------------------------------- */

belay_code scenario_setup(const scenario *which, belay_session *s)
{
    for (const char *const *sql = which->setup; *sql; sql++)
        if (belay_exec(s, *sql) != BELAY_OK)
            return belay_status(s);
    return BELAY_OK;
}

static void show_table(belay_session *s, const scenario_table *table, scenario_text *out)
{
    const char *row_ends = "";
    scenario_text_add(out, "%s%s[", out->size > 0 ? " " : "", table->name);
    belay_rows *rows = belay_query(s, table->rows);
    for (; belay_next(rows); row_ends = ";")
        for (int i = 0; i < belay_columns(rows); i++)
            scenario_text_add(out, "%s%s", i > 0 ? "|" : row_ends,
                              belay_is_null(rows, i) ? "NULL" : belay_str(rows, i));
    belay_rows_close(rows);
    if (!belay_catch(s, BELAY_SCHEMA) && belay_status(s) != BELAY_OK)
        scenario_text_add(out, "%s", belay_message(s));
    else if (!rows)
        scenario_text_add(out, "-"); /* no such table */
    scenario_text_add(out, "]");
}

void scenario_show(const scenario *which, belay_session *s, scenario_text *out)
{
    out->size = 0;
    out->bytes[0] = '\0';
    for (const scenario_table *table = which->tables; table->name; table++)
        show_table(s, table, out);
}

/* Whether the tables can have come about by what was reported; `out` gets what was expected. */
static bool explains(const scenario *which, const scenario_notes *notes, const char *shown, scenario_text *out)
{
    for (unsigned guess = 0; guess < 1U << SCENARIO_UNITS; guess++) {
        bool there[SCENARIO_UNITS], possible = true;
        for (unsigned i = 0; i < SCENARIO_UNITS; i++) {
            there[i] = (guess >> i & 1) != 0;
            possible &= notes->units[i].fate == UNIT_UNKNOWN || there[i] == (notes->units[i].fate == UNIT_COMMITTED);
        }
        if (!possible)
            continue;
        *out = (scenario_text){.size = 0};
        which->expect(notes, there, out);
        if (strcmp(out->bytes, shown) == 0)
            return true;
    }
    return false;
}

const char *scenario_check(const scenario *which, belay_session *s, const scenario_notes *notes)
{
    static scenario_text broken, shown, expected;
    broken = notes->broken;
    scenario_show(which, s, &shown);
    if (!explains(which, notes, shown.bytes, &expected))
        scenario_text_add(&broken, "the tables are     %s\nand should be      %s\n", shown.bytes, expected.bytes);
    check_hooks(notes, &broken);
    return broken.size > 0 ? broken.bytes : NULL;
}
