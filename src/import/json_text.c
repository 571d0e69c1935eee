/*
 * json_text.c - one JSON value, looked at from left to right without recursion.
 *
 * What is open is a stack of bits, an object or an array each. In every state the
 * next thing is either a value or what may follow one.
 */
#include "json_text.h"

#include <string.h>

typedef struct json_scan {
    const char *at, *end;
    unsigned char objects[BELAYI_JSON_DEPTH / 8];
    unsigned depth;
} json_scan;

static void skip_space(json_scan *s)
{
    while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
        s->at++;
}

/* Takes that character, behind white space. */
static bool take(json_scan *s, char c)
{
    skip_space(s);
    if (s->at == s->end || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* What a backslash stands before. */
static bool scan_escape(json_scan *s)
{
    if (s->at == s->end || !*s->at || !strchr("\"\\/bfnrtu", *s->at))
        return false;
    if (*s->at++ != 'u')
        return true;
    for (int i = 0; i < 4; i++, s->at++)
        if (s->at == s->end || !is_hex(*s->at))
            return false;
    return true;
}

/* Behind its opening quote. */
static bool scan_string(json_scan *s)
{
    while (s->at < s->end && *s->at != '"') {
        if ((unsigned char)*s->at < ' ')
            return false;
        if (*s->at++ == '\\' && !scan_escape(s))
            return false;
    }
    return s->at < s->end && *s->at++ == '"';
}

static bool scan_digits(json_scan *s)
{
    const char *first = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9')
        s->at++;
    return s->at > first;
}

static bool scan_number(json_scan *s)
{
    s->at += *s->at == '-';
    if (s->at < s->end && *s->at == '0')
        s->at++;
    else if (!scan_digits(s))
        return false;
    if (s->at < s->end && *s->at == '.') {
        s->at++;
        if (!scan_digits(s))
            return false;
    }
    if (s->at == s->end || (*s->at | 0x20) != 'e')
        return true;
    s->at++;
    s->at += s->at < s->end && (*s->at == '+' || *s->at == '-');
    return scan_digits(s);
}

static bool scan_word(json_scan *s, const char *word)
{
    for (; *word; word++, s->at++)
        if (s->at == s->end || *s->at != *word)
            return false;
    return true;
}

static bool push(json_scan *s, bool object)
{
    if (s->depth == BELAYI_JSON_DEPTH)
        return false;
    unsigned char bit = (unsigned char)(1u << s->depth % 8);
    unsigned char *byte = &s->objects[s->depth++ / 8];
    *byte = (unsigned char)(object ? *byte | bit : *byte & ~bit);
    s->at++;
    return true;
}

static bool in_object(const json_scan *s)
{
    unsigned top = s->depth - 1;
    return s->objects[top / 8] >> top % 8 & 1;
}

/* The name of a member, and its colon. */
static bool scan_name(json_scan *s)
{
    return take(s, '"') && scan_string(s) && take(s, ':');
}

/* A value that is no object or array. */
static bool scan_scalar(json_scan *s)
{
    switch (*s->at) {
    case '"':
        s->at++;
        return scan_string(s);
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return scan_number(s);
    }
}

/* Goes into what opens here as far as its first value. *out_whole: a value has ended. */
static bool scan_value(json_scan *s, bool *out_whole)
{
    *out_whole = false;
    for (;;) {
        skip_space(s);
        if (s->at == s->end)
            return false;
        bool object = *s->at == '{';
        if (!object && *s->at != '[') {
            *out_whole = true;
            return scan_scalar(s);
        }
        if (!push(s, object))
            return false;
        if (take(s, object ? '}' : ']')) {
            s->depth--;
            *out_whole = true;
            return true;
        }
        if (object && !scan_name(s))
            return false;
    }
}

/* A value has ended: what closes with it. *out_more: a comma, and another value follows. */
static bool scan_closings(json_scan *s, bool *out_more)
{
    *out_more = false;
    while (s->depth > 0) {
        bool object = in_object(s);
        if (take(s, ',')) {
            *out_more = true;
            return !object || scan_name(s);
        }
        if (!take(s, object ? '}' : ']'))
            return false;
        s->depth--;
    }
    skip_space(s);
    return s->at == s->end;
}

bool belayi_json_valid(const char *text, size_t size, size_t *out_bad_at)
{
    json_scan s = {.at = text, .end = text + size};
    bool good = true, more = true;
    while (good && more) {
        bool whole;
        good = scan_value(&s, &whole) && whole && scan_closings(&s, &more);
    }
    *out_bad_at = (size_t)(s.at - text);
    return good;
}
