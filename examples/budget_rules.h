/*
 * budget_rules - the rules of a small budget tracker, on Belay's public API.
 *
 * Every function is one scope: what it does happens entirely or not at all. It
 * is a transaction of its own when it is called outside all scopes, and part of
 * the caller's unit when it is called inside one. Each returns BELAY_OK or the
 * code of its error, whose text belay_message(s) gives; inside a scope of the
 * caller's the error is pending there, to be caught or to travel on. On failure
 * every out_ is 0 or false.
 *
 * Errors, besides those of the database itself:
 *     BELAY_NOT_FOUND    a user, category or expense that isn't there
 *     BELAY_UNIQUE       an id or name that is taken
 *     BELAY_CHECK        an amount that the tables refuse
 *     BELAY_NOT_NULL     a text that is NULL
 *     BELAY_APPLICATION  source and target are the same category
 *
 * Money is in cents. An expense is positive; a transfer between two categories
 * is two rows that add up to 0.
 */
#ifndef BUDGET_RULES_H
#define BUDGET_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include <belay/belay.h>

typedef struct budget_expense {
    int64_t id;
    const char *user;
    const char *category;
    const char *day; /* YYYY-MM-DD */
    const char *description;
    int64_t cents;
} budget_expense;

typedef struct budget_transfer {
    int64_t id; /* of the row that leaves the source; the row that reaches the target has id + 1 */
    const char *user;
    const char *source;
    const char *target;
    const char *day;
    int64_t cents;
} budget_transfer;

/*
 * Drops the tables users, category, expense and expense_line where they exist,
 * and makes them anew. Call it outside all scopes. expense_line is for expenses as
 * they come in, amounts with a point: see budget_book_lines.
 */
belay_code budget_create_tables(belay_session *s);

belay_code budget_add_user(belay_session *s, const char *name);
belay_code budget_add_category(belay_session *s, const char *name);

belay_code budget_add_expense(belay_session *s, const budget_expense *expense);

/* Books all that is in expense_line, and empties it. */
belay_code budget_book_lines(belay_session *s);

/* Changes all fields of the expense with that id, but for its user. */
belay_code budget_update_expense(belay_session *s, const budget_expense *expense);

/* Moves money from one category to another: two rows, or none. */
belay_code budget_move(belay_session *s, const budget_transfer *transfer);

/*
 * Moves all rows of one user from the source to the target. The source itself
 * is deleted only when nobody's rows are left in it.
 */
belay_code budget_merge(belay_session *s, const char *user, const char *source, const char *target, int64_t *out_moved,
                        bool *out_deleted);

/* Takes `cents` out of an expense and books them as the expense `new_id` in another category. Both stay positive. */
belay_code budget_split(belay_session *s, int64_t id, int64_t new_id, const char *category, int64_t cents);

/* Deletes a user with all their rows. */
belay_code budget_delete_user(belay_session *s, const char *name, int64_t *out_rows);

#endif
