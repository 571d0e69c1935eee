#include "run.h"

#include <stdlib.h>
#include <string.h>

/* Models are known in their order, which is that of statements on tables that do not depend on each other. */
static void meet_models(belay_session *s)
{
    for (int k = 0; k < KINDS; k++)
        belay_new_at(s, BELAY_HERE, kinds[k].model);
    belay_expunge_all(s);
}

/* Some rows that are there before. */
static void put_first_rows(run *t, unsigned number)
{
    static const char *const rows[] = {
        "INSERT INTO author(id, name, code, version) VALUES (1000000000, 't6', 't2', 1)",
        "INSERT INTO book(isbn, author_id, title, pages) VALUES ('k1', 1000000000, 't4', 7)",
        "INSERT INTO tree(id, name) VALUES (1000000100, 't7')"};
    static const int64_t values[][COLUMNS] = {
        {GIVEN_KEY, 6, NOTHING, 2, NOTHING, NOTHING, 1}, {1, GIVEN_KEY, 4, 7}, {GIVEN_KEY + 100, NOTHING, 7}};
    static const int of_kind[] = {AUTHOR, BOOK, TREE};
    for (int i = 0; i < 3 && number % 4 > 0; i++)
        if (belay_exec(t->other, rows[i]) != BELAY_OK || plain_insert_row(&t->m, of_kind[i], values[i]))
            differ(t, "the first rows", "no error", belay_message(t->other));
}

static void free_own(run *t)
{
    for (int i = 0; i < t->m.count; i++)
        if (t->m.objects[i].own && !t->m.objects[i].dead) {
            kinds_free_owned(t->m.objects[i].kind, t->real[i]);
            free(t->real[i]);
        }
}

bool run_sequence(run *t, belay_db *db, belay_session *other, const sequence *p)
{
    t->db = db;
    t->other = other;
    t->p = p;
    plain_begin(&t->m);
    t->clock = t->depth = t->mark_count = t->lent_count = t->watched_count = 0;
    t->pending = BELAY_OK;
    t->wrong = NULL;
    t->from_inside = t->fatal = t->uncertain = false;
    t->s = belay_session_open(db);
    if (kinds_empty_tables(other) != BELAY_OK)
        differ(t, "emptying the tables", "no error", belay_message(other));
    put_first_rows(t, p->count > 0 ? (unsigned)p->ops[0].c : 0);
    meet_models(t->s);
    scopes_run(t, 0, p->count);
    if (!t->wrong)
        compare_rows(t);
    call_end_unit(t); /* frees what was lent */
    belay_status(t->s);
    bool closed = belay_session_close(t->s) == BELAY_OK;
    free_own(t);
    if (!closed && !t->wrong)
        differ(t, "closing the session", "no error", "an error");
    return !t->wrong;
}
