/*
 * errors.c - MariaDB's error numbers and texts as Belay's codes.
 *
 * The number decides, and for numbers that are not listed the class of the
 * SQLSTATE. Table, column and constraint are in the text only; connections that
 * Belay opens ask for texts in English.
 *
 * An answer that is an error carries no status flag. Errors that surely leave a
 * transaction as it was are listed as such; after every other one the server has
 * to be asked whether there still is one.
 * Tests: tests/unit/drivers/test_mariadb_errors.c.
 */
#include <errmsg.h>
#include <mysqld_error.h>
#include <string.h>

#include "conn.h"
#include "report.h"

/* Numbers that not every version of the headers knows, by the names that MariaDB or MySQL give them. */
enum {
    SERVER_LOST_EXTENDED = 2055,       /* CR_SERVER_LOST_EXTENDED */
    CLIENT_INTERACTION_TIMEOUT = 4031, /* MySQL: the server closed an idle connection */
    CONSTRAINT_FAILED = 4025,          /* ER_CONSTRAINT_FAILED */
    CHECK_VIOLATED = 3819,             /* MySQL: ER_CHECK_CONSTRAINT_VIOLATED */
    LOCK_NOWAIT = 3572,                /* MySQL: ER_LOCK_NOWAIT */
    QUERY_TIMEOUT = 3024               /* MySQL: ER_QUERY_TIMEOUT */
};

typedef struct meaning {
    unsigned number;
    belay_code code;
    bool harmless; /* the transaction stays as it was, when a single statement of DML failed so */
} meaning;

