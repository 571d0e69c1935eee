/*
 * queueing.h - SQLite's driver with a queue, as a server's has one.
 *
 * What is queued is done when it is waited for, in its order, with the savepoints
 * that were asked for meanwhile in their places; what stands behind a failure is
 * not done. So what the library makes of a queue can be tested without a server,
 * and with every call failing in turn (fake.h over it).
 */
#ifndef BELAY_TESTS_QUEUEING_H
#define BELAY_TESTS_QUEUEING_H

#include <belay/sys/driver.h>

/* The same table at every call. */
const belay_driver *queueing_driver(void);

#endif
