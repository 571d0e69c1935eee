/*
 * test_random_tree.c - random sequences of calls on objects that point to each other, with generated keys.
 *
 * No outcome is foretold: an error is as good as none. But after every rollback each object is what it was when the
 * scope began, pointers to parents included; and whenever a flush has worked, the rows are what the objects are, and
 * every object has the key of the parent that it points to.
 *
 *     test_objects_random_tree [SEQUENCES [SEED]]
 */
#include "objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 7, STEPS = 60, DEEP = 4, STORY = 8192, NAME_ROOM = 16 };

/* What is known of an object at one moment. */
typedef struct moment {
    belay_state state;
    int64_t id, parent_id;
    const category *parent;
    char name[NAME_ROOM];
} moment;

typedef struct run {
    world *w;
    belay_session *s;
    unsigned long long random;
    category *node[NODES];
    moment added[NODES]; /* at belay_add */
    moment begin[DEEP + 1][NODES];
    int depth, names;
    char story[STORY];
    size_t told;
    const char *wrong;
} run;

static unsigned draw(run *t, unsigned below)
{
    t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(t->random >> 33) % below;
}

static void tell(run *t, const char *what, int i, int j)
{
    int size = snprintf(t->story + t->told, sizeof t->story - t->told, "%s %d %d; ", what, i, j);
    if (size > 0 && (size_t)size < sizeof t->story - t->told)
        t->told += (size_t)size;
}

static void look_at(const run *t, int i, moment *m)
{
    const category *c = t->node[i];
    *m = (moment){.state = belay_state_of(t->s, c), .id = c->id, .parent_id = c->parent_id, .parent = c->parent};
    snprintf(m->name, sizeof m->name, "%s", c->name ? c->name : "");
}

static void look_at_all(const run *t, moment *list)
{
    for (int i = 0; i < NODES; i++)
        look_at(t, i, &list[i]);
}

/* ---- What must hold --------------------------------------------------------------------------------------------- */

static bool is_same(const moment *a, const moment *b)
{
    return a->state == b->state && a->id == b->id && a->parent_id == b->parent_id && a->parent == b->parent &&
           strcmp(a->name, b->name) == 0;
}

/* After a rollback to `then`. A new object that was added meanwhile is as it was then. */
static void check_put_back(run *t, const moment *then)
{
    for (int i = 0; i < NODES && !t->wrong; i++) {
        moment now;
        look_at(t, i, &now);
        bool was_new = then[i].state == BELAY_TRANSIENT;
        const moment *wanted = was_new ? &t->added[i] : &then[i];
        if (was_new && now.state == BELAY_TRANSIENT && t->added[i].state != BELAY_PENDING)
            continue; /* it was never added: the program's business */
        if (!is_same(&now, wanted) && !(was_new && now.state == BELAY_TRANSIENT && now.id == 0 &&
                                        now.parent == wanted->parent && strcmp(now.name, wanted->name) == 0))
            t->wrong = "an object was not put back";
        if (was_new)
            t->added[i].state = BELAY_TRANSIENT;
    }
}

static const category *find_node(const run *t, int64_t id)
{
    for (int i = 0; i < NODES; i++)
        if (belay_state_of(t->s, t->node[i]) == BELAY_PERSISTENT && t->node[i]->id == id)
            return t->node[i];
    return NULL;
}

/* After a flush that worked: the rows as the session sees them. */
static void check_rows(run *t)
{
    int rows = 0, objects = 0;
    BELAY_EACH(row, t->s, "SELECT id, name, parent_id FROM category") {
        const category *c = find_node(t, belay_int(row, 0));
        rows++;
        if (!c || strcmp(c->name, belay_str(row, 1)) != 0 || c->parent_id != belay_int(row, 2) ||
            (c->parent && c->parent->id != c->parent_id) || (!c->parent && c->parent_id != 0))
            t->wrong = "a row is not what its object is";
    }
    for (int i = 0; i < NODES; i++)
        objects += belay_state_of(t->s, t->node[i]) == BELAY_PERSISTENT;
    if (rows != objects)
        t->wrong = "there are rows without objects, or objects without rows";
}

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

/* The scope has ended by a rollback, or is to. */
static void roll_back(run *t)
{
    t->depth--;
    belay_rollback(t->s);
    belay_ignore(t->s, BELAY_ANY);
    belay_status(t->s);
    check_put_back(t, t->begin[t->depth]);
}

static bool worked(run *t)
{
    if (belay_status(t->s) == BELAY_OK)
        return true;
    tell(t, belay_code_name(belay_pending(t->s)->code), 0, 0);
    if (belay_pending(t->s)->code != BELAY_MISUSE && belay_pending(t->s)->code != BELAY_FOREIGN_KEY &&
        belay_pending(t->s)->code != BELAY_STALE)
        t->wrong = "an error that can't be";
    roll_back(t);
    return false;
}

