#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

enum { ROOM = 1 << 16 };

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static belay_code fail(const char *what, const char *path, int why, belay_error *error)
{
    belay_code code = why == ENOSPC || why == EDQUOT  ? BELAY_DISK_FULL
                      : why == EACCES || why == EROFS ? BELAY_PERMISSION
                      : why == ENOENT                 ? BELAY_NOT_FOUND
                                                      : BELAY_IO;
    return belayi_report(error, code, "%s can't be %s: %s", path, what, strerror(why));
}

static bool is_same_file(const struct stat *one, const char *path)
{
    struct stat other;
    return path && stat(path, &other) == 0 && one->st_dev == other.st_dev && one->st_ino == other.st_ino;
}

/* Cuts the file to `size` bytes. */
static belay_code cut(belayi_output *o, const struct stat *found, uint64_t size, belay_error *error)
{
    if (!S_ISREG(found->st_mode))
        return size == 0 ? BELAY_OK
                         : belayi_report(error, BELAY_MISUSE, "%s is not a file that can be continued", o->path);
    if ((uint64_t)found->st_size < size)
        return belayi_report(error, BELAY_DATA,
                             "%s has %lld bytes, and had %llu when the import was stopped: it is not the same file",
                             o->path, (long long)found->st_size, (unsigned long long)size);
    if (ftruncate(o->file, (off_t)size) != 0 || lseek(o->file, 0, SEEK_END) < 0)
        return fail("written", o->path, errno, error);
    o->size = size;
    return BELAY_OK;
}

static belay_code begin(belayi_output *o, const char *input, uint64_t size, belay_error *error)
{
    struct stat found;
    o->file = open(o->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
    if (o->file < 0)
        return fail("opened", o->path, errno, error);
    if (fstat(o->file, &found) != 0)
        return fail("opened", o->path, errno, error);
    if (is_same_file(&found, input))
        return belayi_report(error, BELAY_MISUSE, "%s is the file that is imported: give the rejects another one",
                             o->path);
    return cut(o, &found, size, error);
}

belayi_output *belayi_output_open(const char *path, const char *input, uint64_t size, belay_error *error)
{
    belayi_output *o = malloc(sizeof *o);
    char *buffer = malloc(ROOM);
    if (o)
        *o = (belayi_output){.path = path, .file = -1, .buffer = buffer};
    if (!o || !buffer)
        belayi_report(error, BELAY_NO_MEMORY, "no memory to write %s", path);
    else if (begin(o, input, size, error) == BELAY_OK)
        return o;
    if (!o)
        free(buffer);
    belayi_output_close(o);
    return NULL;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void send(belayi_output *o, const char *bytes, size_t size)
{
    while (size > 0 && !o->failure) {
        ssize_t done = write(o->file, bytes, size);
        if (done < 0 && errno != EINTR)
            o->failure = errno;
        if (done <= 0)
            continue;
        bytes += done;
        size -= (size_t)done;
    }
}

static void flush(belayi_output *o)
{
    send(o, o->buffer, o->held);
    o->held = 0;
}

void belayi_output_put(belayi_output *o, const char *bytes, size_t size)
{
    o->size += size;
    if (size > ROOM - o->held)
        flush(o);
    if (size > ROOM) {
        send(o, bytes, size);
        return;
    }
    if (size > 0)
        memcpy(o->buffer + o->held, bytes, size);
    o->held += size;
}

belay_code belayi_output_check(const belayi_output *o, belay_error *error)
{
    return o->failure ? fail("written", o->path, o->failure, error) : BELAY_OK;
}

belay_code belayi_output_sync(belayi_output *o, belay_error *error)
{
    flush(o);
    /* what is no file of a disk can't be synced, and need not be */
    if (!o->failure && fdatasync(o->file) != 0 && errno != EINVAL && errno != EROFS)
        o->failure = errno;
    return belayi_output_check(o, error);
}

void belayi_output_close(belayi_output *o)
{
    if (!o)
        return;
    if (o->file >= 0) {
        flush(o);
        close(o->file);
    }
    free(o->buffer);
    free(o);
}
