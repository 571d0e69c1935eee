/*
 * declaration.h - the words and the numbers of a declared type, and the words of an enum.
 *
 * Must not know: what the words mean.
 * Tests: tests/unit/catalog/test_type.c.
 */
#ifndef BELAYI_CATALOG_DECLARATION_H
#define BELAYI_CATALOG_DECLARATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BELAYI_DECLARATION_NAME_ROOM = 48 };

typedef struct belayi_declaration {
    /* Set before. */
    unsigned flavour;  /* for who reads the parts */
    bool has_charset;  /* `character set x` may follow, and words have escapes */
    bool has_unsigned; /* `unsigned` and `zerofill` are no part of the name */

    char name[BELAYI_DECLARATION_NAME_ROOM]; /* in lower case, with one space between words */
    size_t size;
    int64_t numbers[2]; /* in the parentheses */
    int count;
    const char *words; /* there instead, from the first quote on */
    char charset[BELAYI_DECLARATION_NAME_ROOM];
    bool is_unsigned;
    bool strange; /* something is in it that is in no type that is known here */
} belayi_declaration;

/* Takes a declaration apart. */
void belayi_declaration_read(const char *declared, belayi_declaration *);

/* Whether a part of a declaration is that word, given in lower case. */
bool belayi_declaration_is(const char *at, size_t size, const char *word);

/* Behind the word that begins, with its quote, at `at`, and the comma that follows. *out_same: it is the text. */
const char *belayi_declaration_word(const char *at, bool escapes, const char *text, size_t size, bool *out_same);

#endif
