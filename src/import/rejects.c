#include "rejects.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"

/* ---- Opening --------------------------------------------------------------------------------------------------------
 */

static belay_code fail(const char *what, const char *path, int why, belay_error *error)
{
    belay_code code = why == ENOSPC || why == EDQUOT ? BELAY_DISK_FULL
                      : why == EACCES                ? BELAY_PERMISSION
                      : why == ENOENT                ? BELAY_NOT_FOUND
                                                     : BELAY_IO;
    return belayi_report(error, code, "%s can't be %s: %s", path, what, strerror(why));
}

static bool is_same_file(const struct stat *one, const char *path)
{
    struct stat other;
    return path && stat(path, &other) == 0 && one->st_dev == other.st_dev && one->st_ino == other.st_ino;
}

/* Cuts the file back to `size`. */
static belay_code cut(int file, const char *path, const struct stat *found, uint64_t size, belay_error *error)
{
    if (!S_ISREG(found->st_mode))
        return size == 0 ? BELAY_OK
                         : belayi_report(error, BELAY_MISUSE, "%s is not a file that can be continued", path);
    if ((uint64_t)found->st_size < size)
        return belayi_report(error, BELAY_DATA,
                             "%s has %lld bytes, and had %llu when the import was stopped: it is not the same file",
                             path, (long long)found->st_size, (unsigned long long)size);
    if (ftruncate(file, (off_t)size) != 0 || lseek(file, 0, SEEK_END) < 0)
        return fail("written", path, errno, error);
    return BELAY_OK;
}

static belay_code open_one(FILE **out_file, const char *path, const char *input, uint64_t size, belay_error *error)
{
    struct stat found;
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        return fail("opened", path, errno, error);
    belay_code code = BELAY_OK;
    if (fstat(file, &found) != 0)
        code = fail("opened", path, errno, error);
    else if (is_same_file(&found, input))
        code =
            belayi_report(error, BELAY_MISUSE, "%s is the file that is imported: give the rejects another one", path);
    else
        code = cut(file, path, &found, size, error);
    if (code == BELAY_OK && !(*out_file = fdopen(file, "a")))
        code = fail("opened", path, errno, error);
    if (code != BELAY_OK)
        close(file);
    return code;
}

belay_code belayi_rejects_open(belayi_rejects *r, const char *records, const char *reasons, const char *input,
                               const belayi_rejects_sizes *sizes, belay_error *error)
{
    static const belayi_rejects_sizes empty;
    belay_code code = BELAY_OK;
    *r = (belayi_rejects){.records_path = records, .reasons_path = reasons};
    if (records && reasons && strcmp(records, reasons) == 0)
        code = belayi_report(error, BELAY_MISUSE, "%s can't be both, the file of the rejects and that of their errors",
                             records);
    if (code == BELAY_OK && records)
        code = open_one(&r->records, records, input, (sizes ? sizes : &empty)->records, error);
    if (code == BELAY_OK && reasons)
        code = open_one(&r->reasons, reasons, input, (sizes ? sizes : &empty)->reasons, error);
    if (code != BELAY_OK)
        belayi_rejects_close(r);
    return code;
}

void belayi_rejects_close(belayi_rejects *r)
{
    if (r->records)
        fclose(r->records);
    if (r->reasons)
        fclose(r->reasons);
    belayi_json_free(&r->line);
    *r = (belayi_rejects){0};
}

/* ---- Writing
 * --------------------------------------------------------------------------------------------------------- */

static void put(belayi_rejects *r, FILE *file, const char *bytes, size_t size)
{
    if (size > 0 && !r->failed && fwrite(bytes, 1, size, file) != size) {
        r->why = errno;
        r->failed = true;
    }
}

void belayi_rejects_begin(belayi_rejects *r, const char *header, size_t size)
{
    belayi_rejects_more(r, header, size);
}

void belayi_rejects_more(belayi_rejects *r, const char *bytes, size_t size)
{
    if (r->records)
        put(r, r->records, bytes, size);
}

static void write_reason(belayi_rejects *r, const belay_import_reject *reject)
{
    belayi_json *j = &r->line;
    const belay_error *error = reject->error;
    belayi_json_clear(j);
    belayi_json_put(j, "{");
    belayi_json_put_natural(j, "record", reject->record);
    belayi_json_put_natural(j, "line", reject->line);
    belayi_json_put_natural(j, "offset", reject->offset);
    if (reject->column[0])
        belayi_json_put_text(j, "column", reject->column);
    belayi_json_put_text(j, "value", reject->value);
    belayi_json_put_text(j, "code", belay_code_name(error->code));
    if (error->sqlstate[0])
        belayi_json_put_text(j, "sqlstate", error->sqlstate);
    if (error->constraint[0])
        belayi_json_put_text(j, "constraint", error->constraint);
    belayi_json_put_text(j, "message", error->message);
    belayi_json_put(j, "}\n");
    if (j->failed) {
        r->failed = true;
        r->why = ENOMEM;
        return;
    }
    put(r, r->reasons, j->text, j->size);
}

void belayi_rejects_write(belayi_rejects *r, const belay_import_reject *reject)
{
    belayi_rejects_more(r, reject->raw, reject->raw_size);
    if (r->reasons)
        write_reason(r, reject);
}

static belay_code sync_one(belayi_rejects *r, FILE *file, const char *path, uint64_t *out_size, belay_error *error)
{
    struct stat found;
    *out_size = 0;
    if (!file)
        return BELAY_OK;
    if (r->failed)
        return fail("written", path, r->why, error);
    if (fflush(file) != 0 || fstat(fileno(file), &found) != 0)
        return fail("written", path, errno, error);
    if (S_ISREG(found.st_mode) && fdatasync(fileno(file)) != 0)
        return fail("written", path, errno, error);
    *out_size = (uint64_t)found.st_size;
    return BELAY_OK;
}

belay_code belayi_rejects_sync(belayi_rejects *r, belayi_rejects_sizes *out_sizes, belay_error *error)
{
    belay_code code = sync_one(r, r->records, r->records_path, &out_sizes->records, error);
    return code == BELAY_OK ? sync_one(r, r->reasons, r->reasons_path, &out_sizes->reasons, error) : code;
}
