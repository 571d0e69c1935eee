/*
 * asks.c - the server is asked which rows of a window a rule would refuse: a CHECK,
 * a missing parent, a key that is in the table.
 *
 * Of checks and keys only of those by which a row has failed that looked good. The values that they look at are sent as
 * arrays, and the server itself decides, by the rule's own expression. Its answer is
 * a hint: the rows are run by their own INSERT. The question is read-only, in a
 * savepoint that costs nobody anything.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store.h"

/* ---- Text that grows ------------------------------------------------------------------------------------------- */

typedef struct growing {
    char *bytes;
    size_t size, room;
    bool failed;
} growing;

static char *extend(growing *g, size_t more)
{
    if (g->room - g->size <= more && !g->failed) {
        size_t room = 2 * (g->room + more) + 256;
        char *grown = realloc(g->bytes, room);
        g->failed = !grown;
        g->bytes = grown ? grown : g->bytes;
        g->room = grown ? room : g->room;
    }
    return g->failed ? NULL : g->bytes + g->size;
}

static void put(growing *g, const char *text, size_t size)
{
    char *out = extend(g, size);
    if (!out)
        return;
    memcpy(out, text, size);
    out[size] = '\0';
    g->size += size;
}

static void say(growing *g, const char *text)
{
    put(g, text, strlen(text));
}

/* ---- Arrays ---------------------------------------------------------------------------------------------------- */

static void put_quoted(growing *g, const char *text, size_t size)
{
    char *out = extend(g, 2 * size + 2);
    if (!out)
        return;
    const char *start = out;
    *out++ = '"';
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"' || text[i] == '\\')
            *out++ = '\\';
        *out++ = text[i];
    }
    *out++ = '"';
    *out = '\0';
    g->size += (size_t)(out - start);
}

static void put_hex(growing *g, const unsigned char *bytes, size_t size)
{
    char pair[3];
    say(g, "\"\\\\x");
    for (size_t i = 0; i < size; i++) {
        snprintf(pair, sizeof pair, "%02x", bytes[i]);
        put(g, pair, 2);
    }
    say(g, "\"");
}

static void put_element(growing *g, const belay_value *value)
{
    char text[BELAYI_PG_NUMBER_ROOM];
    if (value->type == BELAY_TYPE_NULL) {
        say(g, "NULL");
    } else if (value->type == BELAY_TYPE_BLOB) {
        put_hex(g, value->as.data, value->size);
    } else if (belayi_pg_is_bytes(value)) {
        put_quoted(g, value->as.data, value->size);
    } else {
        belayi_pg_write_number(value, text);
        put_quoted(g, text, strlen(text));
    }
}

/* The rows that a question is about. */
typedef struct asked_rows {
    const size_t *rows; /* which they are; NULL: those from `from` on, but for the values of those that look bad */
    size_t from, count;
    size_t only;   /* this rule, from 1; 0: all that are asked about */
    bool verdicts; /* by which of all rules */
} asked_rows;

static void put_array(growing *g, const belayi_pg_storing *w, size_t column, const asked_rows *about)
{
    static const belay_value none = {.type = BELAY_TYPE_NULL};
    say(g, "{");
    for (size_t i = 0; i < about->count; i++) {
        size_t row = about->rows ? about->rows[i] : about->from + i;
        bool there = about->rows || w->fates[row] == BELAYI_PG_FATE_COPY;
        if (i > 0)
            put(g, ",", 1);
        put_element(g, there ? &belayi_pg_store_row(w, row)[column] : &none);
    }
    say(g, "}");
}

/* ---- The question ---------------------------------------------------------------------------------------------- */

/* "p.key = x.column AND ...": both lists are as long. */
static void say_same(growing *g, const belayi_pg_storing *w, const belayi_pg_rule *rule)
{
    const char *key = rule->key;
    for (size_t i = 0; i < rule->count; i++) {
        const char *name = w->table.columns[rule->columns[i]].name;
        say(g, i > 0 ? " AND p." : "p.");
        if (rule->kind == BELAYI_PG_RULE_PARENT) {
            size_t size = strcspn(key, "\n");
            put(g, key, size);
            key += size + (key[size] == '\n');
        } else {
            say(g, name);
        }
        say(g, " = x.");
        say(g, name);
    }
}

/* With a LIMIT, so that the server looks keys up in the index, and never reads the whole table for it. */
static void say_rule(growing *g, const belayi_pg_storing *w, const belayi_pg_rule *rule)
{
    if (rule->kind == BELAYI_PG_RULE_CHECK) {
        say(g, "(");
        say(g, rule->text);
        say(g, ") IS FALSE");
        return;
    }
    for (size_t i = 0; i < rule->count; i++) {
        say(g, "x.");
        say(g, w->table.columns[rule->columns[i]].name);
        say(g, " IS NOT NULL AND ");
    }
    say(g, "(SELECT true FROM ");
    say(g, rule->kind == BELAYI_PG_RULE_PARENT ? rule->text : w->each->target->table);
    say(g, " p WHERE ");
    say_same(g, w, rule);
    say(g, rule->kind == BELAYI_PG_RULE_PARENT ? " LIMIT 1) IS NULL" : " LIMIT 1) IS TRUE");
}

