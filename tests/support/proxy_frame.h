/*
 * proxy_frame.h - where a message of a protocol ends.
 *
 * Knows the framing of one way of a link and nothing of sockets.
 * Tests: tests/unit/support/test_proxy.c.
 */
#ifndef BELAY_TESTS_PROXY_FRAME_H
#define BELAY_TESTS_PROXY_FRAME_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy.h"

/* How the next message of a way is framed. */
typedef enum proxy_framing {
    PROXY_FRAMES_NONE,    /* whatever there is */
    PROXY_FRAMES_BYTE,    /* a single byte: PostgreSQL's answer to who asks for encryption */
    PROXY_FRAMES_STARTUP, /* PostgreSQL's first: a length that counts itself */
    PROXY_FRAMES_TYPED,   /* a type, and a length that counts itself and not the type */
    PROXY_FRAMES_PACKET   /* MariaDB's */
} proxy_framing;

typedef struct proxy_framings {
    proxy_framing to_server, to_client;
} proxy_framings;

/* Of a new link. */
proxy_framings proxy_framings_first(proxy_wire wire);

/* The whole size of the message that these bytes begin with, which may be more than there are; 0 when it can't be told
   yet. Never more than 4 GB and a little. */
size_t proxy_frame_size(proxy_framing framing, const unsigned char *bytes, size_t size);

/* How many bytes at the beginning of a message say where it ends. */
size_t proxy_frame_head(proxy_framing framing);

/* What a message, of which there are so many bytes, means for the framing of those after it. */
void proxy_framings_pass(proxy_framings *framings, proxy_way way, const unsigned char *bytes, size_t size);

#endif
