/*
 * wait.c - every wait for the server, and what ends one.
 *
 * The client library's calls that wait are driven by its non-blocking form, so
 * that this file does the waiting, on the monotonic clock. At the deadline of a
 * statement it is cancelled: KILL QUERY, sent on a connection of its own that has
 * little time. The answer to that is waited for before the statement's answer is
 * taken; so when it came too late for its statement, it can only hit the command
 * that is sent next, and that is an empty one of ours (`settle`). When the server
 * does not even answer a cancel, the connection is given up.
 *
 * A connection of the program's was not made for non-blocking calls: there the
 * calls block, and limits are looked at between them.
 *
 * Host names are looked up by the system's resolver, which keeps no limit.
 * Tests: tests/unit/drivers/test_mariadb_limits.c.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "conn.h"
#include "report.h"
#include "standard.h"

#include <ma_pvio.h> /* needs mysql.h before it */

static const int64_t cancel_ns = INT64_C(2000) * BELAYI_NS_PER_MS;  /* for a connection, and a KILL QUERY on it */
static const int64_t answer_ns = INT64_C(3000) * BELAYI_NS_PER_MS;  /* for a cancelled statement to answer */
static const int64_t control_ns = INT64_C(5000) * BELAYI_NS_PER_MS; /* for BEGIN, COMMIT, ... behind the deadline */
static const int64_t back_ns = INT64_C(30000) * BELAYI_NS_PER_MS;   /* for ROLLBACK, where there is no deadline */

/* ---- The socket ---------------------------------------------------------------------------------------------- */

/* Waits until the socket is ready for what the library asks, or until the moment; 0: no limit. */
static bool poll_until(MYSQL *mysql, int asked, int64_t end_ns)
{
    struct pollfd fd = {.fd = mysql_get_socket(mysql)};
    fd.events = (short)((asked & MYSQL_WAIT_READ ? POLLIN : 0) | (asked & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
                        (asked & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    for (;;) {
        struct timespec left = {0};
        int64_t ns = end_ns ? end_ns - belayi_clock_now() : 0;
        if (ns > 0)
            left = (struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
        int ready = ppoll(&fd, 1, end_ns ? &left : NULL, NULL);
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

/* What the library has read ahead is not at the socket any more. */
static bool has_read_ahead(const MYSQL *mysql)
{
    const MARIADB_PVIO *io = mysql->net.pvio;
    return io && io->cache && io->cache + io->cache_size > io->cache_pos;
}

bool belayi_mariadb_hung_up(const belayi_mariadb_conn *conn)
{
    if (has_read_ahead(conn->db))
        return true;
    struct pollfd fd = {.fd = mysql_get_socket(conn->db), .events = POLLIN};
    int ready;
    do
        ready = poll(&fd, 1, 0);
    while (ready < 0 && errno == EINTR);
    return ready != 0;
}

bool belayi_mariadb_hung_up_idle(belay_conn *base)
{
    const belayi_mariadb_conn *conn = (const belayi_mariadb_conn *)base;
    return !conn->adopted && (conn->lost || !conn->db || belayi_mariadb_hung_up(conn));
}

/* What the library is told of a wait that was ended: its call fails then. */
static int give_up(MYSQL *mysql)
{
    shutdown(mysql_get_socket(mysql), SHUT_RDWR);
    return MYSQL_WAIT_TIMEOUT;
}

static int ready_events(int asked)
{
    return asked & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE | MYSQL_WAIT_EXCEPT);
}

static int wait_plainly(MYSQL *mysql, int asked, int64_t end_ns)
{
    return poll_until(mysql, asked, end_ns) ? ready_events(asked) : give_up(mysql);
}

/* ---- Connecting ------------------------------------------------------------------------------------------------ */

/* Nothing is left to option files, and to the environment only what the library reads before it can be told. */
static void set_options(MYSQL *mysql, const belayi_mariadb_shared *shared)
{
    static const char charset[] = "utf8mb4";
    my_bool off = 0, verify = shared->tls_verify, tls = shared->tls;
    unsigned no_files = 0, protocol = shared->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    mysql_options(mysql, MYSQL_OPT_NONBLOCK, NULL);
    mysql_options(mysql, MYSQL_OPT_RECONNECT, &off);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, charset);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &tls);
    mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
    if (shared->tls_ca)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, shared->tls_ca);
    if (shared->tls_certificate)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CERT, shared->tls_certificate);
    if (shared->tls_key)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_KEY, shared->tls_key);
}

