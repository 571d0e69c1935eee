/*
 * header.h - the first record of a file, which names the fields.
 * Tests: tests/unit/import/test_reader_header.c.
 */
#ifndef BELAYI_IMPORT_HEADER_H
#define BELAYI_IMPORT_HEADER_H

#include <belay/error.h>

#include "arena.h"
#include "record.h"

typedef struct belayi_header {
    belayi_arena memory;
    char *raw; /* its bytes in the file, behind those of the byte order mark */
    size_t raw_size;
    size_t count;
    const char **names;
} belayi_header;

/* More of its bytes. False: no memory. */
bool belayi_header_keep(belayi_header *, const char *raw, size_t size);
/* Its names. BELAY_DATA: it is malformed, or a name is empty or there twice. */
belay_code belayi_header_name(belayi_header *, const belayi_record *, belay_error *error);
void belayi_header_done(belayi_header *);

#endif
