#include "beside.h"

#include <stdio.h>
#include <stdlib.h>

int beside_open(void **state)
{
    void *w = NULL;
    beside *b = calloc(1, sizeof *b);
    if (!b || world_open(&w) != 0)
        return -1;
    b->w = w;
    *state = b;
    if (sqlite3_open(b->w->d.path, &b->own) != SQLITE_OK)
        return -1;
    b->s = belay_adopt_sqlite(b->own);
    return b->s ? 0 : -1;
}

int beside_close(void **state)
{
    beside *b = *state;
    belay_session_close(b->s);
    bool closed = sqlite3_close(b->own) == SQLITE_OK;
    if (!closed) {
        print_error("the session left statements on the program's connection\n");
        sqlite3_close_v2(b->own);
    }
    void *w = b->w;
    int result = world_close(&w);
    free(b);
    return closed ? result : -1;
}

int run_own(sqlite3 *own, const char *sql)
{
    return sqlite3_exec(own, sql, NULL, NULL, NULL);
}

int put_own(sqlite3 *own, int id)
{
    char sql[64];
    snprintf(sql, sizeof sql, "INSERT INTO item(id) VALUES (%d)", id);
    return run_own(own, sql);
}

const char *seen_own(sqlite3 *own)
{
    enum { AT_ONCE = 4, ROOM = 8192 };
    static char texts[AT_ONCE][ROOM];
    static unsigned turn;
    char *text = texts[turn++ % AT_ONCE];
    size_t size = 0;
    sqlite3_stmt *query = NULL;
    text[0] = '\0';
    if (sqlite3_prepare_v2(own, "SELECT id FROM item ORDER BY id", -1, &query, NULL) != SQLITE_OK)
        return sqlite3_errmsg(own);
    while (sqlite3_step(query) == SQLITE_ROW && size < ROOM - 16)
        size += (size_t)snprintf(text + size, ROOM - size, "%s%d", size ? ";" : "", sqlite3_column_int(query, 0));
    sqlite3_finalize(query);
    return text;
}

bool is_inside(sqlite3 *own)
{
    return sqlite3_get_autocommit(own) == 0;
}

int foreign_open(void **state)
{
    int result = beside_open(state);
    beside *b = *state;
    if (result == 0 && (run_own(b->own, "BEGIN") != SQLITE_OK || put_own(b->own, 1) != SQLITE_OK))
        return -1;
    return result;
}

int foreign_close(void **state)
{
    beside *b = *state;
    if (is_inside(b->own))
        run_own(b->own, "ROLLBACK");
    return beside_close(state);
}

void assert_committed(beside *b, const char *ids)
{
    assert_stored(b->w, "");
    assert_int_equal(run_own(b->own, "COMMIT"), SQLITE_OK);
    assert_stored(b->w, ids);
}
