/*
 * chunk.h - what bulk.c, which sends many rows in one statement, and ignore.c, which makes out what became of each,
 * share.
 */
#ifndef BELAYI_MARIADB_CHUNK_H
#define BELAYI_MARIADB_CHUNK_H

#include "each.h"
#include "values.h"

enum { BELAYI_MARIADB_BULK_SLOTS = 2 }; /* rows of the statement itself */

/* Of a row of the chunk. */
enum {
    BELAYI_MARIADB_ROW_SENT,    /* with the others */
    BELAYI_MARIADB_ROW_SUSPECT, /* it is run alone, behind them, and is expected to fail */
    BELAYI_MARIADB_ROW_SKIPPED, /* it was sent, and the server has left it out */
};

typedef union belayi_mariadb_datum {
    int64_t integer;
    double real;
    const void *text;
} belayi_mariadb_datum;

typedef struct belayi_mariadb_bulk {
    belay_statement *insert;
    size_t columns, room; /* rows that a chunk may have */
    size_t length;        /* of the next one, at most */

    size_t from, count; /* of the call's rows: those of the chunk, the suspects too */
    size_t sent, suspects;
    int64_t stored;       /* as the server counts them */
    size_t *rows;         /* of each that was sent: which of the chunk's */
    unsigned char *fates; /* of each of the chunk's */
    size_t *reasons;      /* of one that was left out: which condition; of a suspect: which error */
    belay_error *errors;  /* of the suspects */
    size_t errors_room;

    belayi_mariadb_datum *data; /* column by column: see set_row */
    unsigned long *sizes;
    char *nulls;
    char (*moments)[32]; /* texts of timestamps; NULL until there is one */
    MYSQL_BIND *binds;
    enum enum_field_types *types; /* of the columns */
    bool *refuses_null;           /* by what was seen */
} belayi_mariadb_bulk;

/* Takes rows from b->from on, as far as they fit, all but those that are suspects already. */
belay_code belayi_mariadb_fill_chunk(belayi_mariadb_each_run *r, belay_error *error);

/* Sends it behind a new savepoint belay_each. */
belay_code belayi_mariadb_send_chunk(belayi_mariadb_each_run *r, belay_error *error);

/* Reads the answer, and what the server has noted of its rows. What else was sent is to be read behind that. */
belay_code belayi_mariadb_read_chunk(belayi_mariadb_each_run *r, belayi_mariadb_conditions *out, belay_error *error);

/* Whether a name as it stands in SQL is that of a column. */
bool belayi_mariadb_is_column(const char *name, const char *bare);

#endif
