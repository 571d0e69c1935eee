/*
 * bind.h - tells which value each placeholder stands for.
 */
#ifndef BELAYI_SQL_BIND_H
#define BELAYI_SQL_BIND_H

#include "scan.h"

struct belayi_name;

/* The placeholders of a statement so far. Starts as all zeros. */
typedef struct belayi_binder {
    belayi_style style;
    struct belayi_name *names; /* hash of the :names, by their text in the input */
    unsigned parameters;
    unsigned *order;
    unsigned places;
    size_t room;
} belayi_binder;

/*
 * Takes the next placeholder of `text`; *out_value is its value, from 0, and is
 * the new last entry of `order`. Else MIXED_STYLES, BAD_NUMBER or NO_MEMORY.
 */
belayi_lex_status belayi_sql_bind(belayi_binder *, const char *text, const belayi_token *, unsigned *out_value);

/* Frees the names and, unless the caller has taken it and set it to NULL, the order. */
void belayi_sql_bind_done(belayi_binder *);

#endif
