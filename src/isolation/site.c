#include "site.h"

#include <stdio.h>
#include <string.h>

#include "file.h"
#include "random.h"
#include "report.h"

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Opens what the URL says with one connection: a lock that its session has stays held until it is closed. */
static bool open_session(belayi_site *p, belay_error *error)
{
    p->db = belay_open(p->url, BELAY_DB_OPTIONS(.pool_size = 1, .timeout_ms = 20000));
    p->s = belay_session_open(p->db);
    if (!p->s)
        belayi_report(error, BELAY_NO_MEMORY, "no memory for a session");
    else
        *error = *belay_db_error(p->db);
    if (error->code != BELAY_OK)
        return false;
    p->dialect = belayi_dialect_of(belay_db_engine(p->db));
    if (!p->dialect)
        belayi_report(error, BELAY_UNSUPPORTED, "the check knows nothing of %s", belay_db_engine(p->db));
    return p->dialect != NULL;
}

static void close_session(belayi_site *p)
{
    belay_session_close(p->s);
    belay_close(p->db);
    *p = (belayi_site){.kind = BELAYI_NO_SITE};
}

/* ---- On a server ------------------------------------------------------------------------------------------------- */

static bool refuse_taken(const char *name, belay_error *error)
{
    belayi_report(error, BELAY_UNIQUE, "%s is there already: nothing was touched", name);
    return false;
}

/* A name that nobody has, and the advisory lock that says that its check is running. */
static bool claim_name(belayi_site *p, belay_error *error)
{
    uint64_t seed = belayi_random_seed();
    snprintf(p->name, sizeof p->name, "belay_isolation_%08x", (unsigned)belayi_random_up_to(&seed, UINT32_MAX));
    if (belay_int_of(p->s, p->dialect->claim, p->name) == 1)
        return true;
    *error = *belay_pending(p->s);
    return error->code == BELAY_OK ? refuse_taken(p->name, error) : false;
}

/* Where the user may not make a schema, tables with a name of their own are made. */
static bool make_schema(belayi_site *p, belay_error *error)
{
    char text[96];
    snprintf(text, sizeof text, "CREATE SCHEMA %s", p->name);
    belay_code code = belay_exec(p->s, text);
    p->kind = code == BELAY_OK ? BELAYI_SCHEMA : code == BELAY_PERMISSION ? BELAYI_TABLES : BELAYI_NO_SITE;
    *error = *belay_pending(p->s);
    return p->kind != BELAYI_NO_SITE;
}

static bool make_on_server(belayi_site *p, belay_error *error)
{
    return claim_name(p, error) && make_schema(p, error);
}

/* ---- The public functions of the room ---------------------------------------------------------------------------- */

bool belayi_site_make(belayi_site *p, const char *url, belay_error *error)
{
    *p = (belayi_site){.kind = BELAYI_NO_SITE};
    *error = (belay_error){.code = BELAY_OK};
    bool made = true;
    if (belayi_file_is_meant(url)) {
        made = belayi_file_make(url, p->path, p->url, error);
        p->kind = made ? BELAYI_FILE : BELAYI_NO_SITE;
    } else if (snprintf(p->url, sizeof p->url, "%s", url) >= (int)sizeof p->url) {
        made = false;
        belayi_report(error, BELAY_MISUSE, "the URL is too long");
    }
    made = made && open_session(p, error) && (p->kind == BELAYI_FILE || make_on_server(p, error));
    if (made)
        *error = (belay_error){.code = BELAY_OK};
    belay_error ignored;
    if (!made)
        belayi_site_remove(p, &ignored);
    return made;
}

static bool drop_schema(belayi_site *p, belay_error *error)
{
    char text[96];
    snprintf(text, sizeof text, "DROP SCHEMA %s%s", p->name, p->dialect->drop);
    if (belay_exec(p->s, text) == BELAY_OK)
        return true;
    *error = *belay_pending(p->s);
    return false;
}

bool belayi_site_remove(belayi_site *p, belay_error *error)
{
    bool removed = true;
    if (p->kind == BELAYI_SCHEMA)
        removed = drop_schema(p, error);
    if (p->kind == BELAYI_TABLES && p->table[0])
        belayi_site_clear(p);
    if (p->kind == BELAYI_SCHEMA || p->kind == BELAYI_TABLES)
        (void)belay_int_of(p->s, p->dialect->let_go, p->name);
    char path[BELAYI_PATH];
    bool file = p->kind == BELAYI_FILE;
    memcpy(path, p->path, sizeof path);
    close_session(p);
    return file ? belayi_file_remove(path, error) : removed;
}

bool belayi_site_lay(belayi_site *p, belay_error *error)
{
    char text[192];
    p->tables++;
    if (p->kind == BELAYI_FILE)
        snprintf(p->table, sizeof p->table, "t%d", p->tables);
    else
        snprintf(p->table, sizeof p->table, "%s%ct%d", p->name, p->kind == BELAYI_SCHEMA ? '.' : '_', p->tables);
    snprintf(text, sizeof text, "CREATE TABLE %s (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)%s", p->table,
             p->dialect->table_end);
    if (belay_exec(p->s, text) == BELAY_OK) {
        snprintf(text, sizeof text, "INSERT INTO %s (id, value) VALUES (1, 10), (2, 20)", p->table);
        belay_exec(p->s, text);
    }
    *error = *belay_pending(p->s);
    return error->code == BELAY_OK;
}

void belayi_site_clear(belayi_site *p)
{
    char text[96];
    snprintf(text, sizeof text, "DROP TABLE IF EXISTS %s", p->table);
    belay_exec(p->s, text);
    if (belay_status(p->s) == BELAY_OK)
        p->table[0] = '\0';
}

void belayi_site_describe(const belayi_site *p, char *out, size_t room)
{
    belayi_report_format(out, room, "%s%s", p->kind == BELAYI_FILE ? p->path : p->name,
                         p->kind == BELAYI_TABLES ? "_*" : "");
}
