/*
 * Random work on an adopted connection, and on one whose handle is lent, held against a stack of sets.
 *
 * The program and Belay write by turns, in scopes, marks and the program's own transactions, fail, catch, and now and
 * then break the rules. What each call answered says what it did; the model, which knows sets of rows and copies of
 * them, says what must be there then. After each step it is compared with what the connection shows, and with what is
 * committed. How errors travel is no business of this test: tests/model holds that.
 *
 * A failure names the seed of its sequence: BELAY_SEED=N runs that one alone.
 */
#include "beside.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SEQUENCES = 1000, STEPS = 80, ROWS = 64, DEPTH_AT_MOST = 8, MARKS_AT_MOST = 32, NAMES = 3 };

typedef uint64_t rows;

/* A place that the work can go back to. */
typedef struct place_back {
    bool alive; /* it was made, and is still there */
    rows then;
    int name;       /* of a mark */
    unsigned scope; /* that a mark stands in */
} place_back;

typedef struct model {
    rows shown, committed;
    bool inside;   /* a transaction is open */
    bool foreign;  /* it is the program's */
    bool ended;    /* it was ended behind the scopes, or by an error */
    bool replaced; /* and the program has begun another in its place */
    unsigned depth, mark_count;
    place_back scopes[DEPTH_AT_MOST], marks[MARKS_AT_MOST];
} model;

typedef struct run {
    beside *b;
    model m;
    belay_db *db;
    unsigned lent_at; /* the depth of the scope that its handle was lent in; 0: none */
    bool lent;        /* the connection is Belay's, and the program has its handle where it is lent */
    uint64_t random;
    char trail[STEPS * 24]; /* the steps so far */
    size_t trail_size;
    const char *wrong; /* what the model does not allow */
} run;

static unsigned draw(run *r, unsigned below)
{
    r->random ^= r->random << 13;
    r->random ^= r->random >> 7;
    r->random ^= r->random << 17;
    return (unsigned)(r->random >> 33) % below;
}

static void note_step(run *r, const char *step, int detail, int answer)
{
    size_t room = sizeof r->trail - r->trail_size;
    int size = snprintf(r->trail + r->trail_size, room, "%s %d=%d; ", step, detail, answer);
    if (size > 0 && (size_t)size < room)
        r->trail_size += (size_t)size;
}

/* ---- What the model does ---------------------------------------------------------------------------------------- */

static void change(model *m, rows shown)
{
    m->shown = shown;
    if (!m->inside)
        m->committed = shown;
}

static void go_back(model *m, const place_back *place)
{
    if (place->alive)
        m->shown = place->then;
}

static void lose_places(model *m)
{
    for (unsigned i = 0; i < m->depth; i++)
        m->scopes[i].alive = false;
    for (unsigned i = 0; i < m->mark_count; i++)
        m->marks[i].alive = false;
}

/* The transaction is over. */
static void end_transaction(model *m, bool kept)
{
    if (kept)
        m->committed = m->shown;
    m->shown = m->committed;
    m->inside = m->foreign = false;
    m->ended = m->depth > 0;
    lose_places(m);
}

static void forget_marks(model *m)
{
    while (m->mark_count > 0 && m->marks[m->mark_count - 1].scope > m->depth)
        m->mark_count--;
}

