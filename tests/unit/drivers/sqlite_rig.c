#include "sqlite_rig.h"

#include <dirent.h>
#include <unistd.h>

static void make_directory(rig *r)
{
    const char *where = getenv("TMPDIR");
    snprintf(r->directory, sizeof r->directory, "%s/belay-XXXXXX", where && strlen(where) < 40 ? where : "/tmp");
    assert_non_null(mkdtemp(r->directory));
}

static void remove_directory(rig *r)
{
    char path[sizeof r->directory + 260];
    DIR *directory = opendir(r->directory);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        snprintf(path, sizeof path, "%s/%s", r->directory, entry->d_name);
        unlink(path);
        rmdir(path);
    }
    if (directory)
        closedir(directory);
    rmdir(r->directory);
}

void rig_path(const rig *r, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", r->directory, name);
}

void rig_init(rig *r, const char *parameters)
{
    char url[256] = "sqlite::memory:";
    int most = -1;
    memset(r, 0, sizeof *r);
    r->driver = D;
    make_directory(r);
    if (parameters)
        snprintf(url, sizeof url, "sqlite:%s/db%s", r->directory, parameters);
    r->shared = calloc(1, D->shared_size);
    assert_int_equal(D->shared_init(r->shared, url, &most, &r->error), BELAY_OK);
    assert_int_equal(most, parameters ? 0 : 1);
}

void rig_done(rig *r)
{
    rig_done_server(r);
    remove_directory(r);
}

belay_code rig_open_url(rig *r, const char *url)
{
    belay_conn *conn;
    int most;
    memset(&r->error, 0xA5, sizeof r->error);
    r->shared = calloc(1, D->shared_size);
    r->count = 0;
    r->driver = D;
    belay_code code = D->shared_init(r->shared, url, &most, &r->error);
    return code == BELAY_OK ? rig_try_connect(r, &conn) : code;
}
