/*
 * table.c - whether a statement's rows can be run in other ways than one by one, each between savepoints.
 *
 * They can where a row that fails is undone by the server itself and has done nothing else: in a table of InnoDB, which
 * is no view and has no triggers that the statement runs. What SHOW CREATE TABLE says holds to the end of the
 * transaction, as it has the table's metadata lock: a row was stored by the same statement before.
 *
 * Triggers are not asked for by name, as who lacks the privilege does not see them: the session counts those that it
 * has run, and a row that was kept and changed something must not have run one.
 *
 * What a transaction has written to other tables that know no transactions is told by going back to a savepoint that
 * was just set: the server then warns of it, as it would after each row that fails.
 * Tests: tests/unit/drivers/test_mariadb_each.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "each.h"
#include "report.h"

/* max_error_count: as many conditions as the server can tell of, for conditions.c. */
enum { SET_MARK, GO_BACK, KEEP_CONDITIONS, SETTINGS, TRIGGERS, TABLE, QUESTIONS };

static const char triggers_text[] = "SHOW SESSION STATUS LIKE 'Executed_triggers'";

static const char *cell(const belayi_mariadb_reply *reply, unsigned column)
{
    MYSQL_ROW row = reply->rows ? mysql_fetch_row(reply->rows) : NULL;
    if (!row || column >= mysql_num_fields(reply->rows) || !row[column])
        return "";
    return row[column];
}

/* ---- What SHOW CREATE TABLE says -------------------------------------------------------------------------------- */

static bool is_of_innodb(const char *text)
{
    static const char engine[] = "\n) ENGINE=InnoDB";
    const char *end = strstr(text, "\n) ");
    return strncmp(text, "CREATE TABLE `", 14) == 0 && end && strncmp(end, engine, strlen(engine)) == 0 &&
           !strstr(end, "SYSTEM VERSIONING");
}

/* Of a line such as "  `id` int(11) NOT NULL AUTO_INCREMENT,": a type with a quote in it has no such column. */
static void find_generated_key(const char *text, belayi_mariadb_vetted *vetted)
{
    static const char word[] = " AUTO_INCREMENT";
    for (const char *line = text; (line = strstr(line, "\n  `")) != NULL; line++) {
        const char *name = line + 4, *stop = strstr(name, "` ");
        const char *end = strchr(name, '\n'), *found = strstr(name, word), *quote = strchr(name, '\'');
        if (!stop || !end || !found || found > end || (quote && quote < found))
            continue;
        vetted->has_generated_key = true;
        belayi_report_text(vetted->generated_key, sizeof vetted->generated_key, name, (size_t)(stop - name));
    }
}

/* ---- Questions and answers ------------------------------------------------------------------------------------- */

/* The settings are cells of one row: the mode, in which a value that does not fit is refused; the checks, without which
   InnoDB looks for duplicates at the end only; and what a lock timeout does. */
static bool are_settings_strict(const belayi_mariadb_reply *reply, belayi_mariadb_vetted *vetted)
{
    MYSQL_ROW row = reply->rows ? mysql_fetch_row(reply->rows) : NULL;
    if (!row || !row[0] || !row[1] || !row[2])
        return false;
    vetted->timeout_ends = strcmp(row[2], "0") != 0;
    return strcmp(row[1], "1") == 0 && (strstr(row[0], "STRICT_TRANS_TABLES") || strstr(row[0], "STRICT_ALL_TABLES"));
}

static void judge(belayi_mariadb_conn *conn, const belay_statement *statement, belayi_mariadb_reply *replies)
{
    belayi_mariadb_vetted *vetted = &conn->vetted;
    const char *table = cell(&replies[TABLE], 1);
    *vetted = (belayi_mariadb_vetted){.statement = statement};
    vetted->triggers = atol(cell(&replies[TRIGGERS], 1));
    vetted->plain = replies[GO_BACK].warnings == 0 && replies[TRIGGERS].rows && is_of_innodb(table) &&
                    are_settings_strict(&replies[SETTINGS], vetted);
    find_generated_key(table, vetted);
}

static belay_code ask(belayi_mariadb_each_run *r, const char *show, belay_error *error)
{
    const char *texts[QUESTIONS] = {[SET_MARK] = "SAVEPOINT belay_each",
                                    [GO_BACK] = "ROLLBACK TO SAVEPOINT belay_each",
                                    [KEEP_CONDITIONS] = "SET SESSION max_error_count = 65535",
                                    [SETTINGS] = "SELECT @@sql_mode, @@unique_checks, @@innodb_rollback_on_timeout",
                                    [TRIGGERS] = triggers_text,
                                    [TABLE] = show};
    belayi_mariadb_reply replies[QUESTIONS];
    belay_code code = belayi_mariadb_ready(r->conn, BELAYI_MARIADB_STATEMENT, error);
    if (code != BELAY_OK)
        return code;
    code = belayi_mariadb_ask_all(r->conn, QUESTIONS, texts, replies, error);
    belayi_mariadb_settle(r->conn);
    if (code == BELAY_OK)
        judge(r->conn, &r->s->base, replies);
    belayi_mariadb_free_replies(QUESTIONS, replies);
    return code;
}

belay_code belayi_mariadb_vet(belayi_mariadb_each_run *r, const char *table, size_t size, belay_error *error)
{
    static const char verb[] = "SHOW CREATE TABLE ";
    if (r->conn->vetted.statement == &r->s->base)
        return BELAY_OK;
    char *show = malloc(sizeof verb + size);
    if (!show)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a question about a table");
    snprintf(show, sizeof verb + size, "%s%.*s", verb, (int)size, table);
    belay_code code = ask(r, show, error);
    free(show);
    return code;
}

belay_code belayi_mariadb_vet_triggers(belayi_mariadb_conn *conn, belay_error *error)
{
    belayi_mariadb_reply reply;
    const char *text = triggers_text;
    belay_code code = belayi_mariadb_ready(conn, BELAYI_MARIADB_STATEMENT, error);
    if (code == BELAY_OK)
        code = belayi_mariadb_ask_all(conn, 1, &text, &reply, error);
    if (code != BELAY_OK)
        return code;
    belayi_mariadb_settle(conn);
    conn->vetted.plain &= atol(cell(&reply, 1)) == conn->vetted.triggers;
    conn->vetted.triggers = -1;
    belayi_mariadb_free_replies(1, &reply);
    return BELAY_OK;
}
