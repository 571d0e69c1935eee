/*
 * url.h - what the drivers' URLs have in common: scheme:rest?name=value&...
 *
 * Splits, decodes, and refuses what it does not know, with a message that says
 * what, where and what is allowed. `rest` is left as it was written, since only
 * the driver knows what its parts are; each part is decoded after it was split
 * off. A `+` is a plus sign. No part of `rest`, which may hold a password, ever
 * gets into a message.
 * Tests: tests/unit/drivers/test_url.c.
 */
#ifndef BELAYI_DRIVERS_URL_H
#define BELAYI_DRIVERS_URL_H

#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>

enum { BELAYI_URL_KEYS_MAX = 16 };

/* A parameter that a driver takes: one of some words, any text, or a whole number from 1 to `max`. */
typedef struct belayi_url_key {
    const char *name;
    const char *const *choices; /* ends in NULL; NULL: a number, or a text */
    int64_t max;                /* 0, without choices: any text but an empty one */
} belayi_url_key;

typedef struct belayi_url {
    char *memory;
    char *rest;                             /* not decoded; owned by the URL */
    int64_t values[BELAYI_URL_KEYS_MAX];    /* by the order of the keys: which choice, or the number; -1: not given */
    const char *texts[BELAYI_URL_KEYS_MAX]; /* decoded, owned by the URL; NULL: not given, or no text */
} belayi_url;

/* Reads a URL whose scheme is known to be there. BELAY_MISUSE, BELAY_NO_MEMORY. belayi_url_done in either case. */
belay_code belayi_url_read(const char *url, const belayi_url_key *keys, size_t n_keys, belayi_url *out_url,
                           belay_error *error);
void belayi_url_done(belayi_url *);

/* Decodes in place. BELAY_MISUSE for a broken escape and for %00. `what` names the text: "path". */
belay_code belayi_url_decode(char *text, const char *what, belay_error *error);

#endif
