/*
 * proxy_link.h - one link of a proxy: two sockets, and what is under way
 * between them.
 *
 * Used by the proxy's thread only, under its mutex. Knows the plan of faults
 * and carries it out; does not know who listens, polls or plans.
 * Tests: tests/unit/support/test_proxy.c.
 */
#ifndef BELAY_TESTS_PROXY_LINK_H
#define BELAY_TESTS_PROXY_LINK_H

#include <stdint.h>

#include "proxy.h"
#include "proxy_frame.h"

/* What a proxy's links have in common. */
typedef struct proxy_desk {
    proxy_wire wire;
    int64_t delay_ns;
    bool trickle;

    proxy_fault faults[PROXY_FAULTS_MAX];
    unsigned count, struck;
    bool counting;        /* for the next fault: its text was seen, or it has none */
    unsigned seen;        /* messages of its way since */
    const char *watched;  /* NULL: nothing is looked for */
    bool saw;             /* in a message to the server, before the first fault struck or in what it struck */
    unsigned messages[2]; /* all, each way */
    unsigned links_opened;
} proxy_desk;

typedef struct proxy_chunk proxy_chunk;

/* One way of a link. */
typedef struct proxy_flow {
    unsigned char *held; /* read, and not a whole message yet */
    size_t held_size;
    size_t passing; /* so much is still to come of a message that was too large to be held */
    proxy_chunk *first, *last;
    size_t queued;
    bool ended;  /* who sends has said all */
    bool told;   /* who receives knows it */
    bool filled; /* the receiver's socket takes no more for now */
} proxy_flow;

typedef struct proxy_link {
    bool used;
    bool silent;    /* stalled: nothing goes on until it is dropped */
    int sockets[2]; /* the client's, the server's; way w goes from sockets[w] to the other. -1: hung up on */
    proxy_flow flows[2];
    proxy_framings framings;
} proxy_link;

/* Takes both sockets. */
void proxy_link_begin(proxy_link *, const proxy_desk *, int client, int server);

/* Ends it; with a reset, or as by who has said all. */
void proxy_link_end(proxy_link *, bool reset);

/* What is to be waited for at a side's socket: POLLIN, POLLOUT; 0 for nothing. */
short proxy_link_events(const proxy_link *, int side, int64_t now_ns);

/* When the next byte that is under way arrives; 0 when none is. */
int64_t proxy_link_due(const proxy_link *);

/* Reads what there is at both sides, and writes what is due. The link may be over then. */
void proxy_link_move(proxy_link *, proxy_desk *, const short happened[2], int64_t now_ns);

#endif
