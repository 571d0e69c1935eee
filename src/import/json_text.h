/*
 * json_text.h - whether a text is one JSON value, by RFC 8259.
 *
 * Bounded in time by the size of the text, and in memory: at most
 * BELAYI_JSON_DEPTH objects and arrays in each other. The text must be UTF-8.
 * Tests: tests/unit/import/test_json_text.c.
 */
#ifndef BELAYI_IMPORT_JSON_TEXT_H
#define BELAYI_IMPORT_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum { BELAYI_JSON_DEPTH = 1024 };

/* Else *out_bad_at is where it goes wrong, or its size when it ends too early. */
bool belayi_json_valid(const char *text, size_t size, size_t *out_bad_at);

#endif
