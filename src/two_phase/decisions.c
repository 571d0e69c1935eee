#include "decisions.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <belay/rows.h>
#include <belay/scope.h>
#include <belay/statement.h>

#include "db.h"
#include "own_table.h"
#include "random.h"
#include "report.h"
#include "session.h"

static const char number_key[] = "log";
static const char insert_text[] = "INSERT INTO belay_decisions (unit, decision) VALUES (?, ?)";
static const char select_text[] = "SELECT decision FROM belay_decisions WHERE unit = ?";

void belayi_decisions_draw(char out[BELAYI_NUMBER_ROOM])
{
    snprintf(out, BELAYI_NUMBER_ROOM, "%016" PRIx64, belayi_random_seed());
}

belay_db *belayi_decisions_log_of(belay_db *db)
{
    if (!db->decision_log)
        return NULL;
    pthread_mutex_lock(&db->mutex);
    if (!db->decisions)
        db->decisions =
            belay_open(db->decision_log, &(belay_db_options){.log = db->options.log, .log_arg = db->options.log_arg});
    pthread_mutex_unlock(&db->mutex);
    return db->decisions;
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static void make_table(belay_session *s, const belay_driver *driver)
{
    char text[256];
    snprintf(text, sizeof text,
             "CREATE TABLE IF NOT EXISTS belay_decisions (unit %s NOT NULL PRIMARY KEY, decision %s NOT NULL)%s",
             driver->key_type, driver->key_type, driver->table_end);
    belayi_own_table_make(s, BELAY_HERE, text);
}

/* The decision about a unit, "" where there is none; *out_code says whether it could be read. */
static void read_decision(belay_session *s, const char *unit, char *out, size_t room, belay_code *out_code)
{
    belay_value key = belay_text(unit, strlen(unit));
    belay_rows *rows = belay_query_values(s, select_text, 1, &key);
    out[0] = '\0';
    if (belay_next(rows))
        snprintf(out, room, "%.*s", (int)belay_size(rows, 0), (const char *)belay_bytes(rows, 0));
    belay_rows_close(rows);
    *out_code = belay_status(s);
}

static belay_code put(belay_session *s, const char *unit, const char *decision)
{
    belay_value values[] = {belay_text(unit, strlen(unit)), belay_text(decision, strlen(decision))};
    return belay_exec_values(s, insert_text, 2, values);
}

/* The number of the log; one is drawn where it has none. */
static void number_log(belay_session *s, char out[BELAYI_NUMBER_ROOM])
{
    belay_code code;
    char drawn[BELAYI_NUMBER_ROOM];
    read_decision(s, number_key, out, BELAYI_NUMBER_ROOM, &code);
    if (code != BELAY_OK || out[0])
        return;
    belayi_decisions_draw(drawn);
    put(s, number_key, drawn);
    belay_ignore(s, BELAY_UNIQUE); /* somebody else's came first, and is the one */
    if (belay_status(s) == BELAY_OK)
        read_decision(s, number_key, out, BELAYI_NUMBER_ROOM, &code);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------ */

/* A session of the log's own; NULL without memory, which *error tells. */
static belay_session *open_log(belay_db *log, belay_error *error)
{
    belay_session *s = belay_session_open(log);
    if (s)
        s->unscoped = true;
    else
        belayi_report(error, BELAY_NO_MEMORY, "no memory to ask the log of decisions");
    return s;
}

/* Closes it; what had failed on it is the error. */
static belay_code close_log(belay_session *s, belay_error *error)
{
    const belay_error *pending = belay_pending(s);
    belay_code code = pending->code;
    if (code != BELAY_OK)
        *error = *pending;
    belay_session_close(s);
    return code;
}

static belay_code read_number(belay_db *log, bool make, char out[BELAYI_NUMBER_ROOM], belay_error *error)
{
    pthread_mutex_lock(&log->mutex);
    memcpy(out, log->log_number, BELAYI_NUMBER_ROOM);
    pthread_mutex_unlock(&log->mutex);
    if (out[0])
        return BELAY_OK;
    if (!log->driver) {
        *error = log->refusal;
        return error->code;
    }
    belay_session *s = open_log(log, error);
    if (!s)
        return error->code;
    belay_code code = BELAY_OK;
    if (make)
        make_table(s, log->driver);
    if (make && belay_status(s) == BELAY_OK)
        number_log(s, out);
    if (!make)
        read_decision(s, number_key, out, BELAYI_NUMBER_ROOM, &code);
    code = close_log(s, error);
    if (code != BELAY_OK || !out[0])
        return code;
    pthread_mutex_lock(&log->mutex);
    memcpy(log->log_number, out, BELAYI_NUMBER_ROOM);
    pthread_mutex_unlock(&log->mutex);
    return BELAY_OK;
}

belay_code belayi_decisions_open(belay_db *log, char out_number[BELAYI_NUMBER_ROOM], belay_error *error)
{
    return read_number(log, true, out_number, error);
}

belay_code belayi_decisions_find(belay_db *log, char out_number[BELAYI_NUMBER_ROOM], belay_error *error)
{
    belay_code code = read_number(log, false, out_number, error);
    if (code == BELAY_SCHEMA || (code == BELAY_OK && !out_number[0]))
        return belayi_report(error, BELAY_NOT_FOUND, "the database has no table belay_decisions");
    return code;
}

belay_code belayi_decisions_put(belay_session *s, const char *unit)
{
    return put(s, unit, "commit");
}

belay_code belayi_decisions_settle(belay_db *log, const char *unit, bool *out_commit, belay_error *error)
{
    char decision[8];
    belay_code code;
    belay_session *s = open_log(log, error);
    if (!s)
        return error->code;
    put(s, unit, "abort");
    if (belay_catch(s, BELAY_UNIQUE) || belay_status(s) == BELAY_OK)
        read_decision(s, unit, decision, sizeof decision, &code);
    code = close_log(s, error);
    if (code == BELAY_OK) /* a row that was there, and is not any more, was to commit: only such rows are forgotten */
        *out_commit = strcmp(decision, "abort") != 0;
    return code;
}

void belayi_decisions_forget(belay_db *log, const char *unit)
{
    belay_error ignored;
    belay_session *s = open_log(log, &ignored);
    belay_value key = belay_text(unit, strlen(unit));
    belay_exec_values(s, "DELETE FROM belay_decisions WHERE unit = ?", 1, &key);
    belay_status(s); /* a row that stays does no harm */
    belay_session_close(s);
}
