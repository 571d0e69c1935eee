/*
 * stream.h - the bytes of a file, a pipe, or a program's own source.
 *
 * Reads large pieces. The hash is of what has been handed out as consumed, so that
 * a resumed import can prove that it goes on in the same file.
 *
 * Must not know: what the bytes mean.
 * Tests: tests/unit/import/test_stream.c.
 */
#ifndef BELAYI_IMPORT_STREAM_H
#define BELAYI_IMPORT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/import.h>

/* Bytes that are read at once; the fuzzer has them smaller, so that records straddle them. */
#ifndef BELAYI_STREAM_PIECE
#define BELAYI_STREAM_PIECE 262144
#endif

typedef struct belayi_stream belayi_stream;

/* `path` ("-": the standard input), or else `source`. NULL on failure: BELAY_NOT_FOUND, BELAY_PERMISSION, BELAY_IO (a
   folder), BELAY_NO_MEMORY. */
belayi_stream *belayi_stream_open(const char *path, belay_import_source source, void *arg, belay_error *error);
void belayi_stream_close(belayi_stream *); /* accepts NULL */

/* `ask` is asked before each read, and several times a second while bytes are awaited; false: nothing more is read, and
   fill fails with BELAY_CANCELLED. */
void belayi_stream_ask(belayi_stream *, bool (*ask)(void *arg), void *arg);

/* All that is held: at least `wanted` bytes unless the source has ended before. Good until the next fill or skip, also
   when it was consumed. What is held is given even after a failure, when no more than it is wanted. */
belay_code belayi_stream_fill(belayi_stream *, size_t wanted, const char **out_bytes, size_t *out_size,
                              belay_error *error);
/* The first `size` of them are done with. */
void belayi_stream_consume(belayi_stream *, size_t size);

/* Consumes that many bytes; BELAY_DATA when there are fewer. For a file they are read all the same: for the hash. */
belay_code belayi_stream_skip(belayi_stream *, uint64_t size, belay_error *error);

uint64_t belayi_stream_offset(const belayi_stream *); /* bytes that were consumed */
uint64_t belayi_stream_size(const belayi_stream *);   /* of a regular file; 0: not known */
uint64_t belayi_stream_hash(belayi_stream *);         /* of what was consumed; the same however it was read */

#endif
