#include "arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct belayi_block_of_memory {
    struct belayi_block_of_memory *older;
    size_t size;
    alignas(max_align_t) unsigned char bytes[];
} block;

enum { FIRST_BLOCK = 1024, LARGEST_BLOCK = 1 << 20, ALIGNMENT = alignof(max_align_t) };

static block *add_block(belayi_arena *arena, size_t size)
{
    size_t next = arena->blocks ? 2 * arena->blocks->size : FIRST_BLOCK;
    if (next > LARGEST_BLOCK)
        next = LARGEST_BLOCK;
    if (next < size)
        next = size;
    block *b = malloc(sizeof *b + next);
    if (!b)
        return NULL;
    b->older = arena->blocks;
    b->size = arena->left = next;
    arena->blocks = b;
    return b;
}

void *belayi_arena_get(belayi_arena *arena, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + (size == 0) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; /* nothing has an address too */
    if (size > arena->left && !add_block(arena, size))
        return NULL;
    void *memory = arena->blocks->bytes + (arena->blocks->size - arena->left);
    arena->left -= size;
    return memory;
}

char *belayi_arena_copy(belayi_arena *arena, const void *bytes, size_t size)
{
    char *copy = belayi_arena_get(arena, size + 1);
    if (!copy)
        return NULL;
    if (size > 0)
        memcpy(copy, bytes, size);
    copy[size] = '\0';
    return copy;
}

void belayi_arena_free(belayi_arena *arena)
{
    while (arena->blocks) {
        block *older = arena->blocks->older;
        free(arena->blocks);
        arena->blocks = older;
    }
    arena->left = 0;
}
