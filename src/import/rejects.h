/*
 * rejects.h - what is rejected goes to two files: the records, byte for byte, and
 * the reasons, a JSON object a line.
 *
 * Must not know: why a record is rejected; transactions.
 * Tests: tests/import/test_import.c, test_resume.c.
 */
#ifndef BELAYI_IMPORT_REJECTS_H
#define BELAYI_IMPORT_REJECTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/error.h>
#include <belay/import.h>

#include "json.h"

typedef struct belayi_rejects {
    FILE *records, *reasons; /* NULL: not wanted */
    const char *records_path, *reasons_path;
    belayi_json line;
    bool failed; /* something could not be written */
    int why;     /* errno of that */
} belayi_rejects;

/* How long both files are. */
typedef struct belayi_rejects_sizes {
    uint64_t records, reasons;
} belayi_rejects_sizes;

/* Opens both, empty, or cut back to those sizes. One that is the file `input` itself, or shorter than it must be, is
   refused. The paths are borrowed. On failure nothing is open. */
belay_code belayi_rejects_open(belayi_rejects *, const char *records, const char *reasons, const char *input,
                               const belayi_rejects_sizes *sizes_or_null, belay_error *error);

/* The header's bytes go before all records. */
void belayi_rejects_begin(belayi_rejects *, const char *header, size_t size);

void belayi_rejects_write(belayi_rejects *, const belay_import_reject *);
/* More bytes of the same record. */
void belayi_rejects_more(belayi_rejects *, const char *bytes, size_t size);

/* What was written so far is on the disk afterwards; its sizes. BELAY_IO or BELAY_DISK_FULL if any of it could not be.
 */
belay_code belayi_rejects_sync(belayi_rejects *, belayi_rejects_sizes *out_sizes, belay_error *error);

void belayi_rejects_close(belayi_rejects *); /* accepts a zeroed one */

#endif
