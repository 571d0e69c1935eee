/*
 * conditions.c - asks the server for the conditions of the last statement, with the rows that they are of.
 *
 * SHOW WARNINGS does not tell rows; GET DIAGNOSTICS does, for one condition at a time, and leaves the conditions as
 * they are. So a block goes over all of them and gives one text: how many there are, and for each its row, number,
 * SQLSTATE, the bytes of its message, and that, with a space behind each but the last. It is put together in pieces, as
 * a text that grows is copied each time.
 *
 * How many there are is not the number in the statement's answer, which counts some twice (measured on 10.11.19: those
 * of changed values, in the first statement behind a change of the table).
 * Tests: tests/unit/drivers/test_mariadb_each.c.
 */
#include <stdlib.h>
#include <string.h>

#include "each.h"
#include "report.h"

static const char block[] =
    "BEGIN NOT ATOMIC "
    "DECLARE i, n, r, e INT DEFAULT 0; "
    "DECLARE s CHAR(5) CHARACTER SET utf8mb4; "
    "DECLARE m TEXT CHARACTER SET utf8mb4; "
    "DECLARE piece, whole LONGTEXT CHARACTER SET utf8mb4 DEFAULT ''; "
    "GET DIAGNOSTICS n = NUMBER; "
    "WHILE i < n DO "
    "SET i = i + 1; "
    "GET DIAGNOSTICS CONDITION i r = ROW_NUMBER, e = MYSQL_ERRNO, s = RETURNED_SQLSTATE, m = MESSAGE_TEXT; "
    "SET piece = CONCAT(piece, r, ' ', e, ' ', s, ' ', OCTET_LENGTH(m), ' ', m); "
    "IF i MOD 64 = 0 THEN SET whole = CONCAT(whole, piece), piece = ''; END IF; "
    "END WHILE; "
    "SELECT CONCAT(n, ' ', whole, piece); "
    "END";

/* A whole number and the space behind it. */
static bool read_number(const char **at, const char *end, size_t *out)
{
    const char *digit = *at;
    for (*out = 0; digit < end && *digit >= '0' && *digit <= '9' && *out < 1000000000; digit++)
        *out = *out * 10 + (size_t)(*digit - '0');
    bool good = digit > *at && digit < end && *digit == ' ';
    *at = digit + 1;
    return good;
}

static bool read_condition(const char **at, const char *end, belayi_mariadb_condition *c)
{
    size_t row, number;
    if (!read_number(at, end, &row) || !read_number(at, end, &number) || end - *at < 6 || (*at)[5] != ' ')
        return false;
    memcpy(c->sqlstate, *at, 5);
    c->sqlstate[5] = '\0';
    *at += 6;
    if (!read_number(at, end, &c->size) || c->size > (size_t)(end - *at))
        return false;
    c->row = row - 1; /* 0, which none has, is made a number that there is not either */
    c->number = (unsigned)number;
    c->text = *at;
    *at += c->size;
    return true;
}

/* Whether all was read. */
static bool read_conditions(belayi_mariadb_conditions *out, size_t most)
{
    size_t told = 0;
    MYSQL_ROW row = mysql_fetch_row(out->texts);
    unsigned long *sizes = mysql_fetch_lengths(out->texts);
    if (!row || !row[0] || !sizes)
        return false;
    const char *at = row[0], *end = at + sizes[0];
    if (!read_number(&at, end, &told) || told > most)
        return false;
    while (out->count < told && read_condition(&at, end, &out->list[out->count]))
        out->count++;
    return out->count == told && at == end;
}

/* Behind the rows of a block there is one more answer. */
static belay_code ask_block(belayi_mariadb_conn *conn, MYSQL_RES **out_texts, belay_error *error)
{
    belay_code code = belayi_mariadb_ask(conn, block, out_texts, error);
    int rc = 0;
    while (code == BELAY_OK && rc == 0 && mysql_more_results(conn->db))
        rc = belayi_mariadb_next_result(conn);
    return code == BELAY_OK && rc > 0 ? belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error) : code;
}

belay_code belayi_mariadb_ask_conditions(belayi_mariadb_conn *conn, size_t count, belayi_mariadb_conditions *out,
                                         belay_error *error)
{
    *out = (belayi_mariadb_conditions){.list = calloc(count, sizeof *out->list)};
    if (!out->list)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for what the server says of rows");
    belay_code code = ask_block(conn, &out->texts, error);
    if (code == BELAY_OK)
        out->complete = read_conditions(out, count);
    else
        belayi_mariadb_free_conditions(out);
    return code;
}

void belayi_mariadb_free_conditions(belayi_mariadb_conditions *conditions)
{
    free(conditions->list);
    mysql_free_result(conditions->texts);
    *conditions = (belayi_mariadb_conditions){0};
}
