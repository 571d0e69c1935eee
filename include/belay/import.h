/*
 * belay/import.h - many records of a file into a table, each by itself.
 *
 * A record is stored exactly as it is written, or it is rejected, alone, with the
 * reason; what is rejected goes to a file, byte for byte, ready to be put right
 * and fed again. A record goes through two gates:
 *
 *   1. As written: the file's own shape (fields, quotes, encoding), and for each
 *      value the table of docs/import.md, which says what counts as written as a
 *      value of a column's type. So no engine stores `twenty` in a numeric column,
 *      0000-00-00 in a date, or 1.01 where 1.005 was written.
 *   2. The engine: as if each record that passed had a savepoint of its own, in the
 *      order of the file. Of two duplicates the first stays. What differs is the
 *      speed, and, as on any rollback, that generated keys may skip numbers.
 *
 *     belay_import_spec spec = BELAY_IMPORT_SPEC(.path = "tx.csv", .table = "tx", .rejects = "tx.rejects.csv");
 *     belay_import_report report;
 *     if (belay_import(s, &spec, &report) == BELAY_OK)
 *         printf("%llu inserted, %llu rejected\n", (unsigned long long)report.counts.inserted,
 *                (unsigned long long)report.counts.rejected);
 *
 * The command `belay import` is this call (man belay-import).
 */
#ifndef BELAY_IMPORT_H
#define BELAY_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/macros.h>
#include <belay/session.h>

BELAYI_BEGIN_C

typedef enum belay_import_format {
    BELAY_IMPORT_CSV,  /* RFC 4180: fields in quotes may hold delimiters, line ends and doubled quotes */
    BELAY_IMPORT_TSV,  /* a tab between fields; \t, \n, \r, \\ and \N (NULL) as PostgreSQL's COPY and mysqldump write
                          them */
    BELAY_IMPORT_JSONL /* a JSON object a line; its members are the fields */
} belay_import_format;

/* What becomes of a record whose key is in the table already. */
typedef enum belay_import_conflict {
    BELAY_IMPORT_REJECT, /* it is rejected, as BELAY_UNIQUE */
    BELAY_IMPORT_SKIP,   /* it is left out, and counted as skipped */
    BELAY_IMPORT_UPDATE  /* its row gets the record's values */
} belay_import_conflict;

/* How far it has come. All counts are since the beginning, also of an import that was resumed. */
typedef struct belay_import_counts {
    uint64_t read; /* records; inserted + updated + skipped + rejected */
    uint64_t inserted, updated, skipped, rejected;
    uint64_t bytes; /* of the file, that have been read */
    uint64_t size;  /* of the file; 0: not known */
} belay_import_counts;

/* A record that was rejected. All is borrowed for the call. */
typedef struct belay_import_reject {
    uint64_t record;          /* which, from 1; a header does not count */
    uint64_t line;            /* the physical line that it begins on, from 1 */
    uint64_t offset;          /* of its first byte in the file, from 0 */
    const char *raw;          /* its bytes as they are in the file, with its line end; of a record over max_record, */
    size_t raw_size;          /* those at its beginning */
    const char *column;       /* of the table; "" when no single column is to blame */
    const char *value;        /* what is written there, in UTF-8, cut when it is long; when the engine refused it, */
                              /* what it was given. NULL: nothing, or not known */
    const belay_error *error; /* code, SQLSTATE, constraint, message */
} belay_import_reject;

/* A source of bytes of the program's own: up to `room` bytes into `buffer`. 0: the end; negative: it failed. */
typedef ptrdiff_t (*belay_import_source)(void *arg, void *buffer, size_t room);

/* Told now and then; false: stop. What is committed stays; with commit_every the import can be resumed. */
typedef bool (*belay_import_progress)(void *arg, const belay_import_counts *counts);

