/*
 * test_random.c - random sequences of calls on objects against a plain model of them.
 *
 * Six keys. Of each there may be an object that was read (R) and one that the program makes (N), of the session's
 * memory or its own. The model is a struct without pointers: the rows as this session sees them, and the objects. A
 * scope's beginning is a copy of it, and a rollback nearly one back: see `put_back`. After each call every state and
 * field is compared.
 *
 *     test_objects_random [SEQUENCES [SEED]]
 *
 * The seed of a sequence that failed is printed, with its calls.
 */
#include "objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS = 6, STEPS = 60, DEEP = 5, TEXT_ROOM = 12, STORY = 8192 };

typedef struct item2 {
    int64_t id;
    const char *text;
    char *owned;
    int64_t n;
    int64_t version;
} item2;

BELAY_MODEL_DECLARE(item2);
BELAY_MODEL(item2, "item2", BELAY_KEY(item2, id, .given = true), BELAY_COLUMN(item2, text), BELAY_COLUMN(item2, owned),
            BELAY_COLUMN(item2, n), BELAY_VERSION_COLUMN(item2, version))

/* ---- The model -------------------------------------------------------------------------------------------------- */

typedef struct fields {
    int text, owned, n, version; /* texts are numbers: 0 is NULL */
} fields;

typedef struct object {
    bool known; /* the program has a pointer to it */
    belay_state state;
    bool to_delete, expired;
    fields now, image, first; /* as they are; as read or written last; at belay_add, or when it was read first */
    int order;                /* of belay_add and of reading */
    const void *address;      /* of one that was read: another object may take the place of one that is detached */
} object;

typedef struct world2 {
    struct {
        bool there;
        fields f;
    } row[KEYS];
    object r[KEYS], n[KEYS];
    int orders;
} model;

typedef struct run {
    world *w;
    belay_session *s;
    unsigned long long random;
    item2 *r[KEYS], *n[KEYS];
    item2 own[KEYS];
    bool is_own[KEYS];
    model m, begin[DEEP + 1], mark;
    int depth;
    bool marked;
    char story[STORY];
    size_t told;
    const char *wrong;
} run;

static unsigned draw(run *t, unsigned below)
{
    t->random = t->random * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(t->random >> 33) % below;
}

static void tell(run *t, const char *what, int i)
{
    int size = snprintf(t->story + t->told, sizeof t->story - t->told, "%s %d; ", what, i + 1);
    if (size > 0 && (size_t)size < sizeof t->story - t->told)
        t->told += (size_t)size;
}

static bool same_fields(fields a, fields b)
{
    return a.text == b.text && a.owned == b.owned && a.n == b.n && a.version == b.version;
}

static bool is_inside(const object *o)
{
    return o->state == BELAY_PENDING || o->state == BELAY_PERSISTENT || o->state == BELAY_DELETED;
}

/* Whichever object stands for the row. */
static object *persistent(model *m, int i)
{
    return m->n[i].state == BELAY_PERSISTENT                    ? &m->n[i]
           : m->r[i].known && m->r[i].state == BELAY_PERSISTENT ? &m->r[i]
                                                                : NULL;
}

/* All objects of a kind of change, in the order in which a flush writes them. */
static object *next_of(model *m, bool (*wanted)(const object *), int after, int *out_key)
{
    object *best = NULL;
    for (int i = 0; i < KEYS; i++)
        for (int j = 0; j < 2; j++) {
            object *o = j ? &m->n[i] : &m->r[i];
            if (o->known && wanted(o) && o->order > after && (!best || o->order < best->order)) {
                best = o;
                *out_key = i;
            }
        }
    return best;
}

static bool is_pending(const object *o)
{
    return o->state == BELAY_PENDING;
}

static bool is_dying(const object *o)
{
    return o->to_delete;
}

