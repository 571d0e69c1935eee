/*
 * contained.c - whether a statement that fails is undone by SQLite itself.
 *
 * SQLite undoes a failed statement by a statement journal, and has one only
 * where its compiler saw both that a program may write several times and that a
 * constraint may abort it. Elsewhere it counts on failures to come before the
 * first write. That is not so for all failures: a value too long, a TEXT in an
 * INTEGER column of a STRICT table or a rowid that is no number, met at the
 * third row, leave the first two in place when no constraint stands by. And
 * OR FAIL and RAISE(FAIL) keep what was done, OR ROLLBACK ends everything.
 *
 * So the program is read, as EXPLAIN lists it. A statement is contained when
 *   - nothing in it, or in its triggers, stops with FAIL or ROLLBACK, and it
 *     writes no virtual table and no attached database, whose schema others may
 *     change unseen;
 *   - and either it surely has a statement journal: it runs triggers, or writes
 *     a table in a loop, and a constraint may abort it;
 *   - or, from its first write on, and in the loops around that, it has nothing
 *     but quiet opcodes: such as can't fail, unless memory, the disk or the file
 *     itself fails; then the whole transaction is lost.
 * An opcode that isn't known is not quiet, a program that is too long is not
 * contained: in doubt a savepoint is spent.
 * Tests: tests/unit/drivers/test_sqlite_contained.c.
 */
#include <string.h>

#include "conn.h"

/* ---- Opcodes -------------------------------------------------------------------------------------------- */

typedef enum opcode_trait {
    TRAIT_QUIET = 1 << 0,      /* can't fail */
    TRAIT_JUMP = 1 << 1,       /* may go on at p2 */
    TRAIT_LOOP = 1 << 2,       /* goes back to p2 at the end of a loop's body */
    TRAIT_EFFECT = 1 << 3,     /* changes something that a failure would have to undo */
    TRAIT_STORE = 1 << 4,      /* writes by the cursor p1 */
    TRAIT_SUBROUTINE = 1 << 5, /* runs again what lies elsewhere */
    TRAIT_NEW_ROWID = 1 << 6,
    TRAIT_FORBIDDEN = 1 << 7 /* never contained */
} opcode_trait;

typedef struct opcode_fact {
    const char *name;
    unsigned traits;
} opcode_fact;

enum {
    STORE = TRAIT_QUIET | TRAIT_EFFECT | TRAIT_STORE,
    JUMP = TRAIT_QUIET | TRAIT_JUMP,
    LOOP = TRAIT_QUIET | TRAIT_JUMP | TRAIT_LOOP
};

/* clang-format off */
static const opcode_fact opcode_facts[] = {
    {"Insert", STORE}, {"IdxInsert", STORE}, {"Delete", STORE}, {"IdxDelete", STORE},
    {"Clear", TRAIT_QUIET | TRAIT_EFFECT}, {"FkCounter", TRAIT_EFFECT}, {"Program", TRAIT_EFFECT},
    {"VUpdate", TRAIT_FORBIDDEN}, {"Gosub", TRAIT_SUBROUTINE}, {"Yield", TRAIT_SUBROUTINE},
    {"NewRowid", TRAIT_QUIET | TRAIT_NEW_ROWID}, /* may only find the disk full */

    {"Goto", LOOP}, {"Next", LOOP}, {"Prev", LOOP}, {"SorterNext", LOOP}, {"VNext", TRAIT_LOOP},

    {"Eq", JUMP}, {"Ne", JUMP}, {"Lt", JUMP}, {"Le", JUMP}, {"Gt", JUMP}, {"Ge", JUMP}, {"If", JUMP}, {"IfNot", JUMP},
    {"IsNull", JUMP}, {"NotNull", JUMP}, {"Rewind", JUMP}, {"NotExists", JUMP}, {"SeekRowid", JUMP}, {"SeekGE", JUMP},
    {"SeekGT", JUMP}, {"SeekLE", JUMP}, {"SeekLT", JUMP}, {"IdxGE", JUMP}, {"IdxGT", JUMP}, {"IdxLE", JUMP},
    {"IdxLT", JUMP}, {"Found", JUMP}, {"NotFound", JUMP}, {"NoConflict", JUMP}, {"FkIfZero", JUMP}, {"Once", JUMP},

    {"Noop", TRAIT_QUIET}, {"Close", TRAIT_QUIET}, {"Null", TRAIT_QUIET}, {"SoftNull", TRAIT_QUIET},
    {"Integer", TRAIT_QUIET}, {"Int64", TRAIT_QUIET}, {"Real", TRAIT_QUIET}, {"String8", TRAIT_QUIET},
    {"Variable", TRAIT_QUIET}, {"SCopy", TRAIT_QUIET}, {"Copy", TRAIT_QUIET}, {"IntCopy", TRAIT_QUIET},
    {"Column", TRAIT_QUIET}, {"Rowid", TRAIT_QUIET}, {"IdxRowid", TRAIT_QUIET}, {"Affinity", TRAIT_QUIET},
    {"RealAffinity", TRAIT_QUIET}, {"OpenRead", TRAIT_QUIET}, {"OpenWrite", TRAIT_QUIET}, {"ReopenIdx", TRAIT_QUIET},
    {"FinishSeek", TRAIT_QUIET}, {"DeferredSeek", TRAIT_QUIET}, {"MemMax", TRAIT_QUIET}, {"AddImm", TRAIT_QUIET},
    {"ResetCount", TRAIT_QUIET},
};
/* clang-format on */

