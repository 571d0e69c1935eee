/*
 * isolation.c - `belay isolation`: the arguments, and ending early.
 */
#include "cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: belay isolation URL [--json] [--level LEVEL]...\n"
                           "       belay isolation URL --clean\n"
                           "\n"
                           "Has two or three sessions do what leads to each anomaly, at each isolation level\n"
                           "of the database, and prints what was observed: whether the anomaly happened, or\n"
                           "what prevented it. It takes some seconds and touches nothing that is there: it\n"
                           "works in a schema of its own, or in a file of its own beside that of an\n"
                           "sqlite: URL, which it removes, also when it is interrupted.\n"
                           "\n"
                           "  --level LEVEL   only this one: read-uncommitted, read-committed,\n"
                           "                  repeatable-read, snapshot, serializable; may be given again\n"
                           "  --json          the same and more as JSON\n"
                           "  --clean         removes what checks left that were killed, and tests nothing\n"
                           "  --help          this text\n"
                           "\n"
                           "URLs: sqlite:PATH, postgresql://USER@HOST/DATABASE, mariadb://USER@HOST/DATABASE\n"
                           "Exit status: 0 the table was made, 1 something failed, 2 wrong arguments.\n";

typedef struct arguments {
    const char *url;
    unsigned levels; /* 0: all */
    bool json, clean;
} arguments;

/* ---- Arguments --------------------------------------------------------------------------------------------------- */

/* A level's name may have dashes, underscores or spaces in it. */
static bool is_level(const char *text, belay_level level)
{
    const char *name = belay_level_name(level);
    for (; *name && *text; name++, text++)
        if (*name != *text && !(*name == ' ' && (*text == '-' || *text == '_')))
            return false;
    return *name == *text;
}

static unsigned read_level(const char *text)
{
    for (int level = BELAY_READ_UNCOMMITTED; level <= BELAY_SERIALIZABLE; level++)
        if (is_level(text, (belay_level)level))
            return 1u << level;
    return 0;
}

static int take_level(arguments *a, const char *text)
{
    unsigned level = text ? read_level(text) : 0;
    a->levels |= level;
    return level ? CLI_DONE : cli_refuse("isolation", text ? "there is no such level" : "--level needs a level", text);
}

/* The word at *i; it goes on to the level's name. */
static int take_word(arguments *a, int count, char **words, int *i)
{
    const char *word = words[*i];
    if (strcmp(word, "--json") == 0)
        a->json = true;
    else if (strcmp(word, "--clean") == 0)
        a->clean = true;
    else if (strncmp(word, "--level=", 8) == 0)
        return take_level(a, word + 8);
    else if (strcmp(word, "--level") == 0)
        return take_level(a, ++*i < count ? words[*i] : NULL);
    else if (word[0] == '-')
        return cli_refuse("isolation", "there is no such option", word);
    else if (a->url)
        return cli_refuse("isolation", "there are two URLs", NULL);
    else
        a->url = word;
    return CLI_DONE;
}

static int read_arguments(arguments *a, int count, char **words)
{
    for (int i = 0; i < count; i++)
        if (take_word(a, count, words, &i) != CLI_DONE)
            return CLI_USAGE;
    return a->url ? CLI_DONE : cli_refuse("isolation", "the URL is missing", NULL);
}

/* ---- The end, early ---------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void note_interrupt(int number)
{
    interrupted = number;
}

static bool is_interrupted(void *unused)
{
    (void)unused;
    return interrupted != 0;
}

/* The first one lets the check clean up; it ends within the limit of a lock. */
static void catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = note_interrupt};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaction(numbers[i], &action, NULL);
}

/* ---- Leftovers --------------------------------------------------------------------------------------------------- */

static void name_leftover(void *unused, const char *name, bool removed)
{
    (void)unused;
    if (removed)
        printf("removed %s\n", name);
    else
        fprintf(stderr, "belay isolation: a check that was killed left %s; --clean removes it\n", name);
}

static int clean(const char *url)
{
    belay_error error;
    return belay_isolation_leftovers(url, true, name_leftover, NULL, &error) == BELAY_OK
               ? CLI_DONE
               : cli_fail("isolation", &error);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int check(const arguments *a)
{
    belay_isolation_report *report = malloc(sizeof *report);
    if (!report)
        return cli_fail("isolation", &(belay_error){.code = BELAY_NO_MEMORY, .message = "no memory for the report"});
    catch_interrupts();
    belay_isolation_check(a->url, BELAY_ISOLATION_OPTIONS(.levels = a->levels, .stop = is_interrupted), report);
    int status;
    if (report->error.code != BELAY_OK) {
        status = cli_fail("isolation", &report->error);
    } else {
        status = (a->json ? cli_isolation_json : cli_isolation_table)(report, a->levels ? a->levels : ~0u);
        belay_isolation_leftovers(a->url, false, name_leftover, NULL, NULL);
    }
    free(report);
    return status;
}

int cli_isolation(int count, char **words)
{
    arguments a = {.url = NULL};
    if (cli_help(count, words, help))
        return CLI_DONE;
    int status = read_arguments(&a, count, words);
    if (status != CLI_DONE)
        return status;
    return a.clean ? clean(a.url) : check(&a);
}
