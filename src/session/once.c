#include "once.h"

#include <stdio.h>
#include <string.h>

#include <belay/value.h>

#include "clock.h"
#include "doubt.h"
#include "lexer.h"
#include "link.h"
#include "own_table.h"
#include "random.h"
#include "report.h"

enum { KEY_MAX = BELAYI_ONCE_KEY_ROOM - 1, SQL_ROOM = 1024, SECONDS_A_DAY = 86400, PRUNE_EVERY_S = 3600 };

belay_code belayi_once_check_key(const belay_scope_options *o, belay_error *error)
{
    size_t size = strlen(o->once);
    if (size == 0 || size > KEY_MAX)
        return belayi_report(error, BELAY_MISUSE, "the key of .once has %zu bytes: it must have from 1 to %d", size,
                             (int)KEY_MAX);
    if (o->name && strlen(o->name) > KEY_MAX)
        return belayi_report(error, BELAY_MISUSE, "a unit with .once must have a .name of at most %d bytes",
                             (int)KEY_MAX);
    return BELAY_OK;
}

/* ---- Statements on the table ------------------------------------------------------------------------------------ */

/* What is sent; # is the table, @ the engine's clock in seconds since 1970, and % ~ [ ] are its words for the type of a
   key, the end of a new table, and what is around an INSERT that does nothing where the key is there. */
static const char create_text[] = "CREATE TABLE IF NOT EXISTS # (once_key % NOT NULL PRIMARY KEY, unit % NOT NULL, "
                                  "state CHAR(4) NOT NULL, attempt BIGINT NOT NULL, since BIGINT NOT NULL)~";
static const char claim_text[] = "[ # (once_key, unit, state, attempt, since) VALUES (?1, ?3, 'done', ?2, @)]";
static const char take_over_text[] =
    "UPDATE # SET state = 'done', attempt = ?2, since = @ WHERE once_key = ?1 AND state = 'void' AND unit = ?3";
/* The second changes nothing exactly when this attempt has committed. */
static const char void_text[] = "[ # (once_key, unit, state, attempt, since) VALUES (?1, ?3, 'void', ?2, @)]";
static const char void_again_text[] =
    "UPDATE # SET since = @ WHERE once_key = ?1 AND (state = 'void' OR attempt <> ?2)";
static const char unit_text[] = "SELECT unit FROM # WHERE once_key = ?1 AND attempt <> ?2";
static const char prune_text[] = "DELETE FROM # WHERE since < @ - ?1";

/* The name is the program's, and may be one of SQL's own words. */
static void quote_table(char *out, size_t room, const belay_session *s, const belay_conn *conn)
{
    const char *name = s->db->once_table;
    belayi_sql_quote(out, room, name, strlen(name), conn->rules->double_quoted_strings ? '`' : '"');
}

/* What a sign in the texts above stands for; NULL: for itself. */
static const char *word_for(char sign, const char *table, const belay_driver *driver)
{
    switch (sign) {
    case '#':
        return table;
    case '@':
        return driver->epoch_seconds;
    case '%':
        return driver->key_type;
    case '~':
        return driver->table_end;
    case '[':
        return driver->insert_new;
    case ']':
        return driver->insert_new_end;
    default:
        return NULL;
    }
}

static void write_sql(char out[SQL_ROOM], const char *format, const belay_session *s, const belay_conn *conn)
{
    char table[BELAYI_ONCE_TABLE_ROOM + 2], end[64];
    size_t size = 0;
    quote_table(table, sizeof table, s, conn);
    for (; *format; format++) {
        const char *word = word_for(*format, table, conn->driver);
        if (*format == ']') {
            belayi_report_format(end, sizeof end, word, "once_key");
            word = end;
        }
        size_t more = word ? strlen(word) : 1;
        if (size + more >= SQL_ROOM)
            break; /* no driver's words are so long */
        memcpy(out + size, word ? word : format, more);
        size += more;
    }
    out[size] = '\0';
}

/* A statement on its way: the parameters, and what came of it. */
typedef struct once_call {
    const char *format;
    size_t n;
    belay_value values[3];
    int64_t changes;
    char *unit; /* where to put the first column of the first row; NULL: it gives none */
    size_t unit_room;
    bool found; /* there was a row */
} once_call;

static void copy_cell(const belay_value *cell, once_call *call)
{
    call->found = true;
    size_t size = cell->type == BELAY_TYPE_TEXT || cell->type == BELAY_TYPE_BLOB ? cell->size : 0;
    if (size >= call->unit_room)
        size = call->unit_room - 1;
    memcpy(call->unit, size > 0 ? cell->as.data : "", size);
    call->unit[size] = '\0';
}

