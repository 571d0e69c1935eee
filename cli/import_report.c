/*
 * import_report.c - what came of an import, in words or as JSON.
 */
#include "import.h"

#include <inttypes.h>
#include <string.h>

#include <jansson.h>

static bool has_kept(const belay_import_counts *c)
{
    return c->inserted + c->updated + c->skipped > 0;
}

static int find_status(const belay_import_report *report)
{
    const belay_import_counts *c = &report->counts;
    if (report->error.code != BELAY_OK)
        return c->read > 0 ? IMPORT_HALF_WAY : IMPORT_NOTHING_KEPT;
    if (c->rejected == 0)
        return IMPORT_ALL_KEPT;
    return has_kept(c) ? IMPORT_SOME_REJECTED : IMPORT_NOTHING_KEPT;
}

/* ---- In words
 * --------------------------------------------------------------------------------------------------------- */

/* What is from the file, or from a server, must not steer the terminal. */
static void print_safely(FILE *out, const char *text)
{
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text, out);
}

static void list_rejects(const import_arguments *a, const import_tally *tally)
{
    uint64_t listed = tally->count < IMPORT_LISTED ? tally->count : IMPORT_LISTED;
    for (uint64_t i = 0; i < listed; i++) {
        const import_listed *one = &tally->listed[i];
        printf("rejected: record %" PRIu64 ", line %" PRIu64 "%s", one->record, one->line, one->column[0] ? ", " : "");
        print_safely(stdout, one->column);
        printf(": %s: ", belay_code_name(one->code));
        print_safely(stdout, one->message);
        fputc('\n', stdout);
    }
    if (tally->count > listed)
        printf("rejected: %" PRIu64 " more%s%s\n", tally->count - listed, a->spec.errors ? "; all are in " : "",
               a->spec.errors ? a->spec.errors : "");
}

static void print_counts(const belay_import_counts *c)
{
    printf("%" PRIu64 " read: %" PRIu64 " inserted, %" PRIu64 " updated, %" PRIu64 " skipped, %" PRIu64 " rejected",
           c->read, c->inserted, c->updated, c->skipped, c->rejected);
}

static bool is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,%+@";
    return *word && word[strspn(word, plain)] == '\0';
}

/* As a shell wants it. */
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

/* A URL may have a password: it stands alone, or behind --into=. */
static void print_argument(FILE *out, const char *word, const char *url)
{
    char shown[512];
    size_t size = strlen(word), url_size = strlen(url);
    if (size < url_size || strcmp(word + size - url_size, url) != 0) {
        print_word(out, word);
        return;
    }
    fprintf(out, "%.*s", (int)(size - url_size), word);
    print_word(out, cli_show_url(url, shown, sizeof shown));
}

void import_print_resume(FILE *out, const import_arguments *a)
{
    bool resumes = false;
    fputs("belay import", out);
    for (int i = 0; i < a->given_count; i++) {
        const char *word = a->given[i];
        if (strcmp(word, "--restart") == 0)
            continue;
        resumes |= strcmp(word, "--resume") == 0;
        fputc(' ', out);
        print_argument(out, word, a->url);
    }
    fputs(resumes ? "\n" : " --resume\n", out);
}

static void print_failure(const import_arguments *a, const belay_import_report *report)
{
    const belay_error *error = &report->error;
    fprintf(stderr, "belay import: %s: ", belay_code_name(error->code));
    print_safely(stderr, error->message);
    fputc('\n', stderr);
    if (error->hint[0]) {
        fputs("belay import: ", stderr);
        print_safely(stderr, error->hint);
        fputc('\n', stderr);
    }
    if (!report->resumable)
        return;
    fputs("belay import: to go on: ", stderr);
    import_print_resume(stderr, a);
}

static void report_in_words(const import_arguments *a, const belay_import_report *report, const import_tally *tally)
{
    bool failed = report->error.code != BELAY_OK;
    list_rejects(a, tally);
    if (report->already_done)
        printf("it was done before; nothing was left to do: ");
    if (failed && report->attempted.read > report->counts.read) {
        printf("looked at: ");
        print_counts(&report->attempted);
        printf("\nkept: ");
    }
    print_counts(&report->counts);
    printf("%s\n", failed && report->counts.read == 0 ? "; nothing was kept"
                   : a->spec.dry_run                  ? "; a dry run: nothing was kept"
                                                      : "");
}

/* ---- As JSON
 * ----------------------------------------------------------------------------------------------------------- */

static json_t *make_counts(const belay_import_counts *c)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "read", (json_int_t)c->read, "inserted", (json_int_t)c->inserted,
                     "updated", (json_int_t)c->updated, "skipped", (json_int_t)c->skipped, "rejected",
                     (json_int_t)c->rejected);
}

static json_t *make_codes(const import_tally *tally)
{
    json_t *codes = json_object();
    for (int code = 0; code < BELAY_ANY; code++)
        if (tally->by_code[code] > 0)
            json_object_set_new(codes, belay_code_name((belay_code)code),
                                json_integer((json_int_t)tally->by_code[code]));
    return codes;
}

static json_t *make_error(const belay_error *error)
{
    if (error->code == BELAY_OK)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:s, s:b}", "code", belay_code_name(error->code), "sqlstate", error->sqlstate,
                     "message", error->message, "hint", error->hint, "retryable", belay_retryable(error));
}

static int report_as_json(const import_arguments *a, const belay_import_report *report, const import_tally *tally)
{
    json_t *whole = make_counts(&report->counts);
    json_object_set_new(whole, "attempted", make_counts(&report->attempted));
    json_object_set_new(whole, "rejected_by_code", make_codes(tally));
    json_object_set_new(whole, "dry_run", json_boolean(a->spec.dry_run));
    json_object_set_new(whole, "already_done", json_boolean(report->already_done));
    json_object_set_new(whole, "stopped", json_boolean(report->stopped));
    json_object_set_new(whole, "resumable", json_boolean(report->resumable));
    json_object_set_new(whole, "error", make_error(&report->error));
    return cli_print_json("import", whole);
}

int import_report(const import_arguments *a, const belay_import_report *report, const import_tally *tally)
{
    if (a->json && report_as_json(a, report, tally) != CLI_DONE)
        return IMPORT_HALF_WAY;
    if (!a->json)
        report_in_words(a, report, tally);
    fflush(stdout);
    if (report->error.code != BELAY_OK)
        print_failure(a, report);
    return find_status(report);
}