static const meaning meanings[] = {
    {ER_DUP_ENTRY, BELAY_UNIQUE, true},
    {ER_DUP_ENTRY_WITH_KEY_NAME, BELAY_UNIQUE, true},
    {ER_DUP_KEY, BELAY_UNIQUE, true},
    {ER_DUP_UNIQUE, BELAY_UNIQUE, true},
    {ER_NO_REFERENCED_ROW, BELAY_FOREIGN_KEY, true},
    {ER_NO_REFERENCED_ROW_2, BELAY_FOREIGN_KEY, true},
    {ER_ROW_IS_REFERENCED, BELAY_FOREIGN_KEY, true},
    {ER_ROW_IS_REFERENCED_2, BELAY_FOREIGN_KEY, true},
    {CONSTRAINT_FAILED, BELAY_CHECK, true},
    {CHECK_VIOLATED, BELAY_CHECK, true},
    {ER_BAD_NULL_ERROR, BELAY_NOT_NULL, true},
    {ER_NO_DEFAULT_FOR_FIELD, BELAY_NOT_NULL, true},
    {ER_LOCK_DEADLOCK, BELAY_DEADLOCK, false},
    {ER_XA_RBDEADLOCK, BELAY_DEADLOCK, false},
    {ER_CHECKREAD, BELAY_SERIALIZATION, false},
    {ER_LOCK_WAIT_TIMEOUT, BELAY_LOCK_TIMEOUT, false},
    {ER_XA_RBTIMEOUT, BELAY_LOCK_TIMEOUT, false},
    {LOCK_NOWAIT, BELAY_BUSY, false},
    {ER_QUERY_INTERRUPTED, BELAY_CANCELLED, false},
    {ER_STATEMENT_TIMEOUT, BELAY_TIMEOUT, false},
    {QUERY_TIMEOUT, BELAY_TIMEOUT, false},
    {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, BELAY_READ_ONLY, true},
    {ER_OPTION_PREVENTS_STATEMENT, BELAY_READ_ONLY, true},
    {ER_OPEN_AS_READONLY, BELAY_READ_ONLY, true},
    {ER_DISK_FULL, BELAY_DISK_FULL, false},
    {ER_RECORD_FILE_FULL, BELAY_DISK_FULL, false},
    {ER_WARN_DATA_OUT_OF_RANGE, BELAY_DATA, true},
    {ER_DATA_OUT_OF_RANGE, BELAY_DATA, true},
    {ER_DATA_TOO_LONG, BELAY_DATA, true},
    {ER_TRUNCATED_WRONG_VALUE, BELAY_DATA, true},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, BELAY_DATA, true},
    {WARN_DATA_TRUNCATED, BELAY_DATA, true},
    {ER_DIVISION_BY_ZERO, BELAY_DATA, true},
    {ER_CANNOT_CONVERT_CHARACTER, BELAY_DATA, true},
    {ER_CANT_AGGREGATE_2COLLATIONS, BELAY_DATA, true},
    {ER_SUBQUERY_NO_1_ROW, BELAY_DATA, true},
    {ER_NET_PACKET_TOO_LARGE, BELAY_DATA, false},
    {ER_WARN_ALLOWED_PACKET_OVERFLOWED, BELAY_DATA, true},
    {ER_SIGNAL_EXCEPTION, BELAY_RAISED, true},
    {ER_NO_SUCH_TABLE, BELAY_SCHEMA, true},
    {ER_NO_SUCH_TABLE_IN_ENGINE, BELAY_SCHEMA, true},
    {ER_BAD_TABLE_ERROR, BELAY_SCHEMA, true},
    {ER_BAD_FIELD_ERROR, BELAY_SCHEMA, true},
    {ER_TABLE_EXISTS_ERROR, BELAY_SCHEMA, true},
    {ER_UNKNOWN_TABLE, BELAY_SCHEMA, true},
    {ER_SP_DOES_NOT_EXIST, BELAY_SCHEMA, true}, /* of a savepoint: see `classify` */
    {ER_FUNC_INEXISTENT_NAME_COLLISION, BELAY_SCHEMA, true},
    {ER_DUP_FIELDNAME, BELAY_SCHEMA, true},
    {ER_DUP_KEYNAME, BELAY_SCHEMA, true},
    {ER_CANT_DROP_FIELD_OR_KEY, BELAY_SCHEMA, true},
    {ER_DB_CREATE_EXISTS, BELAY_SCHEMA, true},
    {ER_DB_DROP_EXISTS, BELAY_SCHEMA, true},
    {ER_BAD_DB_ERROR, BELAY_SCHEMA, true},
    {ER_NO_DB_ERROR, BELAY_SCHEMA, true},
    {ER_NON_UPDATABLE_TABLE, BELAY_SCHEMA, true},
    {ER_NON_INSERTABLE_TABLE, BELAY_SCHEMA, true},
    {ER_WRONG_VALUE_COUNT_ON_ROW, BELAY_SYNTAX, true},
    {ER_PARSE_ERROR, BELAY_SYNTAX, true},
    {ER_EMPTY_QUERY, BELAY_MISUSE, true},
    {ER_NON_UNIQ_ERROR, BELAY_SYNTAX, true},
    {ER_WRONG_FIELD_WITH_GROUP, BELAY_SYNTAX, true},
    {ER_INVALID_GROUP_FUNC_USE, BELAY_SYNTAX, true},
    {ER_UNSUPPORTED_PS, BELAY_UNSUPPORTED, true},
    {ER_ACCESS_DENIED_ERROR, BELAY_PERMISSION, true},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, BELAY_PERMISSION, true},
    {ER_DBACCESS_DENIED_ERROR, BELAY_PERMISSION, true},
    {ER_TABLEACCESS_DENIED_ERROR, BELAY_PERMISSION, true},
    {ER_COLUMNACCESS_DENIED_ERROR, BELAY_PERMISSION, true},
    {ER_PROCACCESS_DENIED_ERROR, BELAY_PERMISSION, true},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, BELAY_PERMISSION, true},
    {ER_ACCOUNT_HAS_BEEN_LOCKED, BELAY_PERMISSION, true},
    {ER_HOST_NOT_PRIVILEGED, BELAY_PERMISSION, true},
    {ER_CON_COUNT_ERROR, BELAY_TOO_MANY, false},
    {ER_TOO_MANY_USER_CONNECTIONS, BELAY_TOO_MANY, false},
    {ER_USER_LIMIT_REACHED, BELAY_TOO_MANY, false},
    {ER_OUTOFMEMORY, BELAY_NO_MEMORY, false},
    {ER_OUT_OF_SORTMEMORY, BELAY_NO_MEMORY, false},
    {ER_OUT_OF_RESOURCES, BELAY_NO_MEMORY, false},
    {ER_CRASHED_ON_USAGE, BELAY_CORRUPT, false},
    {ER_CRASHED_ON_REPAIR, BELAY_CORRUPT, false},
    {ER_INDEX_CORRUPT, BELAY_CORRUPT, false},
    {ER_NOT_KEYFILE, BELAY_CORRUPT, false},
    {ER_ERROR_ON_READ, BELAY_IO, false},
    {ER_ERROR_ON_WRITE, BELAY_IO, false},
    {ER_GET_ERRNO, BELAY_IO, false},
    {ER_ERROR_DURING_COMMIT, BELAY_IO, false},
    {ER_LOCK_TABLE_FULL, BELAY_NO_MEMORY, false}, /* ends the transaction: no room for more locks */
    {ER_CANT_DO_THIS_DURING_AN_TRANSACTION, BELAY_MISUSE, true},
    {ER_XAER_RMFAIL, BELAY_MISUSE, true},
    {CR_OUT_OF_MEMORY, BELAY_NO_MEMORY, false},
    {CR_COMMANDS_OUT_OF_SYNC, BELAY_MISUSE, false},
    {CR_NO_PREPARE_STMT, BELAY_CONNECTION, false},
};

