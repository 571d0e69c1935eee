#include "scarce.h"

#include <errno.h>
#include <stddef.h>

static struct {
    unsigned fail_at;
    bool onwards;
    unsigned calls, failed;
    long blocks;
} memory;

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
char *__real_strdup(const char *);
void __real_free(void *);
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
char *__wrap_strdup(const char *);
void __wrap_free(void *);

static bool runs_out(void)
{
    memory.calls++;
    bool due =
        memory.fail_at > 0 && (memory.calls == memory.fail_at || (memory.onwards && memory.calls > memory.fail_at));
    memory.failed += due;
    if (due)
        errno = ENOMEM;
    return due;
}

static void *counted(void *block)
{
    memory.blocks += block != NULL;
    return block;
}

void *__wrap_malloc(size_t size)
{
    return runs_out() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return runs_out() ? NULL : counted(__real_calloc(count, size));
}

void *__wrap_realloc(void *block, size_t size)
{
    if (runs_out())
        return NULL;
    void *grown = __real_realloc(block, size);
    memory.blocks += !block && grown;
    return grown;
}

char *__wrap_strdup(const char *text)
{
    return runs_out() ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *block)
{
    memory.blocks -= block != NULL;
    __real_free(block);
}

void scarce_arm(unsigned fail_at, bool onwards)
{
    memory.fail_at = fail_at;
    memory.onwards = onwards;
    memory.calls = memory.failed = 0;
}

void scarce_disarm(void)
{
    memory.fail_at = 0;
}

unsigned scarce_failed(void)
{
    return memory.failed;
}

long scarce_blocks(void)
{
    return memory.blocks;
}
