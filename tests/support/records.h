/*
 * records.h - all that the reader says of some bytes, kept.
 *
 * The bytes come in pieces as a test wants them: one by one, or with a failure at
 * some place.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include <stdbool.h>

#include "arena.h"
#include "reader.h"

/* How a source hands its bytes out. */
typedef struct piecewise {
    const char *bytes;
    size_t size;
    size_t most;  /* bytes at once; 0: as many as are wanted */
    size_t fails; /* behind that many bytes it fails; 0: never */
    size_t given; /* so far */
} piecewise;

ptrdiff_t give_pieces(void *piecewise, void *buffer, size_t room);

typedef struct kept_record {
    belayi_record record; /* raw has the rest, too */
    size_t first;         /* bytes of raw before the rest */
} kept_record;

typedef struct kept_records {
    belay_code opened, ended; /* BELAY_OK, or why not */
    belay_error error;        /* of one of them */
    size_t count;
    kept_record *records;
    size_t names_count;
    const char **names;
    const char *header;
    size_t header_size;
    uint64_t offset, line, hash, looked; /* at the end */
    belayi_arena memory;
} kept_records;

/* What CSV with a header is by default. */
belayi_reader_options csv_options(void);

/* Which members of JSON lines are fields. */
typedef struct selection {
    size_t count;
    const char *const *names;
    bool strict;
} selection;

/* `wanted` may be NULL. */
void keep_records(piecewise source, const belayi_reader_options *, const selection *wanted, kept_records *out_kept);
void drop_records(kept_records *);

/* NULL when both are the same in all but `looked`; else what is not. */
const char *records_differ(const kept_records *, const kept_records *);

#endif
