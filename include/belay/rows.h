/*
 * belay/rows.h - queries and their results.
 *
 *     BELAY_EACH(row, s, "SELECT id, name FROM user WHERE balance > ?", 100)
 *         printf("%lld %s\n", (long long)belay_int(row, 0), belay_str(row, 1));
 *
 * Columns count from 0. Every function here takes NULL rows, as a failed query
 * gives them, and then answers 0, NULL or false. A column that does not exist is
 * misuse, pending in the session; so is reading before the first belay_next or
 * after it was false.
 */
#ifndef BELAY_ROWS_H
#define BELAY_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/macros.h>
#include <belay/session.h>
#include <belay/statement.h>
#include <belay/value.h>

/*
 * belay_query(s, sql, ...) runs a statement and gives its rows. The result is
 * held in memory, so that other statements may run while one reads it, and it
 * outlives the scope. NULL on an error, which is pending then. The caller owns
 * it: belay_rows_close. Placeholders and parameters: see belay/statement.h.
 */
#define belay_query(...) BELAYI_STATEMENT(belay_query_at, __VA_ARGS__)

/*
 * belay_stream(s, sql, ...): the same, but rows are read one by one as
 * belay_next asks for them, in bounded memory. Until it is closed, other calls
 * that need the connection are misuse. It ends with the scope it was opened in:
 * a stream left open there is misuse, and the scope is rolled back. Outside any
 * scope the unit of the statement ends when the stream is closed.
 */
#define belay_stream(...) BELAYI_STATEMENT(belay_stream_at, __VA_ARGS__)

/*
 * belay_int_of(s, sql, ...): the first column of the first row as an integer.
 * NULL is 0. No row is BELAY_NOT_FOUND, pending; 0 is returned on every error.
 */
#define belay_int_of(...) BELAYI_STATEMENT(belay_int_of_at, __VA_ARGS__)

/*
 * BELAY_EACH(row, s, sql, ...) statement
 *
 * Runs the statement or block once for each row. Runs nothing when the query
 * failed. The rows are closed on every way out, and break leaves it.
 */
#define BELAY_EACH(row, ...)                                                                                           \
    for (belay_rows * row BELAYI_CLEANUP(belayi_rows_cleanup) = belay_query(__VA_ARGS__); belay_next(row);)

BELAYI_BEGIN_C

typedef struct belay_rows belay_rows;

/* The plain-function forms. */
BELAY_API belay_rows *belay_query_values(belay_session *, const char *sql, size_t n, const belay_value *values);
BELAY_API belay_rows *belay_stream_values(belay_session *, const char *sql, size_t n, const belay_value *values);
BELAY_API int64_t belay_int_of_values(belay_session *, const char *sql, size_t n, const belay_value *values);

BELAY_API belay_rows *belay_query_at(belay_session *, belay_place, const char *sql, size_t n, const belay_value *);
BELAY_API belay_rows *belay_stream_at(belay_session *, belay_place, const char *sql, size_t n, const belay_value *);
BELAY_API int64_t belay_int_of_at(belay_session *, belay_place, const char *sql, size_t n, const belay_value *);

/* Goes to the next row, at first to the first one. False at the end, and on an error, which is pending then. */
BELAY_API bool belay_next(belay_rows *);

/* Closes a result. Accepts NULL, and one whose session was closed first. */
BELAY_API void belay_rows_close(belay_rows *);

/* ---- Columns ------------------------------------------------------------------------------------ */

BELAY_API int belay_columns(const belay_rows *);

/* NULL when there is no such column. Borrowed until the result is closed. */
BELAY_API const char *belay_column_name(const belay_rows *, int column);

/* The first column with that name, as the engine spells it; -1 when there is none. */
BELAY_API int belay_column(const belay_rows *, const char *name);

/* ---- Values of the current row ------------------------------------------------------------------- */

/* The type of a value: NULL, INT, DOUBLE, TEXT or BLOB on SQLite, where each value has its own; on PostgreSQL that of
   the column, BOOL and DECIMAL too; what C has no type for, moments among it, is TEXT as the server writes it. */
BELAY_API belay_type belay_type_of(const belay_rows *, int column);
BELAY_API bool belay_is_null(const belay_rows *, int column);

/* 0 for NULL. A text that is a whole integer is read as one; any other value that is no integer is BELAY_DATA, pending.
 */
BELAY_API int64_t belay_int(const belay_rows *, int column);

/* 0.0 for NULL. A text that is a whole number is read as one; any other value that is no number is BELAY_DATA, pending.
 */
BELAY_API double belay_double(const belay_rows *, int column);

/*
 * The value as NUL-terminated text; numbers are written as the engine writes
 * them. NULL for NULL. Borrowed until the next row.
 */
BELAY_API const char *belay_str(const belay_rows *, int column);

/* The bytes of a text or blob; NULL for NULL. Borrowed until the next row. */
BELAY_API const void *belay_bytes(const belay_rows *, int column);

/* How many bytes belay_str or belay_bytes has there, without the NUL; 0 for NULL. */
BELAY_API size_t belay_size(const belay_rows *, int column);

/* For BELAY_EACH only. */
BELAY_API void belayi_rows_cleanup(belay_rows **);

BELAYI_END_C

#endif
