/*
 * lexer.c - reads a statement: one pass over its tokens, which writes the text
 * for the engine while the readers of kind.c and locking.c look on.
 *
 * Invariants: what is written is the input byte for byte, but for placeholders
 * and ??, semicolons around the statement, byte order marks at the start, a
 * dropped locking clause, white space at the end, and a space where a
 * placeholder would touch an identifier.
 *
 * Must not know: what any other token means.
 *
 * Tests: tests/unit/sql/test_lexer.c, tests/fuzz/fuzz_lexer.c.
 */
#include "lexer.h"
#include "bind.h"
#include "kind.h"
#include "locking.h"
#include "scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct reading {
    const char *input;
    const belayi_sql_rules *rules;
    belayi_scanner scanner;
    belayi_kind_reader kind;      /* of all that may be run */
    belayi_kind_reader sure_kind; /* of what is left if the server skips every executable comment that it may skip */
    belayi_lock_reader lock;
    belayi_binder binder;
    char *text;
    size_t size;
    size_t room;
    size_t clause_at; /* where in `text` the locking clause starts that may be read now */
    size_t unwritten; /* openers of executable comments that were not written, behind the statement */
    bool begun;       /* the statement has */
    bool ended;       /* at a semicolon */
} reading;

static belayi_lex_status append(reading *r, const char *bytes, size_t size)
{
    if (r->room - r->size < size) {
        size_t room = r->room == 0 ? r->scanner.size + 32 : r->room + r->room / 2 + size;
        char *text = realloc(r->text, room);
        if (text == NULL)
            return BELAYI_LEX_NO_MEMORY;
        r->text = text;
        r->room = room;
    }
    memcpy(r->text + r->size, bytes, size);
    r->size += size;
    return BELAYI_LEX_OK;
}

static belayi_lex_status copy_token(reading *r, const belayi_token *t)
{
    return append(r, r->input + t->at, t->size);
}

static bool follows(const reading *r, bool (*is)(char))
{
    return r->size > 0 && is(r->text[r->size - 1]);
}

/* A space goes where an identifier touches it: LIMIT? would become the identifier LIMIT$1. */
static belayi_lex_status write_placeholder(reading *r, const belayi_token *t)
{
    size_t next = t->at + t->size;
    const char *before = follows(r, belayi_sql_is_identifier) ? " " : "";
    const char *behind = next < r->scanner.size && belayi_sql_is_identifier(r->input[next]) ? " " : "";
    char written[32];
    unsigned value = 0;
    int size;

    belayi_lex_status status = belayi_sql_bind(&r->binder, r->input, t, &value);
    if (status != BELAYI_LEX_OK)
        return status;
    /* A plain ? stays one for SQLite too, which numbers it the same and prepares it in linear time, not in quadratic.
     */
    if (r->rules->placeholders == BELAYI_PLACEHOLDERS_PLAIN ||
        (r->rules->placeholders == BELAYI_PLACEHOLDERS_NUMBERED && r->binder.style == BELAYI_STYLE_QUESTION))
        size = snprintf(written, sizeof written, "%s?%s", before, behind);
    else if (r->rules->placeholders == BELAYI_PLACEHOLDERS_DOLLAR)
        size = snprintf(written, sizeof written, "%s$%u%s", before, value + 1, behind);
    else
        size = snprintf(written, sizeof written, "%s?%u%s", before, value + 1, behind);
    return append(r, written, (size_t)size);
}

static belayi_lex_status write_token(reading *r, const belayi_token *t)
{
    if (t->type == BELAYI_TOKEN_PLACEHOLDER)
        return write_placeholder(r, t);
    if (t->type == BELAYI_TOKEN_QUESTION)
        return append(r, "?", 1);
    return copy_token(r, t);
}

