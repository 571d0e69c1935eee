/*
 * belay.h - the transaction layer for C.
 *
 * Units of work that happen entirely or not at all, and nest. Straight-line
 * code is the correct code: when a statement fails, the statements after it in
 * the same scope are not sent, the end of the scope rolls back instead of
 * committing, and the first error is there to read.
 *
 *     #include <belay/belay.h>
 *
 *     belay_db *db = belay_open("sqlite:bank.db", NULL);
 *     belay_session *s = belay_session_open(db);
 *
 *     BELAY_ATOMIC(s) {
 *         belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", 100, from);
 *         belay_exec(s, "UPDATE account SET balance = balance + ? WHERE id = ?", 100, to);
 *     }
 *     if (belay_status(s) != BELAY_OK)              // both happened, or neither did
 *         fprintf(stderr, "transfer: %s\n", belay_message(s));
 *
 *     belay_session_close(s);
 *     belay_close(db);
 *
 * Where to read on:
 *
 *     belay/db.h         a database: URL, pool, defaults
 *     belay/session.h    one conversation with it, and its errors
 *     belay/scope.h      scopes: blocks, callbacks, explicit calls, marks, options
 *     belay/statement.h  SQL statements and parameters
 *     belay/batch.h      many items, each of which succeeds or fails alone
 *     belay/import.h     files of records into tables, each stored as it is written or rejected
 *     belay/rows.h       queries and results
 *     belay/hook.h       what runs after a commit or a rollback
 *     belay/value.h      C values as parameters
 *     belay/model.h      a program's own structs as objects: identity map and unit of work
 *     belay/adopt.h      connections that the program has already, and the engine's own handle
 *     belay/error.h      codes and the error record
 *     belay/trace.h      what is sent, when, for which scope, and how long it takes
 *     belay/two_phase.h  one unit over two databases
 *     belay/testing.h    for the tests of programs that use Belay; to be included by itself
 */
#ifndef BELAY_H
#define BELAY_H

#include <belay/adopt.h>
#include <belay/batch.h>
#include <belay/db.h>
#include <belay/error.h>
#include <belay/hook.h>
#include <belay/import.h>
#include <belay/model.h>
#include <belay/rows.h>
#include <belay/scope.h>
#include <belay/session.h>
#include <belay/statement.h>
#include <belay/trace.h>
#include <belay/two_phase.h>
#include <belay/value.h>

#define BELAY_VERSION "0.1.0"

BELAYI_BEGIN_C

/* The version of the library that is linked in. Never NULL. */
BELAY_API const char *belay_version(void);

BELAYI_END_C

#endif
