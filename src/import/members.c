#include "members.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = 32, FEW = 12 };

static int compare_texts(const char *a, size_t a_size, const char *b, size_t b_size)
{
    if (a_size != b_size)
        return a_size < b_size ? -1 : 1;
    return a_size > 0 ? memcmp(a, b, a_size) : 0;
}

static int compare_members(const void *left, const void *right)
{
    const belayi_member *a = left, *b = right;
    return compare_texts(a->name, a->size, b->name, b->size);
}

bool belayi_members_select(belayi_members *m, size_t count, const char *const *names, bool strict)
{
    belayi_member *wanted = belayi_arena_get(&m->memory, count * sizeof *wanted);
    for (size_t i = 0; wanted && i < count; i++) {
        size_t size = strlen(names[i]);
        wanted[i] = (belayi_member){belayi_arena_copy(&m->memory, names[i], size), size, i};
        if (!wanted[i].name)
            return false;
    }
    if (!wanted)
        return false;
    qsort(wanted, count, sizeof *wanted, compare_members);
    m->wanted = wanted;
    m->wanted_count = count;
    m->selected = true;
    m->strict = strict;
    return true;
}

const belayi_member *belayi_members_want(belayi_members *m, const char *name, size_t size)
{
    const belayi_member asked = {.name = name, .size = size};
    return m->wanted_count > 0 ? bsearch(&asked, m->wanted, m->wanted_count, sizeof asked, compare_members) : NULL;
}

bool belayi_members_add(belayi_members *m, const char *name, size_t size)
{
    if (m->count == m->capacity) {
        size_t capacity = m->capacity > 0 ? m->capacity * 2 : FIRST;
        belayi_member *found = realloc(m->found, capacity * sizeof *found);
        m->found = found ? found : m->found;
        const char **names = realloc(m->names, capacity * sizeof *names);
        m->names = names ? names : m->names;
        if (!found || !names)
            return false;
        m->capacity = capacity;
    }
    m->names[m->count] = name;
    m->found[m->count] = (belayi_member){name, size, m->count};
    m->count++;
    return true;
}

const belayi_member *belayi_members_twin(belayi_members *m)
{
    if (m->count <= FEW) {
        for (size_t i = 1; i < m->count; i++)
            for (size_t k = 0; k < i; k++)
                if (compare_members(&m->found[i], &m->found[k]) == 0)
                    return &m->found[i];
        return NULL;
    }
    qsort(m->found, m->count, sizeof *m->found, compare_members);
    for (size_t i = 1; i < m->count; i++)
        if (compare_members(&m->found[i - 1], &m->found[i]) == 0)
            return &m->found[i];
    return NULL;
}

void belayi_members_done(belayi_members *m)
{
    free(m->found);
    free(m->names);
    belayi_arena_free(&m->memory);
    *m = (belayi_members){.count = 0};
}
