#include "text.h"

#include <stdlib.h>
#include <string.h>

#include "encoding.h"
#include "report.h"

enum { PIECE = BELAYI_STREAM_PIECE / 4 };

static const belayi_encoding ascii = {.unit = 1};

/* Whole lines from the window's beginning on, and the last one of the file. Line ends are the same in the text and in
   the file, so places in the one are found in the other by counting them. */
typedef struct belayi_decoder {
    belayi_encoding encoding;
    char *text;
    size_t begin, end, capacity;
    size_t raw_size; /* how much of the file that is */
} decoder;

/* ---- the window ---------------------------------------------------------------------------------------------- */

/* What can be seen: of UTF-8 all that is held, as far as the limit and one byte. */
static void look(belayi_text *t)
{
    const decoder *d = t->decoder;
    t->full = !d && t->held > t->limit;
    t->ended = t->drained && (d ? d->raw_size == t->held : !t->full);
    t->bytes = d && d->text ? d->text + d->begin : t->raw;
    t->size = d ? d->end - d->begin : t->full ? t->limit + 1 : t->held;
}

/* Twice as much each time: a record that is looked through again and again costs no more than twice its length. */
static size_t want(const belayi_text *t)
{
    size_t wanted = t->held > PIECE / 2 ? t->held * 2 : PIECE;
    return wanted < t->limit + BELAYI_UNIT_MAX ? wanted : t->limit + BELAYI_UNIT_MAX;
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

/* ---- decoding -------------------------------------------------------------------------------------------------- */

static bool make_room_for_line(decoder *d, size_t size)
{
    if (d->begin > d->end - d->begin) { /* what was consumed is more than what is held */
        memmove(d->text, d->text + d->begin, d->end - d->begin);
        d->end -= d->begin;
        d->begin = 0;
    }
    if (size <= d->capacity - d->end)
        return true;
    size_t capacity = d->end + size > d->capacity * 2 ? d->end + size : d->capacity * 2;
    char *more = realloc(d->text, capacity);
    if (!more)
        return false;
    d->text = more;
    d->capacity = capacity;
    return true;
}

static bool decode_line(decoder *d, const char *raw, size_t raw_size, size_t end_size)
{
    size_t body = raw_size - end_size, room = body * 3 + 16, size = SIZE_MAX;
    while (size == SIZE_MAX) {
        if (!make_room_for_line(d, room + 2))
            return false;
        size = belayi_encoding_decode(&d->encoding, raw, body, d->text + d->end, room);
        room *= 2;
    }
    for (size_t at = body; at < body + end_size; at += d->encoding.unit)
        d->text[d->end + size++] = raw[at + d->encoding.low];
    d->end += size;
    d->raw_size += raw_size;
    return true;
}

/* Decodes whole lines of what is held, as many as a piece has, or as have been decoded; none goes over the limit. */
static belay_code decode(belayi_text *t, belay_error *error)
{
    decoder *d = t->decoder;
    size_t stop = d->raw_size + (d->raw_size > PIECE ? d->raw_size : PIECE), end_size;
    t->full = false;
    while (d->raw_size < stop && d->raw_size < t->held) {
        size_t left = t->held - d->raw_size;
        size_t size = belayi_encoding_line(&d->encoding, t->raw + d->raw_size, left, t->drained, &end_size);
        if (size == 0 && t->drained)
            size = left;
        bool too_long = size > 0 ? d->raw_size + size > t->limit : t->held >= t->limit + BELAYI_UNIT_MAX;
        t->full = too_long;
        if (size == 0 || too_long)
            break;
        if (!decode_line(d, t->raw + d->raw_size, size, end_size))
            return belayi_report(error, BELAY_NO_MEMORY, "no memory to decode a line of %zu bytes", size);
    }
    return BELAY_OK;
}

static belay_code decode_more(belayi_text *t, belay_error *error)
{
    decoder *d = t->decoder;
    size_t before = d->raw_size;
    belay_code held = BELAY_OK, code = decode(t, error);
    if (code == BELAY_OK && d->raw_size == before && !t->full) {
        held = hold(t, want(t), error);
        code = decode(t, error);
    }
    bool full = t->full;
    look(t);
    t->full = full;
    return code != BELAY_OK ? code : held;
}

belay_code belayi_text_more(belayi_text *t, belay_error *error)
{
    if (t->decoder)
        return decode_more(t, error);
    belay_code code = hold(t, want(t), error);
    look(t);
    return code;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static belay_code open_encoding(belayi_text *t, const char *encoding, size_t *out_mark_size, belay_error *error)
{
    if (belayi_encoding_is_utf8(encoding)) {
        *out_mark_size = t->held >= 3 && memcmp(t->raw, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
        return BELAY_OK;
    }
    decoder *d = calloc(1, sizeof *d);
    if (!d)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory to read a file");
    belay_code code = belayi_encoding_open(&d->encoding, encoding, t->raw, t->held, out_mark_size, error);
    t->decoder = d;
    return code;
}

belay_code belayi_text_open(belayi_text *t, belayi_stream *stream, const char *encoding, size_t limit,
                            const char **out_mark, size_t *out_mark_size, belay_error *error)
{
    *t = (belayi_text){.stream = stream, .limit = limit};
    belay_code code = hold(t, BELAYI_UNIT_MAX, error);
    if (code == BELAY_OK)
        code = open_encoding(t, encoding, out_mark_size, error);
    if (code != BELAY_OK)
        return code;
    *out_mark = t->raw;
    belayi_text_consume(t, 0, *out_mark_size);
    return BELAY_OK;
}

void belayi_text_done(belayi_text *t)
{
    decoder *d = t->decoder;
    if (!d)
        return;
    belayi_encoding_close(&d->encoding);
    free(d->text);
    free(d);
    t->decoder = NULL;
}

/* ---- places ---------------------------------------------------------------------------------------------------- */

/* How much of the file the first lines are. */
static size_t measure_lines(const belayi_text *t, size_t lines)
{
    const decoder *d = t->decoder;
    size_t raw_size = 0, end_size;
    while (lines-- > 0)
        raw_size += belayi_encoding_line(&d->encoding, t->raw + raw_size, d->raw_size - raw_size, true, &end_size);
    return raw_size;
}

size_t belayi_text_measure(const belayi_text *t, size_t size, size_t lines, bool open)
{
    return !t->decoder ? size : open ? t->decoder->raw_size : measure_lines(t, lines);
}

size_t belayi_text_locate(const belayi_text *t, size_t at)
{
    decoder *d = t->decoder;
    size_t lines = 0, passed = 0, line, end_size;
    if (!d)
        return at;
    while ((line = belayi_encoding_line(&ascii, t->bytes + passed, at - passed, true, &end_size)) > 0) {
        passed += line;
        lines++;
    }
    size_t raw_at = measure_lines(t, lines), unit = d->encoding.unit, left = d->raw_size - raw_at;
    line = belayi_encoding_line(&d->encoding, t->raw + raw_at, left, true, &end_size);
    if (line > 0)
        left = line - end_size;
    if (t->bytes[at] == '\0')
        for (size_t i = 0; i < left; i += unit)
            if (belayi_encoding_ascii(&d->encoding, t->raw + raw_at + i, left - i) == '\0')
                return raw_at + i;
    size_t bad = belayi_encoding_find_bad(&d->encoding, t->raw + raw_at, left);
    return raw_at + (bad < left ? bad : 0);
}

static void pass(belayi_text *t, size_t raw_size)
{
    belayi_stream_consume(t->stream, raw_size);
    t->raw += raw_size;
    t->held -= raw_size;
}

void belayi_text_consume(belayi_text *t, size_t size, size_t raw_size)
{
    decoder *d = t->decoder;
    pass(t, raw_size);
    if (d && size > 0) {
        d->begin += size;
        d->raw_size -= raw_size;
    }
    look(t);
}

/* Nothing that is held was decoded. */
static void forget_lines(belayi_text *t)
{
    decoder *d = t->decoder;
    if (d)
        d->begin = d->end = d->raw_size = 0;
    look(t);
}

void belayi_text_forget(belayi_text *t)
{
    t->held = 0;
    t->drained = false;
    forget_lines(t);
}

/* ---- lines that are too long ----------------------------------------------------------------------------------- */

size_t belayi_text_cut(belayi_text *t, size_t *out_lines)
{
    const belayi_encoding *e = t->decoder ? &t->decoder->encoding : &ascii;
    size_t cut = t->limit - t->limit % e->unit, at = 0, line, end_size;
    *out_lines = 0;
    while ((line = belayi_encoding_line(e, t->raw + at, t->held - at, false, &end_size)) > 0 && at + line <= cut) {
        at += line;
        ++*out_lines;
    }
    pass(t, cut);
    forget_lines(t);
    return cut;
}

/* How much of what is held belongs to the line, whose end is not in it: all but a CR that an LF may follow. */
static size_t measure_part(const belayi_text *t, const belayi_encoding *e)
{
    size_t size = t->held - t->held % e->unit;
    if (size > 0 && belayi_encoding_ascii(e, t->raw + size - e->unit, e->unit) == '\r')
        size -= e->unit;
    return size;
}

belay_code belayi_text_rest(belayi_text *t, const char **out_bytes, size_t *out_size, bool *out_last, size_t *out_lines,
                            belay_error *error)
{
    const belayi_encoding *e = t->decoder ? &t->decoder->encoding : &ascii;
    for (;;) {
        size_t end_size, line = belayi_encoding_line(e, t->raw, t->held, t->drained, &end_size);
        size_t size = line > 0 ? line : t->drained ? t->held : measure_part(t, e);
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