/* Runs a query of one column: its first row. */
static belay_code read_unit(belay_statement *statement, once_call *call, belay_error *error)
{
    const belay_driver *driver = statement->conn->driver;
    belay_value cell;
    belay_effect effect = {0};
    belay_code code = driver->start(statement, call->n, call->values, error);
    if (code != BELAY_OK)
        return code;
    belay_step step = driver->step(statement, &cell, &effect, error);
    code = step == BELAY_STEP_ERROR ? error->code : BELAY_OK;
    if (step == BELAY_STEP_ROW)
        copy_cell(&cell, call);
    driver->finish(statement);
    return code;
}

static belay_code run_prepared(belay_statement *statement, once_call *call, belay_error *error)
{
    belay_effect effect = {0};
    if (call->unit)
        return read_unit(statement, call, error);
    belay_code code = statement->conn->driver->execute(statement, call->n, call->values, &effect, error);
    call->changes = effect.changes;
    return code;
}

static belay_code run(belay_session *s, belay_conn *conn, once_call *call, belay_error *error)
{
    char sql[SQL_ROOM];
    belayi_link *link = belayi_link_of(conn);
    belayi_cached *cached;
    write_sql(sql, call->format, s, conn);
    belay_code code = belayi_link_get(link, sql, &cached, error);
    if (code != BELAY_OK)
        return code;
    belay_trace_event event = {.kind = BELAY_TRACE_STATEMENT, .statement = sql, .start_ns = belayi_doubt_note_start(s)};
    code = cached->statement ? BELAY_OK : belayi_link_prepare(link, cached, error);
    if (code == BELAY_OK)
        code = run_prepared(cached->statement, call, error);
    belayi_link_put(link, cached);
    event.code = code;
    event.rows = call->changes;
    belayi_doubt_tell(s, event);
    if (code != BELAY_OK)
        BELAYI_REPORT_FIELD(error->statement, sql);
    return code;
}

static once_call about_key(const belay_session *s, const char *format)
{
    const char *name = s->unit.spec.name ? s->unit.spec.name : "";
    once_call call = {.format = format, .n = 3};
    call.values[0] = belay_text(s->unit.once, strlen(s->unit.once));
    call.values[1] = belay_integer(s->unit.once_attempt);
    call.values[2] = belay_text(name, strlen(name));
    return call;
}

/* Inserts the key, or, where it is there, updates it as far as the second text allows. No row is changed by either when
   it does not. */
