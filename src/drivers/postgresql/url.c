/*
 * url.c - what a URL of PostgreSQL says, as libpq's connection options.
 *
 * libpq itself splits and decodes it, so that all that it takes can be said:
 * hosts, ports, TLS. But what a URL leaves out, libpq looks for in the
 * environment. So every option that a variable could decide is given a value
 * here; where there is none that means nothing, the variable is an error.
 *
 * A URL may hold a password, and libpq's words on a broken one may quote it: no
 * part of them is passed on but the name of an unknown parameter.
 * Tests: tests/unit/drivers/test_postgresql_open.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conn.h"
#include "report.h"

enum { CONNECT_S = 30 };

/* ---- Options ------------------------------------------------------------------------------------------- */

static belay_code add_option(belayi_pg_shared *shared, const char *name, const char *value, belay_error *error)
{
    int at = shared->options;
    if (at == BELAYI_PG_OPTIONS_MAX)
        return belayi_report(error, BELAY_UNSUPPORTED, "this libpq has more connection options than expected");
    shared->names[at] = strdup(name);
    shared->values[at] = strdup(value);
    shared->options++;
    if (shared->names[at] && shared->values[at])
        return BELAY_OK;
    return belayi_report(error, BELAY_NO_MEMORY, "no memory for a URL");
}

/* An option of the URL; NULL when it was not given. */
static const char *given(const PQconninfoOption *options, const char *name)
{
    for (const PQconninfoOption *o = options; o->keyword; o++)
        if (strcmp(o->keyword, name) == 0)
            return o->val && o->val[0] ? o->val : NULL;
    return NULL;
}

typedef struct neutral {
    const char *name, *value;
} neutral;

/* What stands for "not given" where the environment must not decide. A path that can't exist is no file. */
static const neutral neutrals[] = {
    {"port", "5432"},
    {"password", " "},
    {"passfile", "/dev/null/none"},
    {"options", "-c geqo=on"},
    {"connect_timeout", "0"},
    {"sslcert", "/dev/null/none"},
    {"sslkey", "/dev/null/none"},
    {"sslrootcert", "/dev/null/none"},
    {"sslcrl", "/dev/null/none"},
    {"sslcrldir", "/dev/null/none"},
    {"sslcompression", "0"},
};

static const char *find_neutral(const PQconninfoOption *option)
{
    for (size_t i = 0; i < sizeof neutrals / sizeof neutrals[0]; i++)
        if (strcmp(neutrals[i].name, option->keyword) == 0)
            return neutrals[i].value;
    return option->compiled && option->compiled[0] ? option->compiled : NULL;
}

/* Keeps the environment from deciding an option that the URL leaves open. */
static belay_code close_to_environment(belayi_pg_shared *shared, const PQconninfoOption *option, belay_error *error)
{
    const char *variable = option->envvar ? getenv(option->envvar) : NULL;
    bool always = strcmp(option->keyword, "passfile") == 0; /* without a variable it is the user's ~/.pgpass */
    if ((!variable || !variable[0]) && !always)
        return BELAY_OK;
    const char *value = find_neutral(option);
    if (value)
        return add_option(shared, option->keyword, value, error);
    belayi_report(error, BELAY_MISUSE, "the environment has %s, and the URL says nothing about %s", option->envvar,
                  option->keyword);
    BELAYI_REPORT_FIELD(error->hint,
                        "nothing is taken from the environment in silence: unset it, or say it in the URL");
    return error->code;
}

static belay_code add_fixed(belayi_pg_shared *shared, const PQconninfoOption *options, belay_error *error)
{
    belay_code code = add_option(shared, "client_encoding", "UTF8", error);
    if (code == BELAY_OK && !given(options, "dbname"))
        code = add_option(shared, "dbname", given(options, "user"), error);
    if (code == BELAY_OK && !given(options, "application_name"))
        code = add_option(shared, "application_name", "belay", error);
    return code;
}

static bool is_fixed(const char *name)
{
    return strcmp(name, "client_encoding") == 0 || strcmp(name, "dbname") == 0 || strcmp(name, "application_name") == 0;
}

static belay_code take_options(belayi_pg_shared *shared, const PQconninfoOption *options, belay_error *error)
{
    belay_code code = add_fixed(shared, options, error);
    for (const PQconninfoOption *o = options; o->keyword && code == BELAY_OK; o++) {
        if (given(options, o->keyword))
            code = add_option(shared, o->keyword, o->val, error);
        else if (!is_fixed(o->keyword))
            code = close_to_environment(shared, o, error);
    }
    return code;
}

/* ---- What is checked before ----------------------------------------------------------------------------- */

/* One port, or one a host, separated by commas. */
static bool are_ports(const char *text)
{
    for (const char *at = text;; at++) {
        size_t digits = strspn(at, "0123456789");
        long number = digits > 0 && digits < 6 ? strtol(at, NULL, 10) : digits == 0 && strchr(text, ',') ? 1 : 0;
        if (number < 1 || number > 65535)
            return false;
        at += digits;
        if (*at != ',')
            return *at == '\0';
    }
}

