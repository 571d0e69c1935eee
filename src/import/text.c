#include "text.h"

#include <string.h>

#include "seek.h"

enum { PIECE = BELAYI_STREAM_PIECE / 4, UNIT_MAX = 4 };

/* ---- the window ---------------------------------------------------------------------------------------------- */

/* Of UTF-8 the window is what is held, as far as the limit and one byte. */
static void look(belayi_text *t)
{
    t->full = t->held > t->limit;
    t->ended = t->drained && !t->full;
    t->bytes = t->raw;
    t->size = t->full ? t->limit + 1 : t->held;
}

/* Twice as much each time: a record that is looked through again and again costs no more than twice its length. */
static size_t want(const belayi_text *t)
{
    size_t wanted = t->held > PIECE / 2 ? t->held * 2 : PIECE;
    return wanted < t->limit + UNIT_MAX ? wanted : t->limit + UNIT_MAX;
}

static belay_code hold(belayi_text *t, size_t wanted, belay_error *error)
{
    belay_error ignored;
    belay_code code = belayi_stream_fill(t->stream, wanted, &t->raw, &t->held, error);
    if (code == BELAY_OK)
        t->drained = t->held < wanted;
    else /* what came before the failure is good */
        belayi_stream_fill(t->stream, 0, &t->raw, &t->held, &ignored);
    return code;
}

belay_code belayi_text_open(belayi_text *t, belayi_stream *stream, const char *encoding, size_t limit,
                            const char **out_mark, size_t *out_mark_size, belay_error *error)
{
    (void)encoding;
    *t = (belayi_text){.stream = stream, .limit = limit};
    belay_code code = hold(t, UNIT_MAX, error);
    if (code != BELAY_OK)
        return code;
    *out_mark = t->raw;
    *out_mark_size = t->held >= 3 && memcmp(t->raw, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    belayi_text_consume(t, *out_mark_size, *out_mark_size);
    return BELAY_OK;
}

void belayi_text_done(belayi_text *t)
{
    (void)t;
}

belay_code belayi_text_more(belayi_text *t, belay_error *error)
{
    belay_code code = hold(t, want(t), error);
    look(t);
    return code;
}

size_t belayi_text_measure(const belayi_text *t, size_t size)
{
    (void)t;
    return size;
}

size_t belayi_text_locate(const belayi_text *t, size_t at)
{
    (void)t;
    return at;
}

static void pass(belayi_text *t, size_t raw_size)
{
    belayi_stream_consume(t->stream, raw_size);
    t->raw += raw_size;
    t->held -= raw_size;
}

void belayi_text_consume(belayi_text *t, size_t size, size_t raw_size)
{
    (void)size;
    pass(t, raw_size);
    look(t);
}

void belayi_text_forget(belayi_text *t)
{
    t->held = 0;
    t->drained = false;
    look(t);
}

/* ---- lines of the file that are too long ----------------------------------------------------------------------- */

/* The size of the line that `raw` begins with; 0: its end is not in it, or may go on behind it. */
static size_t measure_line(const char *raw, size_t size, bool last)
{
    belayi_seek seek = {.text = raw, .size = size, .wanted = {'\n', '\r', '\n', '\r'}};
    size_t at = belayi_seek_next(&seek);
    if (at == size)
        return 0;
    if (raw[at] == '\n')
        return at + 1;
    if (at + 1 == size)
        return last ? size : 0;
    return at + (raw[at + 1] == '\n' ? 2 : 1);
}

size_t belayi_text_cut(belayi_text *t, size_t *out_lines)
{
    size_t cut = t->limit, at = 0, line;
    *out_lines = 0;
    while ((line = measure_line(t->raw + at, t->held - at, false)) > 0 && at + line <= cut) {
        at += line;
        ++*out_lines;
    }
    pass(t, cut);
    look(t);
    return cut;
}

belay_code belayi_text_rest(belayi_text *t, const char **out_bytes, size_t *out_size, bool *out_last, size_t *out_lines,
                            belay_error *error)
{
    *out_lines = 0;
    *out_last = false;
    for (;;) {
        size_t line = measure_line(t->raw, t->held, t->drained), size = t->held;
        if (line > 0)
            size = line;
        else if (!t->drained && size > 0 && t->raw[size - 1] == '\r')
            size--; /* an LF may follow */
        if (size > 0 || t->drained) {
            *out_bytes = t->raw;
            *out_size = size;
            *out_lines = line > 0;
            *out_last = line > 0 || t->drained;
            pass(t, size);
            look(t);
            return BELAY_OK;
        }
        belay_code code = hold(t, t->held + PIECE, error);
        if (code != BELAY_OK)
            return code;
    }
}