/* Whether a locking clause can stand here. CREATE POLICY has a FOR UPDATE that is none. */
static bool may_lock(const reading *r)
{
    const belayi_kind_reader *kind = &r->kind;
    bool queries = kind->kind == BELAYI_SQL_SELECT || kind->kind == BELAYI_SQL_INSERT ||
                   kind->kind == BELAYI_SQL_UPDATE || kind->kind == BELAYI_SQL_DELETE;

    return queries && (r->rules->drop_locking || kind->depth <= kind->level);
}

/* Cuts the text back to where the clause started, with white space in its place. */
static belayi_lex_status drop_clause(reading *r)
{
    r->size = r->clause_at;
    return follows(r, belayi_sql_is_space) ? BELAYI_LEX_OK : append(r, " ", 1);
}

static belayi_lex_status take_part(reading *r, const belayi_token *t)
{
    belayi_lock_event event = BELAYI_LOCK_NOTHING;

    r->begun = true;
    belayi_sql_kind_feed(&r->kind, t);
    if (r->scanner.doubtful == 0)
        belayi_sql_kind_feed(&r->sure_kind, t);
    if (may_lock(r))
        event = belayi_sql_lock_feed(&r->lock, t);
    else
        r->lock.state = BELAYI_LOCKING_NONE;
    if (event == BELAYI_LOCK_CLASHES)
        return BELAYI_LEX_LOCK_CLASH;
    if (event == BELAYI_LOCK_TAKES && r->rules->drop_locking)
        return drop_clause(r);
    if (event == BELAYI_LOCK_STARTS)
        r->clause_at = r->size;
    return write_token(r, t);
}

/* The frames of executable comments stay paired: a closer is written when its opener was. */
static belayi_lex_status take_frame(reading *r, const belayi_token *t)
{
    if (r->rules->drop_locking)
        r->lock.state = BELAYI_LOCKING_NONE;
    if (t->type == BELAYI_TOKEN_OPENER && r->ended) {
        r->unwritten++;
        return BELAYI_LEX_OK;
    }
    if (t->type == BELAYI_TOKEN_CLOSER && r->unwritten > 0) {
        r->unwritten--;
        return BELAYI_LEX_OK;
    }
    /* Without the semicolon, a / before it would meet the star of the closer. */
    if (r->ended && !follows(r, belayi_sql_is_space) && append(r, " ", 1) != BELAYI_LEX_OK)
        return BELAYI_LEX_NO_MEMORY;
    return copy_token(r, t);
}

static belayi_lex_status take_token(reading *r, const belayi_token *t)
{
    if (t->type == BELAYI_TOKEN_OPENER || t->type == BELAYI_TOKEN_CLOSER)
        return take_frame(r, t);
    if (t->type == BELAYI_TOKEN_BLANK)
        return r->ended ? BELAYI_LEX_OK : copy_token(r, t);
    if (t->type == BELAYI_TOKEN_MARK)
        return r->ended || r->size == 0 ? BELAYI_LEX_OK : copy_token(r, t);
    if (t->symbol == ';') {
        if (!r->begun || r->ended)
            return BELAYI_LEX_OK;
        r->ended = !belayi_sql_kind_continues(&r->kind);
    }
    if (!r->ended)
        return take_part(r, t);
    return t->symbol == ';' ? BELAYI_LEX_OK : BELAYI_LEX_TWO;
}

static belayi_lex_status read_tokens(reading *r, belayi_token *t)
{
    belayi_lex_status status = BELAYI_LEX_OK;

    while (status == BELAYI_LEX_OK) {
        if (!belayi_sql_next(&r->scanner, t))
            return BELAYI_LEX_NO_MEMORY;
        if (t->type == BELAYI_TOKEN_ERROR)
            return BELAYI_LEX_UNTERMINATED;
        if (t->type == BELAYI_TOKEN_END)
            return r->begun ? BELAYI_LEX_OK : BELAYI_LEX_EMPTY;
        status = take_token(r, t);
    }
    return status;
}