static belay_code put_key(belay_session *s, belay_conn *conn, const char *insert, const char *update, size_t n,
                          int64_t *out_changes, belay_error *error)
{
    once_call call = about_key(s, insert);
    belay_code code = run(s, conn, &call, error);
    if (code == BELAY_OK && call.changes == 0) {
        call = about_key(s, update);
        call.n = n;
        code = run(s, conn, &call, error);
    }
    *out_changes = call.changes;
    return code;
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

/* Forgets keys that are older than they are promised to be kept. What it can't forget now, it can later. */
static void prune(belay_session *s, belay_conn *conn)
{
    belay_error error;
    int days = s->db->options.once_keep_days;
    once_call call = {.format = prune_text, .n = 1};
    if (days < 0)
        return;
    call.values[0] = belay_integer((int64_t)days * SECONDS_A_DAY);
    if (run(s, conn, &call, &error) == BELAY_OK)
        return;
    char line[512];
    belayi_report_format(line, sizeof line, "old keys of .once could not be pruned: %s: %s",
                         belay_code_name(error.code), error.message);
    belayi_db_log(s->db, BELAY_LOG_WARNING, line);
}

/* Makes the table, on a connection and in a transaction of its own, and prunes it now and then. */
static belay_code make_table(belay_session *s, belay_error *error)
{
    belay_conn *conn;
    belay_db *db = s->db;
    long long now = belayi_clock_now(), due = atomic_load(&db->once_due_ns);
    if (now < due)
        return BELAY_OK;
    belay_code code = belayi_db_lend(db, &belayi_transaction_top(&s->transaction)->limits, &conn, error);
    if (code != BELAY_OK)
        return code;
    conn->limits = belayi_transaction_top(&s->transaction)->limits;
    once_call call = {.format = create_text};
    code = run(s, conn, &call, error);
    for (int time = 1; time < 3 && belayi_own_table_clashed(code); time++)
        code = run(s, conn, &call, error);
    if (code == BELAY_OK &&
        atomic_compare_exchange_strong(&db->once_due_ns, &due, now + (int64_t)PRUNE_EVERY_S * 1000 * BELAYI_NS_PER_MS))
        prune(s, conn);
    belayi_pool_take_back(&db->pool, conn, conn->driver->status(conn) == BELAY_TRANSACTION_NONE);
    return code;
}

/* Where the unit's transaction is somebody else's, the table is made in it, if that is no commit. */
static bool makes_table_inside(const belay_session *s)
{
    return (s->kind || s->adopted) && (s->db->driver->capabilities & BELAY_CAN_TRANSACT_DDL);
}

static belay_code make_table_inside(belay_session *s, belay_error *error)
{
    once_call call = {.format = create_text};
    return run(s, s->transaction.conn, &call, error);
}

/* ---- Claiming a key --------------------------------------------------------------------------------------------- */

/* The key is there. Of this unit: it was done. Of another: the program uses one key for two things. */
static belay_code judge_done(belay_session *s, belay_error *error)
{
    char unit[KEY_MAX + 1] = "";
    const char *name = s->unit.spec.name ? s->unit.spec.name : "";
    once_call call = about_key(s, unit_text);
    call.n = 2;
    call.unit = unit;
    call.unit_room = sizeof unit;
    belay_code code = run(s, s->transaction.conn, &call, error);
    if (code != BELAY_OK)
        return code;
    if (!call.found) /* nothing says that the unit was done */
        return belayi_report(error, BELAY_SERIALIZATION, "the key \"%s\" of .once was neither taken nor is it there",
                             s->unit.once);
    if (strcmp(unit, name) == 0)
        return BELAY_ROLLED_BACK;
    belayi_report(error, BELAY_MISUSE, "the key \"%s\" of .once belongs to a unit of another .name", s->unit.once);
    BELAYI_REPORT_FORMAT(error->detail, "it is \"%s\"", unit);
    return BELAY_MISUSE;
}

/* The statement fits the table that the library makes; what is there is another. */
static void blame_table(belay_session *s, belay_error *error)
{
    atomic_store(&s->db->once_due_ns, 0); /* if somebody dropped it, the next unit makes it again */
    BELAYI_REPORT_FORMAT(error->hint, "\"%.63s\" must be a table that this library made: see .once_table of belay_open",
                         s->db->once_table);
}

static belay_code claim(belay_session *s, belay_error *error)
{
    int64_t changes = 0;
    belay_code code = makes_table_inside(s) ? make_table_inside(s, error) : BELAY_OK;
    if (code == BELAY_OK)
        code = put_key(s, s->transaction.conn, claim_text, take_over_text, 3, &changes, error);
    if (code == BELAY_SCHEMA || code == BELAY_SYNTAX)
        blame_table(s, error);
    s->transaction.wrote = true;
    return code == BELAY_OK && changes == 0 ? judge_done(s, error) : code;
}

belay_code belayi_once_claim(belay_session *s)
{
    belayi_transaction *t = &s->transaction;
    belay_error error;
    /* On a connection of the program's there is no other to make it on: then it must be there. */
    if (!makes_table_inside(s) && !s->adopted && make_table(s, &error) != BELAY_OK)
        return belayi_scope_raise(t, &error);
    belay_code code = belayi_scope_settle(t);
    if (code != BELAY_OK)
        return code;
    s->unit.once_attempt = (int64_t)belayi_random_seed();
    code = claim(s, &error);
    belayi_scope_worked(t);
    s->already_done = code == BELAY_ROLLED_BACK;
    return code == BELAY_OK || s->already_done ? code : belayi_scope_fail(t, &error);
}

/* ---- Finding out ------------------------------------------------------------------------------------------------ */

static belay_code begin(belay_session *s, belay_conn *conn, belay_error *error)
{
    belay_begin_options options = {0};
    belay_trace_event event = {.kind = BELAY_TRACE_BEGIN, .start_ns = belayi_doubt_note_start(s)};
    event.code = conn->driver->begin(conn, &options, error);
    belayi_doubt_tell(s, event);
    return event.code;
}

static belay_code commit(belay_session *s, belay_conn *conn, belay_error *error)
{
    belay_trace_event event = {.kind = BELAY_TRACE_COMMIT, .start_ns = belayi_doubt_note_start(s)};
    event.code = conn->driver->commit(conn, error);
    belayi_doubt_tell(s, event);
    return event.code;
}

/* Commits the key as void, unless this attempt has committed. May be done any number of times. */
static belay_code fence(belay_session *s, belay_conn *conn, bool *out_committed, belay_error *error)
{
    int64_t changes = 0;
    belay_code code = begin(s, conn, error);
    if (code != BELAY_OK)
        return code;
    code = put_key(s, conn, void_text, void_again_text, 2, &changes, error);
    if (code == BELAY_OK)
        code = commit(s, conn, error);
    belay_error ignored; /* the first one says why it can't be found out */
    if (code != BELAY_OK)
        conn->driver->rollback(conn, &ignored);
    *out_committed = changes == 0;
    return code;
}

belay_code belayi_once_ask(belay_session *s, belay_conn *conn, belay_outcome *out_outcome, belay_error *error)
{
    bool committed = false;
    belay_code code = fence(s, conn, &committed, error);
    *out_outcome = committed ? BELAY_WORK_COMMITTED : BELAY_WORK_ROLLED_BACK;
    return code;
}
