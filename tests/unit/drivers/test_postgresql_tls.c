/*
 * Encrypted connections. The server's TLS is switched on for the time of these tests, with a certificate that is made
 * for them.
 */
#include "postgresql_rig.h"

#include <unistd.h>

static char folder[64];

/* A server's certificate for 127.0.0.1, the authority that signed it, and one that did not. */
static const char make_certificates[] =
    "cd %s && exec 2>/dev/null </dev/null && new='openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes' && "
    "$new -x509 -days 2 -subj /CN=right -keyout right.key -out right.crt && "
    "$new -x509 -days 2 -subj /CN=wrong -keyout wrong.key -out wrong.crt && "
    "$new -subj /CN=server -keyout server.key -out server.csr && echo subjectAltName=IP:127.0.0.1 > names && "
    "openssl x509 -req -days 2 -in server.csr -CA right.crt -CAkey right.key -CAcreateserial -extfile names "
    "-out server.crt && chmod 600 server.key && chmod 755 . && "
    "if [ $(id -u) = 0 ]; then chown --reference=\"$BELAY_TEST_SERVERS\"/postgresql server.key; fi";

static void run_here(const char *format)
{
    char command[1024];
    snprintf(command, sizeof command, format, folder);
    assert_int_equal(system(command), 0);
}

static void set_on_server(const char *name, const char *value)
{
    char sql[256];
    snprintf(sql, sizeof sql, "ALTER SYSTEM SET %s = '%s%s'", name, value[0] == '/' ? folder : "", value);
    rig_must(&r, other, sql);
}

static int switch_on(void **state)
{
    set_up(state);
    strcpy(folder, "/tmp/belay-tls-XXXXXX");
    assert_non_null(mkdtemp(folder));
    run_here(make_certificates);
    set_on_server("ssl_cert_file", "/server.crt");
    set_on_server("ssl_key_file", "/server.key");
    set_on_server("ssl", "on");
    rig_ask(&r, other, "SELECT pg_reload_conf()::int");
    while (rig_ask(&r, other, "SELECT (current_setting('ssl') = 'on')::int") == 0)
        usleep(1000);
    return tear_down(state);
}

static int switch_off(void **state)
{
    set_up(state);
    static const char *const names[] = {"ssl", "ssl_cert_file", "ssl_key_file"};
    for (int i = 0; i < 3; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "ALTER SYSTEM RESET %s", names[i]);
        rig_must(&r, other, sql);
    }
    rig_ask(&r, other, "SELECT pg_reload_conf()::int");
    while (rig_ask(&r, other, "SELECT (current_setting('ssl') = 'on')::int") == 1)
        usleep(1000);
    run_here("rm -r %s");
    return tear_down(state);
}

/* A rig on the same server, with these parameters in its URL; %s in them is the folder. */
static rig encrypted;
static belay_conn *secret;

static belay_code connect_with(const char *parameters)
{
    char url[512], more[256], *plain = strdup(getenv("BELAY_TEST_POSTGRESQL"));
    const char *file = strchr(parameters, '@'); /* @ stands for the folder */
    snprintf(more, sizeof more, "%.*s%s%s", file ? (int)(file - parameters) : 100, parameters, file ? folder : "",
             file ? file + 1 : "");
    snprintf(url, sizeof url, "%s?%s", plain, more);
    setenv("BELAY_TEST_ENCRYPTED", url, 1);
    free(plain);
    rig_init_server(&encrypted, D, "BELAY_TEST_ENCRYPTED");
    return rig_try_connect(&encrypted, &secret);
}

static int disconnect(void **state)
{
    rig_done_server(&encrypted);
    return tear_down(state);
}

static void assert_connected(const char *parameters)
{
    if (connect_with(parameters) != BELAY_OK)
        fail_msg("%s: %s", parameters, encrypted.error.message);
}

/* ---- Tests --------------------------------------------------------------------------------------------------- */

static void require_encrypts(void **state)
{
    (void)state;
    assert_connected("sslmode=require");
    assert_int_equal(rig_ask(&encrypted, secret, "SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), 1);
}

static void disable_does_not(void **state)
{
    (void)state;
    assert_connected("sslmode=disable");
    assert_int_equal(rig_ask(&encrypted, secret, "SELECT ssl::int FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), 0);
}

static void a_server_that_the_right_authority_vouches_for_is_trusted(void **state)
{
    (void)state;
    assert_connected("sslmode=verify-full&sslrootcert=@/right.crt");
    assert_int_equal(rig_ask(&encrypted, secret, "SELECT 7"), 7);
}

static void a_server_that_nobody_vouches_for_is_refused(void **state)
{
    (void)state;
    assert_int_equal(connect_with("sslmode=verify-full&sslrootcert=@/wrong.crt"), BELAY_CONNECTION);
    assert_non_null(strstr(encrypted.error.message, "certificate verify failed"));
    assert_int_equal(D->status(secret), BELAY_TRANSACTION_LOST);
}

static void an_authority_that_is_not_there_is_told(void **state)
{
    (void)state;
    assert_int_equal(connect_with("sslmode=verify-full&sslrootcert=@/missing.crt"), BELAY_CONNECTION);
    assert_non_null(strstr(encrypted.error.message, "missing.crt"));
}

static void a_statement_ends_at_its_deadline_here_too(void **state)
{
    (void)state;
    assert_connected("sslmode=require");
    rig_limit(secret, -1, 100);
    assert_int_equal(rig_run(&encrypted, secret, "SELECT pg_sleep(60)"), BELAY_TIMEOUT);
    rig_limit(secret, -1, -1);
    assert_int_equal(rig_ask(&encrypted, secret, "SELECT 7"), 7);
}

static void what_hung_up_while_idle_is_seen_here_too_and_nothing_else(void **state)
{
    (void)state;
    assert_connected("sslmode=require");
    assert_false(D->hung_up(secret));
    int64_t pid = rig_ask(&encrypted, secret, "SELECT pg_backend_pid()");
    assert_false(D->hung_up(secret));
    kill_backend(pid);
    assert_true(D->hung_up(secret));
}

static void what_became_of_a_lost_commit_can_be_asked_here_too(void **state)
{
    (void)state;
    belay_token token;
    belay_outcome outcome;
    assert_connected("sslmode=require");
    rig_must_begin(&encrypted, secret);
    rig_must(&encrypted, secret, "INSERT INTO t VALUES (3, 'x')");
    rig_must_commit(&encrypted, secret);
    assert_true(D->identify(secret, &token));
    assert_int_equal(D->outcome(conn, &token, &outcome, &r.error), BELAY_OK);
    assert_int_equal(outcome, BELAY_WORK_COMMITTED);
}

#define ON_TLS(test) cmocka_unit_test_setup_teardown(test, set_up, disconnect)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_TLS(require_encrypts),
        ON_TLS(disable_does_not),
        ON_TLS(a_server_that_the_right_authority_vouches_for_is_trusted),
        ON_TLS(a_server_that_nobody_vouches_for_is_refused),
        ON_TLS(an_authority_that_is_not_there_is_told),
        ON_TLS(a_statement_ends_at_its_deadline_here_too),
        ON_TLS(what_hung_up_while_idle_is_seen_here_too_and_nothing_else),
        ON_TLS(what_became_of_a_lost_commit_can_be_asked_here_too),
    };
    return cmocka_run_group_tests(tests, switch_on, switch_off);
}
