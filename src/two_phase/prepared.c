#include "prepared.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "db.h"
#include "report.h"

enum { CONNECT_MS = 10000 };

static const int64_t first_wait_ns = 5 * (int64_t)BELAYI_NS_PER_MS, longest_wait_ns = 250 * (int64_t)BELAYI_NS_PER_MS;

/* ---- Names ------------------------------------------------------------------------------------------------------ */

void belayi_prepared_name(char out[BELAYI_PREPARED_ROOM], const char *log, const char *unit, int participant)
{
    snprintf(out, BELAYI_PREPARED_ROOM, "belay_%s_%s_%d", log, unit, participant);
}

bool belayi_prepared_read_name(const char *name, char out_log[BELAYI_NUMBER_ROOM], char out_unit[BELAYI_NUMBER_ROOM])
{
    int size = 0;
    return sscanf(name, "belay_%16[0-9a-f]_%16[0-9a-f]_%*1[0-9]%n", out_log, out_unit, &size) == 2 && size > 0 &&
           !name[size] && strlen(out_log) == BELAYI_NUMBER_ROOM - 1 && strlen(out_unit) == BELAYI_NUMBER_ROOM - 1;
}

/* ---- On a connection of the pool -------------------------------------------------------------------------------- */

static belay_code lend(belay_db *db, int64_t until_ns, belay_conn **out_conn, belay_error *error)
{
    belay_limits limits = {.deadline_ns = until_ns, .lock_wait_ns = -1};
    belay_code code = belayi_db_lend(db, &limits, out_conn, error);
    if (code == BELAY_OK)
        (*out_conn)->limits = limits;
    return code;
}

static void take_back(belay_db *db, belay_conn *conn)
{
    belayi_pool_take_back(&db->pool, conn, conn->driver->status(conn) == BELAY_TRANSACTION_NONE);
}

belay_code belayi_prepared_can(belay_db *db, belay_error *error)
{
    belay_conn *conn;
    if (db->driver && !db->driver->prepare_transaction)
        return belayi_report(error, BELAY_UNSUPPORTED, "%s can't prepare a transaction", db->driver->name);
    belay_code code = lend(db, belayi_clock_after(CONNECT_MS), &conn, error);
    if (code != BELAY_OK)
        return code;
    code = conn->driver->can_prepare(conn, error);
    take_back(db, conn);
    return code;
}

typedef struct search {
    const char *name;
    bool found;
} search;

static void compare(void *arg, const char *name)
{
    search *wanted = arg;
    wanted->found |= strcmp(name, wanted->name) == 0;
}

/* The server knows none of that name, or can't be told of it as long as a connection that is dying holds it. */
static belay_code look_again(belay_conn *conn, const char *name, belay_error *error)
{
    search wanted = {.name = name};
    belay_code code = conn->driver->list_prepared(conn, compare, &wanted, error);
    if (code != BELAY_OK)
        return code;
    return wanted.found ? belayi_report(error, BELAY_BUSY, "%s is still held by the connection that prepared it", name)
                        : belayi_report(error, BELAY_NOT_FOUND, "%s is not prepared any more", name);
}

static belay_code end_once(belay_db *db, const char *name, bool commit, int64_t until_ns, belay_error *error)
{
    belay_conn *conn;
    belay_code code = lend(db, until_ns, &conn, error);
    if (code != BELAY_OK)
        return code;
    code = conn->driver->finish_prepared(conn, name, commit, error);
    if (code == BELAY_NOT_FOUND)
        code = look_again(conn, name, error);
    take_back(db, conn);
    return code;
}

belay_code belayi_prepared_end(belay_db *db, const char *name, bool commit, int patience_ms, belay_error *error)
{
    int64_t until = belayi_clock_after(patience_ms), wait = first_wait_ns;
    for (;;) {
        belay_code code = end_once(db, name, commit, until, error);
        if (code == BELAY_OK || !belay_retryable(error) || belayi_clock_now() + wait >= until)
            return code;
        belayi_clock_sleep_until(belayi_clock_now() + wait);
        wait = 2 * wait < longest_wait_ns ? 2 * wait : longest_wait_ns;
    }
}

typedef struct filter {
    void (*tell)(void *arg, const char *name);
    void *arg;
} filter;

static void pass_ours(void *arg, const char *name)
{
    const filter *f = arg;
    char log[BELAYI_NUMBER_ROOM], unit[BELAYI_NUMBER_ROOM];
    if (belayi_prepared_read_name(name, log, unit))
        f->tell(f->arg, name);
}

belay_code belayi_prepared_list(belay_db *db, void (*tell)(void *arg, const char *name), void *arg, belay_error *error)
{
    belay_conn *conn;
    filter f = {tell, arg};
    if (db->driver && !db->driver->list_prepared)
        return BELAY_OK;
    belay_code code = lend(db, belayi_clock_after(CONNECT_MS), &conn, error);
    if (code != BELAY_OK)
        return code;
    code = conn->driver->list_prepared(conn, pass_ours, &f, error);
    take_back(db, conn);
    return code;
}