/* What was committed is read again; what was deleted makes place for a new one. */
static void begin_unit(run *t)
{
    for (int i = 0; i < NODES; i++)
        if (belay_state_of(t->s, t->node[i]) == BELAY_DETACHED) {
            t->node[i] = belay_new(t->s, category);
            t->node[i]->name = "new";
        }
    belay_begin(t->s, NULL);
    for (int i = 0; i < NODES; i++)
        t->added[i].state = BELAY_TRANSIENT;
    belay_find(t->s, category, "");
    look_at_all(t, t->begin[0]);
    t->depth = 1;
}

static void begin(run *t)
{
    tell(t, "begin", t->depth, 0);
    if (belay_flush(t->s) != BELAY_OK) {
        worked(t);
        return;
    }
    look_at_all(t, t->begin[t->depth]);
    belay_begin(t->s, NULL);
    t->depth++;
}

static void commit(run *t)
{
    tell(t, "commit", t->depth - 1, 0);
    t->depth--;
    if (belay_commit(t->s) == BELAY_OK)
        return;
    belay_ignore(t->s, BELAY_ANY);
    check_put_back(t, t->begin[t->depth]);
}

static void add(run *t, int i)
{
    tell(t, "add", i, 0);
    if (belay_state_of(t->s, t->node[i]) == BELAY_TRANSIENT) {
        char name[NAME_ROOM];
        snprintf(name, sizeof name, "n%d", ++t->names);
        t->node[i]->name = belay_keep(t->s, name);
        look_at(t, i, &t->added[i]);
        t->added[i].state = BELAY_PENDING;
    }
    belay_add(t->s, category, t->node[i]);
    worked(t);
}

static void rename_one(run *t, int i)
{
    char name[NAME_ROOM];
    if (belay_state_of(t->s, t->node[i]) != BELAY_PERSISTENT)
        return;
    tell(t, "rename", i, 0);
    snprintf(name, sizeof name, "n%d", ++t->names);
    t->node[i]->name = belay_keep(t->s, name);
}

static void move(run *t, int i, int j)
{
    belay_state state = belay_state_of(t->s, t->node[i]);
    if (state == BELAY_DELETED || state == BELAY_DETACHED)
        return;
    tell(t, "move", i, j);
    t->node[i]->parent = j < NODES ? t->node[j] : NULL;
}

static void move_by_key(run *t, int i, int j)
{
    if (belay_state_of(t->s, t->node[i]) != BELAY_PERSISTENT || belay_state_of(t->s, t->node[j]) != BELAY_PERSISTENT ||
        belay_flush(t->s) != BELAY_OK) {
        worked(t);
        return;
    }
    tell(t, "move by key", i, j);
    t->node[i]->parent_id = belay_state_of(t->s, t->node[j]) == BELAY_PERSISTENT ? t->node[j]->id : 0;
}

static void delete_one(run *t, int i)
{
    if (belay_state_of(t->s, t->node[i]) != BELAY_PERSISTENT)
        return;
    tell(t, "delete", i, 0);
    belay_delete(t->s, t->node[i]);
    worked(t);
}

static void look(run *t)
{
    tell(t, "look", 0, 0);
    belay_flush(t->s);
    if (worked(t))
        check_rows(t);
}

static void step(run *t)
{
    int i = (int)draw(t, NODES), j = (int)draw(t, NODES + 1);
    switch (draw(t, 14)) {
    case 0:
    case 1:
        if (t->depth < DEEP)
            begin(t);
        return;
    case 2:
        commit(t);
        return;
    case 3:
        tell(t, "rollback", t->depth - 1, 0);
        roll_back(t);
        return;
    case 4:
    case 5:
    case 6:
        add(t, i);
        return;
    case 7:
        rename_one(t, i);
        return;
    case 8:
    case 9:
        move(t, i, j);
        return;
    case 10:
        move_by_key(t, i, j % NODES);
        return;
    case 11:
        delete_one(t, i);
        return;
    default:
        look(t);
        return;
    }
}

/* ---- Sequences -------------------------------------------------------------------------------------------------- */

static bool run_sequence(world *w, unsigned long long seed)
{
    run t = {.w = w, .random = seed, .s = belay_session_open(w->d.db)};
    belay_exec(w->other, "UPDATE category SET parent_id = NULL");
    belay_exec(w->other, "DELETE FROM category");
    for (int i = 0; i < NODES; i++) {
        t.node[i] = belay_new(t.s, category);
        t.node[i]->name = "new";
    }
    for (int i = 0; i < STEPS && !t.wrong; i++) {
        if (t.depth == 0)
            begin_unit(&t);
        else
            step(&t);
    }
    while (t.depth > 0 && !t.wrong)
        roll_back(&t);
    if (t.wrong)
        print_error("sequence %llu: %s after: %s\n%s\n", seed, t.wrong, t.story, belay_message(t.s));
    belay_session_close(t.s);
    return !t.wrong;
}

static unsigned long sequences = 1500;
static unsigned long long first_seed = 1;

static void objects_and_their_parents_are_put_back_and_written(void **state)
{
    world *w = *state;
    for (unsigned long i = 0; i < sequences; i++)
        assert_true(run_sequence(w, first_seed + i));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {with_objects(objects_and_their_parents_are_put_back_and_written)};
    sequences = argc > 1 ? strtoul(argv[1], NULL, 10) : sequences;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : first_seed;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
