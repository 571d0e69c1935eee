/*
 * The tables that are checked in, against what is observed, twice.
 *
 * The files beside this one: a line of an anomaly's sign and a word for each level, from read uncommitted on; lines
 * that begin with # are comments. docs/isolation.md shows the same files.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/isolation.h>

#include "database.h"

typedef char cell_word[16];

static const unsigned all_levels = (1u << BELAY_LEVEL_COUNT) - (1u << BELAY_READ_UNCOMMITTED);

/* ---- The files --------------------------------------------------------------------------------------------------- */

static belay_anomaly find_anomaly(const char *name)
{
    int i = 0;
    while (i < BELAY_ANOMALY_COUNT && strcmp(belay_anomaly_name((belay_anomaly)i), name) != 0)
        i++;
    return (belay_anomaly)i;
}

static void read_table(const char *name, cell_word out[BELAY_LEVEL_COUNT][BELAY_ANOMALY_COUNT])
{
    char path[512], line[256], sign[32];
    int lines = 0;
    snprintf(path, sizeof path, "%s/%s", ISOLATION_TABLES, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s can't be read", path);
    while (fgets(line, sizeof line, file)) {
        cell_word w[6];
        if (line[0] == '#' || sscanf(line, "%31s %15s %15s %15s %15s %15s", sign, w[1], w[2], w[3], w[4], w[5]) != 6)
            continue;
        belay_anomaly anomaly = find_anomaly(sign);
        assert_true(anomaly < BELAY_ANOMALY_COUNT);
        lines++;
        for (int level = BELAY_READ_UNCOMMITTED; level < BELAY_LEVEL_COUNT; level++)
            strcpy(out[level][anomaly], w[level]);
    }
    fclose(file);
    assert_int_equal(lines, BELAY_ANOMALY_COUNT);
}

/* ---- The comparison ---------------------------------------------------------------------------------------------- */

static int compare(const belay_isolation_report *r, unsigned levels,
                   cell_word expected[BELAY_LEVEL_COUNT][BELAY_ANOMALY_COUNT])
{
    int wrong = 0;
    for (int level = BELAY_READ_UNCOMMITTED; level < BELAY_LEVEL_COUNT; level++)
        for (int i = 0; i < BELAY_ANOMALY_COUNT && levels & 1u << level; i++) {
            const belay_isolation_cell *cell = &r->cells[level][i];
            if (strcmp(belay_verdict_word(cell->verdict), expected[level][i]) == 0)
                continue;
            wrong++;
            print_error("%s at %s: expected %s, but it is %s: %s\n", belay_anomaly_name((belay_anomaly)i),
                        belay_level_name((belay_level)level), expected[level][i], belay_verdict_word(cell->verdict),
                        cell->seen);
        }
    return wrong;
}

static void check_twice(const char *parameters, const char *table, unsigned levels)
{
    static belay_isolation_report report;
    static cell_word expected[BELAY_LEVEL_COUNT][BELAY_ANOMALY_COUNT];
    database d;
    int wrong = 0;
    read_table(table, expected);
    database_make(&d, parameters);
    for (int run = 0; run < 2 && !wrong; run++) {
        belay_code code = belay_isolation_check(d.url, BELAY_ISOLATION_OPTIONS(.levels = levels), &report);
        if (code != BELAY_OK)
            print_error("%s: %s\n", belay_code_name(code), report.error.message);
        wrong = code != BELAY_OK || report.undecided != 0 || compare(&report, levels, expected) != 0;
    }
    database_close(&d);
    assert_int_equal(wrong, 0);
}

static const char *table_of(const char *url)
{
    if (strncmp(url, "postgres", 8) == 0)
        return "postgresql-15.txt";
    return strncmp(url, "mariadb", 7) == 0 ? "mariadb-10.11.txt" : "sqlite-wal.txt";
}

static void what_is_observed_is_the_table_that_is_checked_in(void **state)
{
    (void)state;
    const char *given = getenv("BELAY_TEST_URL");
    check_twice("", table_of(given && *given ? given : "sqlite:"), all_levels);
}

static void without_a_write_ahead_log_readers_and_writers_wait_for_each_other(void **state)
{
    (void)state;
    if (getenv("BELAY_TEST_URL"))
        skip();
    check_twice("?journal=delete", "sqlite-delete.txt", 1u << BELAY_READ_COMMITTED | 1u << BELAY_SERIALIZABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_observed_is_the_table_that_is_checked_in),
        cmocka_unit_test(without_a_write_ahead_log_readers_and_writers_wait_for_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
