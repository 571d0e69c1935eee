/*
 * word.c - finds a word in the list of word.h.
 *
 * Tests: tests/unit/sql/test_scan.c.
 */
#include "word.h"

static const char *const word_names[BELAYI_WORD_COUNT] = {
#define BELAYI_WORD_NAME(name) [BELAYI_WORD_##name] = #name,
    BELAYI_WORDS(BELAYI_WORD_NAME)
#undef BELAYI_WORD_NAME
};

/* Compares as memcmp does, with letters of ASCII made capitals: the locale has no say in SQL. */
static int compare_word(const char *text, size_t size, const char *name)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c != name[i] || name[i] == '\0')
            return (unsigned char)c < (unsigned char)name[i] ? -1 : 1;
    }
    return name[size] == '\0' ? 0 : -1;
}

belayi_word belayi_sql_word(const char *text, size_t size)
{
    int low = 1;
    int high = BELAYI_WORD_COUNT - 1;

    while (low <= high) {
        int middle = (low + high) / 2;
        int order = compare_word(text, size, word_names[middle]);
        if (order == 0)
            return (belayi_word)middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return BELAYI_WORD_NONE;
}
