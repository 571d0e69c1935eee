/*
 * belay.c - the command `belay`: finds the subcommand.
 */
#include "cli.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

typedef struct subcommand {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *summary;
} subcommand;

static const subcommand subcommands[] = {
    {"import", cli_import, "loads a file, each record stored as it is written or rejected alone"},
    {"isolation", cli_isolation, "what each isolation level of a database really prevents"},
    {"recover", cli_recover, "ends what crashes of units over two databases left prepared"},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static int print_usage(FILE *out, int status)
{
    fputs("usage: belay COMMAND [ARGUMENTS]\n"
          "       belay COMMAND --help\n"
          "       belay --version\n\n",
          out);
    for (int i = 0; i < SUBCOMMANDS; i++)
        fprintf(out, "  %-12s%s\n", subcommands[i].name, subcommands[i].summary);
    return status;
}

static int print_version(void)
{
    printf("belay %s\n", belay_version());
    return CLI_DONE;
}

bool cli_help(int count, char **words, const char *help)
{
    for (int i = 0; i < count; i++)
        if (strcmp(words[i], "--help") == 0 || strcmp(words[i], "-h") == 0) {
            fputs(help, stdout);
            return true;
        }
    return false;
}

/* A word that was not understood may be a URL, also a broken one, and a URL may have a password. */
static const char *show_word(const char *word)
{
    static const char *const signs[] = {"://", "@", "postgresql:", "postgres:", "mariadb:", "mysql:"};
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (strstr(word, signs[i]))
            return "(a URL)";
    return word;
}

int cli_refuse(const char *command, const char *what, const char *argument)
{
    fprintf(stderr, "belay %s: %s%s%s; see belay %s --help\n", command, what, argument ? ": " : "",
            argument ? show_word(argument) : "", command);
    return CLI_USAGE;
}

int cli_fail(const char *command, const belay_error *error)
{
    fprintf(stderr, "belay %s: %s: %s\n", command, belay_code_name(error->code), error->message);
    if (error->hint[0])
        fprintf(stderr, "belay %s: %s\n", command, error->hint);
    return CLI_FAILED;
}

static int run_command(int count, char **arguments)
{
    if (count < 2)
        return print_usage(stderr, CLI_USAGE);
    if (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)
        return print_usage(stdout, CLI_DONE);
    if (strcmp(arguments[1], "--version") == 0)
        return print_version();
    for (int i = 0; i < SUBCOMMANDS; i++)
        if (strcmp(arguments[1], subcommands[i].name) == 0)
            return subcommands[i].run(count - 2, arguments + 2);
    fprintf(stderr, "belay: there is no command \"%s\"\n", show_word(arguments[1]));
    return print_usage(stderr, CLI_USAGE);
}

/* What is closed must not become the descriptor of a file or of a server, which would get what is printed. What takes
   its place can't be read, where it is the input, and not be written, where it is an output. */
static void keep_descriptors(void)
{
    for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; wanted++)
        if (fcntl(wanted, F_GETFD) < 0)
            (void)open("/dev/null", wanted == STDIN_FILENO ? O_WRONLY : O_RDONLY); /* the lowest that is free */
}

int main(int count, char **arguments)
{
    keep_descriptors();
    int status = run_command(count, arguments);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("belay: the output can't be written\n", stderr);
    return status == CLI_DONE ? CLI_FAILED : status;
}
