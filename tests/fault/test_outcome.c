/*
 * The answer to a COMMIT on PostgreSQL never comes, and what became of it is
 * asked by the number of its transaction. A deferred trigger makes COMMIT last,
 * and meanwhile the link is cut, the backend ended, the server changed for
 * another, or killed.
 *
 * The server is that of BELAY_TEST_POSTGRESQL_SOCKET. The handle under test finds
 * it through a link in a folder of the test's, which can be made to point
 * elsewhere. Another server is started where a test needs one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <belay/belay.h>

#include "session.h"

#include "drivers/postgresql/conn.h"

/* ---- The server, and the way to it ------------------------------------------------------------------------------ */

static char folder[64], link_path[128], server_socket[256], url[256];
static PGconn *aside; /* past the link, for the cutter and the trace */

static void point_link_at(const char *socket_path)
{
    unlink(link_path);
    if (socket_path)
        assert_int_equal(symlink(socket_path, link_path), 0);
}

/* The socket's path of a URL as tools/servers.py gives it. */
static void find_socket(const char *of_url, char out[256])
{
    const char *host = strstr(of_url, "host="), *port = strstr(of_url, "port=");
    assert_non_null(host);
    assert_non_null(port);
    snprintf(out, 256, "%.*s/.s.PGSQL.%d", (int)strcspn(host + 5, "&"), host + 5, atoi(port + 5));
}

static char *run_aside(const char *sql)
{
    static char value[64];
    PGresult *result = PQexec(aside, sql);
    bool rows = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0;
    snprintf(value, sizeof value, "%s", rows ? PQgetvalue(result, 0, 0) : "");
    PQclear(result);
    return value;
}

/* ---- One case --------------------------------------------------------------------------------------------------- */

typedef struct stage {
    belay_db *db;
    belay_session *s;
    int pid, fd; /* of the unit's connection */
    pthread_t cutter;
    const char *then_link; /* where the link points to when the cut is made */
    bool moves_link;
    int kill;        /* a signal for the backend instead of the cut */
    bool terminates; /* the backend is ended when the question was first answered with "open" */
    int runs, committed, rolled_back, asked;
    char said[256];
} stage;

static void hear(void *arg, const belay_trace_event *event)
{
    stage *st = arg;
    char sql[64];
    if (event->kind != BELAY_TRACE_OUTCOME)
        return;
    st->asked++;
    const char *detail = event->detail ? event->detail : "?";
    if (!strstr(st->said, detail) && strlen(st->said) + strlen(detail) + 2 < sizeof st->said)
        strcat(strcat(st->said, detail), ";");
    if (!st->terminates || strcmp(detail, "open") != 0)
        return;
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", st->pid);
    run_aside(sql);
}

static void make_tables(void)
{
    run_aside("DROP TABLE IF EXISTS item");
    run_aside("CREATE TABLE item (id integer PRIMARY KEY, sleeps float8)");
    run_aside("CREATE OR REPLACE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
              " PERFORM pg_sleep(NEW.sleeps); RETURN NULL; END $$");
    run_aside("CREATE CONSTRAINT TRIGGER lingers AFTER INSERT ON item DEFERRABLE INITIALLY DEFERRED"
              " FOR EACH ROW EXECUTE FUNCTION linger()");
}

static void open_handle(stage *st, const belay_db_options *given)
{
    belay_db_options options = given ? *given : *BELAY_DB_OPTIONS(.pool_size = 4);
    options.trace = hear;
    options.trace_arg = st;
    st->db = belay_open(url, &options);
    st->s = belay_session_open(st->db);
    assert_int_equal(belay_db_error(st->db)->code, BELAY_OK);
}

static int set_up(void **state)
{
    stage *st = calloc(1, sizeof *st);
    *state = st;
    point_link_at(server_socket);
    make_tables();
    open_handle(st, NULL);
    return 0;
}