static const meaning *find_meaning(unsigned number)
{
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].number == number)
            return &meanings[i];
    return NULL;
}

bool belayi_mariadb_is_loss(unsigned number)
{
    switch (number) {
    case CR_SERVER_GONE_ERROR:
    case CR_SERVER_LOST:
    case CR_MALFORMED_PACKET:
    case CR_SSL_CONNECTION_ERROR:
    case SERVER_LOST_EXTENDED:
    case CLIENT_INTERACTION_TIMEOUT:
    case ER_CONNECTION_KILLED:
    case ER_SERVER_SHUTDOWN:
    case ER_NORMAL_SHUTDOWN:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case ER_NEW_ABORTING_CONNECTION:
        return true;
    default:
        return false;
    }
}

/* What the SQLSTATE says of a number that is not listed. */
static belay_code classify_state(unsigned number, const char *state)
{
    static const struct {
        char prefix[6];
        belay_code code;
    } states[] = {{"25006", BELAY_READ_ONLY}, {"23", BELAY_INTEGRITY},     {"22", BELAY_DATA},
                  {"42S", BELAY_SCHEMA},      {"42000", BELAY_SYNTAX},     {"08", BELAY_CONNECTION},
                  {"28", BELAY_PERMISSION},   {"40", BELAY_SERIALIZATION}, {"70100", BELAY_CANCELLED},
                  {"25", BELAY_MISUSE},       {"3B", BELAY_MISUSE},        {"0A", BELAY_UNSUPPORTED},
                  {"XA", BELAY_MISUSE}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strncmp(state, states[i].prefix, strlen(states[i].prefix)) == 0)
            return states[i].code;
    if (number >= CR_MIN_ERROR && number <= 2999)
        return BELAY_CONNECTION;
    /* HY000, and states of the program's own, which SIGNAL gives with whatever number. */
    return strcmp(state, "HY000") == 0 ? BELAY_DATA : BELAY_RAISED;
}

static belay_code classify(unsigned number, const char *state, const char *text)
{
    if (belayi_mariadb_is_loss(number))
        return BELAY_CONNECTION;
    if (number == ER_SP_DOES_NOT_EXIST && strncmp(text, "SAVEPOINT", 9) == 0)
        return BELAY_MISUSE;
    const meaning *found = find_meaning(number);
    return found ? found->code : classify_state(number, state);
}

/* ---- Names ----------------------------------------------------------------------------------------------------- */

