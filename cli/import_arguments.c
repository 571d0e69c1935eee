/*
 * import_arguments.c - the command line of `belay import`.
 */
#include "import.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: belay import FILE --into URL --table NAME [OPTION]...\n"
                           "\n"
                           "Loads the records of a file into a table. Each record is stored exactly as it\n"
                           "is written, or rejected alone, with the reason. FILE may be - for the standard\n"
                           "input.\n"
                           "\n"
                           "The file:\n"
                           "  --format csv|tsv|jsonl    how it is written (by its name; else csv)\n"
                           "  --header, --no-header     whether its first line has names (it has)\n"
                           "  --delimiter C             between fields (a comma; tsv: a tab); \\t is a tab\n"
                           "  --quote C                 around fields (a double quote)\n"
                           "  --null STR                what is NULL without quotes (nothing; tsv: \\N)\n"
                           "  --encoding NAME           as iconv names it (UTF-8)\n"
                           "  --max-record BYTES        longer records are rejected (8M)\n"
                           "The table:\n"
                           "  --into URL                sqlite:PATH, postgresql://..., mariadb://...\n"
                           "  --table NAME              or SCHEMA.NAME\n"
                           "  --map 'COLUMN=FIELD,...'  which column gets which field, by name or number\n"
                           "  --set 'COLUMN=VALUE'      a value for all rows; may be repeated\n"
                           "  --create                  make the table, by the header and the first records\n"
                           "  --truncate                delete its rows first, in the same transaction\n"
                           "  --on-conflict error|skip|update\n"
                           "                            a record whose key is there is rejected (error),\n"
                           "                            left out, or its values replace the old ones\n"
                           "  --key COLUMN,...          what tells rows apart (the primary key)\n"
                           "How:\n"
                           "  --commit all|every:N      one transaction, or one for N records (all)\n"
                           "  --max-rejects N|P%        past it nothing of the transaction is kept\n"
                           "  --rejects FILE            the rejected records, byte for byte\n"
                           "  --errors FILE             why: a JSON object a line\n"
                           "  --resume                  with --commit every:N: go on after a crash or Ctrl-C\n"
                           "  --restart                 begin anew where one was left half-way\n"
                           "  --dry-run                 do everything, then roll back\n"
                           "  --json                    the summary as JSON\n"
                           "  --help                    this text\n"
                           "\n"
                           "Exit status: 0 every record was stored, or skipped or updated as asked for;\n"
                           "1 some were rejected; 2 nothing was kept; 3 it ended half-way, and what was\n"
                           "committed stays; 64 wrong arguments; 74 this report could not be written.\n";

enum option_number {
    FORMAT = 1000,
    HEADER,
    NO_HEADER,
    DELIMITER,
    QUOTE,
    NULL_TEXT,
    ENCODING,
    MAX_RECORD,
    INTO,
    TABLE,
    MAP,
    SET,
    CREATE,
    TRUNCATE,
    ON_CONFLICT,
    KEY,
    COMMIT,
    MAX_REJECTS,
    REJECTS,
    ERRORS,
    RESUME,
    RESTART,
    DRY_RUN,
    JSON,
    HELP
};

static const struct option options[] = {
    {"format", required_argument, NULL, FORMAT},
    {"header", no_argument, NULL, HEADER},
    {"no-header", no_argument, NULL, NO_HEADER},
    {"delimiter", required_argument, NULL, DELIMITER},
    {"quote", required_argument, NULL, QUOTE},
    {"null", required_argument, NULL, NULL_TEXT},
    {"encoding", required_argument, NULL, ENCODING},
    {"max-record", required_argument, NULL, MAX_RECORD},
    {"into", required_argument, NULL, INTO},
    {"table", required_argument, NULL, TABLE},
    {"map", required_argument, NULL, MAP},
    {"set", required_argument, NULL, SET},
    {"create", no_argument, NULL, CREATE},
    {"truncate", no_argument, NULL, TRUNCATE},
    {"on-conflict", required_argument, NULL, ON_CONFLICT},
    {"key", required_argument, NULL, KEY},
    {"commit", required_argument, NULL, COMMIT},
    {"max-rejects", required_argument, NULL, MAX_REJECTS},
    {"rejects", required_argument, NULL, REJECTS},
    {"errors", required_argument, NULL, ERRORS},
    {"resume", no_argument, NULL, RESUME},
    {"restart", no_argument, NULL, RESTART},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"json", no_argument, NULL, JSON},
    {"help", no_argument, NULL, HELP},
    {0},
};

static int refuse(const char *what, const char *argument)
{
    cli_refuse("import", what, argument);
    return IMPORT_USAGE;
}

/* ---- Values of options ------------------------------------------------------------------------------------------ */