static int tear_down(void **state)
{
    stage *st = *state;
    belay_session_close(st->s);
    belay_close(st->db);
    free(st);
    return 0;
}

static int count_hook(belay_session *s, void *count)
{
    (void)s;
    ++*(int *)count;
    return 0;
}

/* Waits until the server is at the COMMIT, and does what is to be done then. */
static void *cut(void *arg)
{
    stage *st = arg;
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT 1 FROM pg_stat_activity WHERE pid = %d AND state = 'active' AND query = 'COMMIT'",
             st->pid);
    while (strcmp(run_aside(sql), "1") != 0)
        usleep(1000);
    if (st->moves_link)
        point_link_at(st->then_link);
    if (st->kill)
        kill(st->pid, st->kill);
    else
        shutdown(st->fd, SHUT_RDWR);
    return NULL;
}

static belayi_pg_conn *native_of(belay_session *s)
{
    return (belayi_pg_conn *)(void *)s->transaction.conn; /* belay_native would change what is sent */
}

static void put(belay_session *s, stage *st, int id, double sleeps)
{
    st->runs++;
    belay_on_commit(s, count_hook, &st->committed, NULL);
    belay_on_rollback(s, count_hook, &st->rolled_back, NULL);
    belay_exec(s, "INSERT INTO item VALUES (?, ?)", id, st->runs == 1 ? sleeps : 0.0);
    if (st->runs > 1 || belay_status(s) != BELAY_OK)
        return;
    st->pid = PQbackendPID(native_of(s)->pg);
    st->fd = PQsocket(native_of(s)->pg);
}

/* A unit whose first COMMIT lasts so long, and is cut. */
#define lose_commit(st, sleeps, ...)                                                                                   \
    do {                                                                                                               \
        BELAY_ATOMIC_WITH((st)->s, __VA_ARGS__) {                                                                      \
            put((st)->s, st, 1, sleeps);                                                                               \
            if ((st)->runs == 1)                                                                                       \
                pthread_create(&(st)->cutter, NULL, cut, st);                                                          \
        }                                                                                                              \
        pthread_join((st)->cutter, NULL);                                                                              \
    } while (0)

static void assert_ended(stage *st, belay_code code, belay_outcome outcome)
{
    const belay_error *ended = belay_pending(st->s);
    if (ended->code != code || ended->outcome != outcome)
        fail_msg("%s: %s", belay_code_name(ended->code), belay_message(st->s));
}

static void assert_doubt(stage *st, const char *why)
{
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    if (!strstr(belay_pending(st->s)->message, why))
        fail_msg("%s", belay_pending(st->s)->message);
    assert_int_equal(st->runs, 1);
    assert_int_equal(st->committed + st->rolled_back, 0);
}

#define assert_items(ids) assert_string_equal(run_aside("SELECT string_agg(id::text, ';' ORDER BY id) FROM item"), ids)

/* ---- Found out -------------------------------------------------------------------------------------------------- */

static void a_commit_that_goes_on_without_its_link_is_waited_for_and_committed(void **state)
{
    stage *st = *state;
    lose_commit(st, 0.2, .retries = 3);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_string_equal(st->said, "open;committed;");
    assert_items("1");
    assert_int_equal(st->runs, 1);
    assert_int_equal(st->committed, 1);
    assert_int_equal(st->rolled_back, 0);
}

static void a_commit_that_is_ended_after_its_link_was_rolled_back_and_runs_again(void **state)
{
    stage *st = *state;
    st->terminates = true;
    lose_commit(st, 30, .retries = 3);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_string_equal(st->said, "open;rolled back;");
    assert_items("1");
    assert_int_equal(st->runs, 2);
    assert_int_equal(st->committed, 1);
    assert_int_equal(st->rolled_back, 1);
}

static void without_retries_the_error_says_that_nothing_was_kept(void **state)
{
    stage *st = *state;
    st->kill = SIGTERM; /* the backend's own end, and with it that of the link */
    lose_commit(st, 30, .retries = 0);
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_true(belay_retryable(belay_pending(st->s)));
    assert_items("");
    assert_int_equal(st->rolled_back, 1);
}

