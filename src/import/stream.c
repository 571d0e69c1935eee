#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

enum { PIECE = BELAYI_STREAM_PIECE, WORD = 8, ASK_MS = 100 };

/* A hash of words; the last bytes wait until their word is full, so that it is the same for any pieces. */
struct hash {
    uint64_t state, size;
    unsigned char tail[WORD];
};

struct belayi_stream {
    belay_import_source source;
    void *arg;
    int file; /* -1: a program's source */
    bool (*ask)(void *arg);
    void *ask_arg;
    bool owned, ended;
    uint64_t offset, size;
    char *buffer;
    size_t capacity, begin, end; /* held: what is between */
    size_t hashed;               /* what is before is in the hash, or before the first fill */
    struct hash hash;
    belay_error failure;
};

static uint64_t mix_word(uint64_t state, const unsigned char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    state = (state ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return state ^ state >> 32;
}

static void hash_bytes(struct hash *h, const unsigned char *bytes, size_t size)
{
    size_t tail = h->size % WORD, at = 0;
    h->size += size;
    if (tail > 0) {
        at = size < WORD - tail ? size : WORD - tail;
        memcpy(h->tail + tail, bytes, at);
        if (tail + at < WORD)
            return;
        h->state = mix_word(h->state, h->tail);
    }
    uint64_t state = h->state;
    for (; size - at >= WORD; at += WORD)
        state = mix_word(state, bytes + at);
    h->state = state;
    if (at < size)
        memcpy(h->tail, bytes + at, size - at);
}

static uint64_t end_hash(struct hash h)
{
    memset(h.tail + h.size % WORD, 0, WORD - h.size % WORD);
    uint64_t state = mix_word(h.state, h.tail);
    memcpy(h.tail, &h.size, WORD);
    return mix_word(state, h.tail);
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static belay_code fail_open(const char *path, int number, belay_error *error)
{
    belay_code code = number == ENOENT || number == ENOTDIR ? BELAY_NOT_FOUND
                      : number == EACCES || number == EPERM ? BELAY_PERMISSION
                      : number == ENOMEM                    ? BELAY_NO_MEMORY
                                                            : BELAY_IO;
    return belayi_report(error, code, "the file %s can't be opened: %s", path, strerror(number));
}

static bool open_path(belayi_stream *s, const char *path, belay_error *error)
{
    struct stat status;
    s->owned = strcmp(path, "-") != 0;
    if (!s->owned)
        s->file = STDIN_FILENO;
    while (s->owned && (s->file = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        if (errno != EINTR)
            return fail_open(path, errno, error), false;
    if (fstat(s->file, &status) != 0)
        return fail_open(path, errno, error), false;
    if (S_ISDIR(status.st_mode))
        return fail_open(path, EISDIR, error), false;
    if (S_ISREG(status.st_mode)) {
        off_t at = lseek(s->file, 0, SEEK_CUR);
        s->size = at >= 0 && at < status.st_size ? (uint64_t)(status.st_size - at) : 0;
        (void)posix_fadvise(s->file, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    return true;
}

belayi_stream *belayi_stream_open(const char *path, belay_import_source source, void *arg, belay_error *error)
{
    belayi_stream *s = calloc(1, sizeof *s);
    if (!s)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory to read a file"), NULL;
    *s = (belayi_stream){.source = source, .arg = arg, .file = -1};
    if (path && !open_path(s, path, error)) {
        belayi_stream_close(s);
        return NULL;
    }
    return s;
}

void belayi_stream_close(belayi_stream *s)
{
    if (!s)
        return;
    if (s->owned && s->file >= 0)
        close(s->file);
    free(s->buffer);
    free(s);
}

void belayi_stream_ask(belayi_stream *s, bool (*ask)(void *arg), void *arg)
{
    s->ask = ask;
    s->ask_arg = arg;
}

/* ---- reading ------------------------------------------------------------------------------------------------- */

static void hash_consumed(belayi_stream *s)
{
    if (s->hashed < s->begin)
        hash_bytes(&s->hash, (const unsigned char *)s->buffer + s->hashed, s->begin - s->hashed);
    s->hashed = s->begin;
}

/* Room for `wanted` bytes in all, and then for a piece: what is held is moved to the front. */
static bool make_room(belayi_stream *s, size_t wanted)
{
    if (s->begin < s->end && wanted <= s->capacity - s->begin)
        return true;
    hash_consumed(s);
    if (s->buffer)
        memmove(s->buffer, s->buffer + s->begin, s->end - s->begin);
    s->end -= s->begin;
    s->begin = s->hashed = 0;
    if (wanted <= s->capacity)
        return true;
    char *more = wanted < SIZE_MAX - PIECE ? realloc(s->buffer, wanted + PIECE) : NULL;
    if (!more)
        return false;
    s->buffer = more;
    s->capacity = wanted + PIECE;
    return true;
}

/* Where the next byte that is read stands in the file. */
static unsigned long long read_offset(const belayi_stream *s)
{
    return (unsigned long long)s->offset + s->end - s->begin;
}

static belay_code keep_failure(belayi_stream *s, const char *why)
{
    return belayi_report(&s->failure, BELAY_IO, "reading failed at byte %llu: %s", read_offset(s), why);
}

/* Until there is something to read, its end or its failure included; false: it is not wanted any more. A signal cuts
   the wait short. */
static bool await(belayi_stream *s)
{
    struct pollfd input = {.fd = s->file, .events = POLLIN};
    for (;;) {
        if (s->ask && !s->ask(s->ask_arg))
            return belayi_report(&s->failure, BELAY_CANCELLED, "reading was stopped at byte %llu", read_offset(s)),
                   false;
        if (s->file < 0)
            return true;
        int ready = poll(&input, 1, s->ask ? ASK_MS : -1);
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
    }
}

/* Once; false when it failed. */
static bool read_piece(belayi_stream *s)
{
    char *to = s->buffer + s->end;
    size_t room = s->capacity - s->end;
    ptrdiff_t got;
    do { /* the other end of a pipe may have made ours one that doesn't wait */
        if (!await(s))
            return false;
        got = s->file < 0 ? s->source(s->arg, to, room) : read(s->file, to, room);
    } while (got < 0 && s->file >= 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0)
        return keep_failure(s, s->file < 0 ? "the program's source said so" : strerror(errno)), false;
    if ((size_t)got > room)
        return keep_failure(s, "the program's source gave more bytes than there was room for"), false;
    s->ended = got == 0;
    s->end += (size_t)got;
    return true;
}

belay_code belayi_stream_fill(belayi_stream *s, size_t wanted, const char **out_bytes, size_t *out_size,
                              belay_error *error)
{
    *out_bytes = NULL;
    *out_size = 0;
    if (wanted > s->end - s->begin && !s->ended && s->failure.code == BELAY_OK && !make_room(s, wanted))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory to read %zu bytes at once", wanted);
    while (wanted > s->end - s->begin && !s->ended)
        if (s->failure.code != BELAY_OK || !read_piece(s))
            return *error = s->failure, error->code;
    *out_bytes = s->buffer ? s->buffer + s->begin : "";
    *out_size = s->end - s->begin;
    return BELAY_OK;
}

void belayi_stream_consume(belayi_stream *s, size_t size)
{
    s->begin += size;
    s->offset += size;
}

belay_code belayi_stream_skip(belayi_stream *s, uint64_t size, belay_error *error)
{
    while (size > 0) {
        const char *bytes;
        size_t held;
        belay_code code = belayi_stream_fill(s, 1, &bytes, &held, error);
        if (code != BELAY_OK)
            return code;
        if (held == 0)
            return belayi_report(error, BELAY_DATA, "the file is shorter than it was: it ends at byte %llu",
                                 (unsigned long long)s->offset);
        if (held > size)
            held = (size_t)size;
        belayi_stream_consume(s, held);
        size -= held;
    }
    return BELAY_OK;
}

uint64_t belayi_stream_offset(const belayi_stream *s)
{
    return s->offset;
}

uint64_t belayi_stream_size(const belayi_stream *s)
{
    return s->size;
}

uint64_t belayi_stream_hash(belayi_stream *s)
{
    hash_consumed(s);
    return end_hash(s->hash);
}
