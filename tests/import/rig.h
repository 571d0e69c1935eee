/*
 * rig.h - what the tests of belay_import share: a database, a folder with a file to
 * import, and what came of it.
 */
#ifndef BELAY_TESTS_IMPORT_RIG_H
#define BELAY_TESTS_IMPORT_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include <belay/belay.h>
#include <belay/import.h>

#include "database.h"

enum { RIG_TEXT = 1 << 16 };

typedef struct rig {
    database d;
    belay_session *s;
    char folder[64];
    char input[96], rejects[96], errors[96];
    char told[4096];   /* of each reject: "record:line:column:CODE;" */
    char values[4096]; /* "value;" */
    belay_import_report report;
    uint64_t stop_behind;            /* records; on_progress stops there; 0: never */
    bool stops;                      /* it stops where it is asked first */
    void (*meanwhile)(struct rig *); /* what happens, once, when the first records are read */
    uint64_t first_progress;         /* records that were read when it was asked first with any */
} rig;

int rig_open(void **state);
int rig_close(void **state);

#define in_rig(test) cmocka_unit_test_setup_teardown(test, rig_open, rig_close)

/* The file to import. */
void rig_write(rig *, const char *text);
void rig_write_bytes(rig *, const void *bytes, size_t size);

/* Imports it into `tx`, with both files of rejects, unless the spec says otherwise. */
belay_code rig_import(rig *, belay_import_spec spec);

/* The same, and it must succeed. */
#define rig_imports(r, ...) rig_imports_at(r, BELAY_IMPORT_SPEC(__VA_ARGS__), __FILE__, __LINE__)
void rig_imports_at(rig *, belay_import_spec spec, const char *file, int line);

/* "read inserted updated skipped rejected" */
const char *rig_counts(const belay_import_counts *);

/* What is in a file; borrowed until the third call after. */
const char *rig_read(const char *path);

void rig_run(rig *, const char *sql);

#define assert_code(code, wanted)   assert_string_equal(belay_code_name(code), belay_code_name(wanted))
#define assert_contains(text, part) assert_contains_at(text, part, __FILE__, __LINE__)
void assert_contains_at(const char *text, const char *part, const char *file, int line);

#endif