/* A COMMIT must show whether or not the server runs the executable comments before it. */
static belayi_sql_kind choose_kind(const reading *r)
{
    belayi_sql_kind sure = r->sure_kind.kind;
    bool ends = belayi_sql_controls_transaction(sure, NULL) || sure == BELAYI_SQL_IMPLICIT_COMMIT;

    return ends && !belayi_sql_controls_transaction(r->kind.kind, NULL) ? sure : r->kind.kind;
}

static belayi_lex_status finish_reading(reading *r, belayi_sql *out)
{
    while (follows(r, belayi_sql_is_space))
        r->size--;
    if (append(r, "", 1) != BELAYI_LEX_OK)
        return BELAYI_LEX_NO_MEMORY;
    out->kind = choose_kind(r);
    out->lock = r->lock.lock;
    out->returning = r->kind.returning;
    out->text = r->text;
    out->size = r->size - 1;
    out->parameters = r->binder.parameters;
    out->places = r->binder.places;
    out->order = r->binder.order;
    r->text = NULL;
    r->binder.order = NULL;
    return BELAYI_LEX_OK;
}

static void note_failure(belayi_sql *out, belayi_lex_status status, const belayi_token *t)
{
    static const char *const sentences[] = {
        [BELAYI_LEX_EMPTY] = "there is no statement in the text",
        [BELAYI_LEX_TWO] = "a second statement starts here",
        [BELAYI_LEX_UNTERMINATED] = NULL,
        [BELAYI_LEX_MIXED_STYLES] = "this placeholder is of another style than those before it",
        [BELAYI_LEX_BAD_NUMBER] = "the number of this placeholder is not between 1 and 65535",
        [BELAYI_LEX_LOCK_CLASH] = "NOWAIT and SKIP LOCKED exclude each other",
        [BELAYI_LEX_NO_MEMORY] = "there is not enough memory to read the statement",
    };

    out->error = t->type == BELAYI_TOKEN_ERROR ? t->error : sentences[status];
    out->error_at = t->at;
}

belayi_lex_status belayi_sql_read(const char *input, size_t size, const belayi_sql_rules *rules, belayi_sql *out_sql)
{
    reading r = {.input = input, .rules = rules};
    belayi_token token = {.type = BELAYI_TOKEN_END};

    *out_sql = (belayi_sql){.kind = BELAYI_SQL_EMPTY};
    belayi_sql_scan(&r.scanner, input, size, rules);
    belayi_sql_kind_start(&r.kind, rules->ddl_commits);
    belayi_sql_kind_start(&r.sure_kind, rules->ddl_commits);
    belayi_lex_status status = read_tokens(&r, &token);
    if (status == BELAYI_LEX_OK)
        status = finish_reading(&r, out_sql);
    if (status != BELAYI_LEX_OK)
        note_failure(out_sql, status, &token);
    belayi_sql_bind_done(&r.binder);
    belayi_sql_scan_done(&r.scanner);
    free(r.text);
    return status;
}

void belayi_sql_done(belayi_sql *sql)
{
    free(sql->text);
    free(sql->order);
    *sql = (belayi_sql){.kind = BELAYI_SQL_EMPTY};
}

bool belayi_sql_controls_transaction(belayi_sql_kind kind, const char **out_instead)
{
    static const char *const calls[BELAYI_SQL_PREPARE + 1] = {
        [BELAYI_SQL_BEGIN] = "belay_begin or BELAY_ATOMIC",
        [BELAYI_SQL_COMMIT] = "belay_commit",
        [BELAYI_SQL_ROLLBACK] = "belay_rollback",
        [BELAYI_SQL_SAVEPOINT] = "belay_savepoint",
        [BELAYI_SQL_RELEASE] = "belay_release",
        [BELAYI_SQL_ROLLBACK_TO] = "belay_rollback_to",
        [BELAYI_SQL_SET_TRANSACTION] = "the scope options .isolation and .read_only",
        [BELAYI_SQL_PREPARE] = "belay_commit_two_phase",
    };

    if (out_instead != NULL)
        *out_instead = calls[kind];
    return calls[kind] != NULL;
}