static int take_format(belay_import_spec *spec, const char *word)
{
    if (strcmp(word, "csv") == 0)
        spec->format = BELAY_IMPORT_CSV;
    else if (strcmp(word, "tsv") == 0)
        spec->format = BELAY_IMPORT_TSV;
    else if (strcmp(word, "jsonl") == 0)
        spec->format = BELAY_IMPORT_JSONL;
    else
        return refuse("--format is csv, tsv or jsonl, and not", word);
    return IMPORT_ALL_KEPT;
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

static belay_import_format format_by_name(const char *path)
{
    return ends_with(path, ".tsv")                                   ? BELAY_IMPORT_TSV
           : ends_with(path, ".jsonl") || ends_with(path, ".ndjson") ? BELAY_IMPORT_JSONL
                                                                     : BELAY_IMPORT_CSV;
}

static int take_character(char *out, const char *option, const char *word)
{
    if (strcmp(word, "\\t") == 0)
        word = "\t";
    if (strlen(word) != 1)
        return refuse(option, word);
    *out = word[0];
    return IMPORT_ALL_KEPT;
}

/* A whole number from `least`, with nothing behind it. */
static bool take_number(const char *word, uint64_t least, uint64_t *out)
{
    uint64_t number = 0;
    if (!*word)
        return false;
    for (; *word >= '0' && *word <= '9'; word++) {
        if (number > (UINT64_MAX - 9) / 10)
            return false;
        number = number * 10 + (uint64_t)(*word - '0');
    }
    *out = number;
    return *word == '\0' && number >= least;
}

static int take_commit(belay_import_spec *spec, const char *word)
{
    if (strcmp(word, "all") == 0)
        spec->commit_every = 0;
    else if (strncmp(word, "every:", 6) != 0 || !take_number(word + 6, 1, &spec->commit_every))
        return refuse("--commit is all, or every:N with a number of records, and not", word);
    return IMPORT_ALL_KEPT;
}

static int take_limit(belay_import_spec *spec, const char *word)
{
    char *end;
    size_t size = strlen(word);
    spec->limit_rejects = true;
    spec->max_rejects_percent = 0;
    if (take_number(word, 0, &spec->max_rejects))
        return IMPORT_ALL_KEPT;
    double percent = strtod(word, &end);
    if (size < 2 || end != word + size - 1 || *end != '%' || word[0] < '0' || word[0] > '9' || !(percent <= 100))
        return refuse("--max-rejects is a number, or a percentage such as 0.5%, and not", word);
    spec->max_rejects = 0; /* 0% is none */
    spec->max_rejects_percent = percent;
    return IMPORT_ALL_KEPT;
}

static int take_size(size_t *out, const char *word)
{
    char digits[24];
    uint64_t number;
    size_t size = strlen(word), unit = 1;
    if (size > 1 && strchr("kKmM", word[size - 1])) {
        unit = strchr("kK", word[size - 1]) ? 1024 : 1024 * 1024;
        size--;
    }
    snprintf(digits, sizeof digits, "%.*s", (int)(size < sizeof digits ? size : 0), word);
    if (!take_number(digits, 1, &number) || number > SIZE_MAX / 4 / unit)
        return refuse("--max-record is a number of bytes, such as 65536 or 8M, and not", word);
    *out = (size_t)number * unit;
    return IMPORT_ALL_KEPT;
}

static int take_conflict(belay_import_spec *spec, const char *word)
{
    if (strcmp(word, "error") == 0)
        spec->on_conflict = BELAY_IMPORT_REJECT;
    else if (strcmp(word, "skip") == 0)
        spec->on_conflict = BELAY_IMPORT_SKIP;
    else if (strcmp(word, "update") == 0)
        spec->on_conflict = BELAY_IMPORT_UPDATE;
    else
        return refuse("--on-conflict is error, skip or update, and not", word);
    return IMPORT_ALL_KEPT;
}

/* One more at the end of a list, which belongs to the arguments. */
static int append(const char *const **list, size_t *count, const char *word)
{
    const char **longer = realloc((void *)*list, (*count + 1) * sizeof *longer);
    if (!longer)
        return refuse("there is no memory for", word);
    *list = longer;
    longer[(*count)++] = word;
    return IMPORT_ALL_KEPT;
}

/* What stands between commas, cut apart in place. */
static int append_parts(const char *const **list, size_t *count, char *words)
{
    int status = IMPORT_ALL_KEPT;
    char *rest = NULL;
    for (char *word = strtok_r(words, ",", &rest); word && status == IMPORT_ALL_KEPT; word = strtok_r(NULL, ",", &rest))
        status = append(list, count, word + strspn(word, " "));
    return *count > 0 || status != IMPORT_ALL_KEPT ? status : refuse("--map and --key name columns", NULL);
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

static int take_text(import_arguments *a, int option, char *word)
{
    belay_import_spec *spec = &a->spec;
    switch (option) {
    case NULL_TEXT:
        spec->null = word;
        return IMPORT_ALL_KEPT;
    case ENCODING:
        spec->encoding = word;
        return IMPORT_ALL_KEPT;
    case INTO:
        a->url = word;
        return IMPORT_ALL_KEPT;
    case TABLE:
        spec->table = word;
        return IMPORT_ALL_KEPT;
    case REJECTS:
        spec->rejects = word;
        return IMPORT_ALL_KEPT;
    case ERRORS:
        spec->errors = word;
        return IMPORT_ALL_KEPT;
    case MAP:
        return append_parts(&spec->map, &spec->map_count, word);
    case KEY:
        return append_parts(&spec->key, &spec->key_count, word);
    default:
        return append(&spec->set, &spec->set_count, word);
    }
}

static void take_flag(import_arguments *a, int option)
{
    belay_import_spec *spec = &a->spec;
    spec->no_header = option == NO_HEADER || (option != HEADER && spec->no_header);
    spec->create |= option == CREATE;
    spec->truncate |= option == TRUNCATE;
    spec->resume |= option == RESUME;
    spec->restart |= option == RESTART;
    spec->dry_run |= option == DRY_RUN;
    a->json |= option == JSON;
    a->help |= option == HELP;
}

static int take_option(import_arguments *a, int option, char *word, bool *out_format)
{
    switch (option) {
    case FORMAT:
        *out_format = true;
        return take_format(&a->spec, word);
    case DELIMITER:
        return take_character(&a->spec.delimiter, "--delimiter is one character, or \\t, and not", word);
    case QUOTE:
        return take_character(&a->spec.quote, "--quote is one character, and not", word);
    case MAX_RECORD:
        return take_size(&a->spec.max_record, word);
    case COMMIT:
        return take_commit(&a->spec, word);
    case MAX_REJECTS:
        return take_limit(&a->spec, word);
    case ON_CONFLICT:
        return take_conflict(&a->spec, word);
    default:
        if (word)
            return take_text(a, option, word);
        take_flag(a, option);
        return IMPORT_ALL_KEPT;
    }
}

static int check(const import_arguments *a)
{
    if (!a->spec.path)
        return refuse("which file? - is the standard input", NULL);
    if (!a->url)
        return refuse("--into URL says which database, and is missing", NULL);
    if (!a->spec.table)
        return refuse("--table NAME says which table, and is missing", NULL);
    if (!a->spec.table[0] || !a->spec.path[0])
        return refuse("the name of a file or a table is empty", NULL);
    if (a->spec.resume && (a->spec.restart || a->spec.dry_run))
        return refuse("--resume goes on where an import was left: not with --restart or --dry-run", NULL);
    if (a->spec.create && a->spec.no_header)
        return refuse("--create takes the names of the header: not with --no-header", NULL);
    if (a->spec.key_count > 0 && a->spec.on_conflict == BELAY_IMPORT_REJECT && !a->spec.create)
        return refuse("--key is for --on-conflict skip or update, or for --create", NULL);
    if (a->spec.resume && a->spec.commit_every == 0)
        return refuse("--resume goes with --commit every:N: of an import in one transaction there is nothing to resume",
                      NULL);
    return IMPORT_ALL_KEPT;
}

/* Words as getopt wants them: behind a name, and its own to change. */
static bool copy_words(import_arguments *a, int count, char **words)
{
    a->words = calloc((size_t)count + 2, sizeof *a->words);
    bool copied = a->words && (a->words[0] = strdup("belay import"));
    for (a->count = 1; copied && a->count <= count; a->count++)
        copied = (a->words[a->count] = strdup(words[a->count - 1])) != NULL;
    return copied;
}

/* getopt has refused it. */
static int refuse_option(const char *word)
{
    const char letter[] = {'-', (char)optopt, '\0'};
    if (optopt >= FORMAT)
        return refuse("no value goes with this option", word);
    return optopt ? refuse("there is no such option", letter)
                  : refuse("there is no such option, or more than one that begins so", word);
}

static int read_words(import_arguments *a)
{
    int option, status = IMPORT_ALL_KEPT;
    bool has_format = false;
    opterr = 0;
    while (status == IMPORT_ALL_KEPT && (option = getopt_long(a->count, a->words, ":", options, NULL)) != -1) {
        if (option == '?')
            status = refuse_option(a->words[optind - 1]);
        else if (option == ':')
            status = refuse("a value is missing behind", a->words[optind - 1]);
        else
            status = take_option(a, option, optarg, &has_format);
    }
    if (status != IMPORT_ALL_KEPT || a->help)
        return status;
    if (optind + 1 < a->count)
        return refuse("one file at a time: there is also", a->words[optind + 1]);
    a->spec.path = a->words[optind];
    if (a->spec.path && !has_format)
        a->spec.format = format_by_name(a->spec.path);
    return check(a);
}

int import_read_arguments(import_arguments *a, int count, char **words)
{
    *a = (import_arguments){.spec = BELAY_IMPORT_SPEC(), .given_count = count, .given = words};
    if (!copy_words(a, count, words))
        return refuse("there is no memory", NULL);
    int status = read_words(a);
    if (status == IMPORT_ALL_KEPT && a->help)
        fputs(help, stdout);
    return status;
}

void import_free_arguments(import_arguments *a)
{
    for (int i = 0; a->words && i < a->count; i++)
        free(a->words[i]);
    free(a->words);
    free((void *)a->spec.map);
    free((void *)a->spec.set);
    free((void *)a->spec.key);
}
