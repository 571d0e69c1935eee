/*
 * report.h - filling an error record.
 *
 * The texts of a record are fixed in size; what is too long is cut before a
 * UTF-8 character and ends in an ellipsis. Nothing here needs memory.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_REPORT_H
#define BELAYI_BASE_REPORT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <belay/error.h>
#include <belay/macros.h>

/* Whether it is the code of an error: not BELAY_OK, BELAY_ROLLED_BACK, BELAY_ANY, nor a number that is no code. */
static inline bool belayi_report_is_error(belay_code code)
{
    return code > BELAY_OK && code < BELAY_ANY && code != BELAY_ROLLED_BACK;
}

/*
 * Empties the record and gives it a code and a message. Returns the code. With
 * BELAY_ABORT_ON_MISUSE in the environment, misuse ends the process here, so that
 * a debugger shows the call that broke the rule.
 */
belay_code belayi_report(belay_error *error, belay_code code, const char *format, ...) BELAYI_PRINTF(3, 4);
belay_code belayi_report_list(belay_error *error, belay_code code, const char *format, va_list list);

/* Copies a text of known size, NULL being empty; cut with an ellipsis when there is no room. */
void belayi_report_text(char *out, size_t room, const char *text, size_t size);

/* The same for a NUL-terminated text and one field of a record. */
#define BELAYI_REPORT_FIELD(field, text) belayi_report_string(field, sizeof(field), text)
void belayi_report_string(char *out, size_t room, const char *text);

/* Like BELAYI_REPORT_FIELD, but printf. */
#define BELAYI_REPORT_FORMAT(field, ...) belayi_report_format(field, sizeof(field), __VA_ARGS__)
void belayi_report_format(char *out, size_t room, const char *format, ...) BELAYI_PRINTF(3, 4);

/* File, line and function. A file is cut at its front. A place without a file changes nothing. */
void belayi_report_place(belay_error *error, belay_place place);

#endif
