/*
 * checkpoint.h - the row that an import is resumed from.
 *
 * It is written in the same transaction as the rows that it tells of. Each of these
 * transactions begins with a claim: the row is locked, and must be the one that the
 * program knows. So of two programs the second finds that before it touches the
 * files, or stores a row; also when the first is dead, and its commit still under way.
 *
 * Must not know: records, files but by their names.
 * Tests: tests/unit/import/test_checkpoint.c, tests/import/test_resume.c, tests/crash/crash_import.py.
 */
#ifndef BELAYI_IMPORT_CHECKPOINT_H
#define BELAYI_IMPORT_CHECKPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <belay/import.h>
#include <belay/session.h>

#include "rejects.h"

enum { BELAYI_CHECKPOINT_ID = 33 };

typedef struct belayi_checkpoint {
    char id[BELAYI_CHECKPOINT_ID]; /* of the table and the file */
    bool found;                    /* there is a row, */
    bool is_done;                  /* of an import that has come to its end, */
    uint64_t row_offset;           /* with that offset */
    uint64_t offset, line;         /* where the next record begins */
    uint64_t hash;                 /* of what is before it */
    uint64_t plan;                 /* hash of how the file is read and stored */
    belay_import_counts counts;
    belayi_rejects_sizes sizes;
} belayi_checkpoint;

/* Names it: by the table as it is quoted, and the file's path ("-", or "": a source of the program's). */
void belayi_checkpoint_name(belayi_checkpoint *, const char *table, const char *path);

/* The hash of a text, on top of another one; 0 at first. */
uint64_t belayi_checkpoint_hash(uint64_t hash, const char *text_or_null);

/* Makes the table, where it is not there. With no scope open. */
belay_code belayi_checkpoint_make_table(belay_session *, belay_place);

/* Reads the row, if there is one; `found` and all behind it. The table need not be there. */
belay_code belayi_checkpoint_read(belay_session *, belay_place, belayi_checkpoint *);

/* Claims the row inside the innermost scope, until that ends: one at the file's beginning when `anew`, instead of that
   which was found, if any. BELAY_STALE, pending, when the row is not what was found, or is there and was not. */
belay_code belayi_checkpoint_claim(belay_session *, belay_place, belayi_checkpoint *, bool anew);

/* Removes the row that was found, inside the innermost scope; BELAY_STALE as above. */
belay_code belayi_checkpoint_forget(belay_session *, belay_place, const belayi_checkpoint *);

/* Writes the row that was claimed. */
belay_code belayi_checkpoint_write(belay_session *, belay_place, belayi_checkpoint *);

#endif
