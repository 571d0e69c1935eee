/*
 * generate.c - random programs.
 *
 * Most are short. The generator does not ask the model what state the program is in; it keeps a rough picture of
 * the open scopes, so that calls in a wrong place come up now and then and not all the time, and it knows a few
 * short figures (an inner scope that fails and a catch after it, a mark that is gone back to) that chance alone
 * would rarely put together.
 */
#include <string.h>

#include "program.h"

typedef struct generator {
    program *p;
    uint64_t random;
    generator_options options;
    int limit;               /* operations wanted */
    int openness;            /* how much it likes to open scopes */
    bool wide;               /* it likes transactions inside one another */
    int fresh;               /* a row that is probably not there yet */
    char stack[MODEL_DEPTH]; /* B block, C callback, E explicit */
    int depth;
} generator;

static unsigned pick(generator *g, unsigned below)
{
    g->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = g->random;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (unsigned)((z ^ (z >> 31)) % below);
}

static bool chance(generator *g, unsigned percent)
{
    return pick(g, 100) < percent;
}

/* An index, chosen by weight. */
static int weighted(generator *g, const int *weights, int count)
{
    int total = 0, i = 0;
    for (int k = 0; k < count; k++)
        total += weights[k];
    int left = (int)pick(g, (unsigned)total);
    while (i < count - 1 && left >= weights[i])
        left -= weights[i++];
    return i;
}

static void emit(generator *g, op_kind kind, int a, int b)
{
    if (g->p->count < PROGRAM_OPS)
        g->p->ops[g->p->count++] = (op){kind, a, b};
}

static char top(const generator *g)
{
    return g->depth > 0 ? g->stack[g->depth - 1] : ' ';
}

/* ---- Statements and calls ----------------------------------------------------------------------- */

static int any_row(generator *g)
{
    if (chance(g, 75))
        g->fresh = (g->fresh + 1) % MODEL_ROWS;
    else
        return (int)pick(g, MODEL_ROWS);
    return g->fresh;
}

static void statement(generator *g, op_kind kind)
{
    static const int weights[MODEL_STATEMENTS] = {
        [MODEL_INSERT] = 60,     [MODEL_CHILD] = 4,   [MODEL_DELETE] = 8, [MODEL_CHECK] = 5,   [MODEL_NOT_NULL] = 3,
        [MODEL_OR_ROLLBACK] = 6, [MODEL_OR_FAIL] = 6, [MODEL_SCHEMA] = 2, [MODEL_CONTROL] = 2, [MODEL_PARAMETERS] = 2,
    };
    int which = weighted(g, weights, MODEL_STATEMENTS);
    bool conflict = chance(g, 50); /* with the row that was probably inserted last */
    if (which == MODEL_OR_ROLLBACK && conflict)
        emit(g, kind, which, g->fresh);
    else if (which == MODEL_OR_FAIL && conflict)
        emit(g, kind, which, (g->fresh + MODEL_ROWS - 1) % MODEL_ROWS);
    else
        emit(g, kind, which, any_row(g));
}

static void bad_statement(generator *g)
{
    static const model_statement_kind kinds[] = {MODEL_CHECK, MODEL_NOT_NULL, MODEL_SCHEMA, MODEL_PARAMETERS};
    int which = chance(g, 60) ? MODEL_CHECK : (int)kinds[pick(g, 4)];
    emit(g, OP_EXEC, which, 0);
}

static int raised_code(generator *g)
{
    static const belay_code codes[] = {BELAY_APPLICATION, BELAY_NOT_FOUND, BELAY_APPLICATION, BELAY_LOCK_TIMEOUT,
                                       BELAY_BUSY,        BELAY_DEADLOCK,  BELAY_UNIQUE,      BELAY_SERIALIZATION,
                                       BELAY_CONNECTION,  BELAY_OK,        BELAY_ABANDONED,   BELAY_ROLLED_BACK};
    return (int)codes[pick(g, sizeof codes / sizeof *codes)];
}

static int caught_code(generator *g)
{
    static const belay_code codes[] = {BELAY_INTEGRITY, BELAY_CHECK,     BELAY_UNIQUE, BELAY_APPLICATION,
                                       BELAY_MISUSE,    BELAY_ABANDONED, BELAY_OK,     BELAY_DEADLOCK};
    return chance(g, 65) ? (int)BELAY_ANY : (int)codes[pick(g, sizeof codes / sizeof *codes)];
}