static unsigned find_traits(const char *name)
{
    for (size_t i = 0; i < sizeof opcode_facts / sizeof opcode_facts[0]; i++)
        if (strcmp(opcode_facts[i].name, name) == 0)
            return opcode_facts[i].traits;
    return 0;
}

/* ---- The program ---------------------------------------------------------------------------------------- */

enum { PROGRAM_ROOM = 1000, CURSOR_ROOM = 64 };

typedef struct opcode {
    unsigned traits;
    int target; /* p2 */
} opcode;

typedef struct program {
    opcode codes[PROGRAM_ROOM]; /* of the statement itself, without its triggers */
    int size;
    int prologue;           /* from here on it is code that runs first, and then jumps to 1 */
    uint64_t table_cursors; /* the cursors that write tables or indexes, not temporary ones */
    int sources;            /* virtual tables that it reads */
    bool together;          /* it is an INSERT OR FAIL of many rows */
    bool in_trigger;
    bool forbidden;
    bool may_abort;
    bool runs_triggers;
} program;

/* A row of EXPLAIN. */
typedef struct explained {
    const char *name;
    int address, p1, p2;
} explained;

static uint64_t cursor_bit(int cursor)
{
    return cursor >= 0 && cursor < CURSOR_ROOM ? UINT64_C(1) << cursor : 0;
}

/* For a function, which may fail, SQLite keeps a statement journal, by which all rows would go. */
static bool spans_rows(const explained *row)
{
    return strcmp(row->name, "Function") == 0 || strcmp(row->name, "PureFunc") == 0;
}

/* What the opcodes of triggers may say as well. */
static void note_anywhere(program *p, const explained *row)
{
    enum { ROLL_BACK = 1, ABORT = 2, FAIL = 3, FIRST_ATTACHED = 2 };
    bool halts = strcmp(row->name, "Halt") == 0 || strcmp(row->name, "HaltIfNull") == 0;
    if (halts && row->p1 != 0) {
        p->forbidden |= row->p2 == ROLL_BACK || (row->p2 == FAIL && !p->together);
        p->may_abort |= row->p2 == ABORT;
    }
    if (strcmp(row->name, "Transaction") == 0 && row->p1 >= FIRST_ATTACHED)
        p->forbidden = true;
    p->sources += strcmp(row->name, "VOpen") == 0;
    p->forbidden |= p->together && spans_rows(row);
}

/* AUTOINCREMENT writes the table's name and a number into sqlite_sequence after all: too short to be too long. */
static bool is_sequence_record(const program *p, const explained *row)
{
    if (strcmp(row->name, "MakeRecord") != 0 || row->p2 != 2 || p->size < 2)
        return false;
    const opcode *new_rowid = &p->codes[p->size - 1], *skip_it = &p->codes[p->size - 2];
    return new_rowid->traits & TRAIT_NEW_ROWID && new_rowid->target == row->p1 + 2 && skip_it->target == p->size;
}

static unsigned find_row_traits(program *p, const explained *row)
{
    unsigned traits = find_traits(row->name);
    if (strcmp(row->name, "Halt") == 0 && row->p1 == 0)
        return TRAIT_QUIET;
    if (strcmp(row->name, "FkCounter") == 0 && p->together && row->p1 == 0 && row->p2 < 0)
        return TRAIT_QUIET; /* rows that waited for this one: none do, or all do until the commit */
    if (strcmp(row->name, "FkCounter") == 0 && (row->p1 != 0 || row->p2 < 0))
        return traits | TRAIT_QUIET; /* deferred, or for the better; else the end of the statement may refuse it */
    if (is_sequence_record(p, row))
        return TRAIT_QUIET;
    if (strcmp(row->name, "OpenWrite") == 0)
        p->table_cursors |= cursor_bit(row->p1);
    if (strncmp(row->name, "Open", 4) == 0 && strcmp(row->name, "OpenWrite") != 0 && strcmp(row->name, "OpenRead") != 0)
        p->table_cursors &= ~cursor_bit(row->p1);
    if (traits & TRAIT_STORE && !(p->table_cursors & cursor_bit(row->p1)))
        traits &= ~(unsigned)TRAIT_STORE;
    return traits;
}