static void a_transaction_of_its_own_inside_another_is_found_out_too(void **state)
{
    stage *st = *state;
    BELAY_ATOMIC(st->s) {
        belay_exec(st->s, "INSERT INTO item VALUES (2, 0)");
        BELAY_ATOMIC_WITH(st->s, .propagation = BELAY_REQUIRES_NEW) {
            put(st->s, st, 1, 0.2);
            pthread_create(&st->cutter, NULL, cut, st);
        }
    }
    pthread_join(st->cutter, NULL);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_string_equal(st->said, "open;committed;");
    assert_int_equal(st->committed, 1);
    assert_items("1;2");
}

static void a_pool_of_one_connection_can_find_out(void **state)
{
    stage *st = *state;
    belay_session_close(st->s);
    belay_close(st->db);
    open_handle(st, BELAY_DB_OPTIONS(.pool_size = 1));
    lose_commit(st, 0.1, .retries = 0);
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
}

/* ---- No doubt at all, or nobody to ask about -------------------------------------------------------------------- */

/* What is sent from now on is lost. */
static int cut_way_out(belay_session *s, void *arg)
{
    (void)arg;
    shutdown(PQsocket(native_of(s)->pg), SHUT_WR);
    return 0;
}

static void a_unit_that_only_reads_is_never_in_doubt(void **state)
{
    stage *st = *state;
    int runs = 0;
    BELAY_ATOMIC_WITH(st->s, .read_only = true, .retries = 1) {
        belay_int_of(st->s, "SELECT count(*) FROM item");
        if (++runs == 1)
            belay_before_commit(st->s, cut_way_out, NULL, NULL);
    }
    assert_ended(st, BELAY_OK, BELAY_WORK_COMMITTED);
    assert_int_equal(runs, 2);
    assert_int_equal(st->asked, 0);
}

static void a_commit_that_never_left_was_rolled_back(void **state)
{
    stage *st = *state;
    BELAY_ATOMIC_WITH(st->s, .retries = 0) {
        put(st->s, st, 1, 0);
        belay_before_commit(st->s, cut_way_out, NULL, NULL);
    }
    assert_ended(st, BELAY_CONNECTION, BELAY_WORK_ROLLED_BACK);
    assert_true(st->asked > 0);
    assert_items("");
}

static void a_query_that_might_have_written_leaves_the_unit_in_doubt(void **state)
{
    stage *st = *state;
    BELAY_ATOMIC_WITH(st->s, .retries = 3) {
        belay_int_of(st->s, "SELECT count(*) FROM item");
        belay_before_commit(st->s, cut_way_out, NULL, NULL);
    }
    assert_ended(st, BELAY_IN_DOUBT, BELAY_WORK_UNKNOWN);
    assert_int_equal(st->asked, 0);
}

/* ---- In doubt --------------------------------------------------------------------------------------------------- */

static void when_the_time_limit_passes_meanwhile_it_stays_in_doubt(void **state)
{
    stage *st = *state;
    st->terminates = false;
    lose_commit(st, 1.5, .retries = 3, .timeout_ms = 500);
    assert_doubt(st, "still busy");
    while (strcmp(run_aside("SELECT count(*) FROM item"), "1") != 0)
        usleep(10000);
}

static void when_nothing_listens_any_more_it_stays_in_doubt(void **state)
{
    stage *st = *state;
    st->moves_link = true;
    lose_commit(st, 0.1, .retries = 3);
    assert_doubt(st, "connection to server");
    assert_int_equal(st->asked, 0);
}

/* ---- Another server --------------------------------------------------------------------------------------------- */

static char second_folder[256], second_url[256], second_socket[256];

