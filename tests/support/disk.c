#include "disk.h"

#include <sqlite3.h>
#include <stddef.h>

disk_fault disk;

static bool fails_now(void)
{
    if (disk.countdown == 0)
        return false;
    if (disk.countdown > 1) {
        disk.countdown--;
        return false;
    }
    if (!disk.for_good)
        disk.countdown = 0;
    return true;
}

/* Each open file has the methods that it came with, which are others for a database than for a journal, but for these.
 */
static sqlite3_vfs *real_vfs;
static sqlite3_io_methods real_methods, failing_methods[2];

static int failing_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 at)
{
    return fails_now() ? disk.failure : real_methods.xWrite(file, data, size, at);
}

static int failing_sync(sqlite3_file *file, int flags)
{
    return fails_now() ? SQLITE_IOERR_FSYNC : real_methods.xSync(file, flags);
}

static int failing_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    return fails_now() ? SQLITE_IOERR_TRUNCATE : real_methods.xTruncate(file, size);
}

static int failing_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags)
{
    (void)vfs;
    int rc = real_vfs->xOpen(real_vfs, name, file, flags, out_flags);
    if (rc == SQLITE_OK && file->pMethods) {
        sqlite3_io_methods *methods = &failing_methods[flags & SQLITE_OPEN_MAIN_DB ? 0 : 1];
        real_methods = *methods = *file->pMethods;
        methods->xWrite = failing_write;
        methods->xSync = failing_sync;
        methods->xTruncate = failing_truncate;
        file->pMethods = methods;
    }
    return rc;
}

static int failing_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    return fails_now() ? SQLITE_IOERR_DELETE : real_vfs->xDelete(real_vfs, name, sync);
}

bool disk_install(void)
{
    static sqlite3_vfs failing;
    real_vfs = sqlite3_vfs_find(NULL);
    failing = *real_vfs;
    failing.zName = "failing";
    failing.pNext = NULL;
    failing.xOpen = failing_open;
    failing.xDelete = failing_delete;
    return sqlite3_vfs_register(&failing, 1) == SQLITE_OK;
}
