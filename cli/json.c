/*
 * json.c - how the subcommands print JSON.
 */
#include "cli.h"

#include <jansson.h>

int cli_print_json(const char *command, json_t *whole)
{
    if (!whole) {
        fprintf(stderr, "belay %s: no JSON can be made: no memory, or a name is not UTF-8\n", command);
        return CLI_FAILED;
    }
    bool written = json_dumpf(whole, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF; /* main says if it was not */
    json_decref(whole);
    return written ? CLI_DONE : CLI_FAILED;
}
