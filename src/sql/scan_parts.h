/*
 * scan_parts.h - what scan.c, quote.c and place.c share: they are one scanner.
 *
 * A belayi_sql_scan_* looks at the byte where the scanner stands, and either
 * fills in type and size of the token and returns true, or leaves all as it is.
 * The scanner is moved by scan.c alone.
 */
#ifndef BELAYI_SQL_SCAN_PARTS_H
#define BELAYI_SQL_SCAN_PARTS_H

#include "scan.h"

/* The byte that many ahead of where the scanner stands; NUL behind the end. */
char belayi_sql_peek(const belayi_scanner *, size_t ahead);

/* Whether an identifier can start with it: letters, _ and all beyond ASCII. */
bool belayi_sql_starts_identifier(char);

/* The offset of the first end of a line at or behind `at`, or of the end of the text. */
size_t belayi_sql_line_end(const belayi_scanner *, size_t at);

/* Makes an ERROR of the token. */
void belayi_sql_fail(belayi_token *, const char *error);

/* Strings, quoted identifiers and dollar quotes. */
bool belayi_sql_scan_quote(const belayi_scanner *, belayi_token *);

/* ? ?? ?3 $3 :name, and the variables $name and @name, which are none of ours. */
bool belayi_sql_scan_placeholder(const belayi_scanner *, belayi_token *);

#endif
