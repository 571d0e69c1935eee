/*
 * hooks.h - hooks that write down when they ran and when their argument was freed.
 */
#ifndef BELAY_TESTS_API_HOOKS_H
#define BELAY_TESTS_API_HOOKS_H

#include <stdio.h>
#include <string.h>

#include <belay/belay.h>

/* What happened, in order: a letter for each hook that ran. */
typedef struct diary {
    char ran[64];
    char freed[64];
    belay_session *other; /* for hooks that look from outside */
} diary;

/* One hook's argument. */
typedef struct note {
    diary *diary;
    char letter;
    int result; /* of the hook */
} note;

static inline void write_down(char *text, char letter)
{
    size_t size = strlen(text);
    if (size < 63) {
        text[size] = letter;
        text[size + 1] = '\0';
    }
}

static inline int write_note(belay_session *s, void *arg)
{
    note *n = arg;
    (void)s;
    write_down(n->diary->ran, n->letter);
    return n->result;
}

static inline void free_note(void *arg)
{
    note *n = arg;
    write_down(n->diary->freed, n->letter);
}

/* Notes 'a' to 'z' of a diary. */
#define NOTES(name, its_diary)                                                                                         \
    note name[26];                                                                                                     \
    for (int i_ = 0; i_ < 26; i_++)                                                                                    \
        name[i_] = (note)                                                                                              \
        {                                                                                                              \
            .diary = &(its_diary), .letter = (char)('a' + i_)                                                          \
        }

#endif