static void read_setting(const char *line, const char *name, char out[256])
{
    size_t size = strlen(name);
    if (strncmp(line, name, size) != 0 || line[size] != '=')
        return;
    const char *from = line + size + 1 + (line[size + 1] == '\'');
    snprintf(out, 256, "%.*s", (int)strcspn(from, "'\n"), from);
}

static int start_second(void **state)
{
    char line[512];
    (void)state;
    FILE *servers = popen(SERVERS " start --only postgresql", "r");
    assert_non_null(servers);
    while (fgets(line, sizeof line, servers)) {
        read_setting(line, "BELAY_TEST_SERVERS", second_folder);
        read_setting(line, "BELAY_TEST_POSTGRESQL_SOCKET", second_url);
    }
    pclose(servers);
    find_socket(second_url, second_socket);
    return 0;
}

static int stop_second(void **state)
{
    char command[512];
    (void)state;
    snprintf(command, sizeof command, SERVERS " stop %s", second_folder);
    return second_folder[0] && system(command) != 0;
}

static void another_server_behind_the_same_url_cannot_tell(void **state)
{
    stage *st = *state;
    st->moves_link = true;
    st->then_link = second_socket;
    lose_commit(st, 0.1, .retries = 3);
    assert_doubt(st, "another server");
    assert_int_equal(st->asked, 1);
}

/*
 * The server is the second one. When a backend is killed it starts anew from its log, and what was not written there
 * yet has never been: the number of the lost transaction is given again, to one that commits.
 */
static void after_a_crash_a_number_that_was_given_twice_proves_nothing(void **state)
{
    stage *st = *state;
    PGconn *first = aside;
    belay_session_close(st->s);
    belay_close(st->db);
    point_link_at(second_socket);
    aside = PQconnectdb(second_url);
    make_tables();
    run_aside("CHECKPOINT");
    open_handle(st, NULL);
    st->kill = SIGKILL;
    lose_commit(st, 30, .retries = 3, .backoff_ms = 200, .backoff_max_ms = 2000);
    PQfinish(aside);
    aside = first;
    assert_doubt(st, "crashed");
}

/* ---- The programme ---------------------------------------------------------------------------------------------- */

static int find_server(void **state)
{
    const char *given = getenv("BELAY_TEST_POSTGRESQL_SOCKET");
    (void)state;
    if (!given || !*given)
        fail_msg(
            "BELAY_TEST_POSTGRESQL_SOCKET is not set: tools/servers.py run -- COMMAND starts a server and sets it");
    find_socket(given, server_socket);
    strcpy(folder, "/tmp/belay-outcome-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(link_path, sizeof link_path, "%s/.s.PGSQL.5432", folder);
    snprintf(url, sizeof url, "postgresql://belay@/belay?host=%s", folder);
    aside = PQconnectdb(given);
    assert_int_equal(PQstatus(aside), CONNECTION_OK);
    return start_second(state);
}

static int leave_server(void **state)
{
    PQfinish(aside);
    unlink(link_path);
    rmdir(folder);
    return stop_second(state);
}

#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_commit_that_goes_on_without_its_link_is_waited_for_and_committed),
        T(a_commit_that_is_ended_after_its_link_was_rolled_back_and_runs_again),
        T(without_retries_the_error_says_that_nothing_was_kept),
        T(a_transaction_of_its_own_inside_another_is_found_out_too),
        T(a_pool_of_one_connection_can_find_out),
        T(a_unit_that_only_reads_is_never_in_doubt),
        T(a_commit_that_never_left_was_rolled_back),
        T(a_query_that_might_have_written_leaves_the_unit_in_doubt),
        T(when_the_time_limit_passes_meanwhile_it_stays_in_doubt),
        T(when_nothing_listens_any_more_it_stays_in_doubt),
        T(another_server_behind_the_same_url_cannot_tell),
        T(after_a_crash_a_number_that_was_given_twice_proves_nothing),
    };
    return cmocka_run_group_tests(tests, find_server, leave_server);
}