static bool is_asked(const belayi_pg_storing *w, size_t rule)
{
    return (w->s->asked >> rule & 1) != 0 && w->table.rules[rule].kind != BELAYI_PG_RULE_PARENT &&
           w->table.rules[rule].whole && w->table.rules[rule].count > 0;
}

static bool is_about(const belayi_pg_storing *w, const asked_rows *about, size_t rule)
{
    return about->verdicts || (about->only > 0 ? about->only == rule + 1 : is_asked(w, rule));
}

/* Which columns the rules look at. 0: too many. */
static size_t find_columns(const belayi_pg_storing *w, const asked_rows *about,
                           unsigned short out[BELAYI_PG_RULE_COLUMNS])
{
    size_t count = 0;
    for (size_t i = 0; i < w->table.rule_count; i++)
        for (size_t k = 0; is_about(w, about, i) && k < w->table.rules[i].count; k++) {
            unsigned short column = w->table.rules[i].columns[k];
            size_t at = 0;
            while (at < count && out[at] != column)
                at++;
            if (at == BELAYI_PG_RULE_COLUMNS)
                return 0;
            out[at] = column;
            count += at == count;
        }
    return count;
}

/* The arrays as a table. */
static void say_rows(growing *g, const belayi_pg_storing *w, size_t count, const unsigned short *columns, bool full)
{
    char number[64];
    say(g, " FROM ROWS FROM (");
    for (size_t i = 0; i < count; i++) {
        const belayi_pg_column *column = &w->table.columns[columns[i]];
        snprintf(number, sizeof number, "%spg_catalog.unnest($%zu::", i > 0 ? ", " : "", i + 1);
        say(g, number);
        say(g, full ? column->full_type : column->type);
        say(g, "[])");
    }
    say(g, ") WITH ORDINALITY AS x(");
    for (size_t i = 0; i < count; i++) {
        say(g, w->table.columns[columns[i]].name);
        say(g, ", ");
    }
    say(g, "belay_row)");
}

/* Which rows look bad. */
static void say_hint(growing *g, const belayi_pg_storing *w, const asked_rows *about, size_t count,
                     const unsigned short *columns)
{
    const char *between = " WHERE (";
    say(g, "SELECT x.belay_row");
    say_rows(g, w, count, columns, false);
    for (size_t i = 0; i < w->table.rule_count; i++)
        if (is_about(w, about, i)) {
            say(g, between);
            say_rule(g, w, &w->table.rules[i]);
            between = ") OR (";
        }
    say(g, ")");
}

/* Of two parents that are missing nobody knows which the server would tell. */
static void say_parent(growing *g, const belayi_pg_storing *w, size_t rule, const char *number)
{
    const char *between = "CASE WHEN (";
    for (size_t i = rule + 1; i < w->table.rule_count; i++)
        if (w->table.rules[i].kind == BELAYI_PG_RULE_PARENT) {
            say(g, between);
            say_rule(g, w, &w->table.rules[i]);
            between = ") OR (";
        }
    say(g, between[0] == ')' ? ") THEN 0 ELSE " : "");
    say(g, number);
    say(g, between[0] == ')' ? " END" : "");
}

/* By which rule each row is refused: the first, in the server's order. Checks, then keys, then parents. */
static void say_verdicts(growing *g, const belayi_pg_storing *w, size_t count, const unsigned short *columns)
{
    static const belayi_pg_rule_kind order[] = {BELAYI_PG_RULE_CHECK, BELAYI_PG_RULE_UNIQUE, BELAYI_PG_RULE_PARENT};
    char number[32];
    say(g, "SELECT x.belay_row, CASE");
    for (size_t k = 0; k < sizeof order / sizeof order[0]; k++)
        for (size_t i = 0; i < w->table.rule_count; i++) {
            if (w->table.rules[i].kind != order[k])
                continue;
            snprintf(number, sizeof number, "%zu", i + 1);
            say(g, " WHEN (");
            say_rule(g, w, &w->table.rules[i]);
            say(g, ") THEN ");
            if (order[k] == BELAYI_PG_RULE_PARENT)
                say_parent(g, w, i, number);
            else
                say(g, number);
        }
    say(g, " ELSE 0 END");
    say_rows(g, w, count, columns, true);
}

/* ---- The answer ------------------------------------------------------------------------------------------------ */

