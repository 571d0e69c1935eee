#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* A program that has closed its standard error must not get what is printed there into its trace. */
static int move_up(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int failure = errno;
    close(fd);
    errno = failure;
    return moved;
}

/* O_APPEND: should two processes write to it all the same, neither writes over what the other wrote. */
static int open_path(const char *path, bool keep)
{
    int flags = O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | (keep ? O_RDWR : O_WRONLY);
    int fd;
    do
        fd = open(path, flags, 0666);
    while (fd < 0 && errno == EINTR);
    return move_up(fd);
}

/* Some file systems have no locks; there the lock is no reason to do without a trace. */
static bool is_taken(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

static int prepare_file(belayi_trace_file *file, bool keep)
{
    struct stat about;
    if (fstat(file->fd, &about) != 0)
        return errno;
    file->regular = S_ISREG(about.st_mode);
    file->pipe = S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode);
    if (!file->regular)
        return 0;
    if (is_taken(file->fd))
        return EWOULDBLOCK;
    if (!keep && ftruncate(file->fd, 0) != 0)
        return errno;
    if (fstat(file->fd, &about) != 0)
        return errno;
    file->size = about.st_size;
    return 0;
}

int belayi_trace_file_open(belayi_trace_file *file, const char *path, bool keep)
{
    *file = (belayi_trace_file){.fd = open_path(path, keep)};
    if (file->fd < 0)
        return errno;
    int failure = prepare_file(file, keep);
    if (failure)
        close(file->fd);
    return failure;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

/* Returns 0 or errno. */
static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : ENOSPC;
        bytes += written;
        size -= (size_t)written;
    }
    return 0;
}

/* The same, but without the signal that a pipe without a reader raises, unless it was pending before. */
static int write_quietly(int fd, const char *bytes, size_t size)
{
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    int failure = write_all(fd, bytes, size);
    if (failure == EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&broken, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failure;
}

static int write_piece(const belayi_trace_file *file, const char *bytes, size_t size)
{
    return file->pipe ? write_quietly(file->fd, bytes, size) : write_all(file->fd, bytes, size);
}

void belayi_trace_file_put(belayi_trace_file *file, const char *piece, size_t size)
{
    if (file->failure)
        return;
    file->failure = write_piece(file, piece, size);
    if (!file->failure)
        file->size += (int64_t)size;
    else if (file->regular && ftruncate(file->fd, file->size) != 0)
        file->regular = false; /* half a piece is in the way: nothing more is done to it */
}

void belayi_trace_file_take_off(belayi_trace_file *file, const char *end)
{
    char last[16];
    int64_t size = (int64_t)strlen(end);
    if (!file->regular || file->size < size || size > (int64_t)sizeof last)
        return;
    if (pread(file->fd, last, (size_t)size, file->size - size) != size || memcmp(last, end, (size_t)size) != 0)
        return;
    if (ftruncate(file->fd, file->size - size) == 0)
        file->size -= size;
}

/* ---- Closing ----------------------------------------------------------------------------------------------------- */

int belayi_trace_file_close(belayi_trace_file *file, const char *end)
{
    if (!file->failure || file->regular) {
        int failure = write_piece(file, end, strlen(end));
        file->failure = file->failure ? file->failure : failure;
    }
    if (file->regular)
        flock(file->fd, LOCK_UN); /* a child after fork may still have it open */
    if (close(file->fd) != 0 && !file->failure && errno != EINTR)
        file->failure = errno;
    return file->failure;
}

void belayi_trace_file_disown(belayi_trace_file *file)
{
    close(file->fd);
}
