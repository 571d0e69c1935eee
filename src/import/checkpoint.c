#include "checkpoint.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/rows.h>
#include <belay/statement.h>
#include <belay/sys/driver.h>

#include "catalog.h"
#include "own_table.h"
#include "report.h"
#include "session.h"

static const char table_name[] = "belay_imports";
static const char read_sql[] =
    "SELECT state, byte_offset, line, hash, plan, records, inserted, updated, skipped, rejected, rejects_size, "
    "errors_size FROM belay_imports WHERE id = ?";
static const char delete_sql[] = "DELETE FROM belay_imports WHERE id = ? AND state = ? AND byte_offset = ?";
static const char claim_sql[] =
    "UPDATE belay_imports SET state = 'open' WHERE id = ? AND state = ? AND byte_offset = ?";
static const char insert_sql[] =
    "INSERT INTO belay_imports (id, state, byte_offset, line, hash, plan, records, inserted, updated, skipped, "
    "rejected, "
    "rejects_size, errors_size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
static const char update_sql[] =
    "UPDATE belay_imports SET state = ?2, byte_offset = ?3, line = ?4, hash = ?5, plan = ?6, records = ?7, "
    "inserted = ?8, updated = ?9, skipped = ?10, rejected = ?11, rejects_size = ?12, errors_size = ?13 "
    "WHERE id = ?1 AND state = 'open' AND byte_offset = ?14";

/* ---- Names ------------------------------------------------------------------------------------------------------ */

uint64_t belayi_checkpoint_hash(uint64_t hash, const char *text)
{
    const uint64_t prime = UINT64_C(0x100000001b3); /* FNV-1a, 64 bits */
    if (hash == 0)
        hash = UINT64_C(0xcbf29ce484222325);
    if (!text)
        return (hash ^ 0xFF) * prime; /* no byte of UTF-8 */
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * prime;
    return hash * prime; /* its end counts too */
}