bool belayi_mariadb_connect(const belayi_mariadb_shared *shared, int64_t end_ns, MYSQL **out_mysql)
{
    MYSQL *mysql = *out_mysql = mysql_init(NULL), *connected = NULL;
    if (!mysql)
        return false;
    set_options(mysql, shared);
    belayi_standard_fill();
    int asked = mysql_real_connect_start(&connected, mysql, shared->host, shared->user, shared->password,
                                         shared->database, shared->port, shared->socket, CLIENT_FOUND_ROWS);
    while (asked)
        asked = mysql_real_connect_cont(&connected, mysql, wait_plainly(mysql, asked, end_ns));
    return connected != NULL;
}

/* ---- Cancelling ------------------------------------------------------------------------------------------------ */

static bool kill_by(const belayi_mariadb_conn *conn, const char *verb)
{
    char text[48];
    int failed = 1;
    MYSQL *side;
    int64_t end_ns = belayi_clock_now() + cancel_ns;
    int size = snprintf(text, sizeof text, "%s %lu", verb, mysql_thread_id(conn->db));
    if (belayi_mariadb_connect(belayi_mariadb_shared_of(conn), end_ns, &side)) {
        int asked = mysql_real_query_start(&failed, side, text, (unsigned long)size);
        while (asked)
            asked = mysql_real_query_cont(&failed, side, wait_plainly(side, asked, end_ns));
    }
    mysql_close(side);
    return !failed;
}

/* The deadline of the command has come. False: it is no use to wait any longer. */
static bool cancel(belayi_mariadb_conn *conn)
{
    conn->cancel_at = 0;
    conn->hang_up_at = belayi_clock_now() + answer_ns;
    conn->cancelled = conn->late_cancel = kill_by(conn, "KILL QUERY");
    return conn->cancelled;
}

/* Waits for what the library asks. Returns what it is to be told. */
static int wait_for(belayi_mariadb_conn *conn, int asked)
{
    int64_t cancel_at = conn->cancel_at;
    if (poll_until(conn->db, asked, cancel_at ? cancel_at : conn->hang_up_at))
        return ready_events(asked);
    if (cancel_at && cancel(conn) && poll_until(conn->db, asked, conn->hang_up_at))
        return ready_events(asked);
    conn->lost = conn->given_up = true;
    return give_up(conn->db);
}

belay_code belayi_mariadb_ready(belayi_mariadb_conn *conn, belayi_mariadb_patience patience, belay_error *error)
{
    int64_t deadline = conn->base.limits.deadline_ns;
    bool cancels = patience == BELAYI_MARIADB_STATEMENT;
    if (conn->lost || !conn->db)
        return belayi_report(error, BELAY_CONNECTION, "the connection was lost");
    if (conn->reading)
        return belayi_report(error, BELAY_MISUSE, "the rows of another statement are still being read");
    if (cancels && belayi_clock_passed(deadline))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit has passed");
    conn->cancelled = conn->given_up = false;
    conn->cancel_at = cancels ? deadline : 0;
    conn->hang_up_at = 0;
    if (cancels || (!deadline && patience != BELAYI_MARIADB_BACK))
        return BELAY_OK;
    int64_t now = belayi_clock_now();
    conn->hang_up_at = deadline ? (deadline > now ? deadline : now) + control_ns : now + back_ns;
    return BELAY_OK;
}

void belayi_mariadb_break_off(belayi_mariadb_conn *conn)
{
    kill_by(conn, "KILL CONNECTION");
    give_up(conn->db);
    conn->lost = true;
}

void belayi_mariadb_settle(belayi_mariadb_conn *conn)
{
    if (!conn->late_cancel || conn->reading || conn->lost)
        return;
    conn->late_cancel = false;
    conn->cancel_at = 0;
    conn->hang_up_at = belayi_clock_now() + answer_ns;
    if (belayi_mariadb_query(conn, "DO 0", 4) != 0 && belayi_mariadb_is_loss(mysql_errno(conn->db)))
        conn->lost = true;
}

/* ---- The calls ------------------------------------------------------------------------------------------------- */

