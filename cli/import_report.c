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

/* What became of the last transaction is not known, or something of it is there. */
static bool is_in_doubt(const belay_import_report *report)
{
    belay_outcome outcome = report->error.outcome;
    return report->error.code != BELAY_OK && (outcome == BELAY_WORK_UNKNOWN || outcome == BELAY_WORK_PARTLY);
}

static int find_status(const belay_import_report *report)
{
    const belay_import_counts *c = &report->counts;
    if (report->error.code != BELAY_OK)
        return c->read > 0 || is_in_doubt(report) ? IMPORT_HALF_WAY : IMPORT_NOTHING_KEPT;
    if (c->rejected == 0)
        return IMPORT_ALL_KEPT;
    return has_kept(c) ? IMPORT_SOME_REJECTED : IMPORT_NOTHING_KEPT;
}

/* ---- In words --------------------------------------------------------------------------------------------------- */

static void list_rejects(const import_arguments *a, const import_tally *tally)
{
    uint64_t listed = tally->count < IMPORT_LISTED ? tally->count : IMPORT_LISTED;
    for (uint64_t i = 0; i < listed; i++) {
        const import_listed *one = &tally->listed[i];
        printf("rejected: record %" PRIu64 ", line %" PRIu64 "%s", one->record, one->line, one->column[0] ? ", " : "");
        import_print_safely(stdout, one->column);
        printf(": %s: ", belay_code_name(one->code));
        import_print_safely(stdout, one->message);
        fputc('\n', stdout);
    }
    if (tally->count > listed)
        printf("rejected: %" PRIu64 " more%s\n", tally->count - listed,
               a->spec.errors ? "" : "; --errors FILE would have them all");
}

static void print_file(const char *what, const char *path)
{
    if (!path)
        return;
    fputs(what, stdout);
    import_print_safely(stdout, path);
    fputc('\n', stdout);
}

static void print_counts(const belay_import_counts *c)
{
    printf("%" PRIu64 " read: %" PRIu64 " inserted, %" PRIu64 " updated, %" PRIu64 " skipped, %" PRIu64 " rejected",
           c->read, c->inserted, c->updated, c->skipped, c->rejected);
}

static void print_failure(const import_arguments *a, const belay_import_report *report)
{
    const belay_error *error = &report->error;
    fprintf(stderr, "belay import: %s: ", belay_code_name(error->code));
    import_print_message(stderr, error->message);
    fputc('\n', stderr);
    if (error->hint[0]) {
        fputs("belay import: ", stderr);
        import_print_message(stderr, error->hint);
        fputc('\n', stderr);
    }
    if (error->outcome == BELAY_WORK_UNKNOWN)
        fputs("belay import: it is not known whether the last transaction was committed\n", stderr);
    if (error->outcome == BELAY_WORK_PARTLY)
        fputs("belay import: something of the last transaction may be there: a table knows no transactions\n", stderr);
    if (!report->resumable)
        return;
    fputs("belay import: to go on: ", stderr);
    import_print_resume(stderr, a);
}

/* What stands behind the counts. */
static const char *find_remark(const import_arguments *a, const belay_import_report *report)
{
    if (a->spec.dry_run)
        return "; a dry run: nothing was kept";
    return report->error.code != BELAY_OK && report->counts.read == 0 && !is_in_doubt(report) ? "; nothing was kept"
                                                                                              : "";
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
    printf("%s\n", find_remark(a, report));
    if (failed || report->counts.rejected == 0)
        return;
    print_file("the rejected records are in ", a->spec.rejects);
    print_file("the reasons are in ", a->spec.errors);
}

/* ---- As JSON ---------------------------------------------------------------------------------------------------- */

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

/* A message may quote the name of a file, which may be no UTF-8. */
static json_t *make_text(const char *text)
{
    char plain[sizeof((belay_error *)0)->message];
    json_t *made = json_string(text);
    if (made)
        return made;
    snprintf(plain, sizeof plain, "%s", text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(plain);
}

static json_t *make_error(const belay_error *error)
{
    if (error->code == BELAY_OK)
        return json_null();
    return json_pack("{s:s, s:s, s:o, s:o, s:b, s:b}", "code", belay_code_name(error->code), "sqlstate",
                     error->sqlstate, "message", make_text(error->message), "hint", make_text(error->hint), "retryable",
                     belay_retryable(error), "in_doubt", error->outcome == BELAY_WORK_UNKNOWN);
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
    bool told = true;
    if (a->json)
        told = report_as_json(a, report, tally) == CLI_DONE;
    else
        report_in_words(a, report, tally);
    told = fflush(stdout) == 0 && !ferror(stdout) && told;
    if (report->error.code != BELAY_OK)
        print_failure(a, report);
    return told ? find_status(report) : IMPORT_UNTOLD;
}
