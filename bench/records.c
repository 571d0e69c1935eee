/*
 * records.c - reads a CSV file by lines. See records.h.
 */
#include "records.h"

#include <stdlib.h>
#include <string.h>

static void split(records *r, size_t length)
{
    char *at = r->line, *end = r->line + length;
    r->columns = 0;
    while (at <= end && r->columns < RECORDS_COLUMNS) {
        char *comma = memchr(at, ',', (size_t)(end - at));
        char *stop = comma ? comma : end;
        *stop = '\0';
        r->sizes[r->columns] = (size_t)(stop - at);
        r->fields[r->columns++] = stop > at ? at : NULL;
        at = stop + 1;
    }
}

bool records_next(records *r)
{
    ssize_t length = getline(&r->line, &r->room, r->file);
    if (length <= 0)
        return false;
    if (r->line[length - 1] == '\n')
        length--;
    split(r, (size_t)length);
    return true;
}

void records_open(records *r, const bench *b)
{
    *r = (records){0};
    if (!b->file || !b->table)
        bench_die("--file, --table", "the mode needs both");
    r->file = fopen(b->file, "r");
    if (!r->file || !records_next(r))
        bench_die(b->file, "can't be read, or has no header");
}

void records_close(records *r)
{
    if (ferror(r->file))
        bench_die("records", "reading failed");
    fclose(r->file);
    free(r->line);
}

void records_columns(const bench *b, char *out, size_t room)
{
    records r;
    records_open(&r, b);
    size_t used = 0;
    for (size_t i = 0; i < r.columns; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%s", i ? ", " : "", r.fields[i]);
    records_close(&r);
}

void records_insert(const bench *b, char mark, char *out, size_t room)
{
    char columns[256], values[128];
    size_t used = 0, n = 1;
    records_columns(b, columns, sizeof columns);
    for (const char *at = columns; (at = strchr(at, ',')); at++)
        n++;
    for (size_t i = 1; i <= n; i++) {
        used += (size_t)snprintf(values + used, sizeof values - used, "%s%c", i > 1 ? ", " : "", mark);
        if (mark == '$')
            used += (size_t)snprintf(values + used, sizeof values - used, "%zu", i);
    }
    snprintf(out, room, "INSERT INTO %s(%s) VALUES (%s)", b->table, columns, values);
}
