/*
 * locking.c - finds the locking clauses of a query.
 *
 * One table says which word leads from which state to which. What is not in it
 * ends the clause, so that an unfinished one, as FOR UPDATE SKIP, is left for
 * the engine to complain about.
 *
 * Tests: tests/unit/sql/test_locking.c.
 */
#include "locking.h"

/* clang-format off */
#define STEP(from, word, to) {BELAYI_LOCKING_##from, BELAYI_WORD_##word, BELAYI_LOCKING_##to}

static const struct lock_step {
    belayi_lock_state from;
    belayi_word word;
    belayi_lock_state to;
} lock_steps[] = {
    STEP(NONE, FOR, FOR),
    STEP(FOR, UPDATE, CLAUSE),
    STEP(FOR, NO, NO),
    STEP(NO, KEY, NO_KEY),
    STEP(NO_KEY, UPDATE, CLAUSE),
    STEP(FOR, SHARE, CLAUSE),
    STEP(FOR, KEY, KEY),
    STEP(KEY, SHARE, CLAUSE),
    STEP(NONE, LOCK, LOCK),
    STEP(LOCK, IN, IN),
    STEP(IN, SHARE, IN_SHARE),
    STEP(IN_SHARE, MODE, CLAUSE),
    STEP(CLAUSE, OF, OF),
    STEP(CLAUSE, NOWAIT, CLAUSE),
    STEP(CLAUSE, SKIP, SKIP),
    STEP(SKIP, LOCKED, CLAUSE),
    STEP(CLAUSE, WAIT, WAIT),
};
/* clang-format on */

static belayi_lock_state step_word(belayi_lock_state from, belayi_word word)
{
    for (size_t i = 0; i < sizeof lock_steps / sizeof *lock_steps; i++)
        if (lock_steps[i].from == from && lock_steps[i].word == word)
            return lock_steps[i].to;
    return BELAYI_LOCKING_NONE;
}

static belayi_lock_state step_token(belayi_lock_state from, const belayi_token *t)
{
    bool name = t->type == BELAYI_TOKEN_WORD || t->type == BELAYI_TOKEN_QUOTED;

    if (from == BELAYI_LOCKING_OF)
        return name ? BELAYI_LOCKING_TABLE : BELAYI_LOCKING_NONE;
    if (from == BELAYI_LOCKING_WAIT)
        return t->type == BELAYI_TOKEN_NUMBER ? BELAYI_LOCKING_CLAUSE : BELAYI_LOCKING_NONE;
    if (from == BELAYI_LOCKING_TABLE) {
        if (t->symbol == ',' || t->symbol == '.')
            return BELAYI_LOCKING_OF;
        from = BELAYI_LOCKING_CLAUSE;
    }
    return t->type == BELAYI_TOKEN_WORD ? step_word(from, t->word) : BELAYI_LOCKING_NONE;
}

/* Takes what the word that ended the last step says of waiting. False when it says the opposite of one before. */
static bool note_wait(belayi_lock_reader *r, belayi_word word)
{
    belayi_lock_wait wait = word == BELAYI_WORD_NOWAIT   ? BELAYI_LOCK_NOWAIT
                            : word == BELAYI_WORD_LOCKED ? BELAYI_LOCK_SKIP
                                                         : BELAYI_LOCK_WAIT;

    if (wait == BELAYI_LOCK_WAIT && r->clause != BELAYI_LOCK_NONE)
        wait = r->clause;
    if (r->clause > BELAYI_LOCK_WAIT && wait != r->clause)
        return false;
    r->clause = wait;
    if (wait > r->lock)
        r->lock = wait;
    return true;
}

belayi_lock_event belayi_sql_lock_feed(belayi_lock_reader *r, const belayi_token *t)
{
    belayi_lock_state from = r->state;

    r->state = step_token(from, t);
    if (r->state == BELAYI_LOCKING_NONE && from != BELAYI_LOCKING_NONE)
        r->state = step_token(BELAYI_LOCKING_NONE, t);
    if (r->state == BELAYI_LOCKING_FOR || r->state == BELAYI_LOCKING_LOCK) {
        r->clause = BELAYI_LOCK_NONE;
        return BELAYI_LOCK_STARTS;
    }
    if (r->state != BELAYI_LOCKING_CLAUSE && r->state != BELAYI_LOCKING_TABLE)
        return BELAYI_LOCK_NOTHING;
    belayi_word word = t->type == BELAYI_TOKEN_WORD && r->state == BELAYI_LOCKING_CLAUSE ? t->word : BELAYI_WORD_NONE;
    return note_wait(r, word) ? BELAYI_LOCK_TAKES : BELAYI_LOCK_CLASHES;
}
