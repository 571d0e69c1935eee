/*
 * statements.c - statements of the program's own, behind the objects' backs.
 */
#include <string.h>

#include "calls.h"
#include "pick.h"

static codes plain_statement(run *t, int k, int which, const int64_t *of)
{
    row *r = plain_row(&t->m, k, of);
    row made = {.there = true};
    memcpy(made.of, of, sizeof made.of);
    for (int i = 0; i < kinds[k].columns; i++)
        if (i != kinds[k].key[0] && (kinds[k].keys == 1 || i != kinds[k].key[1]))
            made.of[i] = i == kinds[k].version                                          ? 1
                         : (k == AUTHOR && i == 3) || (k == BOOK && (i == 2 || i == 3)) ? 1
                         : k == NOTE && i == 3                                          ? FRESH
                                                                                        : NOTHING;
    if (which == 3)
        return plain_insert_row(&t->m, k, made.of);
    if (!r)
        return 0;
    if (which == 0)
        r->of[kinds[k].counter] = 3;
    else if (which == 1)
        r->of[kinds[k].version]++;
    else if (which == 4)
        return CODE(BELAY_CHECK);
    else if (plain_check_delete(&t->m, k, r))
        return plain_check_delete(&t->m, k, r);
    else
        r->there = false;
    return 0;
}

void call_statement(run *t, const op *o)
{
    int k = o->a % KINDS, which = o->b % 5;
    const kind *what = &kinds[k];
    const char *sql[] = {what->update, what->bump, what->remove, what->insert, what->spoil};
    int64_t of[COLUMNS];
    belay_value key[2];
    pick_key(t, k, o->c, of);
    bool is_generated = what->generated && of[0] < GIVEN_KEY;
    if (!sql[which] || (which == 3 && is_generated) || plain_count_rows(&t->m, k) > 20 || of[0] == NOTHING)
        return;
    for (int i = 0; i < what->keys; i++)
        key[i] = kinds_value(k, what->key[i], of[what->key[i]]);
    tell(t, "%s: %s [%lld, %lld]", o->kind == OP_TRY ? "belay_try" : "belay_exec", sql[which], (long long)of[0],
         (long long)of[1]);
    belay_code real = o->kind == OP_TRY ? belay_try_values(t->s, sql[which], (size_t)what->keys, key)
                                        : belay_exec_values(t->s, sql[which], (size_t)what->keys, key);
    if (call_is_refused(t, real))
        return;
    codes wrong = t->depth > 0 ? call_flush(t) : 0;
    if (wrong || t->wrong) {
        call_came_to(t, real, wrong);
        return;
    }
    wrong = plain_statement(t, k, which, of);
    bool good = call_came_to(t, real, wrong);
    if (o->kind == OP_TRY)
        t->pending = BELAY_OK;
    if (t->depth == 0) {
        belay_status(t->s);
        call_end_lone(t, good);
    }
}
