/*
 * limits.c - how long a call may wait, and run.
 *
 * Locks: SQLite asks a busy handler whether to try again. This one sleeps in
 * growing steps until the lock wait, counted from the first wait of the call,
 * or the deadline is over. SQLite does not ask where waiting could not help:
 * when a reader wants to become a writer beside another one.
 *
 * Running: a progress handler is asked every thousand steps of a statement's
 * program, on the thread that runs it, and so can never hit a later statement.
 * But SQLite asks it also after the last step, when a COMMIT, or a writing
 * statement outside a transaction, has already committed, and then reports
 * SQLITE_INTERRUPT for what is done. So only statements of the caller's are
 * ever stopped, and none once the commit hook was called.
 */
#include "clock.h"
#include "conn.h"
#include "report.h"

enum { STEPS_BETWEEN_LOOKS = 1000, FIRST_NAP_NS = 50 * 1000, LONGEST_NAP_NS = 2 * 1000 * 1000 };

int64_t belayi_sqlite_limits_end(belayi_sqlite_conn *conn)
{
    const belay_limits *limits = &conn->base.limits;
    if (conn->lock_since == 0) {
        conn->lock_since = belayi_clock_now();
        conn->naps = 0;
    }
    if (limits->lock_wait_ns < 0)
        return limits->deadline_ns;
    int64_t end =
        limits->lock_wait_ns > INT64_MAX - conn->lock_since ? INT64_MAX : conn->lock_since + limits->lock_wait_ns;
    return belayi_clock_earlier(end, limits->deadline_ns);
}

bool belayi_sqlite_limits_deadline_first(const belayi_sqlite_conn *conn)
{
    const belay_limits *limits = &conn->base.limits;
    return limits->deadline_ns != 0 &&
           (limits->lock_wait_ns < 0 || limits->deadline_ns - conn->lock_since <= limits->lock_wait_ns);
}

bool belayi_sqlite_limits_wait(belayi_sqlite_conn *conn)
{
    if (conn->base.limits.lock_wait_ns == 0)
        return false;
    int64_t end = belayi_sqlite_limits_end(conn), now = belayi_clock_now();
    if (end != 0 && now >= end) {
        conn->gave_up = true;
        return false;
    }
    int64_t nap = conn->naps < 6 ? (int64_t)FIRST_NAP_NS << conn->naps : LONGEST_NAP_NS;
    conn->naps++;
    belayi_clock_sleep_until(belayi_clock_earlier(now + (nap < LONGEST_NAP_NS ? nap : LONGEST_NAP_NS), end));
    conn->base.waited_ns += belayi_clock_now() - now;
    return true;
}

static int answer_busy(void *conn, int count)
{
    (void)count; /* counts the tries for one lock, a call may wait for several */
    return belayi_sqlite_limits_wait(conn);
}

static int answer_progress(void *arg)
{
    belayi_sqlite_conn *conn = arg;
    if (conn->interrupt_at == 0 || !belayi_clock_passed(conn->interrupt_at))
        return 0;
    conn->interrupted = true;
    return 1;
}

static int answer_commit(void *arg)
{
    belayi_sqlite_conn *conn = arg;
    conn->interrupt_at = 0;
    return 0;
}

void belayi_sqlite_limits_install(belayi_sqlite_conn *conn)
{
    sqlite3_busy_handler(conn->db, answer_busy, conn);
}

static void set_watch(belayi_sqlite_conn *conn, bool on)
{
    sqlite3_progress_handler(conn->db, on ? STEPS_BETWEEN_LOOKS : 0, on ? answer_progress : NULL, conn);
    sqlite3_commit_hook(conn->db, on ? answer_commit : NULL, conn);
    conn->watched = on;
}

belay_code belayi_sqlite_limits_watch(belayi_sqlite_conn *conn, belay_error *error)
{
    int64_t deadline = conn->base.limits.deadline_ns;
    if ((deadline != 0) != conn->watched && !conn->adopted)
        set_watch(conn, deadline != 0);
    if (belayi_clock_passed(deadline))
        return belayi_report(error, BELAY_TIMEOUT, "the time limit had passed before the statement could run");
    conn->interrupt_at = deadline;
    conn->interrupted = false;
    return BELAY_OK;
}
