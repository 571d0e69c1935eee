#include "utf8.h"

/* The size of the character that `text` begins with; 0 when it is none. */
static size_t measure_character(const unsigned char *text, size_t size)
{
    unsigned char lead = text[0], low = 0x80, high = 0xBF;
    if (lead < 0x80)
        return lead != 0;
    size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length == 0 || length > size)
        return 0;
    if (lead == 0xE0)
        low = 0xA0; /* lower ones are overlong */
    else if (lead == 0xED)
        high = 0x9F; /* higher ones are surrogates */
    else if (lead == 0xF0)
        low = 0x90; /* overlong */
    else if (lead == 0xF4)
        high = 0x8F; /* over U+10FFFF */
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool belayi_utf8_valid(const char *text, size_t size, size_t *out_bad_at)
{
    size_t at = 0;
    while (at < size) {
        at += belayi_utf8_ascii(text + at, size - at);
        if (at == size)
            break;
        size_t length = measure_character((const unsigned char *)text + at, size - at);
        if (length == 0) {
            *out_bad_at = at;
            return false;
        }
        at += length;
    }
    return true;
}