/* Copies what stands between two marks behind `after`; false when there is nothing such. */
static bool copy_between(const char *text, const char *after, const char *end, char *out, size_t room)
{
    const char *start = strstr(text, after);
    const char *stop = start ? strstr(start + strlen(after), end) : NULL;
    if (!stop)
        return false;
    start += strlen(after);
    belayi_report_text(out, room, start, (size_t)(stop - start));
    return true;
}

/* "... (`db`.`child`, CONSTRAINT `name` FOREIGN KEY (`a`, `b`) REFERENCES ..." */
static void read_foreign_key(const char *text, belay_error *error)
{
    char columns[sizeof error->column];
    copy_between(text, "`.`", "`, CONSTRAINT", error->table, sizeof error->table);
    copy_between(text, "CONSTRAINT `", "`", error->constraint, sizeof error->constraint);
    if (!copy_between(text, "FOREIGN KEY (", ") REFERENCES", columns, sizeof columns))
        return;
    size_t size = 0;
    for (const char *at = columns; *at; at++)
        if (*at != '`')
            error->column[size++] = *at;
    error->column[size] = '\0';
}

/* "... column `db`.`table`.`column` at row 1", behind a value that may have quotes and columns of its own. */
static void read_full_column(const char *text, belay_error *error)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, " for column `")) != NULL; at++)
        last = at;
    const char *table = last ? strstr(last, "`.`") : NULL;
    const char *column = table ? strstr(table + 3, "`.`") : NULL;
    if (!column)
        return;
    copy_between(table, "`.`", "`", error->table, sizeof error->table);
    copy_between(column, "`.`", "`", error->column, sizeof error->column);
}

static void read_column(const char *text, belay_error *error)
{
    bool found = copy_between(text, "olumn '", "'", error->column, sizeof error->column);
    if (!found)
        found = copy_between(text, "Field '", "'", error->column, sizeof error->column);
    if (!found)
        read_full_column(text, error);
}

/* The last quoted word: a value that stands before it may have quotes of its own. */
static void read_key(const char *text, belay_error *error)
{
    const char *last = NULL;
    for (const char *at = text; (at = strstr(at, " for key '")) != NULL; at++)
        last = at;
    if (last)
        copy_between(last, " for key '", "'", error->constraint, sizeof error->constraint);
}

static void read_names(unsigned number, const char *text, belay_error *error)
{
    switch ((int)error->code) {
    case BELAY_UNIQUE:
        read_key(text, error);
        break;
    case BELAY_FOREIGN_KEY:
        read_foreign_key(text, error);
        break;
    case BELAY_CHECK: /* "CONSTRAINT `name` failed for `db`.`table`" */
        copy_between(text, "CONSTRAINT `", "`", error->constraint, sizeof error->constraint);
        copy_between(text, "`.`", "`", error->table, sizeof error->table);
        break;
    case BELAY_NOT_NULL:
    case BELAY_DATA:
        read_column(text, error);
        break;
    case BELAY_SCHEMA:
        if (number == ER_NO_SUCH_TABLE)
            copy_between(text, ".", "'", error->table, sizeof error->table);
        else if (number == ER_BAD_FIELD_ERROR)
            read_column(text, error);
        break;
    default:
        break;
    }
}

/* ---- Records --------------------------------------------------------------------------------------------------- */

/* Where a value that the server quotes begins; NULL: there is none. */
static const char *find_value(unsigned number, const char *text)
{
    const char *found = NULL;
    switch (number) {
    case ER_DUP_ENTRY:
    case ER_DUP_ENTRY_WITH_KEY_NAME:
    case ER_DUP_UNIQUE:
        found = strstr(text, " '"); /* "Duplicate entry 'x' for key 'PRIMARY'" */
        break;
    case ER_DATA_OUT_OF_RANGE:
        found = strstr(text, " in '"); /* "BIGINT value is out of range in '(? + 1)'", with values for the ? */
        break;
    case ER_NO_PARTITION_FOR_GIVEN_VALUE:
        found = strstr(text, " for value");
        break;
    default:
        found = strstr(text, ": '"); /* "Incorrect integer value: 'x' for column ..." */
        break;
    }
    return found;
}

