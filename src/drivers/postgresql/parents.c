/*
 * parents.c - rows whose parent is missing: a COPY tells that at its end only, and not
 * of which line. So each parent is asked for before, once.
 *
 * Which parents there were is remembered with the statement. That may be out of date,
 * as all hints: then the COPY fails, and the window is run row by row.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include <stdlib.h>

#include "keys.h"
#include "store.h"

typedef struct looking {
    belayi_pg_storing *w;
    const belayi_pg_rule *rule;
    size_t from, to;
    size_t *rows; /* of each parent that is asked for, one */
    size_t count;
    belayi_pg_keys asked, missing;
} looking;

/* The parents that are not known to be there. One that can't be told from others is asked for with each row. */
static void collect(looking *l)
{
    for (size_t row = l->from; row < l->to; row++) {
        uint64_t number;
        if (l->w->fates[row] != BELAYI_PG_FATE_COPY)
            continue;
        belayi_pg_key key = belayi_pg_key_of(&l->w->table, l->rule, belayi_pg_store_row(l->w, row), &number);
        bool known = key == BELAYI_PG_KEY_NONE ||
                     (key == BELAYI_PG_KEY_KNOWN &&
                      (belayi_pg_keys_has(&l->w->s->parents, number) || belayi_pg_keys_add(&l->asked, number)));
        if (!known)
            l->rows[l->count++] = row;
    }
}

static void note_answers(looking *l, const unsigned char *refused)
{
    for (size_t i = 0; i < l->count; i++) {
        uint64_t number;
        belayi_pg_key key = belayi_pg_key_of(&l->w->table, l->rule, belayi_pg_store_row(l->w, l->rows[i]), &number);
        if (refused[i])
            belayi_pg_hints_mark(l->w, l->rows[i]);
        if (key == BELAYI_PG_KEY_KNOWN)
            belayi_pg_keys_add(refused[i] ? &l->missing : &l->w->s->parents, number);
    }
}

static void mark_all(looking *l)
{
    for (size_t row = l->from; row < l->to && l->missing.count > 0; row++) {
        uint64_t number;
        if (l->w->fates[row] == BELAYI_PG_FATE_COPY &&
            belayi_pg_key_of(&l->w->table, l->rule, belayi_pg_store_row(l->w, row), &number) == BELAYI_PG_KEY_KNOWN &&
            belayi_pg_keys_has(&l->missing, number))
            belayi_pg_hints_mark(l->w, row);
    }
}

static belay_code ask_for(looking *l, belay_error *error)
{
    bool forgot;
    unsigned char *refused = malloc(l->count + 1);
    belay_code code = BELAY_OK;
    if (refused && belayi_pg_keys_prepare(&l->missing, l->count, &forgot) &&
        belayi_pg_keys_prepare(&l->w->s->parents, l->count, &forgot)) {
        code = belayi_pg_asks_rule(l->w, (size_t)(l->rule - l->w->table.rules), l->rows, l->count, refused, error);
        if (code == BELAY_OK && !l->w->no_asking) {
            note_answers(l, refused);
            mark_all(l);
        }
    }
    free(refused);
    return code;
}

belay_code belayi_pg_parents_look(belayi_pg_storing *w, size_t from, size_t to, belay_error *error)
{
    belay_code code = BELAY_OK;
    for (size_t i = 0; i < w->table.rule_count && code == BELAY_OK && !w->no_asking; i++) {
        bool forgot;
        looking l = {.w = w, .rule = &w->table.rules[i], .from = from, .to = to};
        if (l.rule->kind != BELAYI_PG_RULE_PARENT || !l.rule->whole || l.rule->count == 0)
            continue;
        l.rows = malloc((to - from) * sizeof *l.rows);
        if (l.rows && belayi_pg_keys_prepare(&l.asked, to - from, &forgot))
            collect(&l);
        if (l.count > 0)
            code = ask_for(&l, error);
        free(l.rows);
        belayi_pg_keys_done(&l.asked);
        belayi_pg_keys_done(&l.missing);
    }
    return code;
}
