/*
 * names.c - what the server has prepared, and under which names.
 *
 * A name is given once a connection and is never given again: so what was
 * forgotten on this side does no harm, whether the server has it still or not.
 * Its text is kept, as every run sends it. What nobody uses any more is thrown
 * away with a later flight, between transactions.
 * Tests: tests/unit/drivers/test_postgresql_statements.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "conn.h"

bool belayi_pg_has_prepared(const belayi_pg_conn *conn, const belayi_pg_name *name)
{
    return name->number > 0 && name->generation == conn->generation;
}

static void discard(belayi_pg_conn *conn, unsigned number)
{
    if (conn->garbage_count == conn->garbage_room) {
        size_t room = conn->garbage_room ? 2 * conn->garbage_room : 16;
        unsigned *grown = realloc(conn->garbage, room * sizeof *grown);
        if (!grown)
            return; /* the server keeps it as long as the connection */
        conn->garbage = grown;
        conn->garbage_room = room;
    }
    conn->garbage[conn->garbage_count++] = number;
}

void belayi_pg_forget_name(belayi_pg_conn *conn, belayi_pg_name *name)
{
    if (name->number > 0)
        discard(conn, name->number);
    name->number = 0;
}

belay_code belayi_pg_add_prepare(belayi_pg_conn *conn, belayi_pg_name *name, const char *text, size_t n,
                                 const Oid *types, belay_error *error)
{
    belayi_pg_forget_name(conn, name);
    name->number = ++conn->names;
    name->generation = conn->generation;
    snprintf(name->text, sizeof name->text, "belay_%u", name->number);
    return belayi_pg_note_ahead(conn, PQsendPrepare(conn->pg, name->text, text, (int)n, types), error);
}
