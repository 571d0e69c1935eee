/*
 * recover.c - `belay recover`: ends what crashes of units over two databases have
 * left prepared, and says what it did with each.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static const char help[] = "usage: belay recover [--json] URL...\n"
                           "\n"
                           "Ends what a crash of a program has left prepared in these databases: units over\n"
                           "two databases, run by belay_commit_two_phase. Each is committed where its log of\n"
                           "decisions says so, and else rolled back: both of its parts, or neither. Says\n"
                           "what it did with each.\n"
                           "\n"
                           "Name every database that such units are over, and the one that holds their\n"
                           "decisions, the .decision_log of belay_open. What has its decisions elsewhere,\n"
                           "and what was not prepared by Belay, is left alone. It may be run at any time,\n"
                           "also while programs are at work.\n"
                           "\n"
                           "  --json   the same as JSON\n"
                           "  --help   this text\n"
                           "\n"
                           "URLs: sqlite:PATH, postgresql://USER@HOST/DATABASE, mariadb://USER@HOST/DATABASE\n"
                           "Exit status: 0 nothing is left prepared, 1 something was left alone or failed,\n"
                           "2 wrong arguments.\n";

typedef struct recovery {
    char **urls;
    size_t count;
    belay_db **dbs;
    json_t *done; /* NULL: it is told in words */
    int committed, rolled_back, left;
} recovery;

/* ---- URLs -------------------------------------------------------------------------------------------------------- */

/* A log that is not there must not be made, and taken for one without decisions. */
static belay_db *open_there(const char *url)
{
    bool has_mode = strncmp(url, "sqlite:", 7) != 0 || strstr(url, "?mode=") || strstr(url, "&mode=");
    size_t room = strlen(url) + sizeof "?mode=rw";
    char *full = malloc(room);
    if (!full)
        return NULL;
    snprintf(full, room, "%s%s", url, has_mode ? "" : strchr(url, '?') ? "&mode=rw" : "?mode=rw");
    belay_db *db = belay_open(full, NULL);
    free(full);
    return db;
}

/* Whether each can be asked; says which can't, and why. */
static int ask_each(const recovery *r)
{
    char shown[512];
    int status = CLI_DONE;
    for (size_t i = 0; i < r->count; i++) {
        belay_session *s = belay_session_open(r->dbs[i]);
        belay_int_of(s, "SELECT 1");
        if (belay_status(s) != BELAY_OK) {
            fprintf(stderr, "belay recover: %s:\n", cli_show_url(r->urls[i], shown, sizeof shown));
            status = cli_fail("recover", belay_pending(s));
        }
        belay_session_close(s);
    }
    return status;
}

/* ---- What was done ----------------------------------------------------------------------------------------------- */

static const char *name_outcome(const belay_recovery *one)
{
    return one->outcome == BELAY_WORK_COMMITTED     ? "committed"
           : one->outcome == BELAY_WORK_ROLLED_BACK ? "rolled back"
                                                    : "left alone";
}

static void tell_in_words(const belay_recovery *one, const char *where)
{
    printf("%s in %s: %s", one->name, where, name_outcome(one));
    if (one->outcome == BELAY_WORK_COMMITTED)
        printf(", as its log has decided\n");
    else if (one->outcome == BELAY_WORK_ROLLED_BACK)
        printf(", as its log has no decision to commit it\n");
    else
        printf(": %s%s%s\n", one->error->message, one->error->hint[0] ? "; " : "", one->error->hint);
}

static void add_to_json(json_t *done, const belay_recovery *one, const char *where)
{
    json_array_append_new(done, json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?}", "name", one->name, "database", where,
                                          "outcome", name_outcome(one), "code",
                                          one->error ? belay_code_name(one->error->code) : NULL, "message",
                                          one->error ? one->error->message : NULL, "hint",
                                          one->error && one->error->hint[0] ? one->error->hint : NULL));
}

static void tell(void *arg, const belay_recovery *one)
{
    char where[512];
    recovery *r = arg;
    cli_show_url(r->urls[one->database], where, sizeof where);
    *(one->outcome == BELAY_WORK_COMMITTED     ? &r->committed
      : one->outcome == BELAY_WORK_ROLLED_BACK ? &r->rolled_back
                                               : &r->left) += 1;
    if (r->done)
        add_to_json(r->done, one, where);
    else
        tell_in_words(one, where);
}

static int conclude(const recovery *r)
{
    if (r->done)
        return cli_print_json("recover", json_pack("{s:O, s:i, s:i, s:i}", "transactions", r->done, "committed",
                                                   r->committed, "rolled_back", r->rolled_back, "left_alone", r->left));
    if (r->committed + r->rolled_back + r->left == 0)
        printf("nothing was left prepared\n");
    else
        printf("%d committed, %d rolled back, %d left alone\n", r->committed, r->rolled_back, r->left);
    return CLI_DONE;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int recover(recovery *r)
{
    int status = ask_each(r);
    if (status != CLI_DONE)
        return status;
    belay_code code = belay_recover(r->dbs, r->count, tell, r);
    if (code != BELAY_OK && code != BELAY_IN_DOUBT)
        fprintf(stderr, "belay recover: %s: not all could be asked, and something may be left\n",
                belay_code_name(code));
    status = conclude(r);
    return code == BELAY_OK ? status : CLI_FAILED;
}

static int run(char **urls, size_t count, bool json)
{
    recovery r = {.urls = urls, .count = count, .dbs = calloc(count, sizeof(belay_db *))};
    if (json)
        r.done = json_array();
    int status = CLI_FAILED;
    if (r.dbs && (r.done || !json)) {
        for (size_t i = 0; i < count; i++)
            r.dbs[i] = open_there(urls[i]);
        status = recover(&r);
    }
    for (size_t i = 0; r.dbs && i < count; i++)
        belay_close(r.dbs[i]);
    free(r.dbs);
    json_decref(r.done);
    return status;
}

int cli_recover(int count, char **words)
{
    bool json = false;
    size_t urls = 0;
    if (cli_help(count, words, help))
        return CLI_DONE;
    for (int i = 0; i < count; i++) {
        if (strcmp(words[i], "--json") == 0)
            json = true;
        else if (words[i][0] == '-')
            return cli_refuse("recover", "there is no such option", words[i]);
        else
            words[urls++] = words[i];
    }
    return urls > 0 ? run(words, urls, json) : cli_refuse("recover", "the URLs are missing", NULL);
}
