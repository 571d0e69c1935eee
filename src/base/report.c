#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char ellipsis[] = "\xE2\x80\xA6";
enum { ELLIPSIS_SIZE = sizeof ellipsis - 1 };

/* The largest size up to `size` at which no UTF-8 character is cut in two. */
static size_t whole_characters(const char *text, size_t size)
{
    while (size > 0 && ((unsigned char)text[size] & 0xC0) == 0x80)
        size--;
    return size;
}

void belayi_report_text(char *out, size_t room, const char *text, size_t size)
{
    if (!text)
        size = 0;
    if (size < room) {
        if (size > 0)
            memmove(out, text, size);
        out[size] = '\0';
        return;
    }
    size_t kept = whole_characters(text, room - 1 - ELLIPSIS_SIZE);
    memmove(out, text, kept);
    memcpy(out + kept, ellipsis, sizeof ellipsis);
}

void belayi_report_string(char *out, size_t room, const char *text)
{
    belayi_report_text(out, room, text, text ? strlen(text) : 0);
}

static void format_list(char *out, size_t room, const char *format, va_list list)
{
    int needed = vsnprintf(out, room, format ? format : "", list);
    if (needed < 0)
        out[0] = '\0';
    else if ((size_t)needed >= room)
        memcpy(out + whole_characters(out, room - 1 - ELLIPSIS_SIZE), ellipsis, sizeof ellipsis);
}

void belayi_report_format(char *out, size_t room, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    format_list(out, room, format, list);
    va_end(list);
}

belay_code belayi_report_list(belay_error *error, belay_code code, const char *format, va_list list)
{
    memset(error, 0, sizeof *error);
    error->code = code;
    format_list(error->message, sizeof error->message, format, list);
    if (code == BELAY_MISUSE && getenv("BELAY_ABORT_ON_MISUSE"))
        abort();
    return code;
}

belay_code belayi_report(belay_error *error, belay_code code, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    belayi_report_list(error, code, format, list);
    va_end(list);
    return code;
}

void belayi_report_place(belay_error *error, belay_place place)
{
    if (!place.file)
        return;
    size_t size = strlen(place.file), room = sizeof error->file - 1;
    const char *end = size > room ? place.file + (size - room) : place.file;
    while (((unsigned char)*end & 0xC0) == 0x80) /* not from the middle of a character */
        end++;
    BELAYI_REPORT_FIELD(error->file, end);
    BELAYI_REPORT_FIELD(error->function, place.function);
    error->line = place.line;
}
