/*
 * url.c - URLs that a person may see.
 */
#include "cli.h"

#include <string.h>

bool cli_url_is_open(const char *url)
{
    const char *at = strrchr(url, '@'), *start = strstr(url, "://"), *parameters = strchr(url, '?');
    if (strncmp(url, "sqlite:", 7) == 0)
        return true;
    if (parameters && (strcasestr(parameters, "pass") || strchr(parameters, '@')))
        return false;
    return !at || (start && !memchr(start + 3, ':', (size_t)(at - start - 3)));
}

const char *cli_show_url(const char *url, char *out, size_t room)
{
    const char *start = strstr(url, "://");
    int size = (int)strcspn(url, "?"), user = start ? (int)(start - url) + 3 : 0, at = -1;
    for (int i = user; i < size; i++)
        if (url[i] == '@')
            at = i;
    if ((!start && strncmp(url, "sqlite:", 7) != 0) || (start && strchr(url + size, '@')))
        snprintf(out, room, "a URL that can't be shown");
    else if (!start || at < 0)
        snprintf(out, room, "%.*s", size, url);
    else
        snprintf(out, room, "%.*s%.*s", user + (int)strcspn(url + user, ":@"), url, size - at, url + at);
    return out;
}
