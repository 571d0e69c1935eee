/*
 * script.h - the anomalies as data: who does what in which order, and how one sees that it happened.
 *
 * Two or three sessions, A, B and C, act on a table of two rows, (id, value) =
 * (1, 10) and (2, 20): x and y. Each session has one unit; its steps are in
 * order, and what a session can't do yet, as it waits, it does as soon as it can.
 * A unit that fails is run again, alone, when all others are over. So a script's
 * judge sees complete units only, and looks at what they read and left, not at
 * when: no order of whole units one after another may give what it calls the
 * anomaly.
 */
#ifndef BELAYI_ISOLATION_SCRIPT_H
#define BELAYI_ISOLATION_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include <belay/isolation.h>

enum { BELAYI_SESSIONS = 3, BELAYI_STEPS = 16, BELAYI_READS = 8, BELAYI_NO_ROW = -1, BELAYI_LAPS = 10 };

typedef enum belayi_act {
    BELAYI_END_OF_SCRIPT,
    BELAYI_READ,      /* the first column of the first row goes to `slot` */
    BELAYI_WRITE,     /* a ? in it is what was read into `slot`, plus one */
    BELAYI_COMMIT,    /* the unit's end */
    BELAYI_ROLL_BACK, /* likewise */
    BELAYI_RACE, /* after the unit: BELAYI_LAPS units with retries that read y and write y + 1, all sessions at once */
    BELAYI_IDENTIFY /* not in scripts: the server's number of the connection goes to slot 0 */
} belayi_act;

typedef struct belayi_step {
    belayi_act act;
    int who;         /* 0: A */
    int slot;        /* of reads, from 1 to BELAYI_READS - 1; 0: none */
    const char *sql; /* @ stands for the table's name */
} belayi_step;

/* What the units that committed have read and left. */
typedef struct belayi_history {
    int64_t read[BELAYI_READS]; /* by slot */
    int64_t x, y;               /* BELAYI_NO_ROW: there is none */
} belayi_history;

typedef struct belayi_script {
    const char *readers;  /* sessions whose unit is read-only, such as "B" */
    const char *suspects; /* sessions whose waits and errors prevent the anomaly */
    bool (*happened)(const belayi_history *);
    belayi_step steps[BELAYI_STEPS];
} belayi_script;

/* Borrowed for ever. */
const belayi_script *belayi_script_of(belay_anomaly);

#endif