typedef struct belay_import_spec {
    size_t size; /* sizeof(belay_import_spec): BELAY_IMPORT_SPEC sets it */

    /* -- from where -- */
    const char *path;           /* a file; "-" is the standard input. NULL: */
    belay_import_source source; /* bytes of the program's own */
    void *source_arg;
    belay_import_format format;
    bool no_header;       /* CSV, TSV: the first record is data, and fields go to the columns in their order */
    char delimiter;       /* 0: a comma (CSV) or a tab (TSV) */
    char quote;           /* CSV; 0: a double quote */
    const char *null;     /* the text that is NULL, when it is not in quotes; NULL: the empty text (CSV), \N (TSV) */
    const char *encoding; /* a name that iconv knows; NULL: UTF-8 */
    size_t max_record;    /* bytes; a longer one is rejected. 0: 8 MiB */

    /* -- to where -- */
    const char *table;      /* `name` or `schema.name`, as it is in the catalog, without quotes */
    const char *const *map; /* "column=field": the column gets that field; fields by name, or by number from 1. */
    size_t map_count;       /* 0: each field goes to the column of its name. Others are not imported */
    const char *const *set; /* "column=value": the column gets this value in each row; it is checked as a field is */
    size_t set_count;
    bool create;   /* makes the table when it is not there: names from the header or of members, types from a sample */
    bool truncate; /* deletes all its rows first, in the same transaction */
    belay_import_conflict on_conflict;
    const char *const *key; /* columns; what SKIP and UPDATE look for. 0: the primary key */
    size_t key_count;

    /* -- how -- */
    uint64_t commit_every; /* records a transaction; 0: all in one */
    bool limit_rejects;    /* past max_rejects nothing of the transaction is kept, and the import ends */
    uint64_t max_rejects;
    double max_rejects_percent; /* more than 0: instead, of the records read; looked at from 100 records on, and at the
                                   end */
    bool resume;                /* goes on where a crash or a stop left one with commit_every */
    bool restart;               /* begins anew where one that could be resumed was left */
    bool dry_run;               /* does everything, then rolls back */
    const char *rejects; /* a file for the rejected records, byte for byte, after the header's bytes. NULL: none */
    const char *errors;  /* a file for what was wrong: a JSON object a line. NULL: none */
    void (*on_reject)(void *arg, const belay_import_reject *); /* in the order of the file, after it was decided */
    belay_import_progress on_progress;                         /* several times a second */
    void *arg;                                                 /* of these two */
} belay_import_spec;

#define BELAY_IMPORT_SPEC(...) ((belay_import_spec){.size = sizeof(belay_import_spec), __VA_ARGS__})

typedef struct belay_import_report {
    belay_import_counts counts;    /* of what is kept; after a dry run, of what would have been */
    belay_import_counts attempted; /* of everything that was looked at, also when it was rolled back */
    bool stopped;                  /* by on_progress */
    bool resumable;                /* .resume can go on from here */
    bool already_done;             /* .resume, and there was nothing left to do */
    belay_error error;             /* why it ended; .code is BELAY_OK when it came to the end of the file */
} belay_import_report;

/*
 * Imports a file.
 *
 * With no scope open it opens units of its own: one, or with commit_every one for
 * so many records. Inside a scope it is a part of that one, and commit_every is
 * BELAY_MISUSE. The program's hooks, retries and time limits are those of that
 * scope; a unit of its own is not run again by itself.
 *
 * Returns BELAY_OK when the file was read to its end and what is not rejected is
 * kept (or, inside a scope, is part of it): also when every record was rejected;
 * look at the counts. Else the pending code or the status: nothing of the
 * transaction is kept; what earlier ones committed is, and report->counts says how
 * much. The report is filled always.
 *
 * What is checked before anything is read or written: the table and its columns,
 * the map, the key, the file, the encoding; mistakes there are BELAY_MISUSE,
 * BELAY_SCHEMA, BELAY_NOT_FOUND or BELAY_IO, and say what to do.
 *
 * Rejects. A record that the file's shape or its values refuse is BELAY_DATA; one
 * that the engine refuses has the engine's error, as belay_try would have given
 * it. An error that is no record's own fault (deadlock, lost connection, a lock that
 * was waited for in vain, disk full) is never a reject: it ends the transaction.
 * Both files are overwritten by a new import and continued by a resumed one; they
 * are synced before each commit.
 *
 * Resuming. With commit_every a checkpoint is written to the table belay_imports
 * of the same database, in the same transaction as the rows: offset, line, counts,
 * length and hash of what was read, the length of both files. .resume
 * reads the file up to there again without importing it, refuses it when it is not
 * the same, cuts both files back, and goes on: no row and no reject is lost or done
 * twice, after a kill at any moment. A file is known by its name and the table's; the
 * mapping must be the same. .resume without commit_every is BELAY_MISUSE. Without .resume
 * an import that was left half-way is refused, unless with .restart or .truncate.
 *
 * Memory is bounded, whatever the size of the file: the records of a chunk, at most
 * a few MiB, or one record of max_record.
 *
 * Errors: BELAY_MISUSE, BELAY_SCHEMA, BELAY_NOT_FOUND (the file), BELAY_IO,
 * BELAY_DATA (past max_rejects, or the file is not the one that was begun with),
 * BELAY_CANCELLED (on_progress stopped it), BELAY_STALE (another program is at the
 * same import), and any that ends a transaction.
 */
#define belay_import(s, spec, out_report) belay_import_at(s, BELAY_HERE, spec, out_report)
BELAY_API belay_code belay_import_at(belay_session *, belay_place, const belay_import_spec *,
                                     belay_import_report *out_report);

BELAYI_END_C

#endif
