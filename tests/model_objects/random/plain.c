#include "plain.h"

#include <string.h>

void plain_begin(plain *m)
{
    memset(m, 0, sizeof *m);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

bool plain_same_key(int k, const int64_t *a, const int64_t *b)
{
    for (int i = 0; i < kinds[k].keys; i++)
        if (a[kinds[k].key[i]] != b[kinds[k].key[i]])
            return false;
    return true;
}

static const row *find_row(const plain *m, int k, const int64_t *of)
{
    for (int i = 0; i < ROWS; i++)
        if (m->rows[k][i].there && plain_same_key(k, m->rows[k][i].of, of))
            return &m->rows[k][i];
    return NULL;
}

row *plain_row(plain *m, int k, const int64_t *of)
{
    for (int i = 0; i < ROWS; i++)
        if (m->rows[k][i].there && plain_same_key(k, m->rows[k][i].of, of))
            return &m->rows[k][i];
    return NULL;
}

int plain_count_rows(const plain *m, int k)
{
    int count = 0;
    for (int i = 0; i < ROWS; i++)
        count += m->rows[k][i].there;
    return count;
}

static bool is_taken(const plain *m, int k, int column, int64_t value, const row *instead)
{
    for (int i = 0; i < ROWS; i++)
        if (m->rows[k][i].there && &m->rows[k][i] != instead && m->rows[k][i].of[column] == value)
            return true;
    return false;
}

codes plain_check_row(const plain *m, int k, const int64_t *of, const row *instead)
{
    codes wrong = 0;
    int parent = kinds[k].parent;
    for (int i = 0; i < kinds[k].keys; i++)
        if (of[kinds[k].key[i]] == NOTHING)
            wrong |= CODE(BELAY_NOT_NULL);
    if (k == BOOK && of[2] == NOTHING)
        wrong |= CODE(BELAY_NOT_NULL);
    if ((k == AUTHOR && of[4] != NOTHING && of[4] >= 50) || (k == BOOK && of[3] < 0))
        wrong |= CODE(BELAY_CHECK);
    if (!instead && find_row(m, k, of))
        wrong |= CODE(BELAY_UNIQUE);
    if (k == AUTHOR && of[1] != NOTHING && is_taken(m, k, 1, of[1], instead))
        wrong |= CODE(BELAY_UNIQUE);
    if (parent >= 0 && of[parent] != NOTHING && !is_taken(m, kinds[k].parent_kind, 0, of[parent], NULL) &&
        !(k == TREE && of[0] == of[parent]))
        wrong |= CODE(BELAY_FOREIGN_KEY);
    return wrong;
}

codes plain_insert_row(plain *m, int k, const int64_t *of)
{
    codes wrong = plain_check_row(m, k, of, NULL);
    for (int i = 0; i < ROWS && !wrong; i++)
        if (!m->rows[k][i].there) {
            m->rows[k][i].there = true;
            memcpy(m->rows[k][i].of, of, sizeof m->rows[k][i].of);
            return 0;
        }
    return wrong;
}

codes plain_check_delete(const plain *m, int k, const row *gone)
{
    for (int child = 0; child < KINDS; child++)
        for (int i = 0; i < ROWS && kinds[child].parent_kind == k && kinds[child].parent >= 0; i++) {
            const row *r = &m->rows[child][i];
            if (r->there && (r != gone || kinds_own_row_counts) && r->of[kinds[child].parent] == gone->of[0])
                return CODE(BELAY_FOREIGN_KEY);
        }
    return 0;
}

/* ---- Objects ---------------------------------------------------------------------------------------------------- */

bool plain_is_inside(const object *o)
{
    return o->held && (o->state == BELAY_PENDING || o->state == BELAY_PERSISTENT || o->state == BELAY_DELETED);
}

int plain_persistent(const plain *m, int k, const int64_t *of)
{
    for (int i = 0; i < m->count; i++) {
        const object *o = &m->objects[i];
        if (!o->dead && o->held && o->kind == k && o->state == BELAY_PERSISTENT && plain_same_key(k, o->image.of, of))
            return i;
    }
    return NOBODY;
}

bool plain_is_changed(const object *o)
{
    return memcmp(o->now.of, o->image.of, (size_t)kinds[o->kind].columns * sizeof o->now.of[0]) != 0 ||
           o->now.parent != o->image.parent;
}

bool plain_waits(const plain *m)
{
    for (int i = 0; i < m->count; i++)
        if (plain_is_inside(&m->objects[i]) && (m->objects[i].state == BELAY_PENDING || m->objects[i].to_delete))
            return true;
    return false;
}

/* "What is loaded points to its parent when that is in the session, else to NULL." */
void plain_read(plain *m, object *o, const row *r)
{
    const kind *k = &kinds[o->kind];
    int64_t key[COLUMNS] = {0};
    memcpy(o->now.of, r->of, sizeof r->of);
    o->now.parent = NOBODY;
    if (k->parent >= 0 && r->of[k->parent] != NOTHING) {
        key[0] = r->of[k->parent];
        o->now.parent = plain_persistent(m, k->parent_kind, key);
    }
    o->image = o->now;
    o->expired = false;
}

/* ---- A flush ---------------------------------------------------------------------------------------------------- */

static void detach_others(plain *m, const object *by)
{
    for (int i = 0; i < m->count; i++) {
        object *o = &m->objects[i];
        if (o != by && !o->dead && o->held && o->kind == by->kind && o->state == BELAY_PERSISTENT &&
            plain_same_key(o->kind, o->image.of, by->image.of)) {
            o->state = BELAY_DETACHED;
            o->to_delete = false;
        }
    }
}

/* Pointers and keys of parents, as BELAY_PARENT tells. */
static codes settle(plain *m, object *o)
{
    int column = kinds[o->kind].parent;
    if (column < 0)
        return 0;
    bool is_new = o->state == BELAY_PENDING;
    bool moved = is_new ? o->now.parent != NOBODY : o->now.parent != o->image.parent;
    bool key_set = is_new ? o->now.of[column] != NOTHING : o->now.of[column] != o->image.of[column];
    if (moved && o->now.parent != NOBODY) {
        const object *p = &m->objects[o->now.parent];
        if (p->dead || !p->held || (p->state != BELAY_PENDING && p->state != BELAY_PERSISTENT) || p->to_delete ||
            (key_set && o->now.of[column] != p->now.of[0]))
            return CODE(BELAY_MISUSE);
        o->now.of[column] = p->now.of[0] == 0 ? NOTHING : p->now.of[0]; /* 0: the program has changed it */
        return 0;
    }
    if (moved && !key_set)
        o->now.of[column] = NOTHING;
    if (key_set && !is_new) {
        int64_t key[COLUMNS] = {o->now.of[column]};
        o->now.parent = key[0] == NOTHING ? NOBODY : plain_persistent(m, kinds[o->kind].parent_kind, key);
    }
    return 0;
}

typedef bool (*wanted)(const object *);

static bool is_pending(const object *o)
{
    return plain_is_inside(o) && o->state == BELAY_PENDING;
}

static bool is_dying(const object *o)
{
    return plain_is_inside(o) && o->to_delete;
}

/* How many parents are above it that are written by the same flush; -1: it is above itself. */
static int level_of(const plain *m, int slot, wanted is_wanted, int deep)
{
    const object *o = &m->objects[slot];
    const kind *k = &kinds[o->kind];
    if (deep > SLOTS)
        return -1;
    int parent = o->now.parent;
    if (parent == NOBODY && k->parent >= 0 && o->now.of[k->parent] != NOTHING) {
        int64_t key[COLUMNS] = {o->now.of[k->parent]};
        parent = plain_persistent(m, k->parent_kind, key);
    }
    if (parent == NOBODY || m->objects[parent].dead || !is_wanted(&m->objects[parent]))
        return k->level;
    int above = level_of(m, parent, is_wanted, deep + 1);
    return above < 0 ? -1 : above + 1 > k->level ? above + 1 : k->level;
}

/* The slots that are wanted, by level, model and time; the levels upwards or downwards. -1: there is a circle. */
static int put_in_order(const plain *m, wanted is_wanted, int direction, int *slots)
{
    int levels[SLOTS], count = 0;
    for (int i = 0; i < m->count; i++) {
        const object *o = &m->objects[i];
        if (!is_wanted(o))
            continue;
        int level = level_of(m, i, is_wanted, 0), at = count++;
        if (level < 0)
            return -1;
        for (; at > 0; at--) {
            const object *before = &m->objects[slots[at - 1]];
            int by_level = direction * (levels[at - 1] - level);
            int order = by_level != 0             ? by_level
                        : before->kind != o->kind ? before->kind - o->kind
                                                  : before->order - o->order;
            if (order < 0)
                break;
            slots[at] = slots[at - 1];
            levels[at] = levels[at - 1];
        }
        slots[at] = i;
        levels[at] = level;
    }
    return count;
}

static codes insert_one(plain *m, int slot, const int64_t *keys)
{
    object *o = &m->objects[slot];
    const kind *k = &kinds[o->kind];
    if (k->version >= 0 && o->now.of[k->version] == 0)
        o->now.of[k->version] = 1;
    codes wrong = settle(m, o);
    if (wrong)
        return wrong;
    if (k->generated && o->now.of[0] == 0)
        o->now.of[0] = keys[slot];
    if (o->kind == NOTE && o->now.of[3] == NOTHING)
        o->now.of[3] = FRESH;
    wrong = plain_insert_row(m, o->kind, o->now.of);
    if (wrong)
        return wrong;
    o->image = o->now;
    o->state = BELAY_PERSISTENT;
    o->expired = false;
    detach_others(m, o);
    return 0;
}

static codes insert_all(plain *m, const int64_t *keys)
{
    int slots[SLOTS], count = put_in_order(m, is_pending, 1, slots);
    codes wrong = 0;
    if (count < 0)
        return CODE(BELAY_MISUSE);
    for (int i = 0; i < count; i++)
        wrong |= insert_one(m, slots[i], keys);
    return wrong;
}

/* "BELAY_STALE, when its row is not there any more or has another version." */
static row *row_of(plain *m, const object *o)
{
    int version = kinds[o->kind].version;
    row *r = plain_row(m, o->kind, o->image.of);
    return r && version >= 0 && r->of[version] != o->image.of[version] ? NULL : r;
}

static codes update_one(plain *m, object *o)
{
    const kind *k = &kinds[o->kind];
    codes wrong = o->state == BELAY_PERSISTENT ? settle(m, o) : 0;
    bool columns = false;
    row changed, *r;
    if (wrong)
        return wrong;
    for (int i = 0; i < k->columns && o->state == BELAY_PERSISTENT; i++)
        columns |= o->now.of[i] != o->image.of[i];
    for (int i = 0; i < k->keys && columns; i++)
        if (o->now.of[k->key[i]] != o->image.of[k->key[i]])
            return CODE(BELAY_MISUSE);
    if (columns && k->version >= 0 && o->now.of[k->version] != o->image.of[k->version])
        return CODE(BELAY_MISUSE);
    if (columns) {
        if (!(r = row_of(m, o)))
            return CODE(BELAY_STALE);
        changed = *r;
        for (int i = 0; i < k->columns; i++)
            if (o->now.of[i] != o->image.of[i])
                changed.of[i] = o->now.of[i];
        if (k->version >= 0)
            changed.of[k->version] = o->now.of[k->version] = o->image.of[k->version] + 1;
        if ((wrong = plain_check_row(m, o->kind, changed.of, r)) != 0)
            return wrong;
        *r = changed;
    }
    o->image = o->now;
    return 0;
}

static int compare_keys(const object *a, const object *b)
{
    for (int i = 0; i < kinds[a->kind].keys; i++) {
        int64_t x = a->image.of[kinds[a->kind].key[i]], y = b->image.of[kinds[a->kind].key[i]];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

/* By table and key. */
static codes update_all(plain *m)
{
    int slots[SLOTS], count = 0;
    codes wrong = 0;
    for (int i = 0; i < m->count; i++) {
        const object *o = &m->objects[i];
        if (!plain_is_inside(o) || o->state == BELAY_PENDING || o->to_delete || !plain_is_changed(o))
            continue;
        int at = count++;
        for (; at > 0; at--) {
            const object *before = &m->objects[slots[at - 1]];
            if (before->kind < o->kind || (before->kind == o->kind && compare_keys(before, o) <= 0))
                break;
            slots[at] = slots[at - 1];
        }
        slots[at] = i;
    }
    for (int i = 0; i < count; i++)
        wrong |= update_one(m, &m->objects[slots[i]]);
    return wrong;
}

static codes delete_all(plain *m)
{
    int slots[SLOTS], count = put_in_order(m, is_dying, -1, slots);
    codes wrong = 0;
    if (count < 0)
        return CODE(BELAY_MISUSE);
    for (int i = 0; i < count; i++) {
        object *o = &m->objects[slots[i]];
        row *r = row_of(m, o);
        codes why = r ? plain_check_delete(m, o->kind, r) : CODE(BELAY_STALE);
        wrong |= why;
        if (why)
            continue;
        r->there = false;
        o->state = BELAY_DELETED;
        o->to_delete = false;
        o->image = o->now;
    }
    return wrong;
}

codes plain_flush(plain *m, const int64_t *keys)
{
    for (int i = 0; i < m->count; i++) {
        const object *o = &m->objects[i];
        if (plain_is_inside(o) && o->state != BELAY_PENDING && o->expired && plain_is_changed(o))
            return CODE(BELAY_MISUSE);
    }
    codes wrong = insert_all(m, keys);
    wrong |= update_all(m);
    return wrong | delete_all(m);
}
