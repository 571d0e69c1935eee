/*
 * csv.c - records of CSV: RFC 4180, with any delimiter and quote, and any mix of line ends.
 *
 * A quote at fault makes the record its first physical line. That keeps the time
 * linear, too: lines that a quoted field was looked for in, in vain, begin and end
 * inside quotes; read from their own beginning they are outside at their end, so
 * none of them is looked through more than once again.
 */
#include "parse.h"

#include "seek.h"

/* Where it is in the record: `line_end` is behind the first physical line, 0 when that isn't known. */
struct place {
    belayi_seek seek;
    size_t line_end, ends;
};

static bool is_line_end(char byte)
{
    return byte == '\n' || byte == '\r';
}

/* Behind the line end at `at`; 0: it may go on behind the text. */
static size_t pass_line_end(const char *text, size_t size, size_t at, bool last)
{
    if (text[at] == '\n')
        return at + 1;
    if (at + 1 == size)
        return last ? size : 0;
    return at + (text[at + 1] == '\n' ? 2 : 1);
}

/* The record is text[0, size). */
static bool end_record(belayi_parse *p, const struct place *at, size_t size, bool open)
{
    p->size = size;
    p->open = open;
    p->lines = at->ends + !open;
    p->looked += at->seek.next;
    return true;
}

static bool ask_for_more(belayi_parse *p, const struct place *at)
{
    p->looked += at->seek.next;
    return false;
}

/* The record is flawed: it is its first physical line, whose end is at or behind `from`. */
static bool end_flawed(belayi_parse *p, struct place *at, size_t from, bool last)
{
    const char *text = at->seek.text;
    size_t size = at->seek.size;
    at->ends = 0;
    if (at->line_end > 0)
        return end_record(p, at, at->line_end, false);
    while (from < size && !is_line_end(text[from]))
        from = belayi_seek_next(&at->seek);
    size_t end = from < size ? pass_line_end(text, size, from, last) : last ? size : 0;
    if (end == 0)
        return ask_for_more(p, at);
    return end_record(p, at, end, from == size);
}

static void note_line_end(struct place *at, size_t here, const char *text, size_t size)
{
    if (text[here] == '\r' && here + 1 < size && text[here + 1] == '\n')
        return; /* its LF counts */
    at->ends++;
    if (at->line_end == 0)
        at->line_end = here + 1;
}

/* Behind the closing quote of the field whose text begins at `begin`; the text's size + 1 when there is none in it. */
static size_t pass_quoted(belayi_parse *p, struct place *at, bool last)
{
    const char *text = at->seek.text;
    const size_t size = at->seek.size;
    for (;;) {
        size_t here = belayi_seek_next(&at->seek);
        if (here == size)
            return size + 1;
        if (is_line_end(text[here]))
            note_line_end(at, here, text, size);
        if (text[here] != p->quote)
            continue;
        if (here + 1 == size) /* of a text that is cut off here nobody knows whether it closes */
            return last && !p->full ? size : size + 1;
        if (text[here + 1] != p->quote)
            return here + 1;
        belayi_seek_next(&at->seek);
        p->unfinished = true;
    }
}

static bool lacks_closing_quote(belayi_parse *p, struct place *at, bool last)
{
    if (!last)
        return ask_for_more(p, at);
    if (p->full)
        belayi_parse_flaw(p, p->count + 1, "a quoted field is not closed within %zu bytes", p->limit);
    else
        belayi_parse_flaw(p, p->count + 1, "a quoted field is never closed");
    return end_flawed(p, at, at->seek.size, last);
}

static void add_bare(belayi_parse *p, const char *text, size_t size)
{
    bool null = size == p->null_size && memcmp(text, p->null, size) == 0;
    belayi_parse_add(p, text, size, null ? BELAYI_FIELD_NULL : BELAYI_FIELD_BARE);
}

bool belayi_csv_find(belayi_parse *p, const char *text, size_t size, bool last)
{
    struct place at = {.seek = {.text = text, .size = size, .wanted = {p->delimiter, p->quote, '\n', '\r'}}};
    belayi_parse_begin(p);
    for (size_t begin = 0;;) {
        size_t here = belayi_seek_next(&at.seek);
        if (here < size && text[here] == p->quote) {
            if (here > begin) {
                belayi_parse_flaw(p, p->count + 1, "a quote inside a field that has none around it");
                return end_flawed(p, &at, here, last);
            }
            size_t behind = pass_quoted(p, &at, last);
            if (behind > size)
                return lacks_closing_quote(p, &at, last);
            belayi_parse_add(p, text + begin + 1, behind - begin - 2, BELAYI_FIELD_QUOTED);
            if (behind < size && text[behind] != p->delimiter && !is_line_end(text[behind])) {
                belayi_parse_flaw(p, p->count, "text behind the closing quote");
                return end_flawed(p, &at, behind, last);
            }
            here = belayi_seek_next(&at.seek);
        } else {
            if (here == size && !last)
                return ask_for_more(p, &at);
            add_bare(p, text + begin, here - begin);
        }
        if (here < size && text[here] == p->delimiter) {
            begin = here + 1;
            continue;
        }
        size_t end = here < size ? pass_line_end(text, size, here, last) : size;
        return end > 0 ? end_record(p, &at, end, here == size) : ask_for_more(p, &at);
    }
}

/* One of each two quotes goes. */
static size_t copy_undoubled(char *out, const char *text, size_t size, char quote)
{
    char *to = out;
    for (const char *end = text + size; text < end;) {
        const char *found = memchr(text, quote, (size_t)(end - text));
        size_t piece = (size_t)((found ? found + 1 : end) - text);
        memcpy(to, text, piece);
        to += piece;
        text += found ? piece + 1 : piece;
    }
    return (size_t)(to - out);
}

bool belayi_csv_finish(belayi_parse *p, const char *text)
{
    (void)text;
    if (!belayi_parse_spare(p, p->size))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        belayi_field *f = &p->fields[i];
        if (f->kind != BELAYI_FIELD_QUOTED || !memchr(f->text, p->quote, f->size))
            continue;
        char *to = p->spare + p->spare_size;
        f->size = copy_undoubled(to, f->text, f->size, p->quote);
        f->text = to;
        p->spare_size += f->size;
    }
    return true;
}
