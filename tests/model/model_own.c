/*
 * model_own.c - a transaction of its own inside another, BELAY_REQUIRES_NEW. The rest, and the CHOICEs: model.c.
 */
#include "model.h"
#include "model_inner.h"

/* "Misuse where it could only wait for its own outer scope: on SQLite inside every scope that isn't read-only, and
   where the pool has no connection left for it" */
bool model_own_is_misuse(const model *m)
{
    bool read_only = m->frames[m->first].read_only;
    for (int i = 0; i < m->around_count; i++)
        read_only = read_only && m->frames[m->around[i].first].read_only;
    return !read_only || m->around_count + 1 >= m->connections;
}

void model_own_begin(model *m)
{
    m->around[m->around_count++] = (model_around){m->first, m->now, m->looked, m->ended, m->attempt};
    m->first = m->depth;
    m->now = m->committed;
    m->ended = false;
    m->attempt = 1; /* CHOICE attempt */
}

/* The transaction is read-only, and sees what is committed until it has read for the first time. */
static void see_commits(model *m)
{
    if (m->looked)
        return;
    m->now = m->committed;
    for (int i = m->first; i < m->depth; i++)
        m->frames[i].base = m->now;
    for (int i = m->frames[m->first].first_mark; i < m->mark_count; i++)
        m->marks[i].rows = m->now;
}

/* "it commits or rolls back alone, its error can always be caught outside, and its hooks can't use the session" */
belay_code model_own_end(model *m, const model_frame *ended, belay_code code, bool kept)
{
    const model_around outer = m->around[--m->around_count];
    m->first = outer.first;
    m->now = outer.now;
    m->looked = outer.looked;
    m->ended = outer.ended;
    m->attempt = outer.attempt;
    see_commits(m);
    if (code != BELAY_OK && code != BELAY_ROLLED_BACK)
        model_arrive(m, code, true);
    if (kept)
        model_hooks_committed(m, ended->first_hook);
    else
        model_hooks_undone(m, ended->first_hook);
    return code;
}
