#include "file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"
#include "report.h"
#include "site.h"
#include "url.h"

static const char scheme[] = "sqlite:";
static const char infix[] = "-isolation-";

bool belayi_file_is_meant(const char *url)
{
    return strncmp(url, scheme, sizeof scheme - 1) == 0;
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static bool refuse(belay_error *error, const char *why)
{
    belayi_report(error, BELAY_MISUSE, "%s", why);
    return false;
}

/* The path as it is in the URL, not decoded, and the parameters with their question mark. */
static bool split_url(const char *url, char *out_path, const char **out_parameters, belay_error *error)
{
    const char *path = url + sizeof scheme - 1;
    size_t size = strcspn(path, "?");
    *out_parameters = path + size;
    if (size == 0 || size + 64 > BELAYI_PATH || strlen(url) + 64 > BELAYI_PATH)
        return refuse(error, size ? "the URL is too long" : "the URL has no path");
    memcpy(out_path, path, size);
    out_path[size] = '\0';
    if (strcmp(out_path, ":memory:") == 0) {
        belayi_report(error, BELAY_UNSUPPORTED,
                      "a database in memory has one connection: its sessions take turns, and "
                      "there is nothing between them to be tested");
        return false;
    }
    if (strstr(*out_parameters, "mode=ro") || strstr(*out_parameters, "mode=rw"))
        return refuse(error,
                      "leave mode= out of the URL: the check makes a file of its own beside the one that is named");
    return true;
}

/* Whether it is infix, number of a process, dash, eight hexadecimal digits. */
static bool is_ours(const char *name, const char *base, long *out_pid)
{
    size_t size = strlen(base);
    if (strncmp(name, base, size) != 0 || strncmp(name + size, infix, sizeof infix - 1) != 0)
        return false;
    const char *number = name + size + sizeof infix - 1;
    size_t digits = strspn(number, "0123456789");
    const char *hex = number + digits + 1;
    *out_pid = strtol(number, NULL, 10);
    return digits > 0 && digits < 10 && hex[-1] == '-' && strspn(hex, "0123456789abcdef") == 8 && hex[8] == '\0';
}

/* ---- Making and removing ----------------------------------------------------------------------------------------- */

bool belayi_file_make(const char *url, char *out_path, char *out_url, belay_error *error)
{
    const char *parameters;
    char raw[BELAYI_PATH], own[48];
    if (!split_url(url, raw, &parameters, error))
        return false;
    uint64_t seed = belayi_random_seed();
    snprintf(own, sizeof own, "%s%ld-%08x", infix, (long)getpid(), (unsigned)belayi_random_up_to(&seed, UINT32_MAX));
    snprintf(out_url, BELAYI_PATH, "%s%.3900s%s%s", scheme, raw, own, parameters);
    if (belayi_url_decode(raw, "path", error) != BELAY_OK)
        return false;
    snprintf(out_path, BELAYI_PATH, "%.3900s%s", raw, own);
    int file = open(out_path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file); /* before SQLite opens it: closing it later would drop SQLite's locks */
        return true;
    }
    belay_code code = errno == EEXIST   ? BELAY_UNIQUE
                      : errno == EACCES ? BELAY_PERMISSION
                      : errno == EROFS  ? BELAY_READ_ONLY
                      : errno == ENOSPC ? BELAY_DISK_FULL
                                        : BELAY_IO;
    belayi_report(error, code, "can't make %s: %s", out_path, strerror(errno));
    return false;
}

bool belayi_file_remove(const char *path, belay_error *error)
{
    static const char *const parts[] = {"-wal", "-shm", "-journal", ""};
    bool removed = true;
    char name[BELAYI_PATH + 16];
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, parts[i]);
        if (unlink(name) == 0 || errno == ENOENT)
            continue;
        removed = false;
        belayi_report(error, BELAY_IO, "can't remove %s: %s", name, strerror(errno));
    }
    return removed;
}

/* ---- What was left ----------------------------------------------------------------------------------------------- */

static bool is_running(long pid)
{
    return kill((pid_t)pid, 0) == 0 || errno == EPERM;
}

bool belayi_file_leftovers(const char *url, bool remove, belay_isolation_leftover each, void *arg, belay_error *error)
{
    const char *parameters;
    char path[BELAYI_PATH], whole[2 * BELAYI_PATH];
    if (!split_url(url, path, &parameters, error) || belayi_url_decode(path, "path", error) != BELAY_OK)
        return false;
    char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    int folder_size = slash ? (int)(slash - path) + 1 : 0;
    char folder[BELAYI_PATH];
    snprintf(folder, sizeof folder, "%.*s.", folder_size, path);
    DIR *all = opendir(folder);
    if (!all) {
        belayi_report(error, BELAY_IO, "can't look into %s: %s", folder, strerror(errno));
        return false;
    }
    bool well = true;
    long pid;
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        if (!is_ours(entry->d_name, base, &pid) || is_running(pid))
            continue;
        snprintf(whole, sizeof whole, "%.*s%s", folder_size, path, entry->d_name);
        bool removed = remove && belayi_file_remove(whole, error);
        well &= removed || !remove;
        if (each)
            each(arg, whole, removed);
    }
    closedir(all);
    return well;
}
