/*
 * guess.h - the type of a column, from what is written in it.
 *
 * The narrowest type that all the values are values of, with room for what a sample
 * does not show: more digits before the point, longer texts. What looks like a number
 * and would come back otherwise written (007, +5) is a text.
 *
 * Must not know: engines by name; files.
 * Tests: tests/unit/import/test_guess.c, tests/import/test_create.c.
 */
#ifndef BELAYI_IMPORT_GUESS_H
#define BELAYI_IMPORT_GUESS_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/sys/driver.h>

#include "record.h"

typedef struct belayi_guess {
    unsigned kinds; /* that all values so far are of: a bit for each belayi_type_kind */
    size_t count;   /* of values, NULL not counted */
    size_t whole;   /* most digits before the point, */
    size_t scale;   /* behind it, */
    size_t digits;  /* and that count in one number */
    size_t longest; /* text, in characters */
} belayi_guess;

void belayi_guess_init(belayi_guess *);
void belayi_guess_feed(belayi_guess *, const belayi_field *);

/* Its type as it stands in the CREATE TABLE of that engine; a key's has a length. */
void belayi_guess_write(const belayi_guess *, const belay_driver *, bool key, char *out, size_t room);

#endif
