/*
 * json.h - a growing piece of JSON text.
 *
 * What is put is valid JSON whatever the strings hold. When memory runs out
 * `failed` is set, and what was put since the text was empty is of no use.
 * Tests: tests/unit/trace.
 */
#ifndef BELAYI_TRACE_JSON_H
#define BELAYI_TRACE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed is empty. Not NUL-terminated. */
typedef struct belayi_json {
    char *text;
    size_t size, room;
    bool failed;
} belayi_json;

/* Empties it; much memory is given back, little is kept for the next text. */
void belayi_json_clear(belayi_json *);
void belayi_json_free(belayi_json *);

/* As it is: punctuation. */
void belayi_json_put(belayi_json *, const char *text);

void belayi_json_put_integer(belayi_json *, int64_t);

/* `ns` nanoseconds as microseconds, exactly: 1234567 is 1234.567. */
void belayi_json_put_microseconds(belayi_json *, int64_t ns);

/* In quotes, escaped; a byte that is not part of UTF-8 text becomes U+FFFD. */
void belayi_json_put_string(belayi_json *, const char *text);

/* `"name":`, after a comma unless it is the first of its object. */
void belayi_json_put_name(belayi_json *, const char *name);

/* Members of the object that is open. A text that is NULL is left out. */
void belayi_json_put_number(belayi_json *, const char *name, int64_t value);
void belayi_json_put_natural(belayi_json *, const char *name, uint64_t value);
void belayi_json_put_text(belayi_json *, const char *name, const char *value);

#endif
