#include "scenarios.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const scenario *const scenarios[] = {
    &scenario_payment_log,    &scenario_flaky_success,  &scenario_flaky_failure,   &scenario_transfers,
    &scenario_proof,          &scenario_stock,          &scenario_three_updates,   &scenario_marks,
    &scenario_escape,         &scenario_optional_extra, &scenario_depth,           &scenario_user_rows,
    &scenario_duplicate_mail, &scenario_reading,        &scenario_tries,           &scenario_mail_hook,
    &scenario_failed_session, &scenario_no_scope,       &scenario_post_and_mail,   &scenario_callbacks,
    &scenario_busy_hooks,     &scenario_attempts,       &scenario_marked_hooks,    &scenario_propagation,
    &scenario_streams,        &scenario_one_connection, &scenario_two_connections, &scenario_flaky_given_up,
    &scenario_orders,         &scenario_many,
};
const size_t scenario_count = sizeof scenarios / sizeof *scenarios;

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

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

/* ---- Units ------------------------------------------------------------------------------------------------------ */

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

static void keep_fate(belay_session *s, scenario_unit *u)
{
    u->error = *belay_pending(s);
    u->fate = u->error.code == BELAY_OK                ? UNIT_COMMITTED
              : u->error.outcome == BELAY_WORK_UNKNOWN ? UNIT_UNKNOWN
                                                       : UNIT_ROLLED_BACK;
}

void note_end(belay_session *s, scenario_notes *notes, unsigned unit)
{
    keep_fate(s, &notes->units[unit]);
    check_told(notes, unit, belay_depth(s));
    if (notes->ended)
        notes->ended(notes->arg, unit);
}

void note_inner(belay_session *s, scenario_notes *notes, unsigned unit)
{
    scenario_unit *u = &notes->units[unit];
    keep_fate(s, u);
    bool caught = belay_catch(s, BELAY_ANY), unknown = u->fate == UNIT_UNKNOWN;
    if (caught != (u->error.code != BELAY_OK))
        note_broken(notes, "the error %s of unit %u can't be caught outside", belay_code_name(u->error.code), unit);
    if (caught && (belay_caught(s)->outcome == BELAY_WORK_UNKNOWN) != unknown)
        note_broken(notes, "unit %u: %s has another outcome once it is caught", unit, belay_code_name(u->error.code));
    if ((u->error.code == BELAY_IN_DOUBT) != unknown)
        note_broken(notes, "unit %u: the code is %s", unit, belay_code_name(u->error.code));
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

/* ---- Hooks ------------------------------------------------------------------------------------------------------ */

static int count_run(belay_session *s, void *arg)
{
    scenario_hook *hook = arg;
    hook->ran++;
    hook->turn = ++hook->notes->turns;
    return hook->then ? hook->then(s, hook->notes) : 0;
}

static void count_free(void *arg)
{
    scenario_hook *hook = arg;
    hook->freed++;
}

void note_hook(belay_session *s, scenario_notes *notes, scenario_hook_kind kind, belay_hook then)
{
    scenario_hook *hook = &notes->hooks[notes->hook_count < SCENARIO_HOOKS ? notes->hook_count++ : SCENARIO_HOOKS - 1];
    *hook = (scenario_hook){.kind = kind, .unit = notes->unit, .then = then, .notes = notes};
    belay_code code = kind == HOOK_ROLLBACK ? belay_on_rollback(s, count_run, hook, count_free)
                      : kind == HOOK_BEFORE ? belay_before_commit(s, count_run, hook, count_free)
                                            : belay_on_commit(s, count_run, hook, count_free);
    hook->accepted = code == BELAY_OK;
}

void note_commit_hook(belay_session *s, scenario_notes *notes)
{
    note_hook(s, notes, HOOK_COMMIT, NULL);
}

void note_rollback_hook(belay_session *s, scenario_notes *notes)
{
    note_hook(s, notes, HOOK_ROLLBACK, NULL);
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

/* Whether it ran as often as it should. One before a commit may have run for a commit that then failed. */
static bool ran_right(const scenario_notes *notes, const scenario_hook *hook)
{
    scenario_fate fate = notes->units[hook->unit].fate;
    if (!hook->accepted)
        return hook->ran == 0;
    switch (hook->kind) {
    case HOOK_COMMIT:
        return hook->ran == (!hook->undone && fate == UNIT_COMMITTED);
    case HOOK_ROLLBACK:
        return hook->ran == (hook->undone || fate == UNIT_ROLLED_BACK);
    case HOOK_BEFORE:
        return !hook->undone && fate == UNIT_COMMITTED ? hook->ran == 1 : hook->ran <= 1;
    case HOOK_LATE:
        return hook->ran == 1;
    }
    return false;
}

static void check_hook(const scenario_notes *notes, unsigned i, scenario_text *out)
{
    static const char *const kinds[] = {"commit", "rollback", "before the commit", "late"};
    static const char *const fates[] = {"not run", "committed", "rolled back", "in doubt"};
    const scenario_hook *hook = &notes->hooks[i];
    if (!ran_right(notes, hook))
        scenario_text_add(out, "hook %u (%s%s%s) of unit %u (%s) ran %d times\n", i, kinds[hook->kind],
                          hook->accepted ? "" : ", refused", hook->undone ? ", undone" : "", hook->unit,
                          fates[notes->units[hook->unit].fate], hook->ran);
    if (hook->freed != 1)
        scenario_text_add(out, "the argument of hook %u (%s) was freed %d times\n", i, kinds[hook->kind], hook->freed);
}

static void check_hooks(const scenario_notes *notes, scenario_text *out)
{
    unsigned last[SCENARIO_UNITS] = {0};
    for (unsigned i = 0; i < notes->hook_count; i++) {
        const scenario_hook *hook = &notes->hooks[i];
        check_hook(notes, i, out);
        if (hook->kind != HOOK_COMMIT || hook->ran != 1)
            continue;
        if (hook->turn < last[hook->unit])
            scenario_text_add(out, "hook %u ran before one that was registered earlier\n", i);
        last[hook->unit] = hook->turn;
    }
}

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

belay_db_options scenario_options(const scenario *which, belay_db_options options)
{
    if (which->pool_size == 0)
        return options;
    options.pool_size = which->pool_size;
    options.pool_timeout_ms = 1; /* who waits longer waits for the session that it runs beside */
    return options;
}

void scenario_add_rows(scenario_text *out, const char *const *rows, const bool *there, size_t count)
{
    const char *before = "";
    for (size_t i = 0; i < count; i++)
        if (there[i] && rows[i]) {
            scenario_text_add(out, "%s%s", before, rows[i]);
            before = ";";
        }
}

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
