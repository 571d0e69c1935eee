/*
 * leftover.c - finds what killed checks left, and removes it when asked to.
 * Tests: tests/isolation/test_isolation_site.c.
 */
#include <belay/isolation.h>

#include <stdio.h>
#include <string.h>

#include "file.h"
#include "report.h"
#include "site.h"

enum { FOUND_AT_MOST = 256, NAME_ROOM = 80 };

typedef struct found {
    char names[FOUND_AT_MOST][NAME_ROOM];
    int count;
} found;

/* belay_isolation_ and eight hexadecimal digits; of a table, _t and digits too. */
static bool is_ours(const char *name, bool table)
{
    static const char prefix[] = "belay_isolation_";
    const char *hex = name + sizeof prefix - 1;
    if (strncmp(name, prefix, sizeof prefix - 1) != 0 || strspn(hex, "0123456789abcdef") != 8)
        return false;
    if (!table)
        return hex[8] == '\0';
    const char *digits = hex + 10;
    return strncmp(hex + 8, "_t", 2) == 0 && *digits && digits[strspn(digits, "0123456789")] == '\0';
}

/* All names first: what is being removed is not being read. */
static void find_all(belay_session *s, const char *query, bool tables, found *out)
{
    out->count = 0;
    BELAY_EACH(row, s, query) {
        const char *name = belay_str(row, 0);
        if (name && strlen(name) < NAME_ROOM && is_ours(name, tables) && out->count < FOUND_AT_MOST)
            snprintf(out->names[out->count++], NAME_ROOM, "%s", name);
    }
}

/* Whether nobody works in it; its name is locked for us then. */
static bool claim(belay_session *s, const belayi_dialect *d, const char *name, char *out_claimed)
{
    snprintf(out_claimed, BELAYI_NAME, "%.24s", name); /* without the number of a table */
    return belay_int_of(s, d->claim, out_claimed) == 1;
}

static bool drop(belay_session *s, const belayi_dialect *d, const char *name, bool table)
{
    char text[160];
    snprintf(text, sizeof text, "DROP %s %s%s", table ? "TABLE" : "SCHEMA", name, table ? "" : d->drop);
    return belay_exec(s, text) == BELAY_OK;
}

/* Keeps what the last statement failed with: the next one may succeed. The first failure wins; true when there is none.
 */
static bool went_well(belay_session *s, belay_error *error)
{
    if (error->code == BELAY_OK && belay_status(s) != BELAY_OK)
        *error = *belay_pending(s);
    return error->code == BELAY_OK;
}

static void deal_with_all(belay_session *s, const belayi_dialect *d, bool tables, bool remove,
                          belay_isolation_leftover each, void *arg, belay_error *error)
{
    static const char sign[] = "belay_isolation_00000000";
    _Static_assert(sizeof sign - 1 == 24, "the length of a name");
    found all;
    char claimed[BELAYI_NAME];
    find_all(s, tables ? d->tables : d->schemas, tables, &all);
    for (int i = 0; went_well(s, error) && i < all.count; i++) {
        if (!claim(s, d, all.names[i], claimed))
            continue;
        bool removed = remove && drop(s, d, all.names[i], tables);
        went_well(s, error);
        (void)belay_int_of(s, d->let_go, claimed);
        if (each)
            each(arg, all.names[i], removed);
    }
}

belay_code belay_isolation_leftovers(const char *url, bool remove, belay_isolation_leftover each, void *arg,
                                     belay_error *error)
{
    belay_error own;
    belay_error *e = error ? error : &own;
    *e = (belay_error){.code = BELAY_OK};
    if (!url)
        return belayi_report(e, BELAY_MISUSE, "no URL");
    if (belayi_file_is_meant(url)) {
        belayi_file_leftovers(url, remove, each, arg, e);
        return e->code;
    }
    belay_db *db = belay_open(url, BELAY_DB_OPTIONS(.pool_size = 1, .timeout_ms = 20000));
    belay_session *s = belay_session_open(db);
    *e = *belay_db_error(db);
    const belayi_dialect *d = e->code == BELAY_OK ? belayi_dialect_of(belay_db_engine(db)) : NULL;
    for (int tables = 0; d && tables < 2 && e->code == BELAY_OK; tables++)
        deal_with_all(s, d, tables, remove, each, arg, e);
    belay_session_close(s);
    belay_close(db);
    return e->code;
}
