/*
 * kind.c - says what kind of statement a row of tokens is.
 *
 * Two tables hold what is known of SQL: `verbs`, what the first word makes of a
 * statement, and `refinements`, what the words behind it change. CREATE, WITH
 * and SET need more than a table, and have a function each.
 *
 * Must not know: engines. IMPLICIT_COMMIT stands in the tables where MariaDB
 * commits, and becomes OTHER unless the rules say `ddl_commits`.
 *
 * Tests: tests/unit/sql/test_kind.c.
 */
#include "kind.h"

typedef struct verb_meaning {
    belayi_sql_kind kind; /* EMPTY, for words that are no verb: OTHER */
    belayi_kind_state next;
} verb_meaning;

#define VERB_OF(word, meaning, then) [BELAYI_WORD_##word] = {BELAYI_SQL_##meaning, BELAYI_KIND_##then}

static const verb_meaning verbs[BELAYI_WORD_COUNT] = {
    VERB_OF(ABORT, ROLLBACK, SETTLED),
    VERB_OF(ALTER, IMPLICIT_COMMIT, OBJECT),
    VERB_OF(ANALYZE, OTHER, SECOND),
    VERB_OF(BACKUP, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(BEGIN, BEGIN, SECOND),
    VERB_OF(CACHE, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(CHANGE, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(CHECK, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(COMMIT, COMMIT, SETTLED),
    VERB_OF(CREATE, IMPLICIT_COMMIT, OBJECT),
    VERB_OF(DELETE, DELETE, SETTLED),
    VERB_OF(DESC, SELECT, SETTLED),
    VERB_OF(DESCRIBE, SELECT, SETTLED),
    VERB_OF(DROP, IMPLICIT_COMMIT, SECOND),
    VERB_OF(END, COMMIT, SETTLED),
    VERB_OF(EXPLAIN, SELECT, SETTLED),
    VERB_OF(FLUSH, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(GRANT, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(INSERT, INSERT, SETTLED),
    VERB_OF(INSTALL, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(LOAD, OTHER, SECOND),
    VERB_OF(LOCK, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(OPTIMIZE, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(PREPARE, OTHER, SECOND),
    VERB_OF(RELEASE, RELEASE, SETTLED),
    VERB_OF(RENAME, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(REPAIR, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(REPLACE, INSERT, SETTLED),
    VERB_OF(RESET, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(REVOKE, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(ROLLBACK, ROLLBACK, SECOND),
    VERB_OF(SAVEPOINT, SAVEPOINT, SETTLED),
    VERB_OF(SELECT, SELECT, SETTLED),
    VERB_OF(SET, OTHER, SET_NAME),
    VERB_OF(SHOW, SELECT, SETTLED),
    VERB_OF(SHUTDOWN, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(START, IMPLICIT_COMMIT, SECOND),
    VERB_OF(STOP, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(TABLE, SELECT, SETTLED),
    VERB_OF(TRUNCATE, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(UNINSTALL, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(UNLOCK, IMPLICIT_COMMIT, SETTLED),
    VERB_OF(UPDATE, UPDATE, SETTLED),
    VERB_OF(VALUES, SELECT, SETTLED),
    VERB_OF(WITH, SELECT, WITH),
    VERB_OF(XA, OTHER, SECOND),
};

/* clang-format off */
#define REFINE(verb, word, meaning, then) \
    {BELAYI_WORD_##verb, BELAYI_WORD_##word, BELAYI_SQL_##meaning, BELAYI_KIND_##then}
/* clang-format on */

static const struct refinement {
    belayi_word verb;
    belayi_word word;
    belayi_sql_kind kind;
    belayi_kind_state next;
} refinements[] = {
    REFINE(ANALYZE, LOCAL, IMPLICIT_COMMIT, SETTLED),
    REFINE(ANALYZE, NO_WRITE_TO_BINLOG, IMPLICIT_COMMIT, SETTLED),
    REFINE(ANALYZE, TABLE, IMPLICIT_COMMIT, SETTLED),
    REFINE(ANALYZE, DELETE, SELECT, SETTLED), /* MariaDB's EXPLAIN ANALYZE */
    REFINE(ANALYZE, FORMAT, SELECT, SETTLED),
    REFINE(ANALYZE, INSERT, SELECT, SETTLED),
    REFINE(ANALYZE, REPLACE, SELECT, SETTLED),
    REFINE(ANALYZE, SELECT, SELECT, SETTLED),
    REFINE(ANALYZE, UPDATE, SELECT, SETTLED),
    REFINE(ANALYZE, WITH, SELECT, SETTLED),
    REFINE(BEGIN, NOT, OTHER, SETTLED), /* ATOMIC: a block of statements */
    REFINE(DROP, PREPARE, OTHER, SETTLED),
    REFINE(DROP, TEMPORARY, OTHER, SETTLED),
    REFINE(LOAD, INDEX, IMPLICIT_COMMIT, SETTLED),
    REFINE(PREPARE, TRANSACTION, PREPARE, SETTLED),
    REFINE(ROLLBACK, TO, ROLLBACK_TO, SETTLED),
    REFINE(ROLLBACK, TRANSACTION, ROLLBACK, SECOND),
    REFINE(ROLLBACK, WORK, ROLLBACK, SECOND),
    REFINE(START, TRANSACTION, BEGIN, SETTLED),
    REFINE(XA, BEGIN, BEGIN, SETTLED),
    REFINE(XA, COMMIT, COMMIT, SETTLED),
    REFINE(XA, END, PREPARE, SETTLED),
    REFINE(XA, PREPARE, PREPARE, SETTLED),
    REFINE(XA, ROLLBACK, ROLLBACK, SETTLED),
    REFINE(XA, START, BEGIN, SETTLED),
};

static bool steers_transactions(belayi_word word)
{
    static const bool names[BELAYI_WORD_COUNT] = {
        [BELAYI_WORD_AUTOCOMMIT] = true,
        [BELAYI_WORD_COMPLETION_TYPE] = true,
        [BELAYI_WORD_DEFAULT_TRANSACTION_DEFERRABLE] = true,
        [BELAYI_WORD_DEFAULT_TRANSACTION_ISOLATION] = true,
        [BELAYI_WORD_DEFAULT_TRANSACTION_READ_ONLY] = true,
        [BELAYI_WORD_TRANSACTION_DEFERRABLE] = true,
        [BELAYI_WORD_TRANSACTION_ISOLATION] = true,
        [BELAYI_WORD_TRANSACTION_READ_ONLY] = true,
        [BELAYI_WORD_TX_ISOLATION] = true,
        [BELAYI_WORD_TX_READ_ONLY] = true,
    };
    return names[word];
}

static void settle(belayi_kind_reader *r, belayi_sql_kind kind, belayi_kind_state next)
{
    if (kind == BELAYI_SQL_IMPLICIT_COMMIT && !r->ddl_commits)
        kind = BELAYI_SQL_OTHER;
    r->kind = kind == BELAYI_SQL_EMPTY ? BELAYI_SQL_OTHER : kind;
    r->state = next;
}

static void read_verb(belayi_kind_reader *r, const belayi_token *t)
{
    verb_meaning none = {BELAYI_SQL_OTHER, BELAYI_KIND_SETTLED};
    const verb_meaning *meaning = t->type == BELAYI_TOKEN_WORD ? &verbs[t->word] : &none;

    if (t->symbol == '(') {
        r->kind = BELAYI_SQL_OTHER;
        return;
    }
    r->verb = t->word;
    r->level = r->depth;
    settle(r, meaning->kind, meaning->kind == BELAYI_SQL_EMPTY ? BELAYI_KIND_SETTLED : meaning->next);
}

/* A verb behind WITH, RECURSIVE or a comma is the name of a query. */
static void read_with(belayi_kind_reader *r, const belayi_token *t)
{
    bool name = r->before == BELAYI_WORD_WITH || r->before == BELAYI_WORD_RECURSIVE || r->before_symbol == ',';

    if (r->depth != r->level || t->type != BELAYI_TOKEN_WORD || name)
        return;
    if (t->word == BELAYI_WORD_MERGE)
        settle(r, BELAYI_SQL_OTHER, BELAYI_KIND_SETTLED);
    else if (t->word == BELAYI_WORD_SELECT || t->word == BELAYI_WORD_VALUES || t->word == BELAYI_WORD_TABLE ||
             t->word == BELAYI_WORD_INSERT || t->word == BELAYI_WORD_REPLACE || t->word == BELAYI_WORD_UPDATE ||
             t->word == BELAYI_WORD_DELETE)
        settle(r, verbs[t->word].kind, BELAYI_KIND_SETTLED);
}

static void read_second(belayi_kind_reader *r, const belayi_token *t)
{
    r->state = BELAYI_KIND_SETTLED;
    for (size_t i = 0; t->type == BELAYI_TOKEN_WORD && i < sizeof refinements / sizeof *refinements; i++)
        if (refinements[i].verb == r->verb && refinements[i].word == t->word)
            settle(r, refinements[i].kind, refinements[i].next);
    if (r->verb == BELAYI_WORD_BEGIN && r->kind == BELAYI_SQL_OTHER)
        r->body = (belayi_body){.type = BELAYI_BODY_BLOCK, .blocks = 1};
}

/* CREATE [OR REPLACE] [DEFINER = x] [TEMPORARY] ... TABLE, TRIGGER and so on: finds the last of these. */
static void read_object(belayi_kind_reader *r, const belayi_token *t)
{
    static const struct {
        belayi_word word;
        belayi_body_type body;
    } objects[] = {
        {BELAYI_WORD_TRIGGER, BELAYI_BODY_BLOCK},  {BELAYI_WORD_PROCEDURE, BELAYI_BODY_BLOCK},
        {BELAYI_WORD_FUNCTION, BELAYI_BODY_BLOCK}, {BELAYI_WORD_EVENT, BELAYI_BODY_BLOCK},
        {BELAYI_WORD_PACKAGE, BELAYI_BODY_REST},   {BELAYI_WORD_RULE, BELAYI_BODY_RULE},
        {BELAYI_WORD_TABLE, BELAYI_BODY_NONE},     {BELAYI_WORD_SEQUENCE, BELAYI_BODY_NONE},
        {BELAYI_WORD_VIEW, BELAYI_BODY_NONE},      {BELAYI_WORD_INDEX, BELAYI_BODY_NONE},
        {BELAYI_WORD_DATABASE, BELAYI_BODY_NONE},  {BELAYI_WORD_SCHEMA, BELAYI_BODY_NONE},
        {BELAYI_WORD_USER, BELAYI_BODY_NONE},      {BELAYI_WORD_ROLE, BELAYI_BODY_NONE},
    };

    if (t->symbol == '(')
        r->state = BELAYI_KIND_SETTLED;
    if (t->type != BELAYI_TOKEN_WORD || r->before_symbol == '=')
        return;
    r->temporary = r->temporary || t->word == BELAYI_WORD_TEMPORARY;
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        if (objects[i].word != t->word)
            continue;
        r->body.type = objects[i].body;
        settle(r, r->temporary && r->verb == BELAYI_WORD_CREATE ? BELAYI_SQL_OTHER : r->kind, BELAYI_KIND_SETTLED);
    }
}

static void read_set_name(belayi_kind_reader *r, const belayi_token *t)
{
    bool named = t->type == BELAYI_TOKEN_WORD || t->type == BELAYI_TOKEN_QUOTED;

    if (t->symbol == '@')
        r->ats++;
    if (t->symbol == '@' || t->symbol == '.' || t->word == BELAYI_WORD_SESSION || t->word == BELAYI_WORD_LOCAL ||
        t->word == BELAYI_WORD_GLOBAL)
        return;
    if (t->word == BELAYI_WORD_STATEMENT && r->before == BELAYI_WORD_SET)
        r->set_statement = true;
    else if (t->word == BELAYI_WORD_TRANSACTION || t->word == BELAYI_WORD_CHARACTERISTICS ||
             (named && r->ats != 1 && steers_transactions(t->word)))
        settle(r, BELAYI_SQL_SET_TRANSACTION, BELAYI_KIND_SETTLED);
    else if (t->word == BELAYI_WORD_PASSWORD && r->before == BELAYI_WORD_SET)
        settle(r, BELAYI_SQL_IMPLICIT_COMMIT, BELAYI_KIND_SETTLED);
    else
        r->state = BELAYI_KIND_SET_VALUE;
}

static void read_set_value(belayi_kind_reader *r, const belayi_token *t)
{
    if (r->depth != r->level)
        return;
    if (t->symbol == ',') {
        r->state = BELAYI_KIND_SET_NAME;
        r->ats = 0;
    } else if (r->set_statement && t->type == BELAYI_TOKEN_WORD && t->word == BELAYI_WORD_FOR) {
        r->state = BELAYI_KIND_VERB;
        r->kind = BELAYI_SQL_OTHER;
    }
}

/* The keyword that a token is; x.end and @@end are none. */
static belayi_word keyword_of(const belayi_kind_reader *r, const belayi_token *t)
{
    bool part = r->before_symbol == '.' || r->before_symbol == '@';

    return t->type == BELAYI_TOKEN_WORD && !part ? t->word : BELAYI_WORD_NONE;
}

static void find_returning(belayi_kind_reader *r, const belayi_token *t)
{
    bool writes = r->kind == BELAYI_SQL_INSERT || r->kind == BELAYI_SQL_UPDATE || r->kind == BELAYI_SQL_DELETE;

    if (writes && r->depth == r->level && keyword_of(r, t) == BELAYI_WORD_RETURNING)
        r->returning = true;
}

void belayi_sql_kind_start(belayi_kind_reader *r, bool ddl_commits)
{
    *r = (belayi_kind_reader){.ddl_commits = ddl_commits};
}

void belayi_sql_kind_feed(belayi_kind_reader *r, const belayi_token *t)
{
    static void (*const readers[])(belayi_kind_reader *, const belayi_token *) = {
        [BELAYI_KIND_VERB] = read_verb,         [BELAYI_KIND_WITH] = read_with,
        [BELAYI_KIND_SECOND] = read_second,     [BELAYI_KIND_OBJECT] = read_object,
        [BELAYI_KIND_SET_NAME] = read_set_name, [BELAYI_KIND_SET_VALUE] = read_set_value,
        [BELAYI_KIND_SETTLED] = find_returning,
    };

    if (t->symbol == '(')
        r->depth++;
    else if (t->symbol == ')' && r->depth > 0)
        r->depth--;
    belayi_sql_body_feed(&r->body, keyword_of(r, t));
    readers[r->state](r, t);
    r->before = t->type == BELAYI_TOKEN_WORD ? t->word : BELAYI_WORD_NONE;
    r->before_symbol = t->symbol;
}

bool belayi_sql_kind_continues(belayi_kind_reader *r)
{
    return belayi_sql_body_continues(&r->body, r->depth);
}
