/*
 * writer.c - events into a file.
 *
 * An event is formatted and written under the writer's mutex, by one write(2).
 * What is written survives the process, so that a program that crashes leaves all
 * that it did, and above all the unit that it crashed in.
 */
#include "writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "fork.h"
#include "format.h"
#include "report.h"

enum { ROWS = 64 };

struct belay_trace_writer {
    pthread_mutex_t mutex;
    belayi_trace_file file;
    belayi_json text; /* of the event that is being written */
    belay_trace_format format;
    bool lost_one;       /* memory ran out for an event */
    uint64_t rows[ROWS]; /* sessions whose row has a name; which one is forgotten for another does not matter */
    int64_t pid;
    unsigned long long generation; /* of the process that opened it */
    char path[];
};

/* ---- Failures ---------------------------------------------------------------------------------------------------- */

static belay_code code_of_errno(int failure)
{
    switch (failure) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return BELAY_DISK_FULL;
    case EACCES:
    case EPERM:
        return BELAY_PERMISSION;
    case EROFS:
        return BELAY_READ_ONLY;
    case ENOMEM:
        return BELAY_NO_MEMORY;
    case EWOULDBLOCK:
        return BELAY_BUSY;
    default:
        return BELAY_IO;
    }
}

static belay_code report_failure(belay_error *error, const char *what, int failure, const char *path)
{
    char room[128];
    const char *why =
        failure == EWOULDBLOCK ? "another trace is being written to it" : strerror_r(failure, room, sizeof room);
    belayi_report(error, code_of_errno(failure), "%s (%s): %s", what, why, path);
    error->native_code = failure;
    return error->code;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static belay_trace_format format_of(const char *path)
{
    static const char lines[] = ".jsonl";
    size_t size = strlen(path), end = sizeof lines - 1;
    bool is_lines = size >= end && strcmp(path + size - end, lines) == 0;
    return is_lines ? BELAY_TRACE_JSON_LINES : BELAY_TRACE_CHROME;
}

static const char *end_of(const belay_trace_writer *w)
{
    return w->format == BELAY_TRACE_CHROME ? BELAYI_CHROME_END : "";
}

/* Writes the text, if all of it is there. */
static void put_text_of(belay_trace_writer *w)
{
    if (w->text.failed)
        w->lost_one = true;
    else
        belayi_trace_file_put(&w->file, w->text.text, w->text.size);
    belayi_json_clear(&w->text);
}

static void begin_file(belay_trace_writer *w)
{
    belayi_trace_file_take_off(&w->file, end_of(w));
    if (w->format != BELAY_TRACE_CHROME || (w->file.regular && w->file.size > 0))
        return;
    belayi_format_chrome_begin(&w->text, w->pid);
    put_text_of(w);
}

static bool is_of_this_process(const belay_trace_writer *w)
{
    return w->generation == belayi_fork_generation();
}

static void free_writer(belay_trace_writer *w)
{
    belayi_json_free(&w->text);
    if (is_of_this_process(w)) /* else a thread that this process has not may have locked it */
        pthread_mutex_destroy(&w->mutex);
    free(w);
}

static belay_trace_writer *new_writer(const char *path, belay_trace_format format)
{
    size_t size = strlen(path) + 1;
    belay_trace_writer *w = calloc(1, sizeof *w + size);
    if (!w)
        return NULL;
    belayi_fork_watch();
    pthread_mutex_init(&w->mutex, NULL);
    w->format = format == BELAY_TRACE_BY_NAME ? format_of(path) : format;
    w->pid = getpid();
    w->generation = belayi_fork_generation();
    memcpy(w->path, path, size);
    return w;
}

belay_trace_writer *belayi_trace_writer_open(const char *path, belay_trace_format format, bool keep, belay_error *error)
{
    if (!path || !*path || format > BELAY_TRACE_CHROME) {
        belayi_report(error, BELAY_MISUSE, "a trace needs the name of a file, and a format that there is");
        return NULL;
    }
    belay_trace_writer *w = new_writer(path, format);
    if (!w) {
        belayi_report(error, BELAY_NO_MEMORY, "no memory for the writer of a trace");
        return NULL;
    }
    int failure = belayi_trace_file_open(&w->file, path, keep);
    if (failure) {
        report_failure(error, "the file of the trace can't be opened", failure, path);
        free_writer(w);
        return NULL;
    }
    begin_file(w);
    return w;
}

belay_trace_writer *belay_trace_open(const char *path, belay_trace_format format, belay_error *error)
{
    belay_error unread;
    return belayi_trace_writer_open(path, format, false, error ? error : &unread);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* A row gets its name before its first event. Getting it twice does no harm. */
static void name_row(belay_trace_writer *w, uint64_t session)
{
    uint64_t *row = &w->rows[session % ROWS];
    if (*row == session + 1)
        return;
    *row = session + 1;
    belayi_format_chrome_row(&w->text, session, w->pid);
}

static void put_event(belay_trace_writer *w, const belay_trace_event *event)
{
    if (w->format == BELAY_TRACE_JSON_LINES) {
        belayi_format_line(&w->text, event, w->pid);
    } else {
        name_row(w, event->session);
        belayi_format_chrome(&w->text, event, w->pid);
    }
    put_text_of(w);
}

void belay_trace_write(void *writer, const belay_trace_event *given)
{
    belay_trace_writer *w = writer;
    if (!w || !given || !is_of_this_process(w))
        return;
    belay_trace_event event = {.size = sizeof event};
    memcpy(&event, given, given->size > 0 && given->size < sizeof event ? given->size : sizeof event);
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel); /* write(2) could end the thread with the mutex locked */
    pthread_mutex_lock(&w->mutex);
    put_event(w, &event);
    pthread_mutex_unlock(&w->mutex);
    pthread_setcancelstate(cancel, NULL);
}

/* ---- Closing ----------------------------------------------------------------------------------------------------- */

void belayi_trace_writer_disown(belay_trace_writer *w)
{
    belayi_trace_file_disown(&w->file);
}

static belay_code end_file(belay_trace_writer *w, belay_error *error)
{
    int failure = belayi_trace_file_close(&w->file, end_of(w));
    if (failure)
        return report_failure(error, "the trace is not complete", failure, w->path);
    if (w->lost_one)
        return report_failure(error, "the trace is not complete", ENOMEM, w->path);
    return BELAY_OK;
}

belay_code belayi_trace_writer_close(belay_trace_writer *w, belay_error *error)
{
    belay_code code = BELAY_OK;
    if (is_of_this_process(w))
        code = end_file(w, error);
    else
        belayi_trace_writer_disown(w);
    free_writer(w);
    return code;
}

belay_code belay_trace_close(belay_trace_writer *w)
{
    belay_error unread;
    return w ? belayi_trace_writer_close(w, &unread) : BELAY_OK;
}
