/*
 * urls.h - opening databases that can't be opened. For tests that have a world.
 */
#ifndef BELAY_TESTS_API_URLS_H
#define BELAY_TESTS_API_URLS_H

#include <string.h>
#include <sys/stat.h>

#include "support.h"

/* What is wrong with the URL, after checking that every scope on the handle fails with it. */
static inline belay_error refusal_of(const char *url)
{
    int ran = 0;
    belay_db *db = belay_open(url, NULL);
    assert_non_null(db);
    belay_error error = *belay_db_error(db);
    belay_session *s = belay_session_open(db);
    belay_exec(s, "SELECT 1");
    belay_code code = belay_status(s);
    BELAY_ATOMIC(s) {
        ran += belay_exec(s, "CREATE TABLE IF NOT EXISTS stray(a)") == BELAY_OK;
    }
    if (code != error.code || belay_status(s) != error.code || (error.code != BELAY_OK && ran))
        fail_msg("%s: the handle says %s, a statement %s, a scope %s", url ? url : "NULL", belay_code_name(error.code),
                 belay_code_name(code), belay_message(s));
    belay_session_close(s);
    belay_close(db);
    return error;
}

enum { LONGEST_NAME = 640 };

/* The path of a name in the world's directory, and its URL. In static buffers. */
static inline const char *path_of(const world *w, const char *name)
{
    static char path[LONGEST_NAME];
    assert_true(strlen(w->d.directory) + strlen(name) < sizeof path - 2);
    stpcpy(stpcpy(stpcpy(path, w->d.directory), "/"), name);
    return path;
}

static inline const char *url_of(const world *w, const char *name)
{
    static char url[LONGEST_NAME + 8];
    stpcpy(stpcpy(url, "sqlite:"), path_of(w, name));
    return url;
}

static inline bool is_there(const char *path)
{
    struct stat facts;
    return lstat(path, &facts) == 0;
}

#endif
