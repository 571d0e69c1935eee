/*
 * command.c - commands of the driver's own, as texts.
 */
#include <string.h>

#include "conn.h"

belay_code belayi_mariadb_run(belayi_mariadb_conn *conn, const char *text, belay_error *error)
{
    if (belayi_mariadb_query(conn, text, strlen(text)) == 0)
        return BELAY_OK;
    return belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
}

belay_code belayi_mariadb_ask(belayi_mariadb_conn *conn, const char *text, MYSQL_RES **out_rows, belay_error *error)
{
    *out_rows = NULL;
    belay_code code = belayi_mariadb_run(conn, text, error);
    if (code != BELAY_OK)
        return code;
    *out_rows = belayi_mariadb_store(conn);
    return *out_rows ? BELAY_OK : belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
}

bool belayi_mariadb_send_all(belayi_mariadb_conn *conn, size_t n, const char *const *texts)
{
    for (size_t i = 0; i < n; i++)
        if (belayi_mariadb_send(conn, texts[i], strlen(texts[i])) != 0)
            return false;
    return true;
}

static belay_code read_reply(belayi_mariadb_conn *conn, belayi_mariadb_reply *reply, belay_error *error)
{
    if (belayi_mariadb_read_answer(conn) != 0)
        return belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
    reply->warnings = mysql_warning_count(conn->db);
    if (mysql_field_count(conn->db) == 0)
        return BELAY_OK;
    reply->rows = belayi_mariadb_store(conn);
    int rc = reply->rows ? 0 : 1;
    while (rc == 0 && mysql_more_results(conn->db)) /* behind the rows of a block there is one without */
        rc = belayi_mariadb_next_result(conn);
    return rc <= 0 ? BELAY_OK : belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
}

belay_code belayi_mariadb_read_replies(belayi_mariadb_conn *conn, size_t n, belayi_mariadb_reply *replies,
                                       belay_error *error)
{
    belay_error other;
    belay_code first = BELAY_OK;
    memset(replies, 0, n * sizeof *replies);
    for (size_t i = 0; i < n && !conn->lost; i++) {
        belay_code code = read_reply(conn, &replies[i], first == BELAY_OK ? error : &other);
        if (first == BELAY_OK)
            first = code;
    }
    return first;
}

belay_code belayi_mariadb_ask_all(belayi_mariadb_conn *conn, size_t n, const char *const *texts,
                                  belayi_mariadb_reply *replies, belay_error *error)
{
    belay_error other;
    memset(replies, 0, n * sizeof *replies);
    belay_code first = belayi_mariadb_send_ahead(conn, false, error);
    if (first != BELAY_OK)
        return first;
    conn->base.round_trips++;
    if (!belayi_mariadb_send_all(conn, n, texts))
        return belayi_mariadb_fail(conn, BELAYI_MARIADB_RUNNING, error);
    first = belayi_mariadb_read_replies(conn, n, replies, error);
    belay_code ahead = belayi_mariadb_check_ahead(conn, first == BELAY_OK, &other);
    if (ahead != BELAY_OK && !conn->lost) { /* it is the cause */
        *error = other;
        first = ahead;
    }
    return first;
}

void belayi_mariadb_free_replies(size_t n, belayi_mariadb_reply *replies)
{
    for (size_t i = 0; i < n; i++)
        mysql_free_result(replies[i].rows);
}
