/*
 * model_marks.c - named marks of the reference model. The rest, and the CHOICEs: model.c.
 */
#include "model.h"
#include "model_inner.h"

/* The mark of that name in the innermost scope: "A second mark of a name hides the first until it is released." */
static int find(const model *m, int name)
{
    for (int i = m->mark_count - 1; m->depth > 0 && i >= m->frames[m->depth - 1].first_mark; i--)
        if (m->marks[i].name == name)
            return i;
    return -1;
}

belay_code model_savepoint(model *m, int name)
{
    if (m->depth == 0)
        return model_raise(m, BELAY_MISUSE);
    belay_code code = model_refusal(m);
    /* "a savepoint that is refused because of an error still sets names, and a mark set so can't be gone back to" */
    m->marks[m->mark_count++] = (model_mark){name, code != BELAY_OK, m->now, m->hook_count};
    return code;
}

belay_code model_rollback_to(model *m, int name)
{
    int at = find(m, name);
    if (m->depth == 0)
        return model_raise(m, BELAY_MISUSE);
    if (at < 0) { /* "Misuse: no such mark in the innermost scope." */
        belay_code code = model_refusal(m);
        return code != BELAY_OK ? code : model_raise(m, BELAY_MISUSE);
    }
    /* "forgets the marks set after it, and keeps the mark" */
    const model_mark *mark = &m->marks[at];
    m->mark_count = at + 1;
    /* "Clears an ordinary error that arose after the mark; never one that ended the transaction." */
    if (mark->dead || m->ended || model_top(m)->undone) /* CHOICE undone */
        return model_refusal(m);
    model_top(m)->error = BELAY_OK;
    model_top(m)->from_inner = false;
    m->now = mark->rows;
    model_hooks_undone(m, mark->hooks); /* "Hooks registered since the mark are dropped." CHOICE back. */
    return BELAY_OK;
}

belay_code model_release(model *m, int name)
{
    int at = find(m, name);
    if (m->depth == 0)
        return model_raise(m, BELAY_MISUSE);
    belay_code code = model_refusal(m);
    /* "Forgets the mark and those set after it; keeps the work. Misuse: no such mark in the innermost scope." */
    if (at >= 0)
        m->mark_count = at;
    else if (code == BELAY_OK)
        code = model_raise(m, BELAY_MISUSE);
    return code;
}
