/*
 * utf8.h - whether bytes are text.
 *
 * Text is UTF-8 as Unicode defines it, and without NUL: overlong forms,
 * surrogates and numbers over U+10FFFF are no text.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_UTF8_H
#define BELAYI_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all `size` bytes are text; else *out_bad_at is where the first character that is none begins. */
bool belayi_utf8_valid(const char *text, size_t size, size_t *out_bad_at);

#endif
