#include "guess.h"

#include "check_kinds.h"
#include "report.h"

enum {
    INTEGER = 1 << BELAYI_TYPE_INTEGER,
    DECIMAL = 1 << BELAYI_TYPE_DECIMAL,
    REAL = 1 << BELAYI_TYPE_REAL,
    BOOLEAN = 1 << BELAYI_TYPE_BOOLEAN,
    DATE = 1 << BELAYI_TYPE_DATE,
    TIMESTAMP = 1 << BELAYI_TYPE_TIMESTAMP,
    ALL = INTEGER | DECIMAL | REAL | BOOLEAN | DATE | TIMESTAMP
};

void belayi_guess_init(belayi_guess *g)
{
    *g = (belayi_guess){.kinds = ALL};
}

/* ---- One value -------------------------------------------------------------------------------------------------- */

/* Whether the number is written as it would come back, but for zeros at its end. */
static bool is_plain(const belayi_field *f, const belayi_digits *d)
{
    bool leading_zero = d->whole_size > 0 ? d->whole > f->text + d->negative : d->whole > f->text + d->negative + 1;
    return f->text[0] != '+' && !leading_zero && !d->bare_point && !(d->zero && d->negative);
}

static unsigned look_at_number(belayi_guess *g, const belayi_field *f)
{
    belayi_digits d;
    int64_t number;
    if (!belayi_digits_read(f->text, f->size, true, &d) || !is_plain(f, &d))
        return 0;
    if (d.has_exponent)
        return REAL;
    size_t scale = d.has_point ? (size_t)(f->text + f->size - d.fraction) : 0, digits = belayi_digits_count(&d);
    g->whole = d.whole_size > g->whole ? d.whole_size : g->whole;
    g->scale = scale > g->scale ? scale : g->scale;
    g->digits = digits > g->digits ? digits : g->digits;
    return REAL | DECIMAL | (!d.has_point && belayi_digits_integer(&d, &number) ? INTEGER : 0);
}

static bool is_word(const belayi_field *f, const char *word)
{
    size_t i = 0;
    for (; i < f->size && word[i]; i++)
        if ((f->text[i] | 0x20) != word[i])
            return false;
    return i == f->size && !word[i];
}

static unsigned look_at_time(const belayi_field *f)
{
    static const belayi_type date = {.kind = BELAYI_TYPE_DATE};
    static const belayi_type timestamp = {.kind = BELAYI_TYPE_TIMESTAMP, .fraction = 6};
    char why[BELAYI_WHY_ROOM];
    belay_value ignored;
    if (belayi_check_date(&(belayi_checked){&date, f->text, f->size, NULL, why}, &ignored))
        return DATE;
    return belayi_check_timestamp(&(belayi_checked){&timestamp, f->text, f->size, NULL, why}, &ignored) ? TIMESTAMP : 0;
}

static unsigned look_at(belayi_guess *g, const belayi_field *f)
{
    if (f->size == 0 || f->kind == BELAYI_FIELD_NESTED)
        return 0;
    if (is_word(f, "true") || is_word(f, "false"))
        return BOOLEAN;
    unsigned kinds = look_at_number(g, f);
    return kinds ? kinds : look_at_time(f);
}

void belayi_guess_feed(belayi_guess *g, const belayi_field *f)
{
    size_t characters = 0;
    if (f->kind == BELAYI_FIELD_NULL || f->kind == BELAYI_FIELD_MISSING)
        return;
    for (size_t i = 0; i < f->size; i++)
        characters += (f->text[i] & 0xC0) != 0x80;
    g->longest = characters > g->longest ? characters : g->longest;
    g->count++;
    if (g->kinds)
        g->kinds &= look_at(g, f);
}

/* ---- The type --------------------------------------------------------------------------------------------------- */

static void write_text(const belayi_guess *g, const belay_driver *driver, bool key, char *out, size_t room)
{
    enum { SHORT = 50 }; /* what is so short may be five times as long further down */
    bool is_short = g->count > 0 && g->longest <= SHORT;
    belayi_report_format(out, room, "%s", key || is_short ? "VARCHAR(255)" : driver->text_type);
}

/* False: no engine has so many digits. */
static bool write_decimal(const belayi_guess *g, char *out, size_t room)
{
    enum { USUAL = 18, MOST = 38, USUAL_SCALE = 6, EXACT_IN_A_DOUBLE = 15 };
    size_t digits = g->whole + g->scale;
    if (g->scale > USUAL_SCALE && g->digits <= EXACT_IN_A_DOUBLE)
        belayi_report_format(out, room, "DOUBLE PRECISION");
    else if (digits <= MOST)
        belayi_report_format(out, room, "NUMERIC(%d,%zu)", digits <= USUAL ? USUAL : MOST, g->scale);
    return digits <= MOST;
}

void belayi_guess_write(const belayi_guess *g, const belay_driver *driver, bool key, char *out, size_t room)
{
    unsigned kinds = g->count > 0 ? g->kinds : 0;
    if (kinds & INTEGER)
        belayi_report_format(out, room, "BIGINT");
    else if ((kinds & DECIMAL) && write_decimal(g, out, room))
        return;
    else if ((kinds & REAL) && !(kinds & DECIMAL))
        belayi_report_format(out, room, "DOUBLE PRECISION");
    else if (kinds & (BOOLEAN | DATE))
        belayi_report_format(out, room, kinds & DATE ? "DATE" : "BOOLEAN");
    else if (kinds & TIMESTAMP)
        belayi_report_format(out, room, "%s", driver->timestamp_type);
    else
        write_text(g, driver, key, out, room);
}
