/*
 * keys.h - which keys rows have had so far, as numbers that equal keys have in common.
 *
 * That is what rows are told apart by: two rows of a window that have no such number
 * in common have no key in common. The other way round it is a guess.
 * Tests: tests/unit/drivers/test_postgresql_copy.c.
 */
#ifndef BELAYI_POSTGRESQL_KEYS_H
#define BELAYI_POSTGRESQL_KEYS_H

#include "table.h"

enum { BELAYI_PG_KEYS_MOST = 1 << 19 }; /* that are held, 8 MiB; then all are forgotten */

/* A row's key of a unique rule. */
typedef enum belayi_pg_key {
    BELAYI_PG_KEY_NONE,   /* it has a NULL, so that it is like no other */
    BELAYI_PG_KEY_KNOWN,  /* *out_number */
    BELAYI_PG_KEY_UNCLEAR /* the server may take it for another than it looks like */
} belayi_pg_key;

belayi_pg_key belayi_pg_key_of(const belayi_pg_table *table, const belayi_pg_rule *rule, const belay_value *row,
                               uint64_t *out_number);

/* Makes room for so many more. *out_forgot: all that were there are not any more. False without memory, or when they
   are too many. */
bool belayi_pg_keys_prepare(belayi_pg_keys *keys, size_t more, bool *out_forgot);
void belayi_pg_keys_forget(belayi_pg_keys *keys);
/* Adds it, where room was made. Whether it was there already. */
bool belayi_pg_keys_add(belayi_pg_keys *keys, uint64_t number);
bool belayi_pg_keys_has(const belayi_pg_keys *keys, uint64_t number);
void belayi_pg_keys_done(belayi_pg_keys *keys);

#endif
