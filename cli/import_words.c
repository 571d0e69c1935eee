/*
 * import_words.c - words for a terminal and for a shell: messages that can't steer
 * the one, and the command to go on with, which the other can run as it is.
 */
#include "import.h"

#include <string.h>

/* ---- For a terminal --------------------------------------------------------------------------------------------- */

/* How many bytes the control character has that the text begins with; 0: it is none. Of UTF-8, those that turn the
   direction of what is written, too. */
static size_t measure_control(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < ' ' || c[0] == 0x7F)
        return 1;
    if (c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0)
        return 2;
    bool turns = c[0] == 0xE2 && ((c[1] == 0x80 && (c[2] == 0x8E || c[2] == 0x8F || (c[2] >= 0xA8 && c[2] <= 0xAE))) ||
                                  (c[1] == 0x81 && c[2] >= 0xA6 && c[2] <= 0xA9));
    return turns ? 3 : 0;
}

static size_t print_one(FILE *out, const char *text)
{
    size_t size = measure_control(text);
    fputc(size > 0 ? '?' : *text, out);
    return size > 0 ? size : 1;
}

void import_print_safely(FILE *out, const char *text)
{
    while (*text)
        text += print_one(out, text);
}

static const struct {
    const char *member, *option;
} names[] = {
    {".commit_every", "--commit every:N"},
    {".create", "--create"},
    {".dry_run", "--dry-run"},
    {".max_rejects_percent", "--max-rejects"},
    {".no_header", "--no-header"},
    {".restart", "--restart"},
    {".resume", "--resume"},
    {".table", "--table"},
    {".truncate", "--truncate"},
};

static bool ends_word(char c)
{
    return c == '\0' || strchr(" ,;:", c);
}

/* How many bytes of the text were a member, and were printed as its option. */
static size_t print_option(FILE *out, const char *text)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = strlen(names[i].member);
        if (strncmp(text, names[i].member, size) == 0 && ends_word(text[size])) {
            fputs(names[i].option, out);
            return size;
        }
    }
    return 0;
}

void import_print_message(FILE *out, const char *text)
{
    bool begins = true; /* a word */
    while (*text) {
        size_t size = begins ? print_option(out, text) : 0;
        begins = *text == ' ';
        text += size > 0 ? size : print_one(out, text);
    }
}

/* ---- For a shell ------------------------------------------------------------------------------------------------ */

static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,%+@";
    return *word && word[strspn(word, plain)] == '\0';
}

static void print_word(FILE *out, const char *word)
{
    if (is_plain(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    fputc('\'', out);
}

/* The URL stands alone, or behind --into=. */
static void print_argument(FILE *out, const char *word, const char *url)
{
    char shown[512];
    size_t size = strlen(word), url_size = strlen(url);
    if (cli_url_is_open(url) || size < url_size || strcmp(word + size - url_size, url) != 0) {
        print_word(out, word);
        return;
    }
    fprintf(out, "%.*s", (int)(size - url_size), word);
    print_word(out, cli_show_url(url, shown, sizeof shown));
}

static bool is_one_of(const char *word, const char *least, const char *whole)
{
    return strncmp(word, least, strlen(least)) == 0 && strncmp(whole, word, strlen(word)) == 0;
}

void import_print_resume(FILE *out, const import_arguments *a)
{
    fputs("belay import --resume", out); /* in front: behind a -- there are no options */
    for (int i = 0; i < a->given_count; i++) {
        const char *word = a->given[i];
        if (is_one_of(word, "--rest", "--restart") || is_one_of(word, "--resu", "--resume"))
            continue;
        fputc(' ', out);
        print_argument(out, word, a->url);
    }
    fputc('\n', out);
    if (!cli_url_is_open(a->url))
        fputs("belay import: the URL is shown without what may be a password: give it whole\n", out);
    if (strcmp(a->spec.path, "-") == 0)
        fputs("belay import: the standard input is to be the same, from its beginning\n", out);
}
