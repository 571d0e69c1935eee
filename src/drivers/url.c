#include "url.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

belay_code belayi_url_decode(char *text, const char *what, belay_error *error)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || high + low == 0)
            return belayi_report(error, BELAY_MISUSE, "the %s in the URL has a %% at its byte %zu that %s", what,
                                 (size_t)(in - text),
                                 low < 0 ? "is not followed by two hexadecimal digits (a percent sign itself is %25)"
                                         : "stands for NUL, which is not allowed");
        *out++ = (char)(high * 16 + low);
        in += 2;
    }
    *out = '\0';
    return BELAY_OK;
}

/* Writes "a, b or c". */
static void list_choices(char *out, size_t room, const char *const *choices)
{
    out[0] = '\0';
    for (size_t i = 0; choices[i]; i++) {
        size_t used = strlen(out);
        belayi_report_format(out + used, room - used, "%s%s", i == 0 ? "" : choices[i + 1] ? ", " : " or ", choices[i]);
    }
}

static belay_code read_choice(const belayi_url_key *key, const char *value, int64_t *out, belay_error *error)
{
    for (size_t i = 0; key->choices[i]; i++) {
        if (strcmp(value, key->choices[i]) == 0) {
            *out = (int64_t)i;
            return BELAY_OK;
        }
    }
    char allowed[128];
    list_choices(allowed, sizeof allowed, key->choices);
    return belayi_report(error, BELAY_MISUSE, "the URL's parameter %s may be %s", key->name, allowed);
}

static belay_code read_count(const belayi_url_key *key, const char *value, int64_t *out, belay_error *error)
{
    size_t digits = strspn(value, "0123456789");
    int64_t number = digits > 0 && digits < 19 && value[digits] == '\0' ? strtoll(value, NULL, 10) : 0;
    if (number < 1 || number > key->max)
        return belayi_report(error, BELAY_MISUSE, "the URL's parameter %s may be a whole number from 1 to %lld",
                             key->name, (long long)key->max);
    *out = number;
    return BELAY_OK;
}

static const char word_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

/* `name` is NULL where showing it could show a password. */
static belay_code report_unknown(const belayi_url_key *keys, size_t n, const char *name, size_t at, belay_error *error)
{
    const char *names[BELAYI_URL_KEYS_MAX + 1] = {NULL};
    char allowed[sizeof error->hint - 16];
    for (size_t i = 0; i < n; i++)
        names[i] = keys[i].name;
    list_choices(allowed, sizeof allowed, names);
    if (name && name[strspn(name, word_characters)] == '\0')
        belayi_report(error, BELAY_MISUSE, "the URL has an unknown parameter '%.40s' at its byte %zu", name, at);
    else
        belayi_report(error, BELAY_MISUSE, "the URL has an unknown parameter at its byte %zu", at);
    BELAYI_REPORT_FORMAT(error->hint, "known are %s", allowed);
    return BELAY_MISUSE;
}

typedef struct parameter_reader {
    const belayi_url_key *keys;
    size_t n_keys;
    const char *start;
    bool show; /* names may be shown */
} parameter_reader;

static belay_code read_parameter(const parameter_reader *reader, char *text, size_t at, belayi_url *url,
                                 belay_error *error)
{
    char *value = strchr(text, '=');
    if (!value)
        return belayi_report(error, BELAY_MISUSE, "the URL's parameter at byte %zu is not of the form name=value", at);
    *value++ = '\0';
    size_t i = 0;
    while (i < reader->n_keys && strcmp(reader->keys[i].name, text) != 0)
        i++;
    if (i == reader->n_keys)
        return report_unknown(reader->keys, reader->n_keys, reader->show ? text : NULL, at, error);
    if (url->values[i] >= 0 || url->texts[i])
        return belayi_report(error, BELAY_MISUSE, "the URL has the parameter %s twice, again at byte %zu", text, at);
    belay_code code = belayi_url_decode(value, text, error);
    if (code != BELAY_OK)
        return code;
    const belayi_url_key *key = &reader->keys[i];
    if (!key->choices && key->max == 0) {
        url->texts[i] = value;
        return *value ? BELAY_OK : belayi_report(error, BELAY_MISUSE, "the URL's parameter %s is empty", key->name);
    }
    return key->choices ? read_choice(key, value, &url->values[i], error)
                        : read_count(key, value, &url->values[i], error);
}

belay_code belayi_url_read(const char *url, const belayi_url_key *keys, size_t n_keys, belayi_url *out_url,
                           belay_error *error)
{
    size_t size = strlen(url) + 1;
    *out_url = (belayi_url){.memory = malloc(size)};
    if (!out_url->memory)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for a URL");
    for (size_t i = 0; i < n_keys; i++)
        out_url->values[i] = -1;
    memcpy(out_url->memory, url, size);
    char *colon = strchr(out_url->memory, ':');
    out_url->rest = colon ? colon + 1 : out_url->memory;
    char *next = strchr(out_url->rest, '?');
    /* A password with a question mark in it would end here as a parameter, with an @ after it. */
    parameter_reader reader = {keys, n_keys, out_url->memory, next && !strchr(next, '@')};
    belay_code code = BELAY_OK;
    while (next && code == BELAY_OK) {
        char *text = next + 1;
        *next = '\0';
        next = strchr(text, '&');
        if (next)
            *next = '\0';
        code = read_parameter(&reader, text, (size_t)(text - reader.start), out_url, error);
    }
    return code;
}

void belayi_url_done(belayi_url *url)
{
    free(url->memory);
    *url = (belayi_url){0};
}
