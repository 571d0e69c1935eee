/*
 * arena.h - memory that is freed all at once.
 * Tests: tests/unit/base.
 */
#ifndef BELAYI_BASE_ARENA_H
#define BELAYI_BASE_ARENA_H

#include <stddef.h>

typedef struct belayi_arena {
    struct belayi_block_of_memory *blocks;
    size_t left; /* bytes free at the end of the newest block */
} belayi_arena;

/* Zeroed is empty. Memory aligned for anything; NULL when there is none. */
void *belayi_arena_get(belayi_arena *, size_t size);

/* A copy of `size` bytes with a NUL behind them. */
char *belayi_arena_copy(belayi_arena *, const void *bytes, size_t size);

/* Frees everything; the arena is empty then. */
void belayi_arena_free(belayi_arena *);

#endif
