/*
 * program.c - the structure of a program, and its text.
 */
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Structure ---------------------------------------------------------------------------------- */

static bool is_opener(op_kind kind)
{
    return kind == OP_BLOCK || kind == OP_CALLBACK;
}

static bool is_closer(op_kind kind)
{
    return kind == OP_END || kind == OP_CONTINUE || kind == OP_BREAK || kind == OP_RETURN;
}

extent program_extent(const program *p, int at)
{
    op_kind opener = p->ops[at].kind;
    int i = at + 1;
    while (i < p->count && !is_closer(p->ops[i].kind)) {
        if (!is_opener(p->ops[i].kind)) {
            i++;
            continue;
        }
        extent inner = program_extent(p, i);
        /* a RETURN closes the blocks around it too: the inner body ends with it, and so does this one */
        bool returned = inner.next > 0 && p->ops[inner.next - 1].kind == OP_RETURN && inner.body_end == inner.next;
        if (returned && p->ops[i].kind == OP_BLOCK)
            return opener == OP_BLOCK ? inner : (extent){inner.next, inner.next};
        i = inner.next;
    }
    if (i >= p->count)
        return (extent){p->count, p->count};
    if (p->ops[i].kind == OP_END || (opener == OP_CALLBACK && p->ops[i].kind != OP_RETURN))
        return (extent){i, i + 1};
    return (extent){i + 1, i + 1};
}

int program_closer(const program *p, int at)
{
    extent e = program_extent(p, at);
    if (e.next > e.body_end)
        return e.body_end;
    return is_closer(p->ops[e.next - 1].kind) ? e.next - 1 : p->count;
}

model_options program_options(int form)
{
    static const model_options options[FORMS] = {
        [FORM_PLAIN] = {BELAY_NESTED, false, 0},         [FORM_READ] = {BELAY_NESTED, true, 0},
        [FORM_REQUIRED] = {BELAY_REQUIRED, false, 0},    [FORM_MANDATORY] = {BELAY_MANDATORY, false, 0},
        [FORM_OUTERMOST] = {BELAY_OUTERMOST, false, 0},  [FORM_RETRY] = {BELAY_NESTED, false, 2},
        [FORM_RETRY_READ] = {BELAY_NESTED, true, 2},     [FORM_NEW] = {BELAY_REQUIRES_NEW, false, 0},
        [FORM_NEW_READ] = {BELAY_REQUIRES_NEW, true, 0},
    };
    return options[form];
}

bool program_is_wide(const program *p)
{
    for (int i = 0; i < p->count; i++) {
        op_kind kind = p->ops[i].kind;
        bool opens = is_opener(kind) || kind == OP_BEGIN;
        if (opens && program_options(p->ops[i].a).propagation == BELAY_REQUIRES_NEW)
            return true;
    }
    return false;
}

/* ---- Names -------------------------------------------------------------------------------------- */

/* What follows an operation's word. */
typedef enum operands { NONE, FORM, FORM_RESULT, NAME, STATEMENT, CODE, ATTEMPT_CODE, HOOK } operands;

static const struct {
    const char *word;
    operands operands;
} words[OP_KINDS] = {
    [OP_BLOCK] = {"block", FORM},
    [OP_CALLBACK] = {"callback", FORM_RESULT},
    [OP_BEGIN] = {"begin", FORM},
    [OP_END] = {"}", NONE},
    [OP_CONTINUE] = {"continue", NONE},
    [OP_BREAK] = {"break", NONE},
    [OP_RETURN] = {"return", NONE},
    [OP_COMMIT] = {"commit", NONE},
    [OP_ROLLBACK] = {"rollback", NONE},
    [OP_UNDO] = {"undo", NONE},
    [OP_SAVEPOINT] = {"savepoint", NAME},
    [OP_ROLLBACK_TO] = {"rollback_to", NAME},
    [OP_RELEASE] = {"release", NAME},
    [OP_EXEC] = {"exec", STATEMENT},
    [OP_TRY] = {"try", STATEMENT},
    [OP_COUNT] = {"count", NONE},
    [OP_FAIL] = {"fail", CODE},
    [OP_FAIL_IN] = {"fail_in", ATTEMPT_CODE},
    [OP_CATCH] = {"catch", CODE},
    [OP_IGNORE] = {"ignore", CODE},
    [OP_READ] = {"read_status", NONE},
    [OP_HOOK] = {"hook", HOOK},
    [OP_REQUIRE_NONE] = {"require_none", NONE},
    [OP_RAISE] = {"raise_caught", NONE},
};

static const char *const forms[FORMS] = {"plain", "read",       "required", "mandatory", "outermost",
                                         "retry", "retry_read", "new",      "new_read"};

static const char *const statements[MODEL_STATEMENTS] = {
    [MODEL_INSERT] = "insert",          [MODEL_CHILD] = "child",
    [MODEL_DELETE] = "delete",          [MODEL_CHECK] = "check",
    [MODEL_NOT_NULL] = "not_null",      [MODEL_OR_ROLLBACK] = "insert_or_rollback",
    [MODEL_OR_FAIL] = "insert_or_fail", [MODEL_SCHEMA] = "no_such_table",
    [MODEL_CONTROL] = "control",        [MODEL_PARAMETERS] = "wrong_parameters",
};

static const char *const hooks[] = {"on_commit", "on_rollback", "before_commit"};
static const char *const actions[MODEL_ACTIONS] = {"nothing",        "fails",     "inserts", "registers",
                                                   "registers_same", "opens",     "nests",   "raises",
                                                   "undoes",         "goes_back", "ends"};

enum { HOOK_KINDS = sizeof hooks / sizeof *hooks };