static void note_row(program *p, const explained *row)
{
    note_anywhere(p, row);
    p->in_trigger |= row->address != p->size; /* their addresses begin at 0 again */
    if (p->in_trigger || p->forbidden)
        return;
    if (p->size == PROGRAM_ROOM) {
        p->forbidden = true;
        return;
    }
    if (row->address == 0)
        p->prologue = row->p2; /* Init */
    unsigned traits = find_row_traits(p, row);
    p->forbidden |= (traits & TRAIT_FORBIDDEN) != 0;
    p->runs_triggers |= strcmp(row->name, "Program") == 0;
    p->codes[p->size++] = (opcode){traits, row->p2};
}

/* ---- What follows from it -------------------------------------------------------------------------------- */

/* Whether a table is written in a loop, or by triggers, and a constraint may stop it: then there is a journal. */
static bool has_journal(const program *p)
{
    if (!p->may_abort || p->runs_triggers)
        return p->may_abort;
    for (int i = 0; i < p->prologue; i++) {
        if (!(p->codes[i].traits & TRAIT_LOOP))
            continue;
        for (int j = p->codes[i].target; j < i; j++)
            if (p->codes[j].traits & TRAIT_STORE)
                return true;
    }
    return false;
}

/* Whether the code from `start` on is quiet. *out_from is the lowest address that it jumps to. */
static bool is_quiet(const program *p, int start, int *out_from)
{
    *out_from = start;
    for (int i = start; i < p->prologue; i++) {
        if (!(p->codes[i].traits & TRAIT_QUIET))
            return false;
        if (p->codes[i].traits & TRAIT_JUMP && p->codes[i].target < *out_from)
            *out_from = p->codes[i].target;
    }
    return true;
}

/* Subroutines and coroutines may run again what lies behind them. */
static bool has_subroutines(const program *p)
{
    for (int i = 0; i < p->prologue; i++)
        if (p->codes[i].traits & TRAIT_SUBROUTINE)
            return true;
    return false;
}

/* Whether nothing can fail once something was written. */
static bool fails_first(const program *p)
{
    int first = 0, from;
    while (first < p->prologue && !(p->codes[first].traits & TRAIT_EFFECT))
        first++;
    while (is_quiet(p, first, &from)) {
        if (from == first)
            return !has_subroutines(p);
        first = from; /* a loop around it */
    }
    return false;
}

static bool judge(const program *p)
{
    return p->size > 1 && p->prologue < p->size && !p->forbidden && (has_journal(p) || fails_first(p));
}

static sqlite3_stmt *prepare_explain(belayi_sqlite_conn *conn, const char *text)
{
    sqlite3_stmt *native = NULL;
    char *question = sqlite3_mprintf("EXPLAIN %s", text);
    if (question)
        sqlite3_prepare_v2(conn->db, question, -1, &native, NULL);
    sqlite3_free(question);
    return native;
}

static bool explain(belayi_sqlite_conn *conn, const char *text, program *out)
{
    int rc;
    sqlite3_stmt *native = prepare_explain(conn, text);
    if (!native)
        return false;
    while ((rc = sqlite3_step(native)) == SQLITE_ROW && !out->forbidden) {
        explained row = {(const char *)sqlite3_column_text(native, 1), sqlite3_column_int(native, 0),
                         sqlite3_column_int(native, 2), sqlite3_column_int(native, 3)};
        if (!row.name)
            break; /* no memory */
        note_row(out, &row);
    }
    sqlite3_finalize(native);
    return rc == SQLITE_DONE || out->forbidden;
}

/* ---- Many rows by one statement ---------------------------------------------------------------------------- */

/* Whether the first write is followed by nothing but quiet code up to the jump to the next row, and by no other write.
 */
static bool writes_last(const program *p)
{
    int first = 0, end;
    while (first < p->prologue && !(p->codes[first].traits & TRAIT_EFFECT))
        first++;
    for (end = first; end < p->prologue && !(p->codes[end].traits & TRAIT_LOOP); end++)
        if (!(p->codes[end].traits & TRAIT_QUIET) || (p->codes[end].traits & TRAIT_JUMP && p->codes[end].target <= end))
            return false;
    if (first == end || end == p->prologue || p->codes[end].target >= first)
        return false;
    for (int i = end; i < p->size; i++)
        if (p->codes[i].traits & TRAIT_EFFECT)
            return false;
    return true;
}