static belay_code model_inserts(model *m)
{
    int key = 0;
    for (object *o = next_of(m, is_pending, 0, &key); o; o = next_of(m, is_pending, o->order, &key)) {
        if (m->row[key].there)
            return BELAY_UNIQUE;
        if (o->now.version == 0)
            o->now.version = 1;
        object *gone = persistent(m, key); /* its row was deleted behind it */
        if (gone) {
            gone->state = BELAY_DETACHED;
            gone->to_delete = false;
        }
        o->state = BELAY_PERSISTENT;
        o->image = m->row[key].f = o->now;
        m->row[key].there = true;
    }
    return BELAY_OK;
}

static belay_code model_updates(model *m)
{
    for (int i = 0; i < KEYS; i++) {
        object *o = persistent(m, i);
        if (!o || o->to_delete || o->expired || same_fields(o->now, o->image))
            continue;
        if (!m->row[i].there || m->row[i].f.version != o->image.version)
            return BELAY_STALE;
        fields *f = &m->row[i].f;
        f->text = o->now.text != o->image.text ? o->now.text : f->text;
        f->owned = o->now.owned != o->image.owned ? o->now.owned : f->owned;
        f->n = o->now.n != o->image.n ? o->now.n : f->n;
        f->version = ++o->now.version;
        o->image = o->now;
    }
    return BELAY_OK;
}

static belay_code model_deletes(model *m)
{
    int key = 0;
    for (object *o = next_of(m, is_dying, 0, &key); o; o = next_of(m, is_dying, o->order, &key)) {
        if (!m->row[key].there || m->row[key].f.version != o->image.version)
            return BELAY_STALE;
        m->row[key].there = false;
        o->state = BELAY_DELETED;
        o->to_delete = false;
    }
    return BELAY_OK;
}

static belay_code model_flush(model *m)
{
    belay_code code = model_inserts(m);
    if (code == BELAY_OK)
        code = model_updates(m);
    return code == BELAY_OK ? model_deletes(m) : code;
}

/* What a rollback makes of the objects of now, where the scope began with those of then. */
static void put_back_object(object *now, const object *then, bool is_read)
{
    if (is_read && (!then->known || then->address != now->address)) { /* it was read inside, and stays */
        if (now->known)
            *now = (object){.known = true,
                            .state = BELAY_PERSISTENT,
                            .expired = true,
                            .now = now->first,
                            .image = now->first,
                            .first = now->first,
                            .order = now->order,
                            .address = now->address};
        return;
    }
    if (!is_inside(then) && !is_inside(now) && now->state == then->state)
        return; /* the program's business */
    fields first = now->first;
    bool was_outside = !is_inside(then);
    *now = *then;
    if (was_outside && then->state == BELAY_TRANSIENT)
        now->now = first; /* as at belay_add */
}

static void put_back(model *m, const model *then)
{
    for (int i = 0; i < KEYS; i++) {
        m->row[i].there = then->row[i].there;
        m->row[i].f = then->row[i].f;
        put_back_object(&m->r[i], &then->r[i], true);
        put_back_object(&m->n[i], &then->n[i], false);
    }
}

static void end_object(object *o, bool is_own)
{
    if (o->state == BELAY_DELETED || (o->state == BELAY_PERSISTENT && is_own))
        o->state = BELAY_DETACHED;
    else if (is_own && o->state == BELAY_DETACHED)
        o->state = BELAY_TRANSIENT; /* forgotten */
    if (o->state == BELAY_PERSISTENT)
        o->expired = true;
}

