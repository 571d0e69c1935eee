#include "proxy_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HELD_ENOUGH = 64 * 1024, /* a message is held until it is whole, or there is so much of it */
    HELD_ROOM = 2 * HELD_ENOUGH,
    QUEUE_MAX = 8 * 1024 * 1024, /* under way: at 1 ms each way, 8 GB a second */
    HURRY_MS = 1000
};

struct proxy_chunk {
    proxy_chunk *next;
    int64_t due_ns;
    size_t size, sent;
    unsigned char bytes[];
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

/* ---- Beginning and ending ------------------------------------------------------------------------------ */

void proxy_link_begin(proxy_link *link, const proxy_desk *desk, int client, int server)
{
    *link = (proxy_link){.used = true, .sockets = {client, server}, .framings = proxy_framings_first(desk->wire)};
    for (int way = 0; way < 2; way++)
        link->flows[way].held = need(malloc(HELD_ROOM));
}

static void drop_first(proxy_flow *flow)
{
    proxy_chunk *chunk = flow->first;
    flow->first = chunk->next;
    if (!flow->first)
        flow->last = NULL;
    flow->queued -= chunk->size;
    free(chunk);
}

static void hang_up(proxy_link *link, int side, bool reset)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    if (link->sockets[side] < 0)
        return;
    if (reset)
        setsockopt(link->sockets[side], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(link->sockets[side]);
    link->sockets[side] = -1;
}

void proxy_link_end(proxy_link *link, bool reset)
{
    if (!link->used)
        return;
    link->used = false;
    for (int i = 0; i < 2; i++) {
        hang_up(link, i, reset);
        free(link->flows[i].held);
        while (link->flows[i].first)
            drop_first(&link->flows[i]);
    }
}

/* ---- Writing --------------------------------------------------------------------------------------------- */

static void queue(proxy_flow *flow, const proxy_desk *desk, const unsigned char *bytes, size_t size, int64_t now_ns)
{
    if (size == 0)
        return;
    proxy_chunk *chunk = need(malloc(sizeof *chunk + size));
    *chunk = (proxy_chunk){.due_ns = now_ns + desk->delay_ns, .size = size};
    memcpy(chunk->bytes, bytes, size);
    *(flow->last ? &flow->last->next : &flow->first) = chunk;
    flow->last = chunk;
    flow->queued += size;
}

/* Sends from the first chunk, at most so much. False when the socket takes no more, or is broken. */
static bool send_some(proxy_flow *flow, int to, size_t most)
{
    proxy_chunk *chunk = flow->first;
    size_t left = chunk->size - chunk->sent;
    ssize_t sent = send(to, chunk->bytes + chunk->sent, left < most ? left : most, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0)
        return false;
    chunk->sent += (size_t)sent;
    if (chunk->sent == chunk->size)
        drop_first(flow);
    return true;
}

static bool would_wait(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* What went by before the link breaks arrives. */
static void hurry(proxy_link *link, int way)
{
    struct pollfd socket = {.fd = link->sockets[1 - way], .events = POLLOUT};
    while (link->flows[way].first)
        if (!send_some(&link->flows[way], socket.fd, SIZE_MAX) && (!would_wait() || poll(&socket, 1, HURRY_MS) != 1))
            return;
}

/* Writes what is due. False when who receives is there no more. */
static bool write_due(proxy_link *link, int way, const proxy_desk *desk, int64_t now_ns)
{
    proxy_flow *flow = &link->flows[way];
    int to = link->sockets[1 - way];
    flow->filled = false;
    while (flow->first && flow->first->due_ns <= now_ns) {
        if (!send_some(flow, to, desk->trickle ? 1 : SIZE_MAX)) {
            flow->filled = would_wait();
            return flow->filled;
        }
        if (desk->trickle)
            break;
    }
    if (!flow->first && flow->ended && !flow->told) {
        shutdown(to, SHUT_WR);
        flow->told = true;
    }
    return true;
}

/* ---- Faults ---------------------------------------------------------------------------------------------- */

static proxy_framing framing_of(const proxy_link *link, proxy_way way)
{
    return way == PROXY_TO_SERVER ? link->framings.to_server : link->framings.to_client;
}

static bool holds(const unsigned char *bytes, size_t size, const char *text)
{
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

/* Counts a message. The fault that strikes it, or NULL. */
static const proxy_fault *count_message(proxy_desk *desk, proxy_way way, const unsigned char *bytes, size_t size)
{
    desk->messages[way]++;
    if (desk->watched && way == PROXY_TO_SERVER && desk->struck == 0)
        desk->saw |= holds(bytes, size, desk->watched);
    if (desk->struck == desk->count)
        return NULL;
    const proxy_fault *fault = &desk->faults[desk->struck];
    if (!desk->counting && (!fault->text || (way == PROXY_TO_SERVER && holds(bytes, size, fault->text))))
        desk->counting = true;
    if (!desk->counting || way != fault->way || ++desk->seen < fault->message)
        return NULL;
    desk->struck++;
    desk->counting = false;
    desk->seen = 0;
    return fault;
}

/* The message with rubbish from `keep` on; the same for the same message on every run. */
static void queue_rubbish(proxy_flow *flow, const proxy_desk *desk, const unsigned char *message, size_t keep,
                          size_t size, int64_t now_ns)
{
    unsigned char *bytes = need(malloc(size));
    memcpy(bytes, message, size);
    uint32_t state = 2463534242u + desk->messages[0] * 7919u + desk->messages[1];
    for (size_t i = keep; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[i] = (unsigned char)(state >> 11);
    }
    queue(flow, desk, bytes, size, now_ns);
    free(bytes);
}

static void break_link(proxy_link *link, proxy_act act)
{
    for (int way = 0; way < 2; way++)
        hurry(link, way);
    if (act == PROXY_RESET || act == PROXY_CLOSE) {
        proxy_link_end(link, act == PROXY_RESET);
        return;
    }
    link->silent = true;
    if (act == PROXY_LEAVE)
        hang_up(link, 0, false);
}

/* `whole` is the size of the message, of which `size` bytes are there. */
static void strike(proxy_link *link, proxy_way way, const proxy_desk *desk, const proxy_fault *fault,
                   const unsigned char *bytes, size_t size, size_t whole, int64_t now_ns)
{
    proxy_flow *flow = &link->flows[way];
    size_t half = whole / 2 < size ? whole / 2 : size;
    if (fault->act == PROXY_GARBAGE) {
        queue_rubbish(flow, desk, bytes, 0, size, now_ns);
    } else if (fault->act == PROXY_SCRAMBLE) {
        queue_rubbish(flow, desk, bytes, proxy_frame_head(framing_of(link, way)), size, now_ns);
    } else if (fault->act == PROXY_DOUBLE) {
        queue(flow, desk, bytes, size, now_ns);
        queue(flow, desk, bytes, size, now_ns);
    } else {
        queue(flow, desk, bytes, fault->place == PROXY_BEFORE ? 0 : fault->place == PROXY_MIDDLE ? half : size, now_ns);
        break_link(link, fault->act);
    }
}

/* ---- Reading --------------------------------------------------------------------------------------------- */

/* Takes the first message, or what there is of one that is too large to be held. Its size; 0: it isn't there yet. */
static size_t take_message(proxy_link *link, proxy_way way, proxy_desk *desk, const unsigned char *bytes, size_t size,
                           int64_t now_ns)
{
    proxy_flow *flow = &link->flows[way];
    size_t whole = proxy_frame_size(framing_of(link, way), bytes, size);
    if (whole == 0 || (size < whole && size < HELD_ENOUGH))
        return 0;
    size_t there = size < whole ? size : whole;
    flow->passing = whole - there;
    proxy_framings_pass(&link->framings, way, bytes, there);
    const proxy_fault *fault = count_message(desk, way, bytes, there);
    if (fault)
        strike(link, way, desk, fault, bytes, there, whole, now_ns);
    else
        queue(flow, desk, bytes, there, now_ns);
    return there;
}

static size_t take_rest(proxy_flow *flow, const proxy_desk *desk, const unsigned char *bytes, size_t size,
                        int64_t now_ns)
{
    size_t part = size < flow->passing ? size : flow->passing;
    queue(flow, desk, bytes, part, now_ns);
    flow->passing -= part;
    return part;
}

static void take_held(proxy_link *link, proxy_way way, proxy_desk *desk, int64_t now_ns)
{
    proxy_flow *flow = &link->flows[way];
    size_t at = 0, taken = 1;
    while (at < flow->held_size && taken > 0) {
        const unsigned char *bytes = flow->held + at;
        size_t size = flow->held_size - at;
        taken = flow->passing > 0 ? take_rest(flow, desk, bytes, size, now_ns)
                                  : take_message(link, way, desk, bytes, size, now_ns);
        if (!link->used || link->silent)
            return;
        at += taken;
    }
    flow->held_size -= at;
    memmove(flow->held, flow->held + at, flow->held_size);
}

/* False when who sends is there no more, and did not say that it had said all. */
static bool read_some(proxy_link *link, proxy_way way, proxy_desk *desk, int64_t now_ns)
{
    proxy_flow *flow = &link->flows[way];
    ssize_t size = recv(link->sockets[way], flow->held + flow->held_size, HELD_ROOM - flow->held_size, MSG_DONTWAIT);
    if (size < 0)
        return would_wait();
    flow->held_size += (size_t)size;
    flow->ended = size == 0;
    if (flow->ended) { /* a part of a message goes by as it is */
        queue(flow, desk, flow->held, flow->held_size, now_ns);
        flow->held_size = 0;
    } else {
        take_held(link, way, desk, now_ns);
    }
    return true;
}

/* ---- Moving ---------------------------------------------------------------------------------------------- */

static bool is_due(const proxy_flow *flow, int64_t now_ns)
{
    return flow->first && flow->first->due_ns <= now_ns;
}

short proxy_link_events(const proxy_link *link, int side, int64_t now_ns)
{
    const proxy_flow *from = &link->flows[side], *to = &link->flows[1 - side];
    if (!link->used || link->silent)
        return 0;
    bool reads = !from->ended && from->queued < QUEUE_MAX;
    return (short)((reads ? POLLIN : 0) | (is_due(to, now_ns) ? POLLOUT : 0));
}

int64_t proxy_link_due(const proxy_link *link)
{
    int64_t soonest = 0;
    for (int way = 0; way < 2 && link->used && !link->silent; way++) {
        const proxy_flow *flow = &link->flows[way];
        if (flow->first && !flow->filled && (soonest == 0 || flow->first->due_ns < soonest))
            soonest = flow->first->due_ns;
    }
    return soonest;
}

void proxy_link_move(proxy_link *link, proxy_desk *desk, const short happened[2], int64_t now_ns)
{
    bool sound = true;
    for (int way = 0; way < 2 && sound; way++) {
        if (happened[way] & (POLLIN | POLLHUP | POLLERR) && !link->flows[way].ended)
            sound = read_some(link, (proxy_way)way, desk, now_ns);
        if (!link->used || link->silent)
            return;
    }
    for (int way = 0; way < 2 && sound; way++)
        sound = write_due(link, way, desk, now_ns);
    if (!sound)
        proxy_link_end(link, true);
    else if (link->flows[0].told && link->flows[1].told)
        proxy_link_end(link, false);
}
