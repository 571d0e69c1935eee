/*
 * jsonl.c - records of JSON lines: an object a line, whose members are the fields.
 */
#include <stdio.h>

#include "json_value.h"
#include "members.h"
#include "parse.h"
#include "report.h"
#include "seek.h"

bool belayi_jsonl_find(belayi_parse *p, const char *text, size_t size, bool last)
{
    belayi_seek seek = {.text = text, .size = size, .wanted = {'\n', '\r', '\n', '\r'}};
    belayi_parse_begin(p);
    size_t at = belayi_seek_next(&seek);
    p->looked += seek.next;
    p->open = at == size;
    if ((p->open || (text[at] == '\r' && at + 1 == size)) && !last)
        return false;
    bool both = at + 1 < size && text[at] == '\r' && text[at + 1] == '\n';
    p->size = p->open ? size : at + 1 + both;
    p->lines = !p->open;
    p->unfinished = true;
    return true;
}

/* The text of a string, without its escapes. */
static bool unescape_field(belayi_parse *p, size_t number, belayi_field *f)
{
    char *to = p->spare + p->spare_size;
    if (!memchr(f->text, '\\', f->size))
        return true;
    const char *wrong = belayi_json_unescape(f->text, f->size, to, &f->size);
    if (wrong) {
        belayi_parse_flaw(p, number, "%s", wrong);
        return false;
    }
    f->text = to;
    p->spare_size += f->size;
    return true;
}

static void tell_name(belayi_parse *p, size_t field, const char *format, const belayi_member *member)
{
    enum { NAME_ROOM = 128 };
    char name[NAME_ROOM];
    belayi_report_text(name, sizeof name, member->name, member->size);
    belayi_parse_flaw(p, field, format, name);
}

/* Where nothing was selected, names are told too, and end in a NUL: it has room where the closing quote was. */
static void end_name(belayi_parse *p, belayi_field *name)
{
    char *to = p->spare + p->spare_size;
    if (name->text != to - name->size)
        memmove(to, name->text, name->size), name->text = to, to += name->size;
    *to++ = '\0';
    p->spare_size = (size_t)(to - p->spare);
}

/* Which field the member is, from 1; 0: none. */
static size_t place_member(belayi_parse *p, const belayi_field *name)
{
    belayi_members *m = p->members;
    const belayi_member asked = {.name = name->text, .size = name->size};
    if (!m->selected)
        return p->count + 1;
    const belayi_member *wanted = belayi_members_want(m, name->text, name->size);
    if (!wanted && m->strict)
        tell_name(p, 0, "nothing takes the member \"%s\"", &asked);
    return wanted ? wanted->field + 1 : 0;
}

/* One member. False: it has a flaw. */
static bool read_member(belayi_parse *p, belayi_json *j)
{
    belayi_field name, value;
    if (!belayi_json_string(j, &name) || !unescape_field(p, 0, &name))
        return false;
    if (!p->members->selected)
        end_name(p, &name);
    p->no_memory |= !belayi_members_add(p->members, name.text, name.size);
    size_t field = place_member(p, &name);
    if (p->flawed || p->no_memory)
        return false;
    if (!belayi_json_take(j, ':')) {
        j->wrong = "a colon is expected";
        return false;
    }
    bool good = belayi_json_value(j, &value);
    if (!good)
        p->flaw_field = field;
    if (!good || (value.kind == BELAYI_FIELD_QUOTED && !unescape_field(p, field, &value)))
        return false;
    if (field > p->count)
        belayi_parse_add(p, value.text, value.size, value.kind);
    else if (field > 0)
        p->fields[field - 1] = value;
    return !p->flawed && !p->no_memory;
}

static bool read_object(belayi_parse *p, belayi_json *j)
{
    if (belayi_json_ends(j)) {
        belayi_parse_flaw(p, 0, "an empty line is no JSON object");
        return false;
    }
    if (!belayi_json_take(j, '{')) {
        belayi_parse_flaw(p, 0, "the line is no JSON object");
        return false;
    }
    if (!belayi_json_take(j, '}')) {
        do
            if (!read_member(p, j))
                return false;
        while (belayi_json_take(j, ','));
        if (!belayi_json_take(j, '}'))
            j->wrong = "a comma or the end of the object is expected";
    }
    if (!j->wrong && !belayi_json_ends(j))
        j->wrong = "there is more behind the object";
    return !j->wrong;
}

static size_t without_line_end(const char *text, size_t size)
{
    size -= size > 0 && text[size - 1] == '\n';
    return size - (size > 0 && text[size - 1] == '\r');
}

bool belayi_jsonl_finish(belayi_parse *p, const char *text)
{
    belayi_members *m = p->members;
    belayi_json json = {.text = text, .size = without_line_end(text, p->size)};
    if (!belayi_parse_spare(p, p->size))
        return false;
    m->count = 0;
    for (size_t i = 0; i < m->wanted_count; i++)
        belayi_parse_add(p, NULL, 0, BELAYI_FIELD_MISSING);
    bool good = !p->no_memory && read_object(p, &json);
    if (json.wrong) {
        size_t field = p->flaw_field;
        belayi_parse_flaw(p, field, "byte %zu: %s", json.at + 1, json.wrong);
    }
    const belayi_member *twin = good ? belayi_members_twin(m) : NULL;
    if (twin)
        tell_name(p, 0, "the member \"%s\" is there twice", twin);
    return !p->no_memory;
}