static int any_name(generator *g)
{
    return (int)pick(g, NAMES);
}

static void hook(generator *g, op_kind kind_of_op)
{
    if (!g->options.hooks)
        return;
    int kind = (int)pick(g, 3);
    int action = chance(g, 40) ? (int)pick(g, MODEL_ACTIONS) : MODEL_NOTHING;
    emit(g, kind_of_op, kind * MODEL_ACTIONS + action, any_row(g));
}

/* A call that is refused when an error is pending. */
static void any_call(generator *g)
{
    switch (pick(g, 5)) {
    case 0:
        emit(g, OP_SAVEPOINT, any_name(g), 0);
        break;
    case 1:
        emit(g, OP_COUNT, 0, 0);
        break;
    case 2:
        statement(g, OP_TRY);
        break;
    default:
        statement(g, OP_EXEC);
        break;
    }
}

/* ---- Scopes ------------------------------------------------------------------------------------- */

static void open_scope(generator *g, op_kind kind)
{
    int weights[FORMS] = {
        [FORM_PLAIN] = 72, [FORM_READ] = 5, [FORM_REQUIRED] = 10, [FORM_MANDATORY] = 4, [FORM_OUTERMOST] = 3};
    if (g->options.retries && (kind != OP_BEGIN || chance(g, 10))) {
        weights[FORM_RETRY] = g->depth == 0 ? 80 : 3;
        weights[FORM_RETRY_READ] = g->depth == 0 && g->wide ? 300 : 1;
    }
    if (g->wide) {
        weights[FORM_READ] = 120;
        weights[FORM_NEW] = 60;
        weights[FORM_NEW_READ] = 60;
    }
    if (g->depth >= MODEL_DEPTH - 40)
        return;
    emit(g, kind, weighted(g, weights, FORMS), kind == OP_CALLBACK && chance(g, 20) ? 1 : 0);
    g->stack[g->depth++] = kind == OP_BLOCK ? 'B' : kind == OP_CALLBACK ? 'C' : 'E';
}

static void end_explicit(generator *g, op_kind usual)
{
    emit(g, chance(g, 75) ? usual : OP_ROLLBACK, 0, 0);
    if (top(g) == 'E')
        g->depth--;
}

static void close_scope(generator *g, op_kind usual)
{
    const op_kind closers[] = {usual, OP_CONTINUE, OP_BREAK, OP_RETURN};
    static const int weights[] = {72, 8, 12, 8};
    while (top(g) == 'E' && chance(g, 80))
        end_explicit(g, OP_COMMIT);
    while (top(g) == 'E')
        g->depth--;
    if (g->depth == 0)
        return;
    op_kind closer = top(g) == 'C' ? usual : closers[weighted(g, weights, 4)];
    emit(g, closer, 0, 0);
    if (closer == OP_RETURN)
        while (g->depth > 0 && top(g) != 'C')
            g->depth--;
    if (g->depth > 0)
        g->depth--;
}

/* An inner scope that fails, perhaps a call that is refused because of it, and a catch. */
static void failing_scope(generator *g, op_kind usual)
{
    bool explicit_scope = chance(g, 30);
    int form = chance(g, 80) ? FORM_PLAIN : FORM_REQUIRED;
    emit(g, explicit_scope ? OP_BEGIN : usual, form, 0);
    if (chance(g, 50))
        statement(g, OP_EXEC);
    if (chance(g, 80))
        bad_statement(g);
    else
        emit(g, OP_FAIL, raised_code(g), 0);
    emit(g, explicit_scope ? OP_COMMIT : OP_END, 0, 0);
    if (chance(g, 35))
        any_call(g);
    if (chance(g, 80))
        emit(g, OP_CATCH, caught_code(g), 0);
    statement(g, OP_EXEC);
}

/* A mark, work, an error, another mark (perhaps of the same name), and back. */
static void mark_and_back(generator *g, op_kind mark)
{
    int name = any_name(g);
    emit(g, mark, name, 0);
    if (chance(g, 60))
        statement(g, OP_EXEC);
    if (chance(g, 60))
        bad_statement(g);
    if (chance(g, 40)) {
        emit(g, mark, chance(g, 60) ? name : any_name(g), 0);
        statement(g, OP_EXEC);
    }
    if (chance(g, 40))
        emit(g, OP_RELEASE, chance(g, 80) ? name : any_name(g), 0);
    emit(g, OP_ROLLBACK_TO, chance(g, 85) ? name : any_name(g), 0);
    statement(g, OP_EXEC);
}

