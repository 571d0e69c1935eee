/*
 * standin.h - a driver that stands in for a real one and makes calls fail.
 *
 * It uses the real driver's connections and statements as they are: all it has
 * of its own is the table of slots that conn->driver points to. A slot counts the
 * call, and either makes it fail or passes it on. What is not made to fail is done
 * by the engine, so that what is in the database afterwards is the truth.
 *
 * A stand-in can't stand in for another one. Calls may come from any thread;
 * arming is for when no other thread uses the handle.
 * Tests: tests/unit/testing, tests/testing, tests/fault.
 */
#ifndef BELAYI_TESTING_STANDIN_H
#define BELAYI_TESTING_STANDIN_H

#include <stdatomic.h>
#include <stdbool.h>

#include <belay/sys/driver.h>

/* X(kind, name): the calls that are counted and can be made to fail. */
#define BELAYI_CALLS(X)                                                                                                \
    X(CONNECT, "connect")                                                                                              \
    X(ISOLATION, "isolation")                                                                                          \
    X(BEGIN, "begin")                                                                                                  \
    X(CHECK_DEFERRED, "check deferred")                                                                                \
    X(COMMIT, "commit")                                                                                                \
    X(PREPARE_TRANSACTION, "prepare transaction")                                                                      \
    X(FINISH_PREPARED, "finish prepared")                                                                              \
    X(ROLLBACK, "rollback")                                                                                            \
    X(OUTCOME, "outcome")                                                                                              \
    X(SAVEPOINT, "savepoint")                                                                                          \
    X(RELEASE, "release")                                                                                              \
    X(ROLLBACK_TO, "rollback to")                                                                                      \
    X(PREPARE, "prepare")                                                                                              \
    X(EXECUTE, "statement")                                                                                            \
    X(START, "statement")                                                                                              \
    X(STEP, "row")                                                                                                     \
    X(EACH, "rows")                                                                                                    \
    X(QUEUE, "statement")                                                                                              \
    X(DRAIN, "queue")

typedef enum belayi_call_kind {
#define BELAYI_X(kind, name) BELAYI_CALL_##kind,
    BELAYI_CALLS(BELAYI_X)
#undef BELAYI_X
    /* Only noted. */
    BELAYI_CALL_FINALIZE,
    BELAYI_CALL_CLOSE
} belayi_call_kind;

typedef struct belayi_call_made {
    belayi_call_kind kind;
    unsigned number;    /* how many were made before it, and one; 0 for what is only noted */
    unsigned savepoint; /* which, of a call about one */
    bool writes;        /* a begin or a statement that may write */
} belayi_call_made;

/* Calls number `first` to `last` fail, in the way that the code tells: see belay_fail_nth. `first` 0: none does. */
typedef struct belayi_fault {
    unsigned first, last;
    belay_code code;
    bool rolls_back; /* the engine rolls the transaction back also where the code does not tell so */
} belayi_fault;

enum { BELAYI_FAULTS = 2 };

typedef struct belayi_standin belayi_standin;

/* What conn->driver points to. A lost connection has one of its own, which is how it is known to be lost. */
typedef struct belayi_standin_face {
    belay_driver driver;
    belayi_standin *standin;
    bool lost;
} belayi_standin_face;

struct belayi_standin {
    belayi_standin_face sound, lost;
    const belay_driver *real;
    belayi_fault faults[BELAYI_FAULTS];
    atomic_uint made, failed;   /* since it was armed */
    belayi_call_made first_hit; /* the call that the first of the faults began with */
    void (*note)(void *arg, const belayi_call_made *, belay_code); /* called after each call; NULL: not */
    void *note_arg;
};

/* Nothing fails at first. It is used as a driver by &standin->sound.driver, and stays where it is. */
void belayi_standin_init(belayi_standin *, const belay_driver *real);

/* Counts from 0 again. The second fault, which may be NULL, is for what happens during the recovery from the first. */
void belayi_standin_arm(belayi_standin *, const belayi_fault *first, const belayi_fault *second);
void belayi_standin_disarm(belayi_standin *);

const char *belayi_call_name(belayi_call_kind);

#endif
