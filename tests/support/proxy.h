/*
 * proxy.h - a link that can fail: it lies between Belay and a server, counts
 * the messages that go by, and at the one that the test names it breaks.
 *
 * A proxy is a thread of the test's own process. It listens on a free port of
 * 127.0.0.1 and opens one link to the server for each client. It reads the
 * framing of the server's protocol and nothing else of it, so it knows no TLS
 * and no compression: behind an answer that switches TLS on, all that goes by
 * counts as raw. It does not know Belay.
 *
 * What it does to a message is planned before: a list of faults, each armed
 * when the one before it has struck. All counts are over all links together.
 * Tests: tests/unit/support/test_proxy.c.
 */
#ifndef BELAY_TESTS_PROXY_H
#define BELAY_TESTS_PROXY_H

#include <stdbool.h>
#include <stddef.h>

typedef enum proxy_wire {
    PROXY_RAW,        /* a message is what arrived together */
    PROXY_POSTGRESQL, /* a type byte and a length; the first of a link has no type */
    PROXY_MARIADB     /* three bytes of length and a number */
} proxy_wire;

typedef enum proxy_way { PROXY_TO_SERVER, PROXY_TO_CLIENT } proxy_way;

typedef enum proxy_place {
    PROXY_BEFORE, /* nothing of the message goes on */
    PROXY_MIDDLE, /* one half of it does */
    PROXY_AFTER   /* all of it does */
} proxy_place;

typedef enum proxy_act {
    PROXY_RESET,    /* both sides get a reset */
    PROXY_CLOSE,    /* both sides are closed, as by who has said all */
    PROXY_LEAVE,    /* the client is hung up on, the server is not told before proxy_let_go */
    PROXY_STALL,    /* nothing is read or passed on any more, and nobody is told before proxy_let_go */
    PROXY_GARBAGE,  /* as many bytes of rubbish take the place of the message, and all goes on; wherever the place */
    PROXY_SCRAMBLE, /* the same, but what says where the message ends stays */
    PROXY_DOUBLE    /* the message goes on twice; wherever the place */
} proxy_act;

typedef struct proxy_fault {
    const char *text; /* counting starts with the next message to the server that holds this; NULL: at once. Borrowed */
    proxy_way way;
    unsigned message; /* which one it strikes, from 1. To the server, the message with the text is number 1 */
    proxy_place place;
    proxy_act act;
} proxy_fault;

/* "reset before message 3 to the server from COMMIT". Borrowed until the next call. By one thread of the test. */
const char *proxy_describe(const proxy_fault *);

enum { PROXY_FAULTS_MAX = 8, PROXY_LINKS_MAX = 256 };

typedef struct proxy proxy;

/*
 * Listens on `port`, 0 being any free one, and starts the thread. The target is
 * "host:port" with a numeric host, or the path of a unix socket. NULL when that
 * can't be done, with errno set. `delay_us` is how long each byte is under way,
 * each way; it limits no bandwidth.
 */
proxy *proxy_open(proxy_wire wire, const char *target, unsigned port, unsigned delay_us);

/* Ends all links and the thread. Accepts NULL. */
void proxy_close(proxy *);

unsigned proxy_port(const proxy *);

/* Writes the URL of the same database by way of a new proxy for its server on 127.0.0.1. NULL when that can't be had.
 */
proxy *proxy_before(const char *url, char *out_url, size_t room);

/* From now on these faults strike, in this order; counting starts anew. At most PROXY_FAULTS_MAX, 0 for none. */
void proxy_plan(proxy *, const proxy_fault *faults, size_t count);

/* How many of them have struck. */
unsigned proxy_struck(proxy *);

/* Whether a message to the server that holds the text came since the plan was made, up to the one that was struck
   first. The text is set by proxy_watch, for all plans that follow. Borrowed. */
void proxy_watch(proxy *, const char *text);
bool proxy_saw(proxy *);

/* Messages that went by, or were to, since the plan was made, and links that were opened since then. */
unsigned proxy_messages(proxy *, proxy_way);
unsigned proxy_links_opened(proxy *);

/* Whether clients are refused, as by a server that is down. Returns when that is so; links that are there stay. */
void proxy_refuse(proxy *, bool refuse);

/* Whether all goes one byte at a time. */
void proxy_trickle(proxy *, bool trickle);

/* Links that the server has still open, also those that a fault has silenced. */
unsigned proxy_links(proxy *);

/* Ends the links that a fault has silenced, or all links, with a reset for both sides. Returns when that is done. */
void proxy_let_go(proxy *);
void proxy_drop(proxy *);

#endif
