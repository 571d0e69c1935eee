/*
 * csv_lines - splits a CSV file, line by line: see csv_lines.h.
 *
 * A line is split in place: unquoting only ever makes a field shorter.
 */
#define _POSIX_C_SOURCE 200809L /* getline */

#include "csv_lines.h"

#include <stdlib.h>
#include <string.h>

bool csv_open(csv_file *file, const char *path)
{
    *file = (csv_file){.stream = fopen(path, "rb")};
    return file->stream != NULL;
}

bool csv_failed(const csv_file *file)
{
    return !file->stream || ferror(file->stream) || !feof(file->stream);
}

void csv_close(csv_file *file)
{
    if (file->stream)
        fclose(file->stream);
    free(file->text);
    *file = (csv_file){0};
}

/* Takes the line's end and a byte order mark off. Returns where the text begins. */
static char *trim_ends(char *text, size_t size, bool first)
{
    if (size > 0 && text[size - 1] == '\n')
        text[--size] = '\0';
    if (size > 0 && text[size - 1] == '\r')
        text[--size] = '\0';
    return first && strncmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text;
}

/*
 * Unquotes the field that begins after the opening quote at `from`. Returns what
 * follows its closing quote, or NULL when there is none.
 */
static char *unquote(char *from)
{
    char *to = from;

    for (; *from; from++) {
        if (*from == '"' && from[1] != '"') {
            *to = '\0';
            return from + 1;
        }
        if (*from == '"')
            from++;
        *to++ = *from;
    }
    return NULL;
}

/* Splits off one field. Returns where the next one begins; NULL after the last one, or with a problem. */
static char *split_field(csv_line *line, char *at)
{
    bool quoted = *at == '"';
    char *field = quoted ? at + 1 : at;
    char *end = quoted ? unquote(field) : at + strcspn(at, ",\"");

    if (!end)
        line->problem = "a quote is opened and never closed";
    else if (quoted && *end && *end != ',')
        line->problem = "there is text between a closing quote and the next comma";
    else if (!quoted && *end == '"')
        line->problem = "there is a quote inside a field that does not begin with one";
    if (line->problem)
        return NULL;

    bool last = *end == '\0';
    *end = '\0';
    if (line->count < CSV_FIELDS)
        line->field[line->count] = field;
    line->count++;
    return last ? NULL : end + 1;
}

const csv_line *csv_next(csv_file *file)
{
    csv_line *line = &file->line;
    ssize_t size = file->stream ? getline(&file->text, &file->capacity, file->stream) : -1;

    if (size < 0)
        return NULL;
    *line = (csv_line){.number = line->number + 1};

    bool nul = memchr(file->text, '\0', (size_t)size) != NULL;
    char *at = trim_ends(file->text, (size_t)size, line->number == 1);
    if (nul)
        line->problem = "there is a NUL byte";
    else if (*at == '\0')
        line->problem = "the line is blank";
    while (at && !line->problem)
        at = split_field(line, at);
    return line;
}
