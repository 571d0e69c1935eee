/*
 * copy.c - one COPY: rows as its lines, sent while the server works, and which line
 * it blames.
 *
 * COPY is not possible in libpq's pipeline mode. So SAVEPOINT, COPY and RELEASE go
 * as one text of the simple protocol, which takes one trip until the data may flow,
 * and one at the end. Whatever happens, the COPY is brought to its end, or the
 * connection is lost: nothing of it is left on the link.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#include "copy.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"

enum { PART = 1 << 16 }; /* bytes that are sent at once */

/* ---- Lines ----------------------------------------------------------------------------------------------------- */

static char *make_room(belayi_pg_copy *copy, size_t more)
{
    if (copy->room - copy->size < more) {
        size_t room = 2 * copy->room > copy->size + more ? 2 * copy->room : copy->size + more;
        char *grown = realloc(copy->bytes, room);
        if (!grown) {
            copy->no_memory = true;
            return NULL;
        }
        copy->bytes = grown;
        copy->room = room;
    }
    return copy->bytes + copy->size;
}

/* What COPY reads otherwise, behind a backslash. */
static char *write_escaped(char *out, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        char letter = c == '\\' ? '\\' : c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\0';
        if (letter)
            *out++ = '\\';
        *out++ = letter ? letter : c;
    }
    return out;
}

static char *write_hex(char *out, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = '\\';
    *out++ = 'x';
    for (size_t i = 0; i < size; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return out;
}

static char *write_value(char *out, const belay_value *value)
{
    if (value->type == BELAY_TYPE_NULL) {
        *out++ = '\\';
        *out++ = 'N';
        return out;
    }
    if (value->type == BELAY_TYPE_BLOB)
        return write_hex(out, value->as.data, value->size);
    if (belayi_pg_is_bytes(value))
        return write_escaped(out, value->as.data, value->size);
    belayi_pg_write_number(value, out);
    return out + strlen(out);
}

static bool write_line(belayi_pg_copy *copy, const belay_value *row)
{
    size_t size = 1;
    for (size_t i = 0; i < copy->table->count; i++)
        size += (belayi_pg_is_bytes(&row[i]) ? 2 * row[i].size : 0) + BELAYI_PG_NUMBER_ROOM;
    char *start = make_room(copy, size), *out = start;
    if (!start)
        return false;
    for (size_t i = 0; i < copy->table->count; i++) {
        if (i > 0)
            *out++ = '\t';
        out = write_value(out, &row[i]);
    }
    *out++ = '\n';
    copy->size += (size_t)(out - start);
    return true;
}

/* ---- Under way ------------------------------------------------------------------------------------------------- */

/* False when nothing more should be sent. */
static bool send_part(belayi_pg_copy *copy)
{
    belayi_pg_conn *conn = copy->conn;
    bool sent = copy->size == 0 || PQputCopyData(conn->pg, copy->bytes, (int)copy->size) == 1;
    copy->size = 0;
    copy->no_memory |= !sent;
    return sent && belayi_pg_wait_sent(conn, &copy->heard) && !copy->heard && !conn->cancelled;
}

bool belayi_pg_copy_row(belayi_pg_copy *copy, const belay_value *row)
{
    return write_line(copy, row) && (copy->size < PART || send_part(copy));
}

/* Reads results up to the one that lets data flow, or to the end. */
static belay_code read_until_data(belayi_pg_conn *conn, bool *out_flows, belay_error *error)
{
    PGresult *result;
    belay_code code = BELAY_OK;
    *out_flows = false;
    while (!*out_flows) {
        if (!belayi_pg_next_result(conn, &result))
            return code == BELAY_OK ? belayi_pg_fail_link(conn, error) : code;
        if (!result)
            break;
        *out_flows = PQresultStatus(result) == PGRES_COPY_IN;
        if (!*out_flows && PQresultStatus(result) != PGRES_COMMAND_OK && code == BELAY_OK)
            code = belayi_pg_fail(conn, result, error);
        PQclear(result);
    }
    return code == BELAY_OK && !*out_flows ? belayi_report(error, BELAY_CONNECTION, "the server takes no data") : code;
}

belay_code belayi_pg_copy_open(belayi_pg_copy *copy, const char *text, belay_error *error)
{
    bool flows = false;
    copy->size = copy->line = 0;
    copy->heard = copy->no_memory = false;
    copy->stored = 0;
    belay_code code = belayi_pg_send_plain(copy->conn, text, error);
    if (code != BELAY_OK)
        return code;
    code = read_until_data(copy->conn, &flows, error);
    if (!flows)
        belayi_pg_leave(copy->conn);
    return code;
}

/* ---- The end --------------------------------------------------------------------------------------------------- */

/* "COPY tx, line 12, column amount": the first number behind the table's name, in every language. */
static size_t find_line(const belayi_pg_copy *copy, const PGresult *result)
{
    const char *context = PQresultErrorField(result, PG_DIAG_CONTEXT);
    size_t size = strlen(copy->table->name);
    for (const char *name = context; name && (name = strstr(name, copy->table->name)); name++) {
        size_t more = size + strcspn(name + size, "0123456789\n");
        if (name[size] == ',' && name[more] && name[more] != '\n')
            return strtoul(name + more, NULL, 10);
    }
    return 0;
}

static belay_code read_results(belayi_pg_copy *copy, belay_error *error)
{
    PGresult *result;
    belay_code code = BELAY_OK;
    while (belayi_pg_next_result(copy->conn, &result)) {
        if (!result)
            return code;
        if (PQresultStatus(result) == PGRES_COMMAND_OK) {
            if (strncmp(PQcmdStatus(result), "COPY ", 5) == 0)
                copy->stored = strtoll(PQcmdTuples(result), NULL, 10);
        } else if (code == BELAY_OK) {
            copy->line = find_line(copy, result);
            code = belayi_pg_fail(copy->conn, result, error);
        }
        PQclear(result);
        if (copy->conn->lost)
            return code;
    }
    return code == BELAY_OK ? belayi_pg_fail_link(copy->conn, error) : code;
}

/* The rest is sent, and that it is to be kept; or, where the time is over or memory, that it is not. */
belay_code belayi_pg_copy_close(belayi_pg_copy *copy, belay_error *error)
{
    belayi_pg_conn *conn = copy->conn;
    if (!copy->no_memory && !copy->heard && !conn->cancelled && !conn->lost)
        send_part(copy);
    bool give_up = copy->no_memory || conn->cancelled;
    belay_code code = BELAY_OK;
    conn->base.round_trips++;
    if (conn->lost || PQputCopyEnd(conn->pg, give_up ? "the client gave up" : NULL) != 1)
        code = belayi_pg_fail_link(conn, error);
    else
        code = read_results(copy, error);
    belayi_pg_leave(conn);
    if (copy->no_memory && !conn->lost)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a row as it is sent");
    return code;
}