const char *program_code_name(belay_code code)
{
    switch (code) {
#define NAME_OF(name, class_, retry, text)                                                                             \
    case BELAY_##name:                                                                                                 \
        return #name;
        BELAY_CODES(NAME_OF)
#undef NAME_OF
    case BELAY_ANY:
        return "ANY";
    }
    return "?";
}

/* ---- Printing ----------------------------------------------------------------------------------- */

const char *program_op_text(const op *o, char *text, size_t size)
{
    const char *word = words[o->kind].word;
    switch (words[o->kind].operands) {
    case NONE:
        snprintf(text, size, "%s", word);
        break;
    case FORM:
        snprintf(text, size, "%s %s%s", word, forms[o->a], o->kind == OP_BLOCK ? " {" : "");
        break;
    case FORM_RESULT:
        snprintf(text, size, "%s %s %d {", word, forms[o->a], o->b);
        break;
    case NAME:
        snprintf(text, size, "%s %c", word, 'a' + o->a);
        break;
    case STATEMENT:
        snprintf(text, size, "%s %s %d", word, statements[o->a], o->b);
        break;
    case CODE:
        snprintf(text, size, "%s %s", word, program_code_name((belay_code)o->a));
        break;
    case ATTEMPT_CODE:
        snprintf(text, size, "%s %d %s", word, o->b + 1, program_code_name((belay_code)o->a));
        break;
    case HOOK:
        snprintf(text, size, "%s %s %s %d", word, hooks[o->a / MODEL_ACTIONS], actions[o->a % MODEL_ACTIONS], o->b);
        break;
    }
    return text;
}

static void print_range(const program *p, int from, int to, int depth, int mark)
{
    char text[80];
    for (int i = from; i < to;) {
        printf("%s%*s%s\n", i == mark ? "->" : "  ", 2 + 4 * depth, "", program_op_text(&p->ops[i], text, sizeof text));
        if (!is_opener(p->ops[i].kind)) {
            i++;
            continue;
        }
        extent e = program_extent(p, i);
        print_range(p, i + 1, e.body_end, depth + 1, mark);
        if (e.next > e.body_end)
            printf("%s%*s%s\n", e.body_end == mark ? "->" : "  ", 2 + 4 * depth, "",
                   program_op_text(&p->ops[e.body_end], text, sizeof text));
        else if (!is_closer(p->ops[e.next - 1].kind)) /* closed by the end of the list */
            printf("  %*s}\n", 2 + 4 * depth, "");
        i = e.next;
    }
}

void program_print(const program *p, int mark)
{
    if (p->looks)
        printf("    looks\n");
    if (p->quiet)
        printf("    quiet\n");
    print_range(p, 0, p->count, 0, mark);
    if (mark == p->count)
        printf("->  (end)\n");
}

/* ---- Reading ------------------------------------------------------------------------------------ */

static int index_of(const char *word, const char *const *list, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

static int code_of(const char *word)
{
    for (int code = 0; code <= BELAY_ANY; code++)
        if (strcmp(word, program_code_name((belay_code)code)) == 0)
            return code;
    return -1;
}

/* `word` .. `third`: the words of one operation, empty where there are none. */
static bool read_operands(op *o, const char *first, const char *second, const char *third)
{
    switch (words[o->kind].operands) {
    case NONE:
        return true;
    case FORM_RESULT:
        o->b = atoi(second);
        o->a = index_of(first, forms, FORMS);
        return o->a >= 0;
    case FORM:
        o->a = index_of(first, forms, FORMS);
        return o->a >= 0;
    case NAME:
        o->a = first[0] - 'a';
        return o->a >= 0 && o->a < NAMES;
    case STATEMENT:
        o->a = index_of(first, statements, MODEL_STATEMENTS);
        o->b = atoi(second);
        return o->a >= 0 && o->b >= 0 && o->b < MODEL_ROWS;
    case CODE:
        o->a = code_of(first);
        return o->a >= 0;
    case ATTEMPT_CODE:
        o->b = atoi(first) - 1;
        o->a = code_of(second);
        return o->a >= 0;
    case HOOK: {
        int kind = index_of(first, hooks, HOOK_KINDS), action = index_of(second, actions, MODEL_ACTIONS);
        o->a = kind * MODEL_ACTIONS + action;
        o->b = atoi(third);
        return kind >= 0 && action >= 0 && o->b >= 0 && o->b < MODEL_ROWS;
    }
    }
    return false;
}

static bool read_line(program *p, const char *line)
{
    char word[4][24] = {{0}};
    int count = sscanf(line, "%23s %23s %23s %23s", word[0], word[1], word[2], word[3]);
    if (count <= 0 || strcmp(word[0], "(end)") == 0)
        return true;
    if (strcmp(word[0], "looks") == 0)
        return p->looks = true;
    if (strcmp(word[0], "quiet") == 0)
        return p->quiet = true;
    for (int kind = 0; kind < OP_KINDS && p->count < PROGRAM_OPS; kind++) {
        op *o = &p->ops[p->count];
        if (strcmp(word[0], words[kind].word) != 0)
            continue;
        *o = (op){(op_kind)kind, 0, 0};
        p->count++;
        return read_operands(o, word[1], word[2], word[3]);
    }
    return false;
}

bool program_parse(program *p, const char *text)
{
    memset(p, 0, sizeof *p);
    while (*text) {
        char line[120];
        text += strspn(text, " \t\n;");
        if (strncmp(text, "->", 2) == 0) {
            text += 2;
            continue;
        }
        size_t length = strcspn(text, ";\n");
        snprintf(line, sizeof line, "%.*s", (int)length, text);
        if (!read_line(p, line)) {
            fprintf(stderr, "not an operation: %s\n", line);
            return false;
        }
        text += length;
    }
    return true;
}
