/*
 * isolation_table.c - a report for a terminal of 80 columns.
 */
#include "cli.h"

static const char *const heads[][2] = {
    [BELAY_READ_UNCOMMITTED] = {"read", "uncommitted"}, [BELAY_READ_COMMITTED] = {"read", "committed"},
    [BELAY_REPEATABLE_READ] = {"repeatable", "read"},   [BELAY_SNAPSHOT] = {"", "snapshot"},
    [BELAY_SERIALIZABLE] = {"", "serializable"},
};

typedef struct table {
    const belay_isolation_report *report;
    unsigned levels;
} table;

/* The next level that is shown; BELAY_LEVEL_COUNT: there is none. */
static int next_level(const table *t, int level)
{
    do
        level++;
    while (level < BELAY_LEVEL_COUNT && !(t->levels & 1u << level));
    return level;
}

#define EACH_LEVEL(level, t)                                                                                           \
    for (int level = next_level(t, BELAY_ISOLATION_DEFAULT); level < BELAY_LEVEL_COUNT; level = next_level(t, level))

/* A line without spaces at its end. */
static void print_row(const table *t, const char *head, const char *const words[BELAY_LEVEL_COUNT])
{
    char line[160];
    int size = snprintf(line, sizeof line, "%-19s", head);
    EACH_LEVEL(level, t)
    size += snprintf(line + size, sizeof line - (size_t)size, " %-11s", words[level]);
    while (size > 0 && line[size - 1] == ' ')
        size--;
    printf("%.*s\n", size, line);
}

static void print_heads(const table *t)
{
    for (int i = 0; i < 2; i++) {
        const char *words[BELAY_LEVEL_COUNT];
        EACH_LEVEL(level, t)
        words[level] = heads[level][i];
        print_row(t, "", words);
    }
}

static void print_cells(const table *t)
{
    for (int anomaly = 0; anomaly < BELAY_ANOMALY_COUNT; anomaly++) {
        const char *words[BELAY_LEVEL_COUNT];
        EACH_LEVEL(level, t)
        words[level] = belay_verdict_word(t->report->cells[level][anomaly].verdict);
        print_row(t, belay_anomaly_name((belay_anomaly)anomaly), words);
    }
}

/* Whether a cell that is shown has it. */
static bool is_seen(const table *t, int anomaly, belay_verdict verdict)
{
    EACH_LEVEL(level, t)
    if (t->report->cells[level][anomaly].verdict == verdict)
        return true;
    return false;
}

/* The words that are in the table. */
static void print_words(const table *t)
{
    putchar('\n');
    for (int verdict = BELAY_UNDECIDED; verdict <= BELAY_LEVEL_REFUSED; verdict++)
        for (int anomaly = 0; anomaly < BELAY_ANOMALY_COUNT; anomaly++)
            if (is_seen(t, anomaly, (belay_verdict)verdict)) {
                printf("%-10s %s\n", belay_verdict_word((belay_verdict)verdict),
                       belay_verdict_text((belay_verdict)verdict));
                break;
            }
}

/* At each anomaly that a level allows: one line on what to do. */
static void print_advice(const table *t)
{
    const char *lead = "\nWhere it is allowed:\n";
    for (int anomaly = 0; anomaly < BELAY_ANOMALY_COUNT; anomaly++) {
        if (!is_seen(t, anomaly, BELAY_ALLOWED))
            continue;
        printf("%s%s, %s\n    %s\n", lead, belay_anomaly_name((belay_anomaly)anomaly),
               belay_anomaly_title((belay_anomaly)anomaly), belay_anomaly_advice((belay_anomaly)anomaly));
        lead = "";
    }
}

static void print_undecided(const table *t)
{
    EACH_LEVEL(level, t)
    for (int anomaly = 0; anomaly < BELAY_ANOMALY_COUNT; anomaly++) {
        const belay_isolation_cell *cell = &t->report->cells[level][anomaly];
        if (cell->verdict == BELAY_UNDECIDED)
            printf("undecided: %s at %s: %s\n", belay_anomaly_name((belay_anomaly)anomaly),
                   belay_level_name((belay_level)level), cell->seen);
    }
}

static void print_levels(const table *t)
{
    const belay_level *in_force = t->report->in_force;
    printf("%s; default level: %s\n", t->report->version, belay_level_name(in_force[BELAY_ISOLATION_DEFAULT]));
    EACH_LEVEL(level, t)
    if (in_force[level] != (belay_level)level && in_force[level] != BELAY_ISOLATION_DEFAULT)
        printf("%s is %s here\n", belay_level_name((belay_level)level), belay_level_name(in_force[level]));
    putchar('\n');
}

int cli_isolation_table(const belay_isolation_report *report, unsigned levels)
{
    table t = {report, levels};
    print_levels(&t);
    print_heads(&t);
    print_cells(&t);
    print_words(&t);
    print_advice(&t);
    print_undecided(&t);
    return CLI_DONE;
}
