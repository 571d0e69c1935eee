/*
 * tsv.c - records of TSV as PostgreSQL's COPY and mysqldump --tab write them: no quotes, but backslashes.
 *
 * COPY writes \b \f \n \r \t \v \\, and a delimiter behind a backslash; mysqldump writes line ends and delimiters of
 * the data as they are, behind a backslash, and NUL as \0, which is no text here. Other escapes nobody writes, and they
 * are flaws: readers take them for different things. What is written is all of COPY's; of mysqldump's, but for a
 * carriage return in the data, which it doesn't escape: it ends a record here, as it does in any file.
 *
 * A record longer than the limit ends with the line in which it passes that.
 */
#include "parse.h"

#include "seek.h"

static bool end_record_of_tsv(belayi_parse *p, const belayi_seek *seek, size_t size, bool open)
{
    p->size = size;
    p->open = open;
    p->lines += !open;
    p->looked += seek->next;
    return true;
}

/* Behind the line end at `at`; 0: it may go on behind the text. */
static size_t measure_line_end(const char *text, size_t size, size_t at, bool last)
{
    if (text[at] == '\n')
        return at + 1;
    if (at + 1 == size)
        return last ? size : 0;
    return at + (text[at + 1] == '\n' ? 2 : 1);
}

/* Goes past what a backslash at `at` makes a part of the field. */
static void pass_escape(belayi_parse *p, belayi_seek *seek, size_t at)
{
    const char *text = seek->text;
    p->unfinished = true;
    if (at + 1 == seek->size) {
        belayi_parse_flaw(p, p->count + 1, "a backslash at the end, and nothing behind it");
        return;
    }
    char byte = text[at + 1];
    if (byte != p->delimiter && byte != '\\' && byte != '\n' && byte != '\r')
        return;
    belayi_seek_next(seek);
    if (byte != '\n' && byte != '\r')
        return;
    p->lines++;
    if (measure_line_end(text, seek->size, at + 1, true) == at + 3)
        belayi_seek_next(seek);
}

static void add_field(belayi_parse *p, const char *text, size_t size)
{
    bool null = size == p->null_size && memcmp(text, p->null, size) == 0;
    belayi_parse_add(p, text, size, null ? BELAYI_FIELD_NULL : BELAYI_FIELD_BARE);
}

bool belayi_tsv_find(belayi_parse *p, const char *text, size_t size, bool last)
{
    belayi_seek seek = {.text = text, .size = size, .wanted = {p->delimiter, '\\', '\n', '\r'}};
    size_t begin = 0, end = 0;
    belayi_parse_begin(p);
    while (end == 0) {
        size_t here = belayi_seek_next(&seek);
        if (here == size && !last)
            break;
        if (here < size && text[here] == '\\') {
            pass_escape(p, &seek, here);
            continue;
        }
        add_field(p, text + begin, here - begin);
        begin = here + 1;
        if (here == size)
            return end_record_of_tsv(p, &seek, size, true);
        if (text[here] == p->delimiter)
            continue;
        end = measure_line_end(text, size, here, last);
        if (end == 0)
            break;
    }
    if (end > 0)
        return end_record_of_tsv(p, &seek, end, false);
    p->looked += seek.next;
    return false;
}

/* What stands behind a backslash, or '\0' for what nobody writes. */
static char read_escape(const belayi_parse *p, char byte)
{
    static const char written[] = "bfnrtv\\\n\r", meant[] = "\b\f\n\r\t\v\\\n\r";
    const char *found = byte == '\0' ? NULL : strchr(written, byte);
    return byte == p->delimiter ? byte : found ? meant[found - written] : '\0';
}

static void tell_escape(belayi_parse *p, size_t field, char byte)
{
    if (byte == '0')
        belayi_parse_flaw(p, field, "\\0 is a NUL character, which is no text");
    else if (byte > ' ' && byte < 0x7F)
        belayi_parse_flaw(p, field, "\\%c is no escape of TSV", byte);
    else
        belayi_parse_flaw(p, field, "a backslash before the byte 0x%02X is no escape of TSV", (unsigned char)byte);
}

static size_t copy_unescaped(belayi_parse *p, size_t field, char *out, const char *text, size_t size)
{
    char *to = out;
    for (const char *end = text + size; text < end;) {
        const char *found = memchr(text, '\\', (size_t)(end - text));
        size_t piece = (size_t)((found ? found : end) - text);
        memcpy(to, text, piece);
        to += piece;
        text += piece;
        if (!found)
            break;
        *to = read_escape(p, text[1]);
        if (*to++ == '\0')
            tell_escape(p, field, text[1]);
        text += 2;
    }
    return (size_t)(to - out);
}

bool belayi_tsv_finish(belayi_parse *p, const char *text)
{
    (void)text;
    if (!belayi_parse_spare(p, p->size))
        return false;
    for (size_t i = 0; i < p->count; i++) {
        belayi_field *f = &p->fields[i];
        if (f->kind == BELAYI_FIELD_NULL || !memchr(f->text, '\\', f->size))
            continue;
        char *to = p->spare + p->spare_size;
        f->size = copy_unescaped(p, i + 1, to, f->text, f->size);
        f->text = to;
        p->spare_size += f->size;
    }
    return true;
}