/* ---- Steps -------------------------------------------------------------------------------------- */

static void plain(generator *g, op_kind kind)
{
    emit(g, kind, 0, 0);
}

static void named(generator *g, op_kind kind)
{
    emit(g, kind, any_name(g), 0);
}

static void raising(generator *g, op_kind kind)
{
    static const belay_code codes[] = {BELAY_DEADLOCK, BELAY_SERIALIZATION, BELAY_BUSY, BELAY_LOCK_TIMEOUT,
                                       BELAY_CONNECTION};
    if (kind == OP_FAIL_IN) /* mostly the first attempt, and what a unit is run again for */
        emit(g, kind, chance(g, 90) ? (int)codes[pick(g, 5)] : raised_code(g), chance(g, 60) ? 0 : (int)pick(g, 3));
    else
        emit(g, kind, raised_code(g), 0);
}

static void catching(generator *g, op_kind kind)
{
    emit(g, kind, caught_code(g), 0);
}

/* What may come next, and how often: inside a scope and outside all. */
static const struct choice {
    void (*make)(generator *, op_kind);
    op_kind kind;
    int inside, outside;
} choices[] = {
    {open_scope, OP_BLOCK, 12, 60},  {open_scope, OP_CALLBACK, 3, 10},
    {open_scope, OP_BEGIN, 5, 12},   {close_scope, OP_END, 18, 0},
    {end_explicit, OP_COMMIT, 1, 1}, {plain, OP_UNDO, 2, 2},
    {named, OP_SAVEPOINT, 5, 1},     {named, OP_ROLLBACK_TO, 5, 1},
    {named, OP_RELEASE, 3, 1},       {statement, OP_EXEC, 32, 10},
    {statement, OP_TRY, 6, 3},       {plain, OP_COUNT, 3, 3},
    {raising, OP_FAIL, 3, 3},        {raising, OP_FAIL_IN, 6, 0},
    {plain, OP_RAISE, 2, 2},         {catching, OP_CATCH, 8, 8},
    {catching, OP_IGNORE, 1, 1},     {plain, OP_READ, 2, 2},
    {hook, OP_HOOK, 6, 6},           {plain, OP_REQUIRE_NONE, 1, 1},
    {failing_scope, OP_BLOCK, 6, 1}, {mark_and_back, OP_SAVEPOINT, 4, 0},
};

enum { CHOICES = sizeof choices / sizeof *choices };

static void step(generator *g)
{
    int weights[CHOICES];
    for (int i = 0; i < CHOICES; i++) {
        weights[i] = g->depth > 0 ? choices[i].inside : choices[i].outside;
        if (choices[i].make == open_scope)
            weights[i] *= g->openness;
        if (choices[i].make == end_explicit && top(g) == 'E')
            weights[i] = 20;
        if (choices[i].kind == OP_FAIL_IN && !g->options.retries)
            weights[i] = 0;
    }
    const struct choice *chosen = &choices[weighted(g, weights, CHOICES)];
    chosen->make(g, chosen->kind);
}

void program_generate(program *p, uint64_t seed, const generator_options *options)
{
    generator g = {.p = p, .random = seed, .options = *options, .openness = 1};
    memset(p, 0, sizeof *p);
    p->looks = chance(&g, 25);
    p->quiet = chance(&g, 10);
    g.fresh = (int)pick(&g, MODEL_ROWS);
    g.options.retries = options->retries && chance(&g, 4); /* each attempt costs a wait */
    g.wide = options->own && chance(&g, 6);                /* and a file is slower than memory */
    g.limit = 4 + (int)pick(&g, 22);
    if (chance(&g, 12))
        g.limit = 24 + (int)pick(&g, 50);
    if (chance(&g, 2)) {
        g.limit = 80 + (int)pick(&g, 250);
        g.openness = 2 + (int)pick(&g, 3);
    }
    while (p->count < g.limit)
        step(&g);
    while (g.depth > 0 && chance(&g, 97))
        close_scope(&g, OP_END);
}
