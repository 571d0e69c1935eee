/*
 * records.h - a CSV file as the raw sides read it: lines, split at commas.
 *
 * make_csv.py quotes nothing, so no more is needed: the cheapest reading that a
 * program could do. Knows no engine.
 */
#ifndef BENCH_RECORDS_H
#define BENCH_RECORDS_H

#include "common.h"

enum { RECORDS_COLUMNS = 8 };

typedef struct records {
    FILE *file;
    char *line;
    size_t room, columns;
    const char *fields[RECORDS_COLUMNS]; /* of the last record; NULL where nothing is written */
    size_t sizes[RECORDS_COLUMNS];
} records;

/* Opens the file of the benchmark and reads its header: `fields` are the names of the columns. */
void records_open(records *, const bench *);

/* The next record, into `fields`; false at the end. */
bool records_next(records *);

void records_close(records *);

/* "INSERT INTO table(columns) VALUES (...)" for the file and the table of the benchmark; mark: '?', or '$' for $1, $2.
 */
void records_insert(const bench *, char mark, char *out, size_t room);

/* The names of the columns with commas between them. */
void records_columns(const bench *, char *out, size_t room);

#endif
