/* URLs, the environment, connections that are refused, adopted, lent, and given up in a child. */
#include "postgresql_rig.h"

#include <sys/wait.h>
#include <unistd.h>

#include <belay/belay.h>

/* ---- URLs ------------------------------------------------------------------------------------------------------- */

/* Reads a URL, and connects when it is good. */
static belay_code open_url(const char *url)
{
    int most;
    void *shared = calloc(1, D->shared_size);
    belay_conn *one = calloc(1, D->conn_size);
    memset(&r.error, 0xA5, sizeof r.error);
    belay_code code = D->shared_init(shared, url, &most, &r.error);
    *one = (belay_conn){.driver = D, .shared = shared, .limits = {.lock_wait_ns = -1}};
    if (code == BELAY_OK) {
        code = D->open(one, &r.error);
        D->close(one);
    }
    D->shared_done(shared);
    free(shared);
    free(one);
    return code;
}

/* The server's URL with other words behind the address. */
static const char *with(const char *user, const char *rest)
{
    static char url[512];
    const char *address = strchr(getenv("BELAY_TEST_POSTGRESQL"), '@') + 1;
    snprintf(url, sizeof url, "postgresql://%s@%.*s%s", user, (int)strcspn(address, "/"), address, rest);
    return url;
}

static void bad_urls_are_misuse_and_never_show_a_password(void **state)
{
    static const char *const bad[] = {"postgresql:",
                                      "postgresql:/x",
                                      "postgresql://",
                                      "postgresql://host/db",
                                      "postgresql://u:hidden@/db",
                                      "postgresql://u:hidden@h:0/db",
                                      "postgresql://u:hidden@h:99999/db",
                                      "postgresql://u:hidden@h:abc/db",
                                      "postgresql://u:hidden@h/db?nonsense=1",
                                      "postgresql://u:hidden@h/db?password=hid&password=hidden",
                                      "postgresql://u:hidden@h/db?sslmode",
                                      "postgresql://u:hidden@h/db?password==hidden",
                                      "postgresql://u:hid%zzden@h/db",
                                      "postgresql://u:hidden%00@h/db",
                                      "postgresql://u:pass@hidden@127.0.0.1:1/db",
                                      "postgresql://u:hidden@[::1/db",
                                      "postgresql://u:hidden@h/db?client_encoding=LATIN1",
                                      "postgresql://u:hidden@h/db?connect_timeout=soon"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (open_url(bad[i]) != BELAY_MISUSE)
            fail_msg("%s: %s %s", bad[i], belay_code_name(r.error.code), r.error.message);
        assert_null(strstr(r.error.message, "hid"));
        assert_null(strstr(r.error.detail, "hid"));
        assert_null(strstr(r.error.hint, "hid"));
    }
}

static void an_unknown_parameter_is_named(void **state)
{
    (void)state;
    assert_int_equal(open_url("postgresql://u@h/db?nonsense=1"), BELAY_MISUSE);
    assert_non_null(strstr(r.error.message, "'nonsense'"));
}

static void what_libpq_takes_can_be_said(void **state)
{
    (void)state;
    assert_int_equal(open_url(with("belay", "/belay?sslmode=disable&application_name=tests&connect_timeout=9")),
                     BELAY_OK);
    assert_int_equal(open_url(getenv("BELAY_TEST_POSTGRESQL_SOCKET")), BELAY_OK);
    assert_int_equal(open_url(with("belay", "/belay?sslmode=require")), BELAY_CONNECTION); /* the server has none */
    assert_int_equal(open_url(with("belay", "")), BELAY_OK); /* the database of the user's name */
}

