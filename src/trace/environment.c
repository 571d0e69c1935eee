/*
 * environment.c - BELAY_TRACE.
 *
 * The lock on the file settles who has it: a child after fork that opens handles
 * of its own while its parent writes is refused, as another process would be.
 */
#include "environment.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "writer.h"

static struct {
    pthread_mutex_t mutex;
    belay_trace_writer *writer; /* while handles are open */
    unsigned handles;
    char *path;       /* of the file, from the root: the program may change its directory */
    const char *name; /* its end: as it was in the environment */
    belay_trace_writer
        *parents; /* of the process that this one was forked from: not freed, as its mutex may be locked */
} process_trace = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* ---- Fork -------------------------------------------------------------------------------------------------------- */

static void hold_process_trace(void)
{
    pthread_mutex_lock(&process_trace.mutex);
}

static void release_process_trace(void)
{
    pthread_mutex_unlock(&process_trace.mutex);
}

/* The handles and their file are the parent's; those of the child go on in it when the parent has closed it. */
static void leave_to_parent(void)
{
    if (process_trace.writer) {
        belayi_trace_writer_disown(process_trace.writer);
        process_trace.parents = process_trace.writer;
        process_trace.writer = NULL;
        process_trace.handles = 0;
    }
    pthread_mutex_unlock(&process_trace.mutex);
}

static void watch_process_trace(void)
{
    pthread_atfork(hold_process_trace, release_process_trace, leave_to_parent);
}

/* ---- Handles ----------------------------------------------------------------------------------------------------- */

static void forget_path(void)
{
    free(process_trace.path);
    process_trace.path = NULL;
}

/* Remembers the file by its name. False without memory. */
static bool set_path(const char *name)
{
    char *directory = *name == '/' ? NULL : getcwd(NULL, 0), *path;
    int size = asprintf(&path, "%s%s%s", directory ? directory : "", directory ? "/" : "", name);
    free(directory);
    if (size < 0)
        return false;
    forget_path();
    process_trace.path = path;
    process_trace.name = path + (size_t)size - strlen(name);
    return true;
}

static belay_code open_process_trace(const char *name, belay_error *error)
{
    bool keep = process_trace.path && strcmp(process_trace.name, name) == 0;
    if (!keep && !set_path(name))
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for the writer of a trace");
    process_trace.writer = belayi_trace_writer_open(process_trace.path, BELAY_TRACE_BY_NAME, keep, error);
    if (process_trace.writer)
        return BELAY_OK;
    if (!keep)
        forget_path(); /* it was not emptied */
    return error->code;
}

belay_code belayi_trace_environment_open(belayi_trace *out, belay_error *error)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *name = secure_getenv("BELAY_TRACE");
    *out = (belayi_trace){0};
    if (!name || !*name)
        return BELAY_OK;
    pthread_once(&once, watch_process_trace);
    pthread_mutex_lock(&process_trace.mutex);
    belay_code code = process_trace.writer ? BELAY_OK : open_process_trace(name, error);
    if (process_trace.writer) {
        process_trace.handles++;
        *out = (belayi_trace){.write = belay_trace_write, .arg = process_trace.writer};
    }
    pthread_mutex_unlock(&process_trace.mutex);
    return code;
}

belay_code belayi_trace_environment_close(const belayi_trace *trace, belay_error *error)
{
    belay_code code = BELAY_OK;
    pthread_mutex_lock(&process_trace.mutex);
    if (process_trace.writer && trace->arg == process_trace.writer && --process_trace.handles == 0) {
        code = belayi_trace_writer_close(process_trace.writer, error);
        process_trace.writer = NULL;
    }
    pthread_mutex_unlock(&process_trace.mutex);
    return code;
}