static void end_scope(model *m, bool kept)
{
    const place_back *scope = &m->scopes[--m->depth];
    if (!kept)
        go_back(m, scope);
    forget_marks(m);
    if (m->depth > 0)
        return;
    if (m->inside && !m->foreign)
        end_transaction(m, kept);
    m->ended = m->replaced = false;
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

/* Whether the program may use the connection now: it is its own, or was lent in a scope that is still open, or now. */
static bool has_handle(run *r)
{
    if (!r->lent || (r->lent_at > 0 && draw(r, 2) == 0))
        return true;
    if (r->m.depth == 0 || !belay_native(r->b->s))
        return false;
    if (r->lent_at == 0)
        r->lent_at = r->m.depth;
    return true;
}

static int step_own_write(run *r)
{
    char sql[80];
    if (!has_handle(r))
        return -1;
    unsigned row = draw(r, ROWS), remove = draw(r, 3) == 0;
    snprintf(sql, sizeof sql, remove ? "DELETE FROM item WHERE id = %u" : "INSERT OR IGNORE INTO item(id) VALUES (%u)",
             row);
    if (run_own(r->b->own, sql) != SQLITE_OK)
        r->wrong = "the program could not write";
    rows bit = UINT64_C(1) << row;
    change(&r->m, remove ? r->m.shown & ~bit : r->m.shown | bit);
    return (int)row;
}

/* The program's own savepoint leaves nothing behind. */
static int step_own_savepoint(run *r)
{
    static const char *const texts[] = {"SAVEPOINT mine; DELETE FROM item; ROLLBACK TO mine; RELEASE mine",
                                        "SAVEPOINT belay_1; DELETE FROM item; ROLLBACK TO belay_1; RELEASE belay_1",
                                        ("SAVEPOINT belay_0; INSERT OR IGNORE INTO item(id) VALUES (1), (2);"
                                         "ROLLBACK TO belay_0; RELEASE belay_0")};
    if (!has_handle(r))
        return -1;
    if (run_own(r->b->own, texts[draw(r, 3)]) != SQLITE_OK)
        r->wrong = "the program's savepoint failed";
    return 0;
}

static int step_write(run *r)
{
    unsigned row = draw(r, ROWS);
    bool try = draw(r, 2) == 0;
    static const char sql[] = "INSERT OR IGNORE INTO item(id) VALUES (?)";
    belay_code code = try ? belay_try(r->b->s, sql, row) : belay_exec(r->b->s, sql, row);
    if (code == BELAY_OK && r->m.ended)
        r->wrong = "a statement ran in a transaction that was over";
    if (code == BELAY_OK)
        change(&r->m, r->m.shown | UINT64_C(1) << row);
    return (int)code;
}

/* Statements that fail leave nothing, whatever they have done before. */
static int step_fail(run *r)
{
    static const char *const texts[] = {"INSERT INTO taken VALUES (1)", "DELETE FROM nosuch",
                                        "INSERT INTO taken VALUES (2), (3), (1)"};
    const char *sql = texts[draw(r, 3)];
    switch (draw(r, 6)) {
    case 0:
        return (int)belay_fail(r->b->s, BELAY_STALE, "by the program");
    case 1:
        return (int)belay_fail(r->b->s, BELAY_DEADLOCK, "by the program");
    case 2:
        return (int)belay_undo(r->b->s);
    case 3:
        return (int)belay_exec(r->b->s, sql);
    default:
        return (int)belay_try(r->b->s, sql);
    }
}

static int step_end_by_error(run *r)
{
    bool sent = r->m.depth == 0 || belay_status(r->b->s) == BELAY_OK;
    belay_code code = belay_exec(r->b->s, "INSERT OR ROLLBACK INTO taken VALUES (1)");
    if (sent && r->m.inside && code == BELAY_UNIQUE && !is_inside(r->b->own))
        end_transaction(&r->m, false);
    return (int)code;
}

static int step_catch(run *r)
{
    return belay_catch(r->b->s, draw(r, 4) == 0 ? BELAY_INTEGRITY : BELAY_ANY);
}

static int step_begin(run *r)
{
    model *m = &r->m;
    if (m->depth == DEPTH_AT_MOST)
        return -1;
    bool joined = draw(r, 5) == 0, outermost = m->depth == 0;
    belay_code code = belay_begin(r->b->s, joined ? BELAY_SCOPE_OPTIONS(.propagation = BELAY_REQUIRED) : NULL);
    bool alive = code == BELAY_OK && (outermost || !joined);
    if (code == BELAY_OK && m->ended)
        r->wrong = "a scope began in a transaction that was over";
    m->scopes[m->depth++] = (place_back){.alive = alive, .then = m->shown};
    if (outermost && code == BELAY_OK)
        m->inside = true;
    return (int)code;
}

static int step_end(run *r)
{
    bool commit = draw(r, 3) > 0;
    if (r->m.depth == 0)
        return -1;
    belay_code code = commit ? belay_commit(r->b->s) : belay_rollback(r->b->s);
    if (code == BELAY_OK && commit && r->m.ended)
        r->wrong = "a scope was kept in a transaction that was over";
    if (code == BELAY_OK && commit && r->m.replaced && r->m.depth == 1)
        r->wrong = "a scope was kept in a transaction that was another";
    end_scope(&r->m, commit && code == BELAY_OK);
    return (int)code;
}

static int step_mark(run *r)
{
    static const char *const names[NAMES] = {"a", "b", "c"};
    model *m = &r->m;
    if (m->depth == 0 || m->mark_count == MARKS_AT_MOST)
        return -1;
    int name = (int)draw(r, NAMES);
    belay_code code = belay_savepoint(r->b->s, names[name]);
    m->marks[m->mark_count++] = (place_back){code == BELAY_OK, m->shown, name, m->depth};
    return (int)code;
}

/* One more than the index of the newest mark of the name in the innermost scope; 0: none. */
static unsigned find_mark(const model *m, int name)
{
    for (unsigned i = m->mark_count; i > 0 && m->marks[i - 1].scope == m->depth; i--)
        if (m->marks[i - 1].name == name)
            return i;
    return 0;
}

static int step_use_mark(run *r)
{
    static const char *const names[NAMES] = {"a", "b", "c"};
    model *m = &r->m;
    int name = (int)draw(r, NAMES);
    unsigned found = find_mark(m, name);
    if (m->depth == 0 || (found == 0 && draw(r, 10) > 0)) /* seldom a name that is not known */
        return -1;
    bool back = draw(r, 3) > 0;
    belay_code code = back ? belay_rollback_to(r->b->s, names[name]) : belay_release(r->b->s, names[name]);
    if (found == 0)
        return (int)code;
    if (back && code == BELAY_OK && !m->marks[found - 1].alive)
        r->wrong = "the work went back to a mark that was not there";
    if (back && code == BELAY_OK)
        go_back(m, &m->marks[found - 1]);
    m->mark_count = back ? found : found - 1;
    return (int)code;
}

/* Between scopes, the program has transactions of its own. */
static int step_own_transaction(run *r)
{
    model *m = &r->m;
    if (m->depth > 0 || r->lent)
        return -1;
    bool keep = draw(r, 2) == 0;
    if (run_own(r->b->own, !m->inside ? "BEGIN" : keep ? "COMMIT" : "ROLLBACK") != SQLITE_OK)
        r->wrong = "the program's own transaction failed";
    if (m->inside)
        end_transaction(m, keep);
    else
        m->inside = m->foreign = true;
    return m->inside;
}

/* And now and then it breaks the rules. */
static int step_break_rules(run *r)
{
    model *m = &r->m;
    bool keep = draw(r, 2) == 0, again = draw(r, 2) == 0, foreign = m->foreign;
    if (m->depth == 0 || !m->inside || !has_handle(r))
        return -1;
    run_own(r->b->own, keep ? "COMMIT" : "ROLLBACK");
    end_transaction(m, keep);
    if (!again || r->lent)
        return 0;
    run_own(r->b->own, "BEGIN");
    m->inside = m->replaced = true;
    m->foreign = foreign;
    m->ended = false;
    return 1;
}

static belay_session *open_session(const run *r)
{
    return r->lent ? belay_session_open(r->db) : belay_adopt_sqlite(r->b->own);
}

static int step_close(run *r)
{
    model *m = &r->m;
    belay_code code = belay_session_close(r->b->s);
    r->b->s = open_session(r);
    while (m->depth > 0)
        end_scope(m, false);
    return (int)code;
}

typedef struct step {
    const char *name;
    int (*take)(run *);
    unsigned weight;
} step;

static const step steps[] = {
    {"own write", step_own_write, 24},
    {"own savepoint", step_own_savepoint, 4},
    {"write", step_write, 20},
    {"fail", step_fail, 8},
    {"end by error", step_end_by_error, 1},
    {"catch", step_catch, 14},
    {"begin", step_begin, 16},
    {"end", step_end, 16},
    {"mark", step_mark, 8},
    {"use mark", step_use_mark, 8},
    {"own transaction", step_own_transaction, 6},
    {"break rules", step_break_rules, 1},
    {"close", step_close, 1},
};

static const step *choose(run *r)
{
    unsigned total = 0, at;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        total += steps[i].weight;
    at = draw(r, total);
    const step *chosen = steps;
    while (at >= chosen->weight)
        at -= chosen++->weight;
    return chosen;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static const char *name_rows(rows set)
{
    enum { ROOM = 256 };
    static char texts[2][ROOM];
    static unsigned turn;
    char *text = texts[turn++ % 2];
    size_t size = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < ROWS; i++)
        if (set & UINT64_C(1) << i)
            size += (size_t)snprintf(text + size, ROOM - size, "%s%u", size ? ";" : "", i);
    return text;
}

static void compare(run *r)
{
    if (r->m.depth < r->lent_at)
        r->lent_at = 0;
    if (r->wrong)
        return;
    bool owed = r->lent && r->m.inside; /* BEGIN may not have been sent yet */
    if (!owed && is_inside(r->b->own) != r->m.inside)
        r->wrong = r->m.inside ? "the transaction is over" : "a transaction is open";
    else if (strcmp(seen_own(r->b->own), name_rows(r->m.shown)) != 0)
        r->wrong = "the rows are others";
    else if (belay_depth(r->b->s) != (int)r->m.depth)
        r->wrong = "the depth is another";
    else if (strcmp(rows_of(r->b->w->other, "SELECT id FROM item ORDER BY id"), name_rows(r->m.committed)) != 0)
        r->wrong = "the rows that are committed are others";
}

static void tell(const run *r, uint64_t seed)
{
    print_error("BELAY_SEED=%" PRIu64 ": %s\nshown     %s\ninstead of %s\n", seed, r->wrong, seen_own(r->b->own),
                name_rows(r->m.shown));
    print_error("committed %s\ninstead of %s\nsteps (each: depth=answer): %s\n",
                rows_of(r->b->w->other, "SELECT id FROM item ORDER BY id"), name_rows(r->m.committed), r->trail);
}

static void take_step(run *r)
{
    const step *next = choose(r);
    int answer = next->take(r);
    if (answer != -1)
        note_step(r, next->name, (int)r->m.depth, answer);
    compare(r);
}

static void run_sequence(beside *b, belay_db *db, uint64_t seed)
{
    static run r;
    r = (run){.b = b, .db = db, .lent = db != NULL, .random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
    run_own(b->own, "DELETE FROM item");
    for (int i = 0; i < STEPS && !r.wrong; i++)
        take_step(&r);
    while (r.m.depth > 0 && !r.wrong)
        step_end(&r);
    compare(&r);
    if (r.wrong)
        tell(&r, seed);
    assert_null(r.wrong);
    belay_session_close(b->s);
    if (is_inside(b->own))
        run_own(b->own, "ROLLBACK");
    b->s = open_session(&r);
}

static void run_all(beside *b, belay_db *db)
{
    const char *given = getenv("BELAY_SEED");
    if (given)
        run_sequence(b, db, strtoull(given, NULL, 10));
    for (uint64_t seed = 1; !given && seed <= SEQUENCES; seed++)
        run_sequence(b, db, seed);
}

static void random_work_beside_the_program_is_what_a_stack_of_sets_says(void **state)
{
    run_all(*state, NULL);
}

static void random_work_with_a_lent_handle_is_what_a_stack_of_sets_says(void **state)
{
    beside *b = *state;
    belay_db *db = open_again(b->w, BELAY_DB_OPTIONS(.pool_size = 1));
    beside lent = {.w = b->w, .s = belay_session_open(db)};
    BELAY_ATOMIC(lent.s)
        lent.own = belay_native(lent.s); /* of the only connection there is: it stays the same */
    run_all(&lent, db);
    belay_session_close(lent.s);
    belay_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        beside_own(random_work_beside_the_program_is_what_a_stack_of_sets_says),
        beside_own(random_work_with_a_lent_handle_is_what_a_stack_of_sets_says),
    };
    return run_beside(tests);
}
