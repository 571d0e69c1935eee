/*
 * belay/statement.h - SQL statements and their parameters.
 *
 * Placeholders are ?, ?3, $3 or :name (bound in order of first appearance) on
 * every engine, one style a statement; ?? is a question mark for operators.
 * They are never recognised inside literals, comments or quoted identifiers.
 * Values are always bound, never pasted. One statement a call; empty text is
 * misuse. A statement is prepared once a connection and kept in a bounded cache.
 *
 * A statement inside a scope is part of it. Outside any scope it is its own
 * transaction (an error under .require_scope). What is no query, INSERT, UPDATE
 * or DELETE is then sent without a BEGIN, so that VACUUM and PRAGMA work; on the
 * servers all but streams are, in one round trip: when the connection is lost while
 * it is out, it is BELAY_IN_DOUBT, also of a SELECT, which may call what writes. PRAGMA,
 * ATTACH and temporary tables belong to one connection of the pool: the next
 * unit may have another one. Transaction control as SQL text
 * (BEGIN, COMMIT, SAVEPOINT, SET autocommit, ...) is refused with BELAY_MISUSE
 * before it reaches the engine, naming the call to use.
 *
 * SELECT ... FOR UPDATE [NOWAIT | SKIP LOCKED] works everywhere. On SQLite a
 * scope that may write holds the one write lock, so the clause is dropped, and
 * NOWAIT means that the lock is not waited for. In a read-only scope it is
 * BELAY_READ_ONLY, outside a scope misuse.
 */
#ifndef BELAY_STATEMENT_H
#define BELAY_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include <belay/macros.h>
#include <belay/session.h>
#include <belay/value.h>

/*
 * belay_exec(s, sql, ...) runs a statement. Rows that it gives are discarded.
 * Returns BELAY_OK, or the code that is pending afterwards.
 *
 *     belay_exec(s, "UPDATE account SET balance = balance - ? WHERE id = ?", 100, from);
 *
 * Parameters are C values: see BELAY_V in belay/value.h. Up to 32; for more,
 * belay_exec_values.
 *
 * Errors: any code; BELAY_MISUSE for the wrong number of parameters, no or two
 * statements, mixed placeholder styles, or transaction control.
 */
#define belay_exec(...) BELAYI_STATEMENT(belay_exec_at, __VA_ARGS__)

/*
 * belay_try(s, sql, ...): a scope for one statement that may fail. Returns its
 * code. An ordinary failure is already undone and caught: belay_caught holds it,
 * nothing is pending. One that ends the transaction stays pending. While an
 * error is pending it is refused like any other call. No savepoint is spent on
 * a statement that the engine undoes by itself when it fails.
 */
#define belay_try(...) BELAYI_STATEMENT(belay_try_at, __VA_ARGS__)

BELAYI_BEGIN_C

/* A row was rejected: which, from 0, and why; *error is borrowed. The session can't be used in it. */
typedef void (*belay_rejected)(belay_session *, size_t row, const belay_error *error, void *arg);

/*
 * One statement for many rows, as if belay_try were called for each in order: a
 * row that fails is undone alone, and told to on_reject, which may be NULL, in the
 * order of the rows. `values` are the rows one after the other, `columns` values
 * each. All happens in the innermost scope; with none open, in one transaction of
 * its own around all rows.
 *
 * Returns BELAY_OK when every row was tried, with the number of those that were
 * kept in *out_kept, where that is not NULL. Else the pending code: of an error
 * that ends the transaction, or of a time limit of the scope that has passed; the
 * rows after it were not tried, and *out_kept is 0. belay_caught then holds the
 * last rejection, and belay_changes is of the last row.
 *
 * On PostgreSQL many rows are under way at once, and a row may be run more than
 * once before it is kept: a sequence may skip numbers, as it does for a failed row.
 */
#define belay_try_many(s, sql, rows, columns, values, on_reject, arg, out_kept)                                        \
    belay_try_many_at(s, BELAY_HERE, sql, rows, columns, values, on_reject, arg, out_kept)
