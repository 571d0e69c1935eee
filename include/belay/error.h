/*
 * belay/error.h - what can go wrong, and the record that tells it.
 *
 * The same failure has the same code on every engine. The list below is the
 * only one: the enum, the names, the manual's table and a test derive from it.
 */
#ifndef BELAY_ERROR_H
#define BELAY_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include <belay/macros.h>

BELAYI_BEGIN_C

/*
 * X(code, class, retry, text)
 *
 * `retry` is how a whole unit that failed so may be run again:
 *   YES   the engine promises that nothing was kept, and another try may succeed
 *   NO    the same unit would fail the same way, or its outcome is not known
 */
#define BELAY_CODES(X)                                                                                                 \
    X(OK, OK, NO, "no error")                                                                                          \
    X(INTEGRITY, INTEGRITY, NO, "a constraint of the database was violated")                                           \
    X(UNIQUE, INTEGRITY, NO, "a row with this key is already there")                                                   \
    X(FOREIGN_KEY, INTEGRITY, NO, "a row that is referred to is missing, or is still referred to")                     \
    X(CHECK, INTEGRITY, NO, "a CHECK constraint refused the row")                                                      \
    X(NOT_NULL, INTEGRITY, NO, "a column that must have a value has none")                                             \
    X(EXCLUSION, INTEGRITY, NO, "an exclusion constraint refused the row")                                             \
    X(SERIALIZATION, SERIALIZATION, YES, "another transaction changed what this one had read")                         \
    X(DEADLOCK, DEADLOCK, YES, "two transactions waited for each other, and this one was given up")                    \
    X(BUSY, BUSY, YES, "a lock is held by somebody else, and it was not waited for")                                   \
    X(LOCK_TIMEOUT, LOCK_TIMEOUT, YES, "a lock was waited for until the limit had passed")                             \
    X(TIMEOUT, TIMEOUT, NO, "the time limit has passed")                                                               \
    X(CANCELLED, CANCELLED, NO, "the statement was cancelled from outside")                                            \
    X(STALE, STALE, NO, "the row was changed by somebody else since it was read")                                      \
    X(NOT_FOUND, NOT_FOUND, NO, "there is no such row")                                                                \
    X(DATA, DATA, NO, "a value does not fit its type")                                                                 \
    X(SYNTAX, SYNTAX, NO, "the statement is not valid SQL for this engine")                                            \
    X(SCHEMA, SCHEMA, NO, "there is no such table, column or function, or it is not as expected")                      \
    X(PERMISSION, PERMISSION, NO, "the user may not do this")                                                          \
    X(READ_ONLY, READ_ONLY, NO, "a write where only reading is allowed")                                               \
    X(DISK_FULL, DISK_FULL, NO, "there is no room left")                                                               \
    X(IO, IO, NO, "reading or writing the database failed")                                                            \
    X(CORRUPT, CORRUPT, NO, "the database is damaged, or the file is not a database")                                  \
    X(NO_MEMORY, NO_MEMORY, NO, "memory has run out")                                                                  \
    X(CONNECTION, CONNECTION, YES, "the connection could not be had, or was lost")                                     \
    X(TOO_MANY, TOO_MANY, YES, "all connections are in use")                                                           \
    X(IN_DOUBT, IN_DOUBT, NO, "nobody can say whether the work was committed")                                         \
    X(RAISED, RAISED, NO, "a trigger or procedure of the database raised an error")                                    \
    X(ABANDONED, ABANDONED, NO, "a scope was left before its end, and its work rolled back")                           \
    X(ROLLED_BACK, ROLLED_BACK, NO, "the work was rolled back on purpose")                                             \
    X(MISUSE, MISUSE, NO, "the program broke a rule of this library")                                                  \
    X(UNSUPPORTED, UNSUPPORTED, NO, "this engine can't do that")                                                       \
    X(APPLICATION, APPLICATION, NO, "the program itself called the work off")

typedef enum belay_code {
#define BELAYI_X(code, class_, retry, text) BELAY_##code,
    BELAY_CODES(BELAYI_X)
#undef BELAYI_X
        BELAY_ANY /* for belay_catch and belay_ignore: covers every code; never the code of an error */
} belay_code;

/* What became of the work that the error belongs to. */
typedef enum belay_outcome {
    BELAY_WORK_OPEN,        /* not decided yet: a scope around it is still open */
    BELAY_WORK_COMMITTED,   /* it is there */
    BELAY_WORK_ROLLED_BACK, /* nothing of it is there */
    BELAY_WORK_UNKNOWN,     /* the connection was lost, or the disk failed, while it was being committed */
    BELAY_WORK_PARTLY       /* it was rolled back, but something of it is there, or may be: in a table that knows no
                               transactions, or committed by a procedure (MariaDB) */
} belay_outcome;

/*
 * One error. A plain value of fixed size, copied by assignment and valid for
 * ever; it never needs memory to report that memory ran out. A text that does
 * not fit is cut and ends in an ellipsis, never inside a UTF-8 character. A
 * field that is not known is empty or 0.
 */
typedef struct belay_error {
    belay_code code;
    belay_outcome outcome;
    int native_code;   /* the engine's own number: SQLite's extended result code, ... */
    int line;          /* where in the program: the statement, or the scope when no statement is to blame */
    int attempt;       /* of the outermost scope, from 1 */
    char sqlstate[6];  /* as the SQL standard, where the engine has one */
    char message[320]; /* what went wrong, for a person */
    char detail[192];  /* more of it, from the engine */
    char hint[192];    /* what to do about it */
    char table[64];
    char column[128]; /* several columns of one key are joined by ", " */
    char constraint[64];
    char statement[256]; /* the SQL text, with its placeholders: values are never put into an error */
    char scope[64];      /* .name of the innermost scope */
    char file[128];      /* the end of the path, when it is longer */
    char function[64];
} belay_error;

/* The code's name without its prefix, such as "FOREIGN_KEY"; "?" for a number that is no code. Never NULL. */
BELAY_API const char *belay_code_name(belay_code);

/* One sentence on what the code means. Never NULL. */
BELAY_API const char *belay_code_text(belay_code);

/* The class that the code belongs to; itself for one that stands alone. */
BELAY_API belay_code belay_code_class(belay_code);

/*
 * Whether `which` covers `code`: the same code, its class, or BELAY_ANY. BELAY_OK
 * and BELAY_ROLLED_BACK are no errors and are never covered.
 */
BELAY_API bool belay_code_covers(belay_code which, belay_code code);

/*
 * Whether running the whole unit again could succeed: the code says that a
 * repetition may help, and the outcome is not unknown. False for NULL.
 */
BELAY_API bool belay_retryable(const belay_error *);

BELAYI_END_C

#endif
