/*
 * scenarios.h - pieces of work as programs do them, and what must hold after each.
 *
 * A scenario writes down, outside the database, what it was told: how each of
 * its units ended, which hooks it registered in which scope, and what it saw on
 * the way. scenario_check then compares the tables with that, whatever happened
 * meanwhile: every unit reported as committed is there whole, of every other
 * nothing is there, of one whose fate is unknown all or nothing; hooks ran once
 * for what was committed, and never for what was undone. The conformance tests
 * run scenarios undisturbed and compare with the exact result; the fault tests
 * make every call in them fail in turn.
 */
#ifndef BELAY_TESTS_SCENARIOS_H
#define BELAY_TESTS_SCENARIOS_H

#include <stdbool.h>
#include <stddef.h>

#include <belay/belay.h>

/* ---- A text that grows in place -------------------------------------------------------------------------------- */

typedef struct scenario_text {
    char bytes[4096];
    size_t size;
} scenario_text;

void scenario_text_add(scenario_text *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- What a scenario writes down --------------------------------------------------------------------------------- */

enum { SCENARIO_UNITS = 9, SCENARIO_HOOKS = 128, SCENARIO_FACTS = 32 };

typedef enum scenario_fate { UNIT_NOT_RUN, UNIT_COMMITTED, UNIT_ROLLED_BACK, UNIT_UNKNOWN } scenario_fate;

typedef struct scenario_unit {
    scenario_fate fate; /* as it was reported */
    belay_error error;
} scenario_unit;

typedef enum scenario_hook_kind {
    HOOK_COMMIT,
    HOOK_ROLLBACK,
    HOOK_BEFORE, /* before the commit */
    HOOK_LATE    /* on commit, and registered by a hook that runs outside of any scope */
} scenario_hook_kind;

typedef struct scenario_hook {
    scenario_hook_kind kind;
    unsigned unit;
    bool accepted; /* the registration was */
    bool undone;   /* the scope that it was registered in was rolled back, while its unit went on */
    int ran, freed;
    unsigned turn;   /* when it ran: hooks are counted as they run, from 1 */
    belay_hook then; /* what it does besides being counted, with the notes as its argument; may be NULL */
    struct scenario_notes *notes;
} scenario_hook;

typedef struct scenario_notes {
    belay_db *db; /* for sessions of the scenario's own */
    scenario_unit units[SCENARIO_UNITS];
    unsigned unit; /* the one that hooks are registered in */
    scenario_hook hooks[SCENARIO_HOOKS];
    unsigned hook_count, turns;
    int facts[SCENARIO_FACTS];               /* what the scenario saw; each says what in its own enum */
    scenario_text broken;                    /* promises that it saw broken itself, a line each */
    void (*ended)(void *arg, unsigned unit); /* called at the end of each unit; may be NULL */
    void *arg;
} scenario_notes;

/* An outermost scope, or a statement outside any, has ended: how, is asked of the session. */
void note_end(belay_session *, scenario_notes *, unsigned unit);

/* A belay_try outside any scope has ended with `code`. */
void note_try(belay_session *, scenario_notes *, unsigned unit, belay_code code);

/* A transaction of its own inside another has ended; so as to go on in the one around, its error is caught. */
void note_inner(belay_session *, scenario_notes *, unsigned unit);

/* The unit begins, or begins again: hooks of an attempt before this one were dropped with it. */
void note_attempt(scenario_notes *, unsigned unit);

/* Register a hook that counts in the notes, and may do something besides. */
void note_hook(belay_session *, scenario_notes *, scenario_hook_kind, belay_hook then);
void note_commit_hook(belay_session *, scenario_notes *);
void note_rollback_hook(belay_session *, scenario_notes *);

/* The scope in which the hooks from number `from` on were registered was rolled back; its unit is not over. */
void note_undone(scenario_notes *, unsigned from);

/* A promise is broken: something that may be said while the scenario runs. */
void note_broken(scenario_notes *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- A scenario ------------------------------------------------------------------------------------------------- */

typedef struct scenario_table {
    const char *name;
    const char *rows; /* the query that shows it */
} scenario_table;

typedef struct scenario {
    const char *name;             /* a sentence: what must hold */
    const char *const *setup;     /* SQL that makes its tables anew, up to a NULL */
    const scenario_table *tables; /* up to one without a name */
    void (*run)(belay_session *, scenario_notes *);
    /* Adds what the tables show when the units marked in `there` are in them, as scenario_show does. */
    void (*expect)(const scenario_notes *, const bool *there, scenario_text *out);
    const belay_code *own; /* what it makes fail itself, up to BELAY_OK: codes that units may end with undisturbed */
    bool swallows; /* it goes on after errors of any kind, so that what a unit ends with need not be the first */
    int pool_size; /* of the handle that it needs; 0: any */
    int log_lines; /* undisturbed: hooks that misbehave on purpose are logged */
} scenario;

extern const scenario *const scenarios[];
extern const size_t scenario_count;

/* Options of a handle that the scenario can run on. */
belay_db_options scenario_options(const scenario *, belay_db_options);

/* Adds the rows of the units that are there, separated by semicolons; NULL for one that has none. */
void scenario_add_rows(scenario_text *out, const char *const *rows, const bool *there, size_t count);

/* Makes the tables anew. BELAY_OK, or the code of what failed. */
belay_code scenario_setup(const scenario *, belay_session *);

/* What the tables show: "account[1|100;2|50] transfer[]". */
void scenario_show(const scenario *, belay_session *, scenario_text *out);

/*
 * Looks, through a session that had no part in it, whether the promises hold.
 * Gives the broken ones, a line each, or NULL; borrowed until the next call.
 */
const char *scenario_check(const scenario *, belay_session *, const scenario_notes *);

/* ---- Scenarios by name ------------------------------------------------------------------------------------------ */

/* scenario_money.c */
extern const scenario scenario_payment_log; /* 2 */
extern const scenario scenario_transfers;   /* 12 */
extern const scenario scenario_proof;       /* 20 */
extern const scenario scenario_stock;       /* 23 */

/* scenario_nesting.c */
extern const scenario scenario_three_updates;  /* 7 */
extern const scenario scenario_marks;          /* 8 */
extern const scenario scenario_escape;         /* 11 */
extern const scenario scenario_optional_extra; /* 21 */
extern const scenario scenario_depth;          /* 27 */

/* scenario_orders.c */
extern const scenario scenario_orders; /* 9 */

/* scenario_rows.c */
extern const scenario scenario_user_rows;      /* 4 */
extern const scenario scenario_duplicate_mail; /* 22 */
extern const scenario scenario_reading;
extern const scenario scenario_tries;
extern const scenario scenario_many;

/* scenario_steps.c */
extern const scenario scenario_flaky_success;  /* 3 */
extern const scenario scenario_flaky_failure;  /* 3 */
extern const scenario scenario_flaky_given_up; /* 3 */

/* scenario_units.c */
extern const scenario scenario_mail_hook;      /* 10 */
extern const scenario scenario_failed_session; /* 15 */
extern const scenario scenario_no_scope;       /* 17 */
extern const scenario scenario_post_and_mail;  /* 18 */
extern const scenario scenario_callbacks;

/* scenario_hooks.c */
extern const scenario scenario_busy_hooks;
extern const scenario scenario_attempts;
extern const scenario scenario_marked_hooks;

/* scenario_around.c: more than one transaction, or result, at a time */
extern const scenario scenario_propagation;
extern const scenario scenario_streams;
extern const scenario scenario_one_connection;
extern const scenario scenario_two_connections;

#endif
