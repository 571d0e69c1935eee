#include "proxy_frame.h"

#include <stdint.h>

/* PostgreSQL's "versions" of first messages that ask for something else than a session. */
enum { CODE_SSL = 80877103, CODE_GSS = 80877104 };

proxy_framings proxy_framings_first(proxy_wire wire)
{
    if (wire == PROXY_POSTGRESQL)
        return (proxy_framings){PROXY_FRAMES_STARTUP, PROXY_FRAMES_TYPED};
    if (wire == PROXY_MARIADB)
        return (proxy_framings){PROXY_FRAMES_PACKET, PROXY_FRAMES_PACKET};
    return (proxy_framings){PROXY_FRAMES_NONE, PROXY_FRAMES_NONE};
}

static uint32_t read_big(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* A length that counts itself is 4 at least; one that is less is nonsense, and passes alone. */
static size_t counted_size(const unsigned char *length, size_t before)
{
    uint32_t size = read_big(length);
    return before + (size < 4 ? 4 : size);
}

size_t proxy_frame_size(proxy_framing framing, const unsigned char *bytes, size_t size)
{
    switch (framing) {
    case PROXY_FRAMES_NONE:
        return size;
    case PROXY_FRAMES_BYTE:
        return 1;
    case PROXY_FRAMES_STARTUP:
        return size < 4 ? 0 : counted_size(bytes, 0);
    case PROXY_FRAMES_TYPED:
        return size < 5 ? 0 : counted_size(bytes + 1, 1);
    case PROXY_FRAMES_PACKET:
        return size < 4 ? 0 : 4 + ((size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16);
    }
    return size;
}

size_t proxy_frame_head(proxy_framing framing)
{
    static const size_t heads[] = {[PROXY_FRAMES_STARTUP] = 4, [PROXY_FRAMES_TYPED] = 5, [PROXY_FRAMES_PACKET] = 4};
    return heads[framing];
}

static void pass_startup(proxy_framings *framings, const unsigned char *bytes, size_t size)
{
    uint32_t code = size >= 8 ? read_big(bytes + 4) : 0;
    if (code == CODE_SSL || code == CODE_GSS)
        framings->to_client = PROXY_FRAMES_BYTE;
    else
        framings->to_server = PROXY_FRAMES_TYPED;
}

void proxy_framings_pass(proxy_framings *framings, proxy_way way, const unsigned char *bytes, size_t size)
{
    if (way == PROXY_TO_SERVER && framings->to_server == PROXY_FRAMES_STARTUP) {
        pass_startup(framings, bytes, size);
    } else if (way == PROXY_TO_CLIENT && framings->to_client == PROXY_FRAMES_BYTE) {
        bool refused = size > 0 && bytes[0] == 'N';
        framings->to_client = refused ? PROXY_FRAMES_TYPED : PROXY_FRAMES_NONE;
        if (!refused)
            framings->to_server = PROXY_FRAMES_NONE;
    }
}