static void a_refused_connection_is_told_with_its_reason(void **state)
{
    (void)state;
    assert_int_equal(open_url("postgresql://u:hidden@127.0.0.1:1/db"), BELAY_CONNECTION);
    assert_null(strstr(r.error.message, "hidden"));
    assert_int_equal(open_url(with("belay", "/nowhere")), BELAY_CONNECTION);
    assert_string_equal(r.error.sqlstate, "3D000");
    assert_non_null(strstr(r.error.message, "nowhere"));
    assert_int_equal(open_url(with("nobody", "/belay")), BELAY_PERMISSION);
    assert_string_equal(r.error.sqlstate, "28000");
    rig_must(&r, conn, "ALTER DATABASE template1 CONNECTION LIMIT 0");
    rig_must(&r, conn, "DROP ROLE IF EXISTS guest");
    rig_must(&r, conn, "CREATE ROLE guest LOGIN");
    assert_int_equal(open_url(with("guest", "/template1")), BELAY_TOO_MANY);
    assert_string_equal(r.error.sqlstate, "53300");
    rig_must(&r, conn, "ALTER DATABASE template1 CONNECTION LIMIT -1");
    rig_must(&r, conn, "DROP ROLE guest");
}

static void the_environment_decides_nothing(void **state)
{
    static const char *const names[] = {"PGHOST", "PGPORT",           "PGDATABASE",    "PGUSER",           "PGPASSWORD",
                                        "PGTZ",   "PGDATESTYLE",      "PGAPPNAME",     "PGOPTIONS",        "PGSSLMODE",
                                        "PGGEQO", "PGCLIENTENCODING", "PGSSLROOTCERT", "PGCONNECT_TIMEOUT"};
    static const char *const values[] = {
        "192.0.2.1",   "1",   "nowhere", "nobody",   "wrong", "Asia/Tokyo", "German", "theirs", "-c enable_seqscan=off",
        "verify-full", "off", "LATIN1",  "/nowhere", "1"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        setenv(names[i], values[i], 1);
    rig fresh;
    rig_init_server(&fresh, D, "BELAY_TEST_POSTGRESQL");
    belay_conn *mine = rig_connect(&fresh);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    assert_int_equal(rig_ask(&fresh, mine,
                             "SELECT (current_user = 'belay' AND current_database() = 'belay' AND"
                             " current_setting('TimeZone') = 'UTC' AND current_setting('DateStyle') LIKE 'ISO%' AND"
                             " current_setting('application_name') = 'belay' AND current_setting('geqo') = 'on' AND"
                             " current_setting('enable_seqscan') = 'on' AND"
                             " current_setting('client_encoding') = 'UTF8')::int"),
                     1);
    rig_done_server(&fresh);
    setenv("PGHOSTADDR", "192.0.2.1", 1);
    assert_int_equal(open_url(with("belay", "/belay")), BELAY_MISUSE); /* nothing can be said against it */
    assert_non_null(strstr(r.error.message, "PGHOSTADDR"));
    unsetenv("PGHOSTADDR");
}

/* ---- Adopted ---------------------------------------------------------------------------------------------------- */

static PGconn *connect_plainly(void)
{
    PGconn *own = PQconnectdb(getenv("BELAY_TEST_POSTGRESQL"));
    assert_int_equal(PQstatus(own), CONNECTION_OK);
    return own;
}

static void run_plainly(PGconn *own, const char *sql)
{
    PGresult *result = PQexec(own, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(own));
    PQclear(result);
}

static void an_adopted_connection_stays_the_programs(void **state)
{
    (void)state;
    PGconn *own = connect_plainly();
    run_plainly(own, "SET lock_timeout = 1234");
    belay_session *s = belay_adopt_postgresql(own);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO t VALUES (?, 'belay')", 3);
        run_plainly(own, "INSERT INTO t VALUES (4, 'plain')");
        BELAY_ATOMIC(s) {
            run_plainly(own, "INSERT INTO t VALUES (5, 'undone')");
            belay_undo(s);
        }
    }
    assert_int_equal(belay_status(s), BELAY_OK);
    assert_int_equal(belay_session_close(s), BELAY_OK);
    assert_int_equal(PQisnonblocking(own), 0);
    assert_int_equal(PQpipelineStatus(own), PQ_PIPELINE_OFF);
    PGresult *result = PQexec(own, "SHOW lock_timeout");
    assert_string_equal(PQgetvalue(result, 0, 0), "1234ms");
    PQclear(result);
    PQfinish(own);
    assert_int_equal(rig_ask(&r, conn, "SELECT sum(id)::int FROM t"), 1 + 2 + 3 + 4);
}

