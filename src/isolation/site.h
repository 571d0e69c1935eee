/*
 * site.h - the schema, the tables or the file that a check works in: made, removed, and found when a check was killed.
 *
 * Nothing is ever dropped or unlinked but what has a name of exactly the form that
 * is made here.
 * Tests: tests/isolation/test_isolation_site.c.
 */
#ifndef BELAYI_ISOLATION_SITE_H
#define BELAYI_ISOLATION_SITE_H

#include <stdbool.h>

#include <belay/belay.h>

#include "dialect.h"

enum { BELAYI_PATH = 4096, BELAYI_NAME = 32 };

typedef enum belayi_site_kind { BELAYI_NO_SITE, BELAYI_SCHEMA, BELAYI_TABLES, BELAYI_FILE } belayi_site_kind;

typedef struct belayi_site {
    belayi_site_kind kind;
    const belayi_dialect *dialect;
    belay_db *db;
    belay_session *s;       /* looks on, makes and removes tables */
    char name[BELAYI_NAME]; /* on a server */
    char path[BELAYI_PATH]; /* of the file */
    char url[BELAYI_PATH];  /* for all sessions: the one that was given, or that of the file */
    char table[64];         /* the cell's, as SQL names it */
    int tables;             /* how many were made */
} belayi_site;

/* Makes it, and opens the session. False: *error is filled, and nothing is left. */
bool belayi_site_make(belayi_site *, const char *url, belay_error *error);

/* Removes it and closes the session. False: something is left; *error says what. Accepts one that was never made. */
bool belayi_site_remove(belayi_site *, belay_error *error);

/* A new table for a cell, filled with (1, 10) and (2, 20); site->table names it. */
bool belayi_site_lay(belayi_site *, belay_error *error);
void belayi_site_clear(belayi_site *);

/* How the report names it. */
void belayi_site_describe(const belayi_site *, char *out, size_t room);

#endif
