#include "cutting.h"

#include <stdlib.h>
#include <string.h>

#include "sqlite.h"

static cutting *cutting_of(belay_conn *conn)
{
    return (cutting *)(void *)(uintptr_t)conn->driver;
}

static belay_code lose(belay_conn *conn, belay_error *error)
{
    cutting_of(conn)->lost = conn;
    memset(error, 0, sizeof *error);
    error->code = BELAY_CONNECTION;
    strcpy(error->message, "the link was cut");
    return error->code;
}

/* ---- The slots ----------------------------------------------------------------------------------------------- */

static bool counts_down(int *count)
{
    if (*count > 0)
        return (*count)-- > 0;
    return *count < 0;
}

static belay_code open_cutting(belay_conn *conn, belay_error *error)
{
    cutting *c = cutting_of(conn);
    belay_code code = belayi_driver_sqlite.open(conn, error);
    return code == BELAY_OK && c->next == CUT_NEVER && counts_down(&c->refused_opens) ? lose(conn, error) : code;
}

static void close_cutting(belay_conn *conn)
{
    if (cutting_of(conn)->lost == conn)
        cutting_of(conn)->lost = NULL; /* another may get its address */
    belayi_driver_sqlite.close(conn);
}

static belay_transaction_status status_of_cutting(belay_conn *conn)
{
    return cutting_of(conn)->lost == conn ? BELAY_TRANSACTION_LOST : belayi_driver_sqlite.status(conn);
}

static belay_code begin_cutting(belay_conn *conn, const belay_begin_options *options, belay_error *error)
{
    cutting *c = cutting_of(conn);
    if (c->next == CUT_NEVER && counts_down(&c->lost_begins))
        return lose(conn, error);
    return belayi_driver_sqlite.begin(conn, options, error);
}

static belay_code commit_cutting(belay_conn *conn, belay_error *error)
{
    cutting *c = cutting_of(conn);
    cut how = c->next;
    if (how == CUT_NEVER)
        return belayi_driver_sqlite.commit(conn, error);
    c->next = c->then;
    c->then = CUT_NEVER;
    if (c->look)
        c->look(c->arg, belayi_driver_sqlite.native(conn));
    if (how == CUT_AFTER)
        belayi_driver_sqlite.commit(conn, error);
    else
        belayi_driver_sqlite.rollback(conn, error);
    if (c->meanwhile)
        c->meanwhile(c->arg);
    lose(conn, error);
    error->outcome = BELAY_WORK_UNKNOWN;
    return error->code;
}

static void init_cutting(cutting *c)
{
    memset(c, 0, sizeof *c);
    c->driver = belayi_driver_sqlite;
    c->driver.name = "cutting";
    c->driver.open = open_cutting;
    c->driver.close = close_cutting;
    c->driver.status = status_of_cutting;
    c->driver.begin = begin_cutting;
    c->driver.commit = commit_cutting;
}

/* ---- The stand -------------------------------------------------------------------------------------------------- */

void stand_reopen(stand *st, const belay_db_options *options)
{
    belay_db_options given = database_options(&st->d, options);
    belay_session_close(st->s);
    belay_close(st->db);
    st->db = belayi_db_open_with(&st->cut.driver, st->d.url, &given);
    st->s = belay_session_open(st->db);
    assert_int_equal(belay_db_error(st->db)->code, BELAY_OK);
}

int stand_open(void **state)
{
    static const char *const tables[] = {"CREATE TABLE item(id INTEGER PRIMARY KEY)", NULL};
    stand *st = calloc(1, sizeof *st);
    if (!st)
        return -1;
    *state = st;
    unsetenv("BELAY_TEST_URL"); /* it is SQLite's driver that is cut */
    database_make(&st->d, "?synchronous=normal");
    init_cutting(&st->cut);
    st->plain = belay_open(st->d.url, NULL);
    st->witness = belay_session_open(st->plain);
    database_run(st->witness, tables);
    stand_reopen(st, NULL);
    BELAY_ATOMIC_WITH(st->s, .once = "first") /* the table is there */
        continue;
    return belay_status(st->s) == BELAY_OK ? 0 : -1;
}

int stand_close(void **state)
{
    stand *st = *state;
    belay_session_close(st->s);
    belay_close(st->db);
    belay_session_close(st->witness);
    belay_close(st->plain);
    database_close(&st->d);
    free(st);
    return 0;
}

static int count_hook(belay_session *s, void *count)
{
    (void)s;
    ++*(int *)count;
    return 0;
}

typedef struct work {
    stand *stand;
    int id, runs;
} work;

static int do_work(belay_session *s, void *arg)
{
    work *w = arg;
    w->runs++;
    belay_on_commit(s, count_hook, &w->stand->committed, NULL);
    belay_on_rollback(s, count_hook, &w->stand->rolled_back, NULL);
    return belay_exec(s, "INSERT INTO item(id) VALUES (?)", w->id) != BELAY_OK;
}

int stand_put(stand *st, const belay_scope_options *options, int id)
{
    work w = {.stand = st, .id = id};
    belay_atomic(st->s, options, do_work, &w);
    return w.runs;
}

void assert_hooks(stand *st, int committed, int rolled_back)
{
    assert_int_equal(st->committed, committed);
    assert_int_equal(st->rolled_back, rolled_back);
    st->committed = st->rolled_back = 0;
}