/* In a savepoint, as a value that does not fit its type fails the question. */
static belay_code ask(belayi_pg_storing *w, const char *question, int count, const char *const *arrays,
                      PGresult **out_result, belay_error *error)
{
    char ignored[32];
    belay_error why;
    belay_code code = belayi_pg_command(w->conn, "SAVEPOINT belay_ask", ignored, error);
    if (code != BELAY_OK)
        return code;
    if (belayi_pg_query_with(w->conn, question, count, arrays, out_result, &why) != BELAY_OK) {
        w->no_asking = true;
        if (w->conn->lost || !belayi_pg_is_of_row(&why)) {
            *error = why;
            return error->code;
        }
        code = belayi_pg_command_back(w->conn, "ROLLBACK TO belay_ask", error);
    }
    return code == BELAY_OK ? belayi_pg_command(w->conn, "RELEASE belay_ask", ignored, error) : code;
}

/* *out_result stays NULL where there is no answer. */
static belay_code ask_about(belayi_pg_storing *w, const asked_rows *about, PGresult **out_result, belay_error *error)
{
    unsigned short columns[BELAYI_PG_RULE_COLUMNS] = {0};
    growing question = {0}, arrays[BELAYI_PG_RULE_COLUMNS] = {{0}};
    const char *texts[BELAYI_PG_RULE_COLUMNS];
    size_t count = find_columns(w, about, columns);
    bool failed = count == 0;
    if (about->verdicts)
        say_verdicts(&question, w, count, columns);
    else
        say_hint(&question, w, about, count, columns);
    for (size_t i = 0; i < count && !failed; i++) {
        put_array(&arrays[i], w, columns[i], about);
        texts[i] = arrays[i].bytes;
        failed = arrays[i].failed;
    }
    w->no_asking |= failed || question.failed;
    belay_code code = w->no_asking ? BELAY_OK : ask(w, question.bytes, (int)count, texts, out_result, error);
    free(question.bytes);
    for (size_t i = 0; i < count; i++)
        free(arrays[i].bytes);
    return code;
}

belay_code belayi_pg_asks_run(belayi_pg_storing *w, size_t from, size_t to, belay_error *error)
{
    PGresult *result = NULL;
    asked_rows about = {.from = from, .count = to - from};
    belay_code code = ask_about(w, &about, &result, error);
    for (int i = 0; code == BELAY_OK && result && i < PQntuples(result); i++) {
        size_t row = from + strtoul(PQgetvalue(result, i, 0), NULL, 10) - 1;
        if (row >= from && row < to)
            belayi_pg_hints_mark(w, row);
    }
    PQclear(result);
    return code;
}

/* One byte for each row that was asked about: the second cell of its answer, or 1. */
static belay_code ask_for_bytes(belayi_pg_storing *w, const asked_rows *about, unsigned char *out, belay_error *error)
{
    PGresult *result = NULL;
    memset(out, 0, about->count);
    belay_code code = ask_about(w, about, &result, error);
    for (int i = 0; code == BELAY_OK && result && i < PQntuples(result); i++) {
        size_t at = strtoul(PQgetvalue(result, i, 0), NULL, 10) - 1;
        if (at < about->count)
            out[at] = about->verdicts ? (unsigned char)strtoul(PQgetvalue(result, i, 1), NULL, 10) : 1;
    }
    PQclear(result);
    return code;
}

belay_code belayi_pg_asks_verdicts(belayi_pg_storing *w, const size_t *rows, size_t count, unsigned char *out_rules,
                                   belay_error *error)
{
    asked_rows about = {.rows = rows, .count = count, .verdicts = true};
    return ask_for_bytes(w, &about, out_rules, error);
}

belay_code belayi_pg_asks_rule(belayi_pg_storing *w, size_t rule, const size_t *rows, size_t count,
                               unsigned char *out_refused, belay_error *error)
{
    asked_rows about = {.rows = rows, .count = count, .only = rule + 1};
    return ask_for_bytes(w, &about, out_refused, error);
}

/* ---- What is asked --------------------------------------------------------------------------------------------- */

static bool is_of_rule(const belayi_pg_rule *rule, const belay_error *why)
{
    static const belay_code codes[] = {[BELAYI_PG_RULE_UNIQUE] = BELAY_UNIQUE,
                                       [BELAYI_PG_RULE_CHECK] = BELAY_CHECK,
                                       [BELAYI_PG_RULE_PARENT] = BELAY_FOREIGN_KEY};
    return why->code == codes[rule->kind] && strcmp(rule->name, why->constraint) == 0;
}

bool belayi_pg_asks_learn(belayi_pg_storing *w, const belay_error *why)
{
    for (size_t i = 0; i < w->table.rule_count && !w->no_asking; i++) {
        bool before = (w->s->asked >> i & 1) != 0;
        if (before || !is_of_rule(&w->table.rules[i], why))
            continue;
        w->s->asked |= UINT64_C(1) << i;
        return is_asked(w, i);
    }
    return false;
}

bool belayi_pg_asks_any(const belayi_pg_storing *w)
{
    bool any = false;
    for (size_t i = 0; i < w->table.rule_count && !w->no_asking; i++)
        any |= is_asked(w, i);
    return any;
}