static void in_the_programs_own_transaction_a_scope_is_a_savepoint(void **state)
{
    (void)state;
    PGconn *own = connect_plainly();
    belay_session *s = belay_adopt_postgresql(own);
    run_plainly(own, "BEGIN");
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO t VALUES (3, 'kept')");
    assert_int_equal(belay_status(s), BELAY_OK);
    BELAY_ATOMIC(s)
        belay_exec(s, "INSERT INTO t VALUES (3, 'again')");
    assert_int_equal(belay_status(s), BELAY_UNIQUE);
    assert_int_equal(PQtransactionStatus(own), PQTRANS_INTRANS);
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 2);
    run_plainly(own, "COMMIT");
    assert_int_equal(rig_ask(&r, conn, "SELECT count(*) FROM t"), 3);
    belay_session_close(s);
    PQfinish(own);
}

static void a_connection_that_is_adopted_must_speak_utf8(void **state)
{
    (void)state;
    PGconn *own = connect_plainly();
    PQsetClientEncoding(own, "LATIN1");
    belay_session *s = belay_adopt_postgresql(own);
    belay_exec(s, "SELECT 1");
    assert_int_equal(belay_status(s), BELAY_UNSUPPORTED);
    belay_session_close(s);
    PQfinish(own);
}

static void a_busy_connection_is_misuse(void **state)
{
    (void)state;
    PGconn *own = connect_plainly();
    belay_session *s = belay_adopt_postgresql(own);
    PQsendQuery(own, "SELECT 1");
    belay_exec(s, "SELECT 1");
    assert_int_equal(belay_status(s), BELAY_MISUSE);
    belay_session_close(s);
    PQfinish(own);
}

static void the_handle_is_lent_with_all_that_is_owed_sent(void **state)
{
    (void)state;
    belay_db *db = belay_open(getenv("BELAY_TEST_POSTGRESQL"), NULL);
    belay_session *s = belay_session_open(db);
    BELAY_ATOMIC(s) {
        PGconn *own = belay_native(s);
        run_plainly(own, "INSERT INTO t VALUES (3, 'kept')");
        BELAY_ATOMIC(s) {
            run_plainly(own, "INSERT INTO t VALUES (4, 'undone')");
            belay_undo(s);
        }
    }
    assert_int_equal(belay_status(s), BELAY_OK);
    BELAY_ATOMIC(s) {
        run_plainly(belay_native(s), "INSERT INTO t VALUES (5, 'undone')");
        belay_undo(s);
    }
    assert_int_equal(rig_ask(&r, conn, "SELECT sum(id)::int FROM t"), 1 + 2 + 3);
    belay_session_close(s);
    belay_close(db);
}

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

static void in_a_child_nothing_is_said_in_the_parents_name(void **state)
{
    (void)state;
    int status;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'parent')");
    pid_t child = fork();
    if (child == 0) {
        D->disown(conn);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM t"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(bad_urls_are_misuse_and_never_show_a_password),
        T(an_unknown_parameter_is_named),
        T(what_libpq_takes_can_be_said),
        T(a_refused_connection_is_told_with_its_reason),
        T(the_environment_decides_nothing),
        T(an_adopted_connection_stays_the_programs),
        T(in_the_programs_own_transaction_a_scope_is_a_savepoint),
        T(a_connection_that_is_adopted_must_speak_utf8),
        T(a_busy_connection_is_misuse),
        T(the_handle_is_lent_with_all_that_is_owed_sent),
        T(in_a_child_nothing_is_said_in_the_parents_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