static void end_unit(run *t)
{
    for (int i = 0; i < KEYS; i++) {
        end_object(&t->m.r[i], false);
        end_object(&t->m.n[i], t->is_own[i]);
    }
    t->depth = 0;
    t->marked = false;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static int text_number(const char *text)
{
    return text ? atoi(text + 1) : 0;
}

static void compare_object(run *t, const object *o, const item2 *real)
{
    if (!o->known)
        return;
    fields f = {text_number(real->text), text_number(real->owned), (int)real->n, (int)real->version};
    if (belay_state_of(t->s, real) != o->state)
        t->wrong = "a state";
    else if (!same_fields(f, o->now))
        t->wrong = "a field";
    if (t->wrong)
        print_error("%s object %d: state %d, fields %d %d %d %d; in the model %d, %d %d %d %d\n",
                    real == t->n[real->id - 1] ? "the new" : "the read", (int)real->id, (int)belay_state_of(t->s, real),
                    f.text, f.owned, f.n, f.version, (int)o->state, o->now.text, o->now.owned, o->now.n,
                    o->now.version);
}

static void compare(run *t)
{
    for (int i = 0; i < KEYS && !t->wrong; i++) {
        compare_object(t, &t->m.r[i], t->r[i]);
        compare_object(t, &t->m.n[i], t->n[i]);
    }
}

static void compare_rows(run *t, belay_session *s)
{
    int count = 0, wanted = 0;
    BELAY_EACH(row, s, "SELECT id, text, owned, n, version FROM item2") {
        int i = (int)belay_int(row, 0) - 1;
        fields f = {text_number(belay_str(row, 1)), text_number(belay_str(row, 2)), (int)belay_int(row, 3),
                    (int)belay_int(row, 4)};
        count++;
        if (!t->m.row[i].there || !same_fields(t->m.row[i].f, f))
            t->wrong = "a row";
    }
    for (int i = 0; i < KEYS; i++)
        wanted += t->m.row[i].there;
    if (count != wanted)
        t->wrong = "the number of rows";
}

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

static void roll_back(run *t)
{
    t->depth--;
    put_back(&t->m, &t->begin[t->depth]);
    belay_rollback(t->s);
    belay_ignore(t->s, BELAY_ANY);
    belay_status(t->s);
    t->marked = false;
    if (t->depth == 0)
        end_unit(t);
}

/* A call came to `code`, and was expected to come to `wanted`. After an error the scope is rolled back. */
static bool came_to(run *t, belay_code code, belay_code wanted)
{
    if (code != wanted) {
        t->wrong = "a code";
        return false;
    }
    if (code != BELAY_OK)
        roll_back(t);
    return code == BELAY_OK;
}

static void begin(run *t)
{
    belay_code wanted = t->depth > 0 ? model_flush(&t->m) : BELAY_OK;
    belay_code code = belay_begin(t->s, NULL);
    tell(t, "begin", t->depth);
    if (wanted != BELAY_OK)
        belay_rollback(t->s); /* the scope that was refused */
    if (!came_to(t, code, wanted))
        return;
    t->begin[t->depth++] = t->m;
    t->marked = false;
}

static void commit(run *t)
{
    belay_code wanted = model_flush(&t->m);
    belay_code code = belay_commit(t->s);
    tell(t, "commit", t->depth - 1);
    if (code != wanted)
        t->wrong = "a code of a commit";
    t->depth--;
    t->marked = false;
    if (wanted != BELAY_OK)
        put_back(&t->m, &t->begin[t->depth]);
    belay_ignore(t->s, BELAY_ANY);
    if (t->depth == 0)
        end_unit(t);
}

static void flush(run *t)
{
    tell(t, "flush", 0);
    came_to(t, belay_flush(t->s), model_flush(&t->m));
}

static void add(run *t, int i)
{
    object *o = &t->m.n[i];
    tell(t, "add", i);
    if (o->state == BELAY_DETACHED || o->state == BELAY_DELETED)
        return;
    if (o->state == BELAY_TRANSIENT) {
        o->state = BELAY_PENDING;
        o->first = o->image = o->now;
        o->expired = false;
        o->order = ++t->m.orders;
    }
    o->to_delete = false;
    came_to(t, belay_add(t->s, item2, t->n[i]), BELAY_OK);
}

/* What reading the row makes of an object. */
static void read_into(object *o, fields f)
{
    o->now = o->image = f;
    o->expired = false;
}

static void get(run *t, int i)
{
    tell(t, "get", i);
    object *o = persistent(&t->m, i);
    bool waiting = false;
    for (int k = 0; k < KEYS; k++)
        waiting |= t->m.n[k].state == BELAY_PENDING || t->m.n[k].to_delete || t->m.r[k].to_delete;
    bool reads = !o || o->expired;
    belay_code wanted = reads && waiting ? model_flush(&t->m) : BELAY_OK;
    item2 *real = belay_get(t->s, item2, i + 1);
    if (!came_to(t, belay_status(t->s), wanted))
        return;
    o = persistent(&t->m, i);
    if (reads && o && o->expired && !t->m.row[i].there) {
        o->state = BELAY_DETACHED;
        o = NULL;
    } else if (reads && o && o->expired) {
        read_into(o, t->m.row[i].f);
    } else if (reads && !o && t->m.row[i].there) {
        o = &t->m.r[i];
        *o = (object){.known = true, .state = BELAY_PERSISTENT, .order = ++t->m.orders};
        read_into(o, t->m.row[i].f);
        o->first = o->now;
        o->address = t->r[i] = real;
    }
    const item2 *expected = !o || o->to_delete ? NULL : o == &t->m.n[i] ? t->n[i] : t->r[i];
    if (real != expected)
        t->wrong = "an object that was given";
}

static void change(run *t, object *o, item2 *real)
{
    char text[TEXT_ROOM];
    bool touchable =
        o->known && !o->to_delete &&
        (o->state == BELAY_PENDING || o->state == BELAY_TRANSIENT || (o->state == BELAY_PERSISTENT && !o->expired));
    if (!touchable)
        return;
    unsigned what = draw(t, 4);
    int number = 1 + (int)draw(t, 900);
    tell(t, o->state == BELAY_TRANSIENT ? "change transient" : "change", (int)real->id - 1);
    snprintf(text, sizeof text, "t%d", number);
    if (what == 0) {
        o->now.n = number;
        real->n = number;
    } else if (what == 1) {
        static const char *const constants[] = {"t1", "t2", "t3", NULL};
        number = (int)draw(t, 4);
        real->text = constants[number];
        o->now.text = text_number(real->text);
    } else {
        free(real->owned);
        real->owned = what == 2 ? strdup(text) : NULL;
        o->now.owned = what == 2 ? number : 0;
    }
}

static void delete_one(run *t, int i)
{
    object *o = persistent(&t->m, i);
    if (!o)
        return;
    tell(t, "delete", i);
    o->to_delete = true;
    came_to(t, belay_delete(t->s, o == &t->m.n[i] ? t->n[i] : t->r[i]), BELAY_OK);
}

static void refresh(run *t, int i)
{
    object *o = persistent(&t->m, i);
    if (!o)
        return;
    tell(t, "refresh", i);
    belay_code wanted = t->m.row[i].there ? BELAY_OK : BELAY_NOT_FOUND;
    if (came_to(t, belay_refresh(t->s, o == &t->m.n[i] ? t->n[i] : t->r[i]), wanted))
        read_into(o, t->m.row[i].f);
}

static void expire(run *t, int i)
{
    object *o = persistent(&t->m, i);
    if (!o)
        return;
    tell(t, "expire", i);
    o->now = o->image;
    o->expired = true;
    came_to(t, belay_expire(t->s, o == &t->m.n[i] ? t->n[i] : t->r[i]), BELAY_OK);
}

/* A statement of the program's own, behind the objects' backs. It flushes first. */
static void write_row(run *t, int i)
{
    static const char *const statements[] = {"UPDATE item2 SET n = n + 1 WHERE id = ?",
                                             "DELETE FROM item2 WHERE id = ?",
                                             "UPDATE item2 SET version = version + 1 WHERE id = ?"};
    unsigned which = draw(t, 8);
    which = which < 5 ? 0 : which < 7 ? 1 : 2;
    tell(t, which == 0 ? "raw update" : which == 1 ? "raw delete" : "raw version", i);
    belay_code wanted = model_flush(&t->m);
    if (!came_to(t, belay_exec(t->s, statements[which], i + 1), wanted))
        return;
    t->m.row[i].f.n += which == 0;
    t->m.row[i].f.version += which == 2;
    if (which == 1)
        t->m.row[i].there = false;
}

static void mark(run *t)
{
    tell(t, "mark", 0);
    belay_code wanted = model_flush(&t->m);
    if (!came_to(t, belay_savepoint(t->s, "m"), wanted))
        return;
    t->mark = t->m;
    t->marked = true;
}

static void go_back(run *t)
{
    if (!t->marked)
        return;
    tell(t, "go back", 0);
    put_back(&t->m, &t->mark);
    came_to(t, belay_rollback_to(t->s, "m"), BELAY_OK);
}

static void look(run *t)
{
    tell(t, "look", 0);
    belay_code wanted = model_flush(&t->m);
    belay_rows *rows = belay_query(t->s, "SELECT 1");
    belay_rows_close(rows);
    if (came_to(t, belay_status(t->s), wanted))
        compare_rows(t, t->s);
}

static void step_inside(run *t)
{
    int i = (int)draw(t, KEYS);
    switch (draw(t, 22)) {
    case 0:
    case 1:
    case 2:
        if (t->depth < DEEP)
            begin(t);
        return;
    case 3:
    case 4:
        commit(t);
        return;
    case 5:
        tell(t, "rollback", t->depth - 1);
        roll_back(t);
        return;
    case 6:
        flush(t);
        return;
    case 7:
    case 8:
        add(t, i);
        return;
    case 9:
        delete_one(t, i);
        return;
    case 10:
        refresh(t, i);
        return;
    case 11:
        expire(t, i);
        return;
    case 12:
        write_row(t, i);
        return;
    case 13:
        mark(t);
        return;
    case 14:
        go_back(t);
        return;
    case 15:
        look(t);
        return;
    case 16:
    case 17:
        change(t, &t->m.n[i], t->n[i]);
        return;
    case 18:
    case 19:
        change(t, &t->m.r[i], t->r[i]);
        return;
    default:
        get(t, i);
        return;
    }
}

/* ---- Sequences -------------------------------------------------------------------------------------------------- */

static void prepare(run *t, world *w, unsigned long long seed)
{
    memset(t, 0, sizeof *t);
    t->w = w;
    t->random = seed;
    t->s = belay_session_open(w->d.db);
    belay_exec(w->other, "DELETE FROM item2");
    for (int i = 0; i < KEYS; i++) {
        t->is_own[i] = draw(t, 2) == 0;
        t->n[i] = t->is_own[i] ? &t->own[i] : belay_new(t->s, item2);
        t->n[i]->id = i + 1;
        t->m.n[i] = (object){.known = true, .state = BELAY_TRANSIENT};
        if (draw(t, 2) == 0)
            continue;
        belay_exec(w->other, "INSERT INTO item2(id, text, owned, n, version) VALUES (?, 't7', 't8', 9, 1)", i + 1);
        t->m.row[i].there = true;
        t->m.row[i].f = (fields){7, 8, 9, 1};
    }
}

static bool run_sequence(world *w, unsigned long long seed)
{
    run t;
    prepare(&t, w, seed);
    for (int i = 0; i < STEPS && !t.wrong; i++) {
        if (t.depth == 0)
            begin(&t);
        else
            step_inside(&t);
        compare(&t);
    }
    while (t.depth > 0 && !t.wrong) {
        commit(&t);
        compare(&t);
    }
    if (!t.wrong)
        compare_rows(&t, w->other);
    for (int i = 0; i < KEYS; i++)
        if (t.is_own[i])
            free(t.own[i].owned);
    if (t.wrong)
        print_error("sequence %llu: %s is wrong after: %s\n%s\n", seed, t.wrong, t.story, belay_message(t.s));
    belay_session_close(t.s);
    return !t.wrong;
}

static unsigned long sequences = 1500;
static unsigned long long first_seed = 1;

static void objects_do_as_their_plain_model_does(void **state)
{
    world *w = *state;
    assert_code(belay_exec(w->s,
                           "CREATE TABLE item2(id INTEGER PRIMARY KEY, text VARCHAR(20), owned VARCHAR(20), n INTEGER "
                           "NOT NULL, version INTEGER NOT NULL)"),
                BELAY_OK);
    for (unsigned long i = 0; i < sequences; i++)
        assert_true(run_sequence(w, first_seed + i));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {with_objects(objects_do_as_their_plain_model_does)};
    sequences = argc > 1 ? strtoul(argv[1], NULL, 10) : sequences;
    first_seed = argc > 2 ? strtoull(argv[2], NULL, 10) : first_seed;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
