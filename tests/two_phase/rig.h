/*
 * rig.h - two databases for a unit over both, of any two engines.
 *
 * The servers' URLs are in BELAY_TEST_POSTGRESQL and BELAY_TEST_MARIADB. Each pair
 * of engines that can be one unit is a kind of rig, and each test runs on all.
 */
#ifndef BELAY_TESTS_TWO_PHASE_RIG_H
#define BELAY_TESTS_TWO_PHASE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <belay/belay.h>

#include "database.h"

typedef struct rig {
    const char *kind; /* "postgresql mariadb" */
    char directory[64], log_url[128], urls[2][400];
    char log[4096]; /* what was logged */
    belay_db *dbs[2];
    belay_session *a, *b; /* under test */
    belay_db *looking[2];
    belay_session *sees[2]; /* look from outside */
    belay_trace trace;      /* may be set before rig_reopen */
    void *trace_arg;
    bool require_scope; /* likewise */
} rig;

/* Every pair: a pair's name is its engines', in order. Ended by NULL. */
extern const char *const rig_kinds[];

/* Tables account_a and account_b, one on each, with account 1 holding 100. Fails the test without servers. */
void rig_open(rig *, const char *kind);
void rig_close(rig *);

/* Closes the sessions under test and opens handles and sessions anew: with the trace, and with or without a log. */
void rig_reopen(rig *, const char *decision_log);

/* Takes `amount` from account 1 of a, and gives it to account 1 of b. */
int rig_move(belay_session *a, belay_session *b, void *amount);

/* "90;110": what the two accounts hold, as others see them. */
void rig_assert_balances(rig *, const char *wanted);

/* Moves ten, and then leaves such a unit prepared on both: its decision to commit was kept, but the log answered
   nothing from then on. */
void rig_leave_undecided(rig *);

/* belay_recover over both databases and the log; gives how many transactions it found. */
int rig_recover(rig *, belay_code *out_code);

/* Fails the test unless nothing is prepared any more, nor any decision kept. */
void rig_assert_clean(rig *);

/* Runs the test on every kind of pair. */
void rig_on_each(void (*test)(rig *));

#define assert_code(code, wanted) assert_string_equal(belay_code_name(code), belay_code_name(wanted))

#endif