/* The rest of a call that was started. */
#define WAIT_OUT(conn, asked, name, result, handle)                                                                    \
    while (asked)                                                                                                      \
    asked = name##_cont(&(result), handle, wait_for(conn, asked))

int belayi_mariadb_query(belayi_mariadb_conn *conn, const char *text, size_t size)
{
    int result;
    conn->base.round_trips++;
    if (conn->adopted)
        return mysql_real_query(conn->db, text, (unsigned long)size);
    int asked = mysql_real_query_start(&result, conn->db, text, (unsigned long)size);
    WAIT_OUT(conn, asked, mysql_real_query, result, conn->db);
    return result;
}

int belayi_mariadb_send(belayi_mariadb_conn *conn, const char *text, size_t size)
{
    int result;
    int asked = mysql_send_query_start(&result, conn->db, text, (unsigned long)size);
    WAIT_OUT(conn, asked, mysql_send_query, result, conn->db);
    return result;
}

int belayi_mariadb_read_answer(belayi_mariadb_conn *conn)
{
    my_bool result;
    int asked = mysql_read_query_result_start(&result, conn->db);
    WAIT_OUT(conn, asked, mysql_read_query_result, result, conn->db);
    return result;
}

int belayi_mariadb_next_result(belayi_mariadb_conn *conn)
{
    int result;
    int asked = mysql_next_result_start(&result, conn->db);
    WAIT_OUT(conn, asked, mysql_next_result, result, conn->db);
    return result;
}

MYSQL_RES *belayi_mariadb_store(belayi_mariadb_conn *conn)
{
    MYSQL_RES *result;
    if (conn->adopted)
        return mysql_store_result(conn->db);
    int asked = mysql_store_result_start(&result, conn->db);
    WAIT_OUT(conn, asked, mysql_store_result, result, conn->db);
    return result;
}

int belayi_mariadb_stmt_prepare(belayi_mariadb_conn *conn, MYSQL_STMT *stmt, const char *text, size_t size)
{
    int result;
    conn->base.round_trips++;
    if (conn->adopted)
        return mysql_stmt_prepare(stmt, text, (unsigned long)size);
    int asked = mysql_stmt_prepare_start(&result, stmt, text, (unsigned long)size);
    WAIT_OUT(conn, asked, mysql_stmt_prepare, result, stmt);
    return result;
}

int belayi_mariadb_stmt_execute(belayi_mariadb_conn *conn, MYSQL_STMT *stmt)
{
    int result;
    conn->base.round_trips++;
    if (conn->adopted)
        return mysql_stmt_execute(stmt);
    int asked = mysql_stmt_execute_start(&result, stmt);
    WAIT_OUT(conn, asked, mysql_stmt_execute, result, stmt);
    return result;
}

/* Never on the program's own connection, whose methods are the library's. */
int belayi_mariadb_stmt_send(belayi_mariadb_conn *conn, MYSQL_STMT *stmt)
{
    int result;
    conn->ahead.only_sends = true;
    int asked = mysql_stmt_execute_start(&result, stmt);
    WAIT_OUT(conn, asked, mysql_stmt_execute, result, stmt);
    conn->ahead.only_sends = false;
    return result;
}

int belayi_mariadb_stmt_fetch(belayi_mariadb_conn *conn, MYSQL_STMT *stmt)
{
    int result;
    if (conn->adopted)
        return mysql_stmt_fetch(stmt);
    int asked = mysql_stmt_fetch_start(&result, stmt);
    WAIT_OUT(conn, asked, mysql_stmt_fetch, result, stmt);
    return result;
}

int belayi_mariadb_stmt_free_result(belayi_mariadb_conn *conn, MYSQL_STMT *stmt)
{
    my_bool result;
    if (conn->adopted)
        return mysql_stmt_free_result(stmt);
    int asked = mysql_stmt_free_result_start(&result, stmt);
    WAIT_OUT(conn, asked, mysql_stmt_free_result, result, stmt);
    return result;
}

int belayi_mariadb_stmt_next_result(belayi_mariadb_conn *conn, MYSQL_STMT *stmt)
{
    int result;
    if (conn->adopted)
        return mysql_stmt_next_result(stmt);
    int asked = mysql_stmt_next_result_start(&result, stmt);
    WAIT_OUT(conn, asked, mysql_stmt_next_result, result, stmt);
    return result;
}
