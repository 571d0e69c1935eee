#include "texts.h"

#include <stdlib.h>
#include <string.h>

/* ---- A text that grows ------------------------------------------------------------------------------------------ */

static void add_bytes(belayi_draft *draft, const char *bytes, size_t size)
{
    if (draft->failed)
        return;
    if (draft->size + size + 1 > draft->room) {
        size_t room = 2 * (draft->size + size) + 128;
        char *grown = realloc(draft->text, room);
        if (!grown) {
            draft->failed = true;
            return;
        }
        draft->text = grown;
        draft->room = room;
    }
    memcpy(draft->text + draft->size, bytes, size);
    draft->size += size;
    draft->text[draft->size] = '\0';
}

void belayi_draft_add(belayi_draft *draft, const char *text)
{
    add_bytes(draft, text, strlen(text));
}

static void add_quoted(belayi_draft *draft, const char *name, size_t size, char quote)
{
    add_bytes(draft, &quote, 1);
    for (size_t i = 0; i < size; i++) {
        add_bytes(draft, &name[i], 1);
        if (name[i] == quote)
            add_bytes(draft, &quote, 1);
    }
    add_bytes(draft, &quote, 1);
}

void belayi_draft_name(belayi_draft *draft, const char *name, bool dotted, char quote)
{
    const char *dot;
    while (dotted && (dot = strchr(name, '.'))) {
        add_quoted(draft, name, (size_t)(dot - name), quote);
        belayi_draft_add(draft, ".");
        name = dot + 1;
    }
    add_quoted(draft, name, strlen(name), quote);
}

/* ---- Parts of statements ----------------------------------------------------------------------------------------- */

static void add_table(belayi_draft *draft, const belayi_shape *shape, char quote)
{
    belayi_draft_name(draft, shape->model->table, true, quote);
}

/* The names of a set of columns, each with `behind` after it, and `between` two of them. */
static void add_columns(belayi_draft *draft, const belayi_shape *shape, belayi_columns columns, char quote,
                        const char *behind, const char *between)
{
    const char *before = "";
    for (unsigned i = 0; i < shape->count; i++)
        if (columns & BELAYI_COLUMN_BIT(i)) {
            belayi_draft_add(draft, before);
            belayi_draft_name(draft, belayi_shape_name(&shape->model->columns[i]), false, quote);
            belayi_draft_add(draft, behind);
            before = between;
        }
}

static void add_where(belayi_draft *draft, const belayi_shape *shape, bool with_version, char quote)
{
    belayi_draft_add(draft, " WHERE ");
    for (unsigned i = 0; i < shape->keys; i++) {
        belayi_draft_add(draft, i > 0 ? " AND " : "");
        belayi_draft_name(draft, belayi_shape_name(&shape->model->columns[shape->key[i]]), false, quote);
        belayi_draft_add(draft, " = ?");
    }
    if (!with_version || shape->version < 0)
        return;
    belayi_draft_add(draft, " AND ");
    belayi_draft_name(draft, belayi_shape_name(&shape->model->columns[shape->version]), false, quote);
    belayi_draft_add(draft, " = ?");
}

static void add_select(belayi_draft *draft, const belayi_shape *shape, char quote)
{
    belayi_draft_add(draft, "SELECT ");
    add_columns(draft, shape, shape->all, quote, "", ", ");
    belayi_draft_add(draft, " FROM ");
    add_table(draft, shape, quote);
}

static void add_row(belayi_draft *draft, belayi_columns columns)
{
    const char *before = "(?";
    for (; columns; columns &= columns - 1) {
        belayi_draft_add(draft, before);
        before = ", ?";
    }
    belayi_draft_add(draft, ")");
}