void belayi_checkpoint_name(belayi_checkpoint *c, const char *table, const char *path)
{
    char *real = strcmp(path, "-") == 0 ? NULL : realpath(path, NULL);
    uint64_t hash = belayi_checkpoint_hash(belayi_checkpoint_hash(0, table), real ? real : path);
    uint64_t other = belayi_checkpoint_hash(belayi_checkpoint_hash(hash, real ? real : path), table);
    snprintf(c->id, sizeof c->id, "%016llx%016llx", (unsigned long long)hash, (unsigned long long)other);
    free(real);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

belay_code belayi_checkpoint_make_table(belay_session *s, belay_place place)
{
    const belay_driver *driver = s->db->driver;
    char text[640];
    snprintf(
        text, sizeof text,
        "CREATE TABLE IF NOT EXISTS %s (id %s NOT NULL PRIMARY KEY, state CHAR(4) NOT NULL, byte_offset BIGINT NOT "
        "NULL, line BIGINT NOT NULL, hash CHAR(16) NOT NULL, plan CHAR(16) NOT NULL, records BIGINT NOT NULL, "
        "inserted BIGINT NOT NULL, updated BIGINT NOT NULL, skipped BIGINT NOT NULL, rejected BIGINT NOT NULL, "
        "rejects_size BIGINT NOT NULL, errors_size BIGINT NOT NULL)%s",
        table_name, driver->key_type, driver->table_end);
    return belayi_own_table_make(s, place, text);
}

static bool is_table_there(belay_session *s)
{
    belayi_table table = {0};
    belay_error error;
    bool there = belayi_catalog_read(s, table_name, &table, &error) == BELAY_OK;
    belayi_catalog_done(&table);
    return there;
}

/* ---- The row ---------------------------------------------------------------------------------------------------- */

static uint64_t read_hash(const belay_rows *rows, int column)
{
    const char *digits = belay_str(rows, column);
    return digits ? strtoull(digits, NULL, 16) : 0;
}

static uint64_t read_count(const belay_rows *rows, int column)
{
    return (uint64_t)belay_int(rows, column);
}

static void read_row(belayi_checkpoint *c, const belay_rows *rows)
{
    const char *state = belay_str(rows, 0);
    c->found = true;
    c->is_done = state && strcmp(state, "done") == 0;
    c->offset = c->row_offset = read_count(rows, 1);
    c->line = read_count(rows, 2);
    c->hash = read_hash(rows, 3);
    c->plan = read_hash(rows, 4);
    c->counts = (belay_import_counts){.read = read_count(rows, 5),
                                      .inserted = read_count(rows, 6),
                                      .updated = read_count(rows, 7),
                                      .skipped = read_count(rows, 8),
                                      .rejected = read_count(rows, 9),
                                      .bytes = c->offset};
    c->sizes = (belayi_rejects_sizes){.records = read_count(rows, 10), .reasons = read_count(rows, 11)};
}

belay_code belayi_checkpoint_read(belay_session *s, belay_place place, belayi_checkpoint *c)
{
    belay_value id = belay_string(c->id);
    c->found = c->is_done = false;
    if (!is_table_there(s))
        return belay_status(s);
    belay_rows *rows = belay_query_at(s, place, read_sql, 1, &id);
    if (belay_next(rows))
        read_row(c, rows);
    belay_rows_close(rows);
    return belay_status(s);
}

static belay_code other_program(belay_session *s, belay_place place)
{
    return belay_fail_at(s, place, BELAY_STALE,
                         "the same file is being imported into the same table by another program as well");
}

/* A statement about the row that was found, which must still be that. */
static belay_code change_found(belay_session *s, belay_place place, const belayi_checkpoint *c, const char *sql)
{
    const belay_value values[] = {belay_string(c->id), belay_string(c->is_done ? "done" : "open"),
                                  belay_unsigned(c->row_offset)};
    belay_code code = belay_exec_at(s, place, sql, 3, values);
    return code == BELAY_OK && belay_changes(s) == 0 ? other_program(s, place) : code;
}

enum { VALUES = 14 }; /* of which the last is the WHERE's */

/* Inserts or updates the row: `run` is belay_exec_at or belay_try_at. */
static belay_code put_row(belay_session *s, belay_place place, const belayi_checkpoint *c, const char *sql,
                          size_t count,
                          belay_code (*run)(belay_session *, belay_place, const char *, size_t, const belay_value *))
{
    char hash[17], plan[17];
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)c->hash);
    snprintf(plan, sizeof plan, "%016llx", (unsigned long long)c->plan);
    const belay_value values[VALUES] = {
        belay_string(c->id),
        belay_string(c->is_done ? "done" : "open"),
        belay_unsigned(c->offset),
        belay_unsigned(c->line),
        belay_string(hash),
        belay_string(plan),
        belay_unsigned(c->counts.read),
        belay_unsigned(c->counts.inserted),
        belay_unsigned(c->counts.updated),
        belay_unsigned(c->counts.skipped),
        belay_unsigned(c->counts.rejected),
        belay_unsigned(c->sizes.records),
        belay_unsigned(c->sizes.reasons),
        belay_unsigned(c->row_offset),
    };
    return run(s, place, sql, count, values);
}

belay_code belayi_checkpoint_forget(belay_session *s, belay_place place, const belayi_checkpoint *c)
{
    return change_found(s, place, c, delete_sql);
}

belay_code belayi_checkpoint_claim(belay_session *s, belay_place place, belayi_checkpoint *c, bool anew)
{
    if (!anew)
        return change_found(s, place, c, claim_sql);
    if (c->found && belayi_checkpoint_forget(s, place, c) != BELAY_OK)
        return belay_status(s);
    belayi_checkpoint first = {.plan = c->plan};
    memcpy(first.id, c->id, sizeof first.id);
    *c = first;
    belay_code code = put_row(s, place, c, insert_sql, VALUES - 1, belay_try_at);
    if (code == BELAY_UNIQUE)
        return other_program(s, place);
    c->found = code == BELAY_OK;
    return code == BELAY_OK || belay_status(s) != BELAY_OK ? code : belay_raise_at(s, place, belay_caught(s));
}

belay_code belayi_checkpoint_write(belay_session *s, belay_place place, belayi_checkpoint *c)
{
    belay_code code = put_row(s, place, c, update_sql, VALUES, belay_exec_at);
    if (code == BELAY_OK && belay_changes(s) == 0)
        return other_program(s, place);
    c->row_offset = c->offset;
    return code;
}