BELAY_API belay_code belay_try_many_at(belay_session *, belay_place, const char *sql, size_t rows, size_t columns,
                                       const belay_value *values, belay_rejected on_reject, void *arg,
                                       size_t *out_kept);

/* The plain-function forms: `n` values made with BELAY_V or the functions of belay/value.h. */
BELAY_API belay_code belay_exec_values(belay_session *, const char *sql, size_t n, const belay_value *values);
BELAY_API belay_code belay_try_values(belay_session *, const char *sql, size_t n, const belay_value *values);

/* The same with the place in the program that errors will name. */
BELAY_API belay_code belay_exec_at(belay_session *, belay_place, const char *sql, size_t n, const belay_value *values);
BELAY_API belay_code belay_try_at(belay_session *, belay_place, const char *sql, size_t n, const belay_value *values);

/*
 * The rows that the last statement matched: for an UPDATE to equal values they
 * count, on every engine. 0 for a statement that is no INSERT, UPDATE or
 * DELETE, after a statement that failed, and before the first one.
 */
BELAY_API int64_t belay_changes(belay_session *);

/*
 * The key that the last INSERT generated. Where the engine can't say (no INSERT
 * has run; a table without a generated key) it raises BELAY_UNSUPPORTED and
 * returns 0: use RETURNING.
 */
#define belay_last_id(s) belay_last_id_at(s, BELAY_HERE)
BELAY_API int64_t belay_last_id_at(belay_session *, belay_place);

BELAYI_END_C

/* ---- The macros behind belay_exec(s, sql, ...) -------------------------------------------------- */

#ifndef __cplusplus

#define BELAYI_COUNT_(p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15, p16, p17, p18, p19, p20, p21,  \
                      p22, p23, p24, p25, p26, p27, p28, p29, p30, p31, p32, p33, p34, p35, p36, p37, p38, p39, p40,   \
                      p41, p42, p43, p44, p45, p46, p47, p48, p49, p50, p51, p52, p53, p54, p55, p56, p57, p58, p59,   \
                      p60, p61, p62, p63, p64, p65, p66, count, ...)                                                   \
    count
#define BELAYI_COUNT(...)                                                                                              \
    BELAYI_COUNT_(__VA_ARGS__, too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many,         \
                  too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many,  \
                  too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many, too_many,  \
                  too_many, too_many, too_many, too_many, 32, 31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18,  \
                  17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, none)

/* The values of a call, each behind a comma. The calls carry one argument more than they have values, so that no
   macro is ever called with an empty `...`, which C11 does not allow. */