static void add_insert(belayi_draft *draft, const belayi_shape *shape, const belayi_sql_text *wanted, char quote)
{
    belayi_draft_add(draft, "INSERT INTO ");
    add_table(draft, shape, quote);
    if (!wanted->columns) { /* a row of defaults: MariaDB has another word for it, and another quote */
        belayi_draft_add(draft, quote == '`' ? " () VALUES ()" : " DEFAULT VALUES");
    } else {
        belayi_draft_add(draft, " (");
        add_columns(draft, shape, wanted->columns, quote, "", ", ");
        belayi_draft_add(draft, ") VALUES ");
    }
    for (unsigned i = 0; wanted->columns && i < wanted->rows; i++) {
        belayi_draft_add(draft, i > 0 ? ", " : "");
        add_row(draft, wanted->columns);
    }
    if (!wanted->returning)
        return;
    belayi_draft_add(draft, " RETURNING ");
    add_columns(draft, shape, wanted->returning, quote, "", ", ");
}

static void add_statement(belayi_draft *draft, const belayi_shape *shape, const belayi_sql_text *wanted, char quote)
{
    switch (wanted->verb) {
    case BELAYI_VERB_INSERT:
        add_insert(draft, shape, wanted, quote);
        return;
    case BELAYI_VERB_UPDATE:
        belayi_draft_add(draft, "UPDATE ");
        add_table(draft, shape, quote);
        belayi_draft_add(draft, " SET ");
        add_columns(draft, shape, wanted->columns, quote, " = ?", ", ");
        add_where(draft, shape, true, quote);
        return;
    case BELAYI_VERB_DELETE:
        belayi_draft_add(draft, "DELETE FROM ");
        add_table(draft, shape, quote);
        add_where(draft, shape, true, quote);
        return;
    case BELAYI_VERB_SELECT:
    case BELAYI_VERB_LOCK:
    case BELAYI_VERB_LOCK_NOWAIT:
    case BELAYI_VERB_LOCK_SKIP:
        break;
    }
    add_select(draft, shape, quote);
    add_where(draft, shape, false, quote);
    if (wanted->verb != BELAYI_VERB_SELECT)
        belayi_draft_add(draft, " FOR UPDATE");
    if (wanted->verb == BELAYI_VERB_LOCK_NOWAIT)
        belayi_draft_add(draft, " NOWAIT");
    if (wanted->verb == BELAYI_VERB_LOCK_SKIP)
        belayi_draft_add(draft, " SKIP LOCKED");
}

/* ---- Texts that are kept ---------------------------------------------------------------------------------------- */

static bool is_wanted(const belayi_sql_text *text, const belayi_sql_text *wanted)
{
    return text->verb == wanted->verb && text->rows == wanted->rows && text->columns == wanted->columns &&
           text->returning == wanted->returning;
}

/* Finds it and puts it first. */
static belayi_sql_text *find_text(belayi_statements *statements, const belayi_sql_text *wanted)
{
    for (belayi_sql_text **place = &statements->first; *place; place = &(*place)->next)
        if (is_wanted(*place, wanted)) {
            belayi_sql_text *found = *place;
            *place = found->next;
            found->next = statements->first;
            statements->first = found;
            return found;
        }
    return NULL;
}

const char *belayi_texts_get(belayi_statements *statements, const belayi_shape *shape, char quote,
                             const belayi_sql_text *wanted)
{
    belayi_sql_text *text = find_text(statements, wanted);
    if (text)
        return text->text;
    belayi_draft draft = {0};
    add_statement(&draft, shape, wanted, quote);
    if (!draft.failed && (text = malloc(sizeof *text + draft.size + 1))) {
        *text = *wanted;
        memcpy(text->text, draft.text, draft.size + 1);
        text->next = statements->first;
        statements->first = text;
    }
    free(draft.text);
    return text ? text->text : NULL;
}

char *belayi_texts_find(const belayi_shape *shape, char quote, const char *rest)
{
    belayi_draft draft = {0};
    add_select(&draft, shape, quote);
    belayi_draft_add(&draft, " ");
    belayi_draft_add(&draft, rest);
    if (!draft.failed)
        return draft.text;
    free(draft.text);
    return NULL;
}

void belayi_texts_done(belayi_statements *statements)
{
    while (statements->first) {
        belayi_sql_text *next = statements->first->next;
        free(statements->first);
        statements->first = next;
    }
}
