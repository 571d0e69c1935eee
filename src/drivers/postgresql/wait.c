/*
 * wait.c - waiting for the server, never longer than the caller allows.
 *
 * libpq's own waits know no limit. So it is used without blocking, and waited
 * for here, on the monotonic clock. When the deadline passes, the statement is
 * cancelled and its answer still waited for, a little: only when the server has
 * answered, the connection can be used again.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "clock.h"
#include "conn.h"

enum { GRACE_MS = 5000, AGAIN_MS = 500, WAY_BACK_MS = 30000 };

static int milliseconds_until(int64_t deadline_ns)
{
    if (deadline_ns == 0)
        return -1;
    int64_t left = deadline_ns - belayi_clock_now();
    if (left <= 0)
        return 0;
    left = (left + BELAYI_NS_PER_MS - 1) / BELAYI_NS_PER_MS;
    return left > INT_MAX ? INT_MAX : (int)left;
}

bool belayi_pg_wait_socket(PGconn *pg, bool to_read, bool to_write, int64_t deadline_ns)
{
    struct pollfd socket = {.fd = PQsocket(pg)};
    socket.events = (short)((to_read ? POLLIN : 0) | (to_write ? POLLOUT : 0));
    for (;;) {
        int ready = poll(&socket, 1, milliseconds_until(deadline_ns));
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true; /* libpq sees for itself what is wrong */
        if (belayi_clock_passed(deadline_ns))
            return false;
    }
}

void belayi_pg_listen(belayi_pg_conn *conn)
{
    conn->listening = true;
    PQisBusy(conn->pg);
    conn->listening = false;
}

bool belayi_pg_heard(PGconn *pg)
{
    struct pollfd socket = {.fd = PQsocket(pg), .events = POLLIN};
    int ready;
    do
        ready = poll(&socket, 1, 0);
    while (ready < 0 && errno == EINTR);
    return ready != 0;
}

/* The moment has come until which was waited. False when nobody can say any more what the server does. A cancel that
   reaches the server between reading a statement and running it is forgotten there: so it is sent again. */
static bool pass_deadline(belayi_pg_conn *conn)
{
    if (conn->gives_up_ns == 0)
        conn->gives_up_ns = belayi_clock_after(GRACE_MS);
    else if (!conn->cancelled || belayi_clock_passed(conn->gives_up_ns))
        return false;
    conn->cancelled = true;
    return belayi_pg_cancel(conn->pg, conn->gives_up_ns);
}

/* Until when to wait for the socket. */
static int64_t next_moment(const belayi_pg_conn *conn)
{
    if (conn->gives_up_ns == 0)
        return conn->base.limits.deadline_ns;
    return conn->cancelled ? belayi_clock_earlier(conn->gives_up_ns, belayi_clock_after(AGAIN_MS)) : conn->gives_up_ns;
}

bool belayi_pg_wait(belayi_pg_conn *conn)
{
    if (conn->unbounded && conn->gives_up_ns == 0)
        conn->gives_up_ns = belayi_clock_after(WAY_BACK_MS);
    while (PQstatus(conn->pg) != CONNECTION_BAD) {
        int unsent = PQflush(conn->pg);
        if (unsent == 0 && !PQisBusy(conn->pg))
            return true;
        bool ready = belayi_pg_wait_socket(conn->pg, true, unsent == 1, next_moment(conn));
        if (!ready && !pass_deadline(conn)) {
            conn->lost = true;
            return false;
        }
        if (unsent < 0 || !PQconsumeInput(conn->pg))
            return true; /* the next result says what happened */
    }
    return true;
}

bool belayi_pg_wait_sent(belayi_pg_conn *conn, bool *out_heard)
{
    *out_heard = false;
    while (PQstatus(conn->pg) != CONNECTION_BAD && !*out_heard && !conn->cancelled) {
        int unsent = PQflush(conn->pg);
        if (unsent < 0)
            return true; /* the next result says what happened */
        if (unsent == 0 && !belayi_clock_passed(next_moment(conn))) {
            *out_heard = belayi_pg_heard(conn->pg);
            return true;
        }
        bool ready = unsent != 0 && belayi_pg_wait_socket(conn->pg, true, true, next_moment(conn));
        if (!ready && !pass_deadline(conn)) {
            conn->lost = true;
            return false;
        }
        *out_heard = belayi_pg_heard(conn->pg);
    }
    return PQstatus(conn->pg) != CONNECTION_BAD;
}
