/*
 * rejects.h - what is rejected goes to two files: the records, byte for byte, and
 * the reasons, a JSON object a line.
 *
 * Must not know: why a record is rejected; transactions.
 * Tests: tests/import/test_import.c, test_resume.c.
 */
#ifndef BELAYI_IMPORT_REJECTS_H
#define BELAYI_IMPORT_REJECTS_H

#include <stdint.h>

#include <belay/error.h>
#include <belay/import.h>

#include "json.h"
#include "output.h"

typedef struct belayi_rejects {
    belayi_output *records, *reasons; /* NULL: not wanted */
    belayi_json line;
} belayi_rejects;

/* How long both files are. */
typedef struct belayi_rejects_sizes {
    uint64_t records, reasons;
} belayi_rejects_sizes;

/* Opens both, cut to those sizes. The paths are borrowed. On failure nothing is open. */
belay_code belayi_rejects_open(belayi_rejects *, const char *records, const char *reasons, const char *input,
                               belayi_rejects_sizes sizes, belay_error *error);
void belayi_rejects_close(belayi_rejects *); /* accepts a zeroed one */

/* Bytes for the file of the records: the header, or more of the record that was written last. */
void belayi_rejects_put(belayi_rejects *, const char *bytes, size_t size);

void belayi_rejects_write(belayi_rejects *, const belay_import_reject *);

/* BELAY_OK, or sooner what sync will say: there is no use in going on. */
belay_code belayi_rejects_check(const belayi_rejects *, belay_error *error);

/* What was written so far is on the disk afterwards; its sizes. BELAY_IO, BELAY_DISK_FULL, BELAY_NO_MEMORY when any of
   it is not. */
belay_code belayi_rejects_sync(belayi_rejects *, belayi_rejects_sizes *out_sizes, belay_error *error);

#endif