#define BELAYI_ARGS_0(...)
#define BELAYI_ARGS_1(x, ...)  , BELAY_V(x) BELAYI_ARGS_0(__VA_ARGS__)
#define BELAYI_ARGS_2(x, ...)  , BELAY_V(x) BELAYI_ARGS_1(__VA_ARGS__)
#define BELAYI_ARGS_3(x, ...)  , BELAY_V(x) BELAYI_ARGS_2(__VA_ARGS__)
#define BELAYI_ARGS_4(x, ...)  , BELAY_V(x) BELAYI_ARGS_3(__VA_ARGS__)
#define BELAYI_ARGS_5(x, ...)  , BELAY_V(x) BELAYI_ARGS_4(__VA_ARGS__)
#define BELAYI_ARGS_6(x, ...)  , BELAY_V(x) BELAYI_ARGS_5(__VA_ARGS__)
#define BELAYI_ARGS_7(x, ...)  , BELAY_V(x) BELAYI_ARGS_6(__VA_ARGS__)
#define BELAYI_ARGS_8(x, ...)  , BELAY_V(x) BELAYI_ARGS_7(__VA_ARGS__)
#define BELAYI_ARGS_9(x, ...)  , BELAY_V(x) BELAYI_ARGS_8(__VA_ARGS__)
#define BELAYI_ARGS_10(x, ...) , BELAY_V(x) BELAYI_ARGS_9(__VA_ARGS__)
#define BELAYI_ARGS_11(x, ...) , BELAY_V(x) BELAYI_ARGS_10(__VA_ARGS__)
#define BELAYI_ARGS_12(x, ...) , BELAY_V(x) BELAYI_ARGS_11(__VA_ARGS__)
#define BELAYI_ARGS_13(x, ...) , BELAY_V(x) BELAYI_ARGS_12(__VA_ARGS__)
#define BELAYI_ARGS_14(x, ...) , BELAY_V(x) BELAYI_ARGS_13(__VA_ARGS__)
#define BELAYI_ARGS_15(x, ...) , BELAY_V(x) BELAYI_ARGS_14(__VA_ARGS__)
#define BELAYI_ARGS_16(x, ...) , BELAY_V(x) BELAYI_ARGS_15(__VA_ARGS__)
#define BELAYI_ARGS_17(x, ...) , BELAY_V(x) BELAYI_ARGS_16(__VA_ARGS__)
#define BELAYI_ARGS_18(x, ...) , BELAY_V(x) BELAYI_ARGS_17(__VA_ARGS__)
#define BELAYI_ARGS_19(x, ...) , BELAY_V(x) BELAYI_ARGS_18(__VA_ARGS__)
#define BELAYI_ARGS_20(x, ...) , BELAY_V(x) BELAYI_ARGS_19(__VA_ARGS__)
#define BELAYI_ARGS_21(x, ...) , BELAY_V(x) BELAYI_ARGS_20(__VA_ARGS__)
#define BELAYI_ARGS_22(x, ...) , BELAY_V(x) BELAYI_ARGS_21(__VA_ARGS__)
#define BELAYI_ARGS_23(x, ...) , BELAY_V(x) BELAYI_ARGS_22(__VA_ARGS__)
#define BELAYI_ARGS_24(x, ...) , BELAY_V(x) BELAYI_ARGS_23(__VA_ARGS__)
#define BELAYI_ARGS_25(x, ...) , BELAY_V(x) BELAYI_ARGS_24(__VA_ARGS__)
#define BELAYI_ARGS_26(x, ...) , BELAY_V(x) BELAYI_ARGS_25(__VA_ARGS__)
#define BELAYI_ARGS_27(x, ...) , BELAY_V(x) BELAYI_ARGS_26(__VA_ARGS__)
#define BELAYI_ARGS_28(x, ...) , BELAY_V(x) BELAYI_ARGS_27(__VA_ARGS__)
#define BELAYI_ARGS_29(x, ...) , BELAY_V(x) BELAYI_ARGS_28(__VA_ARGS__)
#define BELAYI_ARGS_30(x, ...) , BELAY_V(x) BELAYI_ARGS_29(__VA_ARGS__)
#define BELAYI_ARGS_31(x, ...) , BELAY_V(x) BELAYI_ARGS_30(__VA_ARGS__)
#define BELAYI_ARGS_32(x, ...) , BELAY_V(x) BELAYI_ARGS_31(__VA_ARGS__)

#define BELAYI_STATEMENT(function, ...)        BELAYI_STATEMENT_(BELAYI_COUNT(__VA_ARGS__), function, __VA_ARGS__, none)
#define BELAYI_STATEMENT_(n, function, s, ...) BELAYI_STATEMENT__(n, function, s, __VA_ARGS__)
#define BELAYI_STATEMENT__(n, function, s, sql, ...)                                                                   \
    function(s, BELAY_HERE, sql, n, (const belay_value[]){{0} BELAYI_ARGS_##n(__VA_ARGS__)} + 1)

#else

#define BELAYI_STATEMENT(function, ...) belayi_statement(function, BELAY_HERE, __VA_ARGS__)

template <typename Result, typename... Values>
inline Result belayi_statement(Result (*function)(belay_session *, belay_place, const char *, size_t,
                                                  const belay_value *),
                               belay_place place, belay_session *s, const char *sql, Values... values)
{
    const belay_value list[] = {belay_null(), BELAY_V(values)...};
    return function(s, place, sql, sizeof...(values), list + 1);
}

#endif

#endif
