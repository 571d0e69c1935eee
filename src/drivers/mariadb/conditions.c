/*
 * conditions.c - asks the server for the conditions of the last statement, with the rows that they are of. The
 * questions are sent right behind the statement, before it is known whether there are any: they cost 0.1 ms then.
 *
 * SHOW WARNINGS tells level, number and message, but no row; GET DIAGNOSTICS does, for one condition at a time. Both
 * leave the conditions as they are. So a block goes over all of them and gives one text with their rows: 2.7 µs a
 * condition, with SHOW WARNINGS 3.2; with number and message in that text it was 7.7.
 *
 * How many there are is not the number in the statement's answer, which counts some twice (measured on 10.11.19: those
 * of changed values, in the first statement behind a change of the table).
 * Tests: tests/unit/drivers/test_mariadb_each.c.
 */
#include <stdlib.h>
#include <string.h>

#include "each.h"
#include "report.h"

enum { LISTED, ROWS, QUESTIONS };

static const char *const texts[QUESTIONS] = {[LISTED] = "SHOW WARNINGS",
                                             [ROWS] = "BEGIN NOT ATOMIC "
                                                      "DECLARE n, r INT DEFAULT 0; "
                                                      "DECLARE o VARBINARY(65000) DEFAULT ''; "
                                                      "GET DIAGNOSTICS n = NUMBER; "
                                                      "FOR i IN 1..n DO "
                                                      "GET DIAGNOSTICS CONDITION i r = ROW_NUMBER; "
                                                      "SET o = CONCAT(o, r, ' '); "
                                                      "END FOR; "
                                                      "SELECT o; "
                                                      "END"};

/* Fills the list from what SHOW WARNINGS gave. */
static void read_listed(MYSQL_RES *rows, size_t most, belayi_mariadb_conditions *out)
{
    for (MYSQL_ROW row; out->count < most && (row = mysql_fetch_row(rows)) != NULL; out->count++) {
        belayi_mariadb_condition *c = &out->list[out->count];
        c->is_note = row[0] && strcmp(row[0], "Note") == 0;
        c->number = row[1] ? (unsigned)strtoul(row[1], NULL, 10) : 0;
        c->text = row[2] ? row[2] : "";
    }
}

/* Whether the text has as many rows' numbers as there are conditions. */
static bool read_rows(MYSQL_RES *rows, belayi_mariadb_conditions *out)
{
    MYSQL_ROW row = mysql_fetch_row(rows);
    if (!row || !row[0])
        return false;
    char *at = row[0];
    for (size_t i = 0; i < out->count; i++) {
        char *end;
        unsigned long number = strtoul(at, &end, 10);
        if (end == at || *end != ' ' || number == 0)
            return false;
        out->list[i].row = number - 1;
        at = end + 1;
    }
    return *at == '\0';
}

bool belayi_mariadb_send_conditions(belayi_mariadb_conn *conn)
{
    return belayi_mariadb_send_all(conn, QUESTIONS, texts);
}

static belay_code take_conditions(belayi_mariadb_reply *replies, size_t count, belayi_mariadb_conditions *out,
                                  belay_error *error)
{
    out->complete = count == 0;
    if (count == 0)
        return BELAY_OK;
    out->list = calloc(count, sizeof *out->list);
    if (!out->list)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for what the server says of rows");
    if (!replies[LISTED].rows || !replies[ROWS].rows)
        return BELAY_OK;
    read_listed(replies[LISTED].rows, count, out);
    out->complete = !mysql_fetch_row(replies[LISTED].rows) && read_rows(replies[ROWS].rows, out);
    out->texts = replies[LISTED].rows;
    replies[LISTED].rows = NULL;
    return BELAY_OK;
}

belay_code belayi_mariadb_read_conditions(belayi_mariadb_conn *conn, size_t count, belayi_mariadb_conditions *out,
                                          belay_error *error)
{
    belayi_mariadb_reply replies[QUESTIONS];
    *out = (belayi_mariadb_conditions){0};
    belay_code code = belayi_mariadb_read_replies(conn, QUESTIONS, replies, error);
    if (code == BELAY_OK)
        code = take_conditions(replies, count, out, error);
    belayi_mariadb_free_replies(QUESTIONS, replies);
    return code;
}

void belayi_mariadb_free_conditions(belayi_mariadb_conditions *conditions)
{
    free(conditions->list);
    mysql_free_result(conditions->texts);
    *conditions = (belayi_mariadb_conditions){0};
}
