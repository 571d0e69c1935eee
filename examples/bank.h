/*
 * bank - what its files share: the options, and the journal outside the database.
 *
 * The journal is what the tables are checked against. A worker appends to it,
 * one write(2) a line, so that a line is there as soon as the call has returned,
 * even when the process is killed right after:
 *
 *     try ID SOURCE TARGET AMOUNT    before the transfer begins
 *     ok ID                          after Belay said that it was committed
 *     no ID CODE                     after Belay said that it was rolled back
 *     unknown ID                     after Belay said that nobody knows
 *
 * A transfer with a `try` and nothing else was cut off: both fates are right for
 * it, as long as it is one of the two entirely.
 */
#ifndef BANK_H
#define BANK_H

#include <stdbool.h>

#include <belay/belay.h>

enum { BANK_NAME_SIZE = 68, BANK_ID_SIZE = BANK_NAME_SIZE + 24 };

typedef struct bank_options {
    const char *url;
    const char *journal;
    int threads; /* of each process */
    int processes;
    int seconds;
    int accounts;
    bool quiet; /* print only what is broken */
    bool init, run, check;
} bank_options;

/* Makes the tables anew, and empties the journal when there is one. */
bool bank_init(const bank_options *o);

/* Lets the workers loose. False when one of them saw something that may not be. */
bool bank_run(const bank_options *o);

/*
 * Compares the tables with each other and with the journal, when no worker runs.
 * False when a promise is broken.
 */
bool bank_check(const bank_options *o);

#endif
