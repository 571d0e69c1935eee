/*
 * import.c - `belay import`: records of a file into a table, each stored as it is
 * written or rejected alone. belay_import does it; here is what a person sees.
 */
#include "import.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* The signal's name is for nobody: the second one ends the program as it would have. */
static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    interrupted = number;
}

static void catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

/* ---- While it runs ---------------------------------------------------------------------------------------------- */

typedef struct run {
    import_bar bar;
    import_tally tally;
} run;

static void note_reject(void *arg, const belay_import_reject *reject)
{
    import_tally *tally = &((run *)arg)->tally;
    if (tally->count < IMPORT_LISTED) {
        import_listed *one = &tally->listed[tally->count];
        one->record = reject->record;
        one->line = reject->line;
        one->code = reject->error->code;
        snprintf(one->column, sizeof one->column, "%s", reject->column);
        memcpy(one->message, reject->error->message, sizeof one->message);
    }
    tally->count++;
    tally->by_code[reject->error->code]++;
}

static bool show_progress(void *arg, const belay_import_counts *counts)
{
    import_bar_draw(&((run *)arg)->bar, counts);
    return !interrupted;
}

static int import(import_arguments *a)
{
    run r = {0};
    belay_import_report report;
    a->spec.on_reject = note_reject;
    a->spec.on_progress = show_progress;
    a->spec.arg = &r;
    belay_db *db = belay_open(a->url, NULL);
    belay_session *s = belay_session_open(db);
    import_bar_begin(&r.bar, a->spec.resume);
    belay_import(s, &a->spec, &report);
    import_bar_end(&r.bar);
    belay_session_close(s);
    belay_close(db);
    return import_report(a, &report, &r.tally);
}

int cli_import(int count, char **words)
{
    import_arguments a;
    int status = import_read_arguments(&a, count, words);
    if (status == IMPORT_ALL_KEPT && !a.help) {
        catch_interrupts();
        status = import(&a);
    }
    import_free_arguments(&a);
    return status;
}
