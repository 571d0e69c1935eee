/*
 * once.h - what the tests of .once share.
 */
#ifndef BELAY_TESTS_API_ONCE_H
#define BELAY_TESTS_API_ONCE_H

#include <belay/belay.h>

#include "support.h"

/* The keys that are committed, such as "a|done;b|void". */
#define assert_keys(w, keys) assert_rows((w)->other, "SELECT once_key, state FROM belay_once ORDER BY once_key", keys)

/* Puts a row into item under a key. Returns how often the body ran. */
static inline int put_once(belay_session *s, const char *key, int id)
{
    int runs = 0;
    BELAY_ATOMIC_WITH(s, .once = key) {
        runs++;
        put(s, id);
    }
    return runs;
}

#endif
