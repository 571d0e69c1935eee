/*
 * create.h - the CREATE TABLE for a file: names from its header, or of the
 * members of its first records, types from those.
 *
 * Tests: tests/import/test_create.c.
 */
#ifndef BELAYI_IMPORT_CREATE_H
#define BELAYI_IMPORT_CREATE_H

#include <belay/import.h>
#include <belay/session.h>

#include "reader.h"
#include "sample.h"

/* The statement; the caller frees it. NULL on failure. Members of JSON are selected in the sample. */
char *belayi_create_table(belay_session *, const belay_import_spec *, const belayi_reader *, belayi_sample *,
                          belay_error *error);

#endif
