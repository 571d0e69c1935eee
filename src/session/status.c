/*
 * status.c - what the caller can ask, catch and raise.
 * Tests: tests/conformance, tests/model.
 */
#include <belay/session.h>

#include <stdio.h>
#include <string.h>

#include "report.h"
#include "session.h"

static const belay_error no_error = {.code = BELAY_OK};
static const belay_error called_off = {
    .code = BELAY_ROLLED_BACK, .message = "the scope was called off with belay_undo", .outcome = BELAY_WORK_OPEN};

/* The record that the status is of. */
static const belay_error *current(const belay_session *s)
{
    const belayi_transaction *t = &s->transaction;
    if (t->depth == 0)
        return &s->status;
    return belayi_transaction_state(t) == BELAYI_SCOPE_UNDONE ? &called_off : &t->pending;
}

belay_code belay_status(belay_session *s)
{
    if (!belayi_session_enter_to_ask(s))
        return BELAY_MISUSE;
    belay_code code = current(s)->code;
    s->status_unread &= s->transaction.depth > 0;
    belayi_session_leave(s);
    return code;
}

const belay_error *belay_pending(belay_session *s)
{
    if (!belayi_session_enter_to_ask(s))
        return belayi_session_why_refused(s);
    const belay_error *error = current(s);
    s->status_unread &= s->transaction.depth > 0;
    belayi_session_leave(s);
    return error;
}

static bool catch_outside(belay_session *s, belay_code which)
{
    s->status_unread = false;
    if (belay_code_covers(which, s->foreign_end.code))
        s->foreign_end.code = BELAY_OK;
    if (!belay_code_covers(which, s->status.code))
        return false;
    s->caught = s->status;
    s->status.code = BELAY_OK;
    return true;
}

bool belay_catch(belay_session *s, belay_code which)
{
    if (!belayi_session_enter(s))
        return false;
    bool caught =
        s->transaction.depth > 0 ? belayi_scope_catch(&s->transaction, which, &s->caught) : catch_outside(s, which);
    belayi_session_leave(s);
    return caught;
}

void belay_ignore(belay_session *s, belay_code which)
{
    belay_catch(s, which);
}

const belay_error *belay_caught(const belay_session *s)
{
    return s ? &s->caught : &no_error;
}

const belay_error *belay_unread(const belay_session *s)
{
    return s ? belayi_session_first_unread(s) : &no_error;
}

belay_code belay_fail_at(belay_session *s, belay_place place, belay_code code, const char *format, ...)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_error error;
    va_list list;
    va_start(list, format);
    if (belayi_report_is_error(code))
        belayi_report_list(&error, code, format, list);
    else
        belayi_report(&error, BELAY_MISUSE, "belay_fail: %s is not the code of an error", belay_code_name(code));
    va_end(list);
    belay_code pending = belayi_session_raise(s, place, &error);
    belayi_session_leave(s);
    return pending;
}

belay_code belay_raise_at(belay_session *s, belay_place place, const belay_error *again)
{
    if (!belayi_session_enter(s))
        return BELAY_MISUSE;
    belay_error error;
    if (again && belayi_report_is_error(again->code)) {
        error = *again;
        place = (belay_place){0}; /* it keeps its own */
    } else {
        belayi_report(&error, BELAY_MISUSE, "belay_raise: there is no error to raise again");
    }
    belay_code pending = belayi_session_raise(s, place, &error);
    belayi_session_leave(s);
    return pending;
}

/* ---- The message ------------------------------------------------------------------------------------------------ */

typedef struct line {
    char *text;
    size_t room, size;
} line;

static void say(line *l, const char *format, ...) BELAYI_PRINTF(2, 3);

static void say(line *l, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int needed = vsnprintf(l->text + l->size, l->room - l->size, format, list);
    va_end(list);
    if (needed > 0)
        l->size += (size_t)needed < l->room - l->size ? (size_t)needed : l->room - l->size - 1;
}

static const char *say_outcome(const belay_error *e, bool ended)
{
    switch (e->outcome) {
    case BELAY_WORK_OPEN:
        return ended ? "what it did is still there, in the program's transaction: roll that back"
                     : "the scope will be rolled back";
    case BELAY_WORK_COMMITTED:
        return "the work was committed";
    case BELAY_WORK_ROLLED_BACK:
        return "nothing of the unit was kept";
    case BELAY_WORK_UNKNOWN:
        return "it is not known whether the unit was kept";
    case BELAY_WORK_PARTLY:
        return "it was rolled back, but something of it may be there";
    }
    return "";
}

static const char *say_retry(const belay_error *e)
{
    if (e->outcome == BELAY_WORK_UNKNOWN || e->outcome == BELAY_WORK_PARTLY)
        return "do not run it again before you have looked";
    return belay_retryable(e) ? "running it again may help" : "running it again would fail the same way";
}

static void say_where(line *l, const belay_error *e)
{
    if (e->statement[0])
        say(l, ", in \"%s\"", e->statement);
    if (e->file[0])
        say(l, ", at %s:%d", e->file, e->line);
    if (e->function[0])
        say(l, " in %s()", e->function);
    if (e->scope[0])
        say(l, ", scope \"%s\"", e->scope);
    if (e->attempt > 1)
        say(l, ", attempt %d", e->attempt);
}

/* One line, also for a terminal: a message of the engine's may have several, and control characters. */
static void flatten(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = ' ';
}

static const char *compose(belay_session *s, const belay_error *e)
{
    line l = {.text = s->message, .room = sizeof s->message};
    if (e->code == BELAY_OK)
        return "no error";
    say(&l, "%s: %s", belay_code_name(e->code), e->message[0] ? e->message : belay_code_text(e->code));
    if (e->detail[0])
        say(&l, " (%s)", e->detail);
    say_where(&l, e);
    if (e->code != BELAY_ROLLED_BACK && e->attempt > 0) /* of a unit that has begun */
        say(&l, "; %s", say_outcome(e, s->transaction.depth == 0));
    if (e->code != BELAY_ROLLED_BACK)
        say(&l, "; %s", say_retry(e));
    if (e->hint[0])
        say(&l, "; hint: %s", e->hint);
    flatten(s->message);
    return s->message;
}

const char *belay_message(belay_session *s)
{
    if (!belayi_session_enter_to_ask(s))
        return belayi_session_why_refused(s)->message;
    const char *message = compose(s, current(s));
    s->status_unread &= s->transaction.depth > 0;
    belayi_session_leave(s);
    return message;
}
