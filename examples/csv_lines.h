/*
 * csv_lines - splits a CSV file, line by line.
 *
 * One line of the file is one record: fields are separated by commas, a field in
 * double quotes may hold commas and doubled quotes, lines end in LF or CRLF, and
 * the last one may end without either. A line that can't be split says why, and
 * reading goes on with the next one. A line break inside quotes is not
 * supported. The text is not looked at in any other way: no trimming, no
 * encoding, no types.
 */
#ifndef CSV_LINES_H
#define CSV_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { CSV_FIELDS = 16 };

typedef struct csv_line {
    long number;             /* of the line in the file, from 1 */
    const char *problem;     /* why the line can't be split; NULL when it can, and only then the fields are good */
    int count;               /* fields on the line; those past CSV_FIELDS are counted, but not kept */
    char *field[CSV_FIELDS]; /* unquoted; those past `count` are NULL */
} csv_line;

typedef struct csv_file {
    FILE *stream;
    char *text;
    size_t capacity;
    csv_line line;
} csv_file;

/* Opens a file. False when it can't be opened; csv_close is fine, and not needed, then. */
bool csv_open(csv_file *file, const char *path);

/* The next line, borrowed until the next call or csv_close; NULL at the end of the file or when reading fails. */
const csv_line *csv_next(csv_file *file);

/* Whether reading failed, and the end of the file was not reached. */
bool csv_failed(const csv_file *file);

void csv_close(csv_file *file);

#endif