/* Behind the value: the last " for key" or " for column", as the value may have such words of its own. */
static const char *find_rest(const char *value)
{
    static const char *const words[] = {"' for key '", "' for column ", "' for function "};
    const char *rest = NULL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (const char *at = value; (at = strstr(at, words[i])) != NULL; at++)
            if (!rest || at + 1 > rest)
                rest = at + 1;
    return rest ? rest : "";
}

/* Values are not in errors. */
static void report_without_value(belay_code code, unsigned number, const char *text, belay_error *error)
{
    const char *value = code == BELAY_UNIQUE || code == BELAY_DATA ? find_value(number, text) : NULL;
    if (value)
        belayi_report(error, code, "%.*s%s", (int)(value - text), text, find_rest(value));
    else
        belayi_report(error, code, "%s", text[0] ? text : "the server gave no reason");
}

belay_code belayi_mariadb_describe(unsigned number, const char *sqlstate, const char *text, belay_error *error)
{
    report_without_value(classify(number, sqlstate, text), number, text, error);
    error->native_code = (int)number;
    BELAYI_REPORT_FIELD(error->sqlstate, sqlstate);
    read_names(number, text, error);
    return error->code;
}

static void note_failure(belayi_mariadb_conn *conn, unsigned number, bool dml)
{
    const meaning *found = find_meaning(number);
    if (belayi_mariadb_is_loss(number))
        conn->lost = true;
    if (dml && found && found->harmless)
        return;
    conn->doubt = true;
    conn->ended_by = number;
}

/* What the limits, and not the server, make of an error. */
static void consider_limits(belayi_mariadb_conn *conn, unsigned number, bool nowait, belay_error *error)
{
    if (error->code == BELAY_LOCK_TIMEOUT && (nowait || conn->lock_wait_s == 0))
        error->code = BELAY_BUSY;
    if (number == ER_QUERY_INTERRUPTED && conn->cancelled) {
        error->code = BELAY_TIMEOUT;
        BELAYI_REPORT_FIELD(error->message, "the time limit has passed, and the statement was cancelled");
        conn->late_cancel = false;
    } else if (conn->given_up) {
        error->code = BELAY_TIMEOUT;
        BELAYI_REPORT_FIELD(error->message, "the time limit has passed, and the server does not answer");
    }
}

belay_code belayi_mariadb_fail(belayi_mariadb_conn *conn, belayi_mariadb_phase phase, belay_error *error)
{
    unsigned number = mysql_errno(conn->db);
    belayi_mariadb_describe(number, mysql_sqlstate(conn->db), mysql_error(conn->db), error);
    if (phase == BELAYI_MARIADB_OPENING)
        return error->code;
    note_failure(conn, number, false);
    if (phase == BELAYI_MARIADB_RUNNING)
        consider_limits(conn, number, false, error);
    if (phase == BELAYI_MARIADB_COMMITTING && conn->lost)
        error->outcome = BELAY_WORK_UNKNOWN;
    return error->code;
}

belay_code belayi_mariadb_fail_statement(belayi_mariadb_statement *s, belay_error *error)
{
    belayi_mariadb_conn *conn = (belayi_mariadb_conn *)s->base.conn;
    bool of_statement = mysql_stmt_errno(s->native) != 0; /* that of a row is the connection's */
    unsigned number = of_statement ? mysql_stmt_errno(s->native) : mysql_errno(conn->db);
    bool dml = s->kind == BELAYI_SQL_SELECT || s->kind == BELAYI_SQL_INSERT || s->kind == BELAYI_SQL_UPDATE ||
               s->kind == BELAYI_SQL_DELETE;
    belayi_mariadb_describe(number, of_statement ? mysql_stmt_sqlstate(s->native) : mysql_sqlstate(conn->db),
                            of_statement ? mysql_stmt_error(s->native) : mysql_error(conn->db), error);
    note_failure(conn, number, dml);
    consider_limits(conn, number, s->nowait, error);
    return error->code;
}
