/*
 * server.h - what the tests of trouble with a server share.
 *
 * Each test gets the world of tests/api/support.h on the server of BELAY_TEST_URL. When it ends, the next scope of the
 * session must work, and once the handle under test is closed the server must be rid of its sessions, transactions
 * and locks. The world's other session, by a handle of its own, makes the trouble.
 */
#ifndef BELAY_TESTS_FAULT_SERVER_H
#define BELAY_TESTS_FAULT_SERVER_H

#include "support.h"

int server_open(void **state);
int server_close(void **state);

#define on_server(test) cmocka_unit_test_setup_teardown(test, server_open, server_close)

/* Whether the server is MariaDB; else it is PostgreSQL. */
bool is_mariadb(const world *);

/* The text for the engine at hand. */
const char *by_server(const world *, const char *postgresql, const char *mariadb);

/* The server's number of the session's connection. Inside a scope, in which the connection stays. */
int64_t number_of(const world *, belay_session *);

typedef enum blow { CANCEL_QUERY, KILL_CONNECTION } blow;

/* Strikes now. Waits until a connection that is killed is gone. */
void strike(world *, blow, int64_t number);

/* Strikes from a thread of its own, with the world's other session, when the server runs a statement for that
   connection whose text is like the pattern, and on PostgreSQL sleeps; at once when the pattern is NULL. */
typedef struct striker {
    world *w;
    blow how;
    int64_t number;
    const char *pattern;
    bool struck;
    pthread_t thread;
} striker;

void striker_start(striker *, world *, blow, int64_t number, const char *pattern);
/* Fails the test when it found nothing to strike at. */
void striker_join(striker *);

/* A query that takes very long and can be interrupted. */
const char *endless(const world *);

/* Asks until the answer is so, for some time. Fails the test when it stays another. */
void await_answer(belay_session *, const char *sql, int64_t wanted);

/* Fails the test unless the session's next scope writes and commits, on its first attempt. */
void assert_next_works(belay_session *);

/* Waits until the server has no open transaction and no lock of any other session than w->other's. */
void assert_no_locks(world *);

/* The table that serial conflicts are about: purse(id, cents), with ids from 1. */
void make_purses(world *, int count);

#endif