bool belayi_sqlite_stops_clean(belayi_sqlite_conn *conn, const char *text)
{
    program p = {.together = true};
    return explain(conn, text, &p) && p.size > 1 && p.prologue < p.size && !p.forbidden && !p.may_abort &&
           p.sources == 1 && writes_last(&p);
}

static bool is_same_row(sqlite3_stmt *one, sqlite3_stmt *two)
{
    enum { COMPARED = 7 }; /* the address, the name, five operands; then a comment */
    for (int i = 0; i < COMPARED; i++) {
        const unsigned char *a = sqlite3_column_text(one, i), *b = sqlite3_column_text(two, i);
        if ((a && b) ? strcmp((const char *)a, (const char *)b) != 0 : a != b)
            return false;
    }
    return sqlite3_column_text(one, 1) != NULL;
}

bool belayi_sqlite_is_same_program(belayi_sqlite_conn *conn, const char *one, const char *two)
{
    int rc = SQLITE_ROW;
    sqlite3_stmt *a = prepare_explain(conn, one), *b = prepare_explain(conn, two);
    bool same = a && b;
    while (same && rc == SQLITE_ROW) {
        rc = sqlite3_step(a);
        same = sqlite3_step(b) == rc && (rc == SQLITE_DONE || (rc == SQLITE_ROW && is_same_row(a, b)));
    }
    sqlite3_finalize(a);
    sqlite3_finalize(b);
    return same;
}

/* ---- When what is known is out of date --------------------------------------------------------------------- */

/*
 * Looks, once a transaction, whether another connection has changed the schema:
 * then this statement has to be prepared anew, and SQLite has read the schema
 * anew, which EXPLAIN alone would not make it do.
 */
static bool probe_schema(belayi_sqlite_conn *conn)
{
    belay_error ignored;
    unsigned version = 0;
    if (conn->schema_checked)
        return true;
    if (sqlite3_file_control(conn->db, "main", SQLITE_FCNTL_DATA_VERSION, &version) != SQLITE_OK)
        return false;
    if (!conn->schema_probe || version != conn->data_version) {
        if (!conn->schema_probe && belayi_sqlite_prepare_own(conn, "SELECT 1 FROM main.sqlite_schema LIMIT 0",
                                                             &conn->schema_probe, &ignored) != BELAY_OK)
            return false;
        int rc = sqlite3_step(conn->schema_probe);
        sqlite3_reset(conn->schema_probe);
        if (rc != SQLITE_DONE)
            return false;
        int renewals = sqlite3_stmt_status(conn->schema_probe, SQLITE_STMTSTATUS_REPREPARE, 0);
        if (renewals != conn->schema_renewals)
            conn->schema_generation++;
        conn->schema_renewals = renewals;
        conn->data_version = version;
    }
    conn->schema_checked = true;
    return true;
}

/* Asking, too, can run out of memory or fail to read, and so end the transaction. The next call will say so. */
void belayi_sqlite_notice_silent_end(belayi_sqlite_conn *conn)
{
    if (!sqlite3_get_autocommit(conn->db))
        return;
    conn->ended_by = sqlite3_extended_errcode(conn->db);
    if (conn->ended_by == SQLITE_OK)
        conn->ended_by = SQLITE_NOMEM;
    belayi_sqlite_notice_end(conn);
}

/* True when the answer in `s` is that of now. */
static bool renew_answer(belayi_sqlite_conn *conn, belayi_sqlite_statement *s)
{
    if (!probe_schema(conn))
        return false;
    if (s->contained_generation == conn->schema_generation)
        return true;
    program p = {.size = 0};
    if (!explain(conn, sqlite3_sql(s->native), &p))
        return false;
    s->contained = judge(&p);
    s->contained_generation = conn->schema_generation;
    return true;
}

bool belayi_sqlite_self_contained(belay_statement *statement)
{
    belayi_sqlite_statement *s = (belayi_sqlite_statement *)statement;
    belayi_sqlite_conn *conn = (belayi_sqlite_conn *)statement->conn;
    if (!s->is_dml || conn->adopted || conn->lent || sqlite3_get_autocommit(conn->db))
        return false; /* the program may have changed the schema by its own handle, unseen */
    if (renew_answer(conn, s))
        return s->contained;
    belayi_sqlite_notice_silent_end(conn);
    return false;
}