/* For libpq a second @ belongs to the host, and it would show it; most likely it is the rest of a password. A host that
   begins with one is a socket without a file. */
static bool is_host(const char *host)
{
    return !host || host[0] == '/' || !host[0] || !strchr(host + 1, '@');
}

static belay_code check_options(belayi_pg_shared *shared, const PQconninfoOption *options, belay_error *error)
{
    const char *port = given(options, "port"), *encoding = given(options, "client_encoding");
    const char *seconds = given(options, "connect_timeout");
    if (!given(options, "host") && !given(options, "hostaddr") && !given(options, "service")) {
        belayi_report(error, BELAY_MISUSE, "the URL names no host");
        BELAYI_REPORT_FIELD(error->hint, "a unix socket's folder can be given as ?host=/var/run/postgresql");
        return error->code;
    }
    if (!is_host(given(options, "host")))
        return belayi_report(error, BELAY_MISUSE, "the URL has an @ too many: in a user, password or host it is %%40");
    if (!given(options, "user") && !given(options, "service"))
        return belayi_report(error, BELAY_MISUSE, "the URL names no user: postgresql://user@host/database");
    if (port && !are_ports(port))
        return belayi_report(error, BELAY_MISUSE, "the URL's port is no whole number from 1 to 65535");
    if (encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "utf8") != 0 && strcmp(encoding, "auto") != 0)
        return belayi_report(error, BELAY_MISUSE, "texts are UTF-8: the URL's client_encoding can't be another one");
    shared->connect_s = seconds && strspn(seconds, "0123456789") == strlen(seconds) ? atoi(seconds) : 0;
    if (seconds && shared->connect_s == 0)
        return belayi_report(error, BELAY_MISUSE, "the URL's connect_timeout is no number of seconds");
    if (!seconds)
        shared->connect_s = CONNECT_S;
    return BELAY_OK;
}

/* libpq would take the last one in silence. */
static belay_code check_doubles(const char *url, belay_error *error)
{
    const char *query = strchr(url, '?');
    for (const char *at = query; at; at = strchr(at + 1, '&')) {
        size_t size = strcspn(at + 1, "=&");
        for (const char *later = strchr(at + 1, '&'); later; later = strchr(later + 1, '&'))
            if (size > 0 && strcspn(later + 1, "=&") == size && strncmp(at + 1, later + 1, size) == 0)
                return belayi_report(error, BELAY_MISUSE, "the URL has a parameter twice, again at byte %zu",
                                     (size_t)(later + 1 - url));
    }
    return BELAY_OK;
}

/* ---- The URL --------------------------------------------------------------------------------------------- */

/* libpq quotes what it can't read; of that, only the name of a parameter can't be a part of a password. */
static belay_code report_broken(const char *url, const char *why, belay_error *error)
{
    static const char unknown[] = "invalid URI query parameter: \"";
    const char *query = strchr(url, '?');
    bool may_show = why && query && !strchr(query, '@') && strncmp(why, unknown, sizeof unknown - 1) == 0;
    if (may_show) {
        const char *name = why + sizeof unknown - 1;
        belayi_report(error, BELAY_MISUSE, "the URL has an unknown parameter '%.*s'", (int)strcspn(name, "\""), name);
    } else {
        belayi_report(error, BELAY_MISUSE, "the URL is not of a form that libpq takes: %.*s",
                      why ? (int)strcspn(why, ":(\"") : 0, why ? why : "");
    }
    BELAYI_REPORT_FIELD(error->hint, "postgresql://user:password@host:port/database?sslmode=verify-full; other "
                                     "characters in a part are written as %XX");
    return error->code;
}

belay_code belayi_pg_shared_init(void *state, const char *url, int *out_max_connections, belay_error *error)
{
    belayi_pg_shared *shared = state;
    char *why = NULL;
    *out_max_connections = 0;
    const char *rest = strchr(url, ':');
    if (!rest || strncmp(rest, "://", 3) != 0)
        return belayi_report(error, BELAY_MISUSE, "a URL of PostgreSQL begins with postgresql://");
    PQconninfoOption *options = PQconninfoParse(url, &why);
    if (!options) {
        report_broken(url, why, error);
        PQfreemem(why);
        return error->code;
    }
    belay_code code = check_doubles(url, error);
    if (code == BELAY_OK)
        code = check_options(shared, options, error);
    if (code == BELAY_OK)
        code = take_options(shared, options, error);
    PQconninfoFree(options);
    return code;
}

belay_code belayi_pg_shared_adopt(void *state, void *native, belay_error *error)
{
    (void)error;
    ((belayi_pg_shared *)state)->adopted = native;
    return BELAY_OK;
}

void belayi_pg_shared_done(void *state)
{
    belayi_pg_shared *shared = state;
    for (int i = 0; i < shared->options; i++) {
        free(shared->names[i]);
        free(shared->values[i]);
    }
    *shared = (belayi_pg_shared){0};
}
