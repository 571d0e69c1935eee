/*
 * error.c - the facts about codes: names, texts, classes, retry.
 *
 * All of them come from the one list in belay/error.h.
 * Tests: tests/unit/base.
 */
#include <belay/error.h>

#include <stddef.h>

typedef struct code_fact {
    const char *name, *text;
    belay_code class;
    bool retry;
} code_fact;

enum { NO = 0, YES = 1 };

static const code_fact facts[] = {
#define BELAYI_X(code, class_, retry_, text_) {#code, text_, BELAY_##class_, retry_},
    BELAY_CODES(BELAYI_X)
#undef BELAYI_X
};

static const code_fact *find_fact(belay_code code)
{
    static const code_fact unknown = {"?", "a number that is no code", BELAY_OK, false};
    return (size_t)code < sizeof facts / sizeof facts[0] ? &facts[code] : &unknown;
}

const char *belay_code_name(belay_code code)
{
    return find_fact(code)->name;
}

const char *belay_code_text(belay_code code)
{
    return find_fact(code)->text;
}

belay_code belay_code_class(belay_code code)
{
    return find_fact(code)->class;
}

bool belay_code_covers(belay_code which, belay_code code)
{
    if (code == BELAY_OK || code == BELAY_ROLLED_BACK)
        return false;
    return which == BELAY_ANY || which == code || which == belay_code_class(code);
}

bool belay_retryable(const belay_error *error)
{
    return error && find_fact(error->code)->retry && error->outcome != BELAY_WORK_UNKNOWN &&
           error->outcome != BELAY_WORK_COMMITTED && error->outcome != BELAY_WORK_PARTLY;
}
