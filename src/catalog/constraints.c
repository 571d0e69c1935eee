#include "constraints.h"

#include <string.h>
#include <strings.h>

#include <belay/rows.h>

#include "arena.h"
#include "report.h"
#include "rows.h"
#include "scan.h"
#include "session.h"

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

static const char *copy(const belayi_table *table, const char *text)
{
    return text ? belayi_arena_copy(table->memory, text, strlen(text)) : NULL;
}

static void read_rows(belayi_constraints *c, belay_rows *rows)
{
    c->list = belayi_arena_get(c->table->memory, (rows ? rows->count : 0) * sizeof *c->list);
    while (c->list && belay_next(rows)) {
        belayi_constraint *one = &c->list[c->count++];
        one->name = copy(c->table, belay_str(rows, 0));
        one->columns = copy(c->table, belay_str(rows, 1));
        one->clause = copy(c->table, belay_str(rows, 2));
    }
}

belay_code belayi_constraints_read(belay_session *s, const belayi_table *table, belayi_constraints *out)
{
    const belay_value values[] = {belay_string(table->schema), belay_string(table->name)};
    *out = (belayi_constraints){.table = table, .session = s};
    belay_rows *rows = belay_query_values(s, s->db->driver->describe_constraints, 2, values);
    read_rows(out, rows);
    belay_rows_close(rows);
    return belay_status(s);
}

/* ---- Columns of a clause ---------------------------------------------------------------------------------------- */

static bool is_name(const belayi_token *token)
{
    return token->type == BELAYI_TOKEN_WORD || token->type == BELAYI_TOKEN_QUOTED;
}

/* The name that a token is; in quotes, without them. */
static void read_name(const belayi_scanner *scanner, const belayi_token *token, char *out, size_t room)
{
    size_t edge = token->type == BELAYI_TOKEN_QUOTED ? 1 : 0;
    belayi_report_text(out, room, scanner->text + token->at + edge, token->size - 2 * edge);
}

/* The next token that is no blank; false at the end. */
static bool next_word(belayi_scanner *scanner, belayi_token *token)
{
    do
        if (!belayi_sql_next(scanner, token) || token->type == BELAYI_TOKEN_END || token->type == BELAYI_TOKEN_ERROR)
            return false;
    while (token->type == BELAYI_TOKEN_BLANK || token->type == BELAYI_TOKEN_MARK);
    return true;
}

/* Marks the columns that are named from here to the end, or to where one bracket more is closed than opened. */
static uint64_t mark_columns(const belayi_table *table, belayi_scanner *scanner)
{
    char name[128];
    belayi_token token;
    uint64_t marked = 0;
    for (int depth = 0; depth >= 0 && next_word(scanner, &token);) {
        if (token.type == BELAYI_TOKEN_SYMBOL)
            depth += token.symbol == '(' ? 1 : token.symbol == ')' ? -1 : 0;
        if (!is_name(&token))
            continue;
        read_name(scanner, &token, name, sizeof name);
        const belayi_column *column = belayi_catalog_find(table, name);
        if (column && column - table->columns < 64)
            marked |= UINT64_C(1) << (column - table->columns);
    }
    return marked;
}

static void write_marked(const belayi_table *table, uint64_t marked, char *out, size_t room)
{
    size_t size = 0;
    for (size_t i = 0; i < table->count && i < 64 && size < room; i++)
        if (marked >> i & 1) {
            belayi_report_format(out + size, room - size, "%s%s", size > 0 ? ", " : "", table->columns[i].name);
            size += strlen(out + size);
        }
}

static void find_in_clause(const belayi_constraints *c, const char *clause, char *out, size_t room)
{
    belayi_scanner scanner;
    belayi_sql_scan(&scanner, clause, strlen(clause), c->session->transaction.conn->rules);
    write_marked(c->table, mark_columns(c->table, &scanner), out, room);
    belayi_sql_scan_done(&scanner);
}

/* Goes past the next two words; whether the second is an opening bracket. */
static bool skip_check_word(belayi_scanner *scanner)
{
    belayi_token check, bracket;
    return next_word(scanner, &check) && next_word(scanner, &bracket) && bracket.symbol == '(';
}

/* In a table's definition: what is behind CONSTRAINT name CHECK (. False when it is not there. */
static bool go_to_check(belayi_scanner *scanner, const char *name)
{
    char found[128];
    belayi_token token, before = {.type = BELAYI_TOKEN_END};
    while (next_word(scanner, &token)) {
        if (is_name(&token) && before.type == BELAYI_TOKEN_WORD) {
            read_name(scanner, &before, found, sizeof found);
            bool constraint = strcasecmp(found, "CONSTRAINT") == 0;
            read_name(scanner, &token, found, sizeof found);
            if (constraint && strcasecmp(found, name) == 0)
                return skip_check_word(scanner);
        }
        before = token;
    }
    return false;
}

/* A definition has the named constraint, or the error has named the clause itself. */
static void find_in_definition(const belayi_constraints *c, const char *definition, const char *name, char *out,
                               size_t room)
{
    belayi_scanner scanner;
    belayi_sql_scan(&scanner, definition, strlen(definition), c->session->transaction.conn->rules);
    bool found = go_to_check(&scanner, name);
    if (found)
        write_marked(c->table, mark_columns(c->table, &scanner), out, room);
    belayi_sql_scan_done(&scanner);
    if (!found)
        find_in_clause(c, name, out, room);
}

void belayi_constraints_find(const belayi_constraints *c, const char *name, char *out, size_t room)
{
    out[0] = '\0';
    for (size_t i = 0; i < c->count && c->session->transaction.conn && !out[0]; i++) {
        const belayi_constraint *one = &c->list[i];
        if (!one->name && one->clause)
            find_in_definition(c, one->clause, name, out, room);
        else if (one->name && strcmp(one->name, name) == 0 && one->columns)
            belayi_report_string(out, room, one->columns);
        else if (one->name && strcmp(one->name, name) == 0 && one->clause)
            find_in_clause(c, one->clause, out, room);
    }
}
