#include "box.h"

#include <stdlib.h>
#include <string.h>

int box_open(void **state)
{
    void *w = NULL;
    box *b = calloc(1, sizeof *b);
    if (!b || world_open(&w) != 0)
        return -1;
    b->w = w;
    b->s = belay_sandbox(b->w->d.db);
    *state = b;
    return b->s ? 0 : -1;
}

/* The names of all tables, such as "item;taken". */
static const char *tables_of(const world *w)
{
    if (database_is_sqlite(&w->d))
        return rows_of(w->other, "SELECT name FROM sqlite_schema ORDER BY name");
    if (database_is_mariadb(&w->d))
        return rows_of(w->other, "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
                                 " ORDER BY table_name");
    return rows_of(w->other, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
                             " ORDER BY table_name");
}

int box_close(void **state)
{
    box *b = *state;
    belay_session_close(b->s);
    bool clean = strcmp(rows_of(b->w->other, "SELECT * FROM item"), "") == 0 &&
                 strcmp(rows_of(b->w->other, "SELECT * FROM taken"), "1") == 0 &&
                 strcmp(tables_of(b->w), "item;taken") == 0;
    bool writable = belay_exec(b->w->other, "DELETE FROM item") == BELAY_OK;
    if (!clean || !writable)
        print_error("the sandbox left %s\n", clean ? "its lock" : "something");
    void *w = b->w;
    int result = world_close(&w);
    free(b);
    return clean && writable ? result : -1;
}

void assert_nothing_stored(box *b)
{
    assert_stored(b->w, "");
}
