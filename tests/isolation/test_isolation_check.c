/*
 * belay_isolation_check as a call: what it refuses, what it leaves alone, what it says when it can't decide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <belay/isolation.h>

#include "database.h"

static belay_isolation_report report;

static const unsigned one_level = 1u << BELAY_SERIALIZABLE;

/* ---- Words ------------------------------------------------------------------------------------------------------- */

static void every_anomaly_verdict_and_level_has_its_words(void **state)
{
    (void)state;
    for (int i = -2; i < BELAY_ANOMALY_COUNT + 2; i++) {
        belay_anomaly anomaly = (belay_anomaly)i;
        bool there = i >= 0 && i < BELAY_ANOMALY_COUNT;
        assert_int_equal(there, strcmp(belay_anomaly_name(anomaly), "?") != 0);
        assert_int_equal(there, strcmp(belay_anomaly_title(anomaly), "?") != 0);
        assert_int_equal(there, strcmp(belay_anomaly_advice(anomaly), "?") != 0);
        assert_true(strlen(belay_anomaly_advice(anomaly)) <= 76); /* with an indent, a line of a terminal */
    }
    for (int i = -2; i < BELAY_LEVEL_REFUSED + 3; i++) {
        bool there = i >= 0 && i <= BELAY_LEVEL_REFUSED;
        assert_int_equal(there, strcmp(belay_verdict_word((belay_verdict)i), "?") != 0);
        assert_int_equal(there, strcmp(belay_verdict_text((belay_verdict)i), "?") != 0);
        assert_true(strlen(belay_verdict_text((belay_verdict)i)) <= 69); /* behind a word, a line of a terminal */
    }
    assert_string_equal(belay_level_name(BELAY_ISOLATION_DEFAULT), "default");
    assert_string_equal(belay_level_name(BELAY_REPEATABLE_READ), "repeatable read");
    assert_string_equal(belay_level_name((belay_level)77), "?");
    assert_string_equal(belay_level_name((belay_level)-1), "?");
}

/* ---- What is refused --------------------------------------------------------------------------------------------- */

static void what_can_not_be_checked_is_refused(void **state)
{
    (void)state;
    assert_int_equal(belay_isolation_check("sqlite:x", NULL, NULL), BELAY_MISUSE);
    assert_int_equal(belay_isolation_check(NULL, NULL, &report), BELAY_MISUSE);
    assert_int_equal(report.error.code, BELAY_MISUSE);
    assert_int_equal(belay_isolation_check("sqlite:", NULL, &report), BELAY_MISUSE);
    assert_int_equal(belay_isolation_check("sqlite:x.db?mode=ro", NULL, &report), BELAY_MISUSE);
    assert_int_equal(belay_isolation_check("sqlite:x.db?cache_kib=5&mode=rw", NULL, &report), BELAY_MISUSE);
    assert_int_equal(belay_isolation_check("sqlite::memory:", NULL, &report), BELAY_UNSUPPORTED);
    assert_int_equal(belay_isolation_check("nonsense", NULL, &report), BELAY_MISUSE);
    assert_int_equal(belay_isolation_check("sqlite:/no/such/folder/x.db", NULL, &report), BELAY_IO);
    assert_non_null(strstr(report.error.message, "/no/such/folder/x.db-isolation-"));
    const belay_isolation_options none = {.size = sizeof none, .levels = 1u << BELAY_ISOLATION_DEFAULT};
    assert_int_equal(belay_isolation_check("sqlite:x.db", &none, &report), BELAY_MISUSE);
    const belay_isolation_options beyond = {.size = sizeof beyond, .levels = 1u << BELAY_LEVEL_COUNT};
    assert_int_equal(belay_isolation_check("sqlite:x.db", &beyond, &report), BELAY_MISUSE);
    const belay_isolation_options newer = {.size = sizeof newer + 1};
    assert_int_equal(belay_isolation_check("sqlite:x.db", &newer, &report), BELAY_MISUSE);
}

static void a_server_that_is_not_there_is_an_error_and_no_cell_is_filled(void **state)
{
    (void)state;
    const char *url = "mariadb://u:secret@127.0.0.1:1/d";
    belay_code code = belay_isolation_check(url, NULL, &report);
    assert_true(code == BELAY_CONNECTION || code == BELAY_UNSUPPORTED); /* the second in a build without the driver */
    assert_null(strstr(report.error.message, "secret"));
    for (int level = 0; level < BELAY_LEVEL_COUNT; level++)
        for (int i = 0; i < BELAY_ANOMALY_COUNT; i++) {
            assert_int_equal(report.cells[level][i].verdict, BELAY_UNDECIDED);
            assert_string_equal(report.cells[level][i].seen, "not tested");
        }
}

/* ---- What is left alone ------------------------------------------------------------------------------------------ */

static int files_beside(const database *d)
{
    int count = 0;
    DIR *all = opendir(d->directory);
    assert_non_null(all);
    for (struct dirent *entry; (entry = readdir(all)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(all);
    return count;
}

/* Schemas and tables with a name of ours. */
static int64_t count_ours(belay_session *s)
{
    return belay_int_of(s, "SELECT (SELECT count(*) FROM information_schema.schemata WHERE schema_name LIKE "
                           "'belay!_isolation!_%' ESCAPE '!') + (SELECT count(*) FROM information_schema.tables "
                           "WHERE table_name LIKE 'belay!_isolation!_%' ESCAPE '!' OR table_schema LIKE "
                           "'belay!_isolation!_%' ESCAPE '!')");
}

static void nothing_that_is_there_is_touched_and_nothing_is_left(void **state)
{
    (void)state;
    static const char *const steps[] = {"DROP TABLE IF EXISTS t1",
                                        "CREATE TABLE t1 (id INTEGER PRIMARY KEY, value INTEGER)",
                                        "INSERT INTO t1 VALUES (1, 7)", NULL};
    database d;
    database_open(&d, NULL);
    database_run(d.s, steps);
    belay_session_close(d.s);
    belay_close(d.db);
    d.s = NULL;
    d.db = NULL;
    int before = database_is_sqlite(&d) ? files_beside(&d) : 0;
    belay_code code = belay_isolation_check(d.url, BELAY_ISOLATION_OPTIONS(.levels = one_level), &report);
    assert_int_equal(code, BELAY_OK);
    if (database_is_sqlite(&d))
        assert_int_equal(files_beside(&d), before);
    belay_db *db = belay_open(d.url, NULL);
    belay_session *s = belay_session_open(db);
    assert_rows(s, "SELECT id, value FROM t1", "1|7");
    if (!database_is_sqlite(&d))
        assert_int_equal(count_ours(s), 0);
    belay_exec(s, "DROP TABLE t1");
    belay_session_close(s);
    belay_close(db);
    database_close(&d);
}

static void the_file_of_the_url_is_not_even_opened(void **state)
{
    (void)state;
    if (getenv("BELAY_TEST_URL"))
        skip();
    database d;
    database_make(&d, "");
    FILE *file = fopen(d.path, "w"); /* no database: whoever opens it fails */
    assert_non_null(file);
    fputs("this is a letter, and longer than the header of a database is, which has a hundred bytes in its first page "
          "and a text of its own",
          file);
    fclose(file);
    assert_int_equal(belay_isolation_check(d.url, BELAY_ISOLATION_OPTIONS(.levels = one_level), &report), BELAY_OK);
    assert_int_equal(files_beside(&d), 1);
    database_close(&d);
}

/* ---- Stopping ---------------------------------------------------------------------------------------------------- */

static bool stop_at_last(void *calls)
{
    return ++*(int *)calls > 60;
}

static void a_check_that_is_stopped_leaves_nothing(void **state)
{
    (void)state;
    database d;
    int calls = 0;
    database_open(&d, NULL);
    int before = database_is_sqlite(&d) ? files_beside(&d) : 0;
    belay_code code =
        belay_isolation_check(d.url, BELAY_ISOLATION_OPTIONS(.stop = stop_at_last, .stop_arg = &calls), &report);
    int64_t left = database_is_sqlite(&d) ? files_beside(&d) - before : count_ours(d.s);
    database_close(&d);
    assert_int_equal(code, BELAY_CANCELLED);
    assert_int_equal(report.error.code, BELAY_CANCELLED);
    assert_int_equal(left, 0);
    assert_string_equal(report.cells[BELAY_SERIALIZABLE][BELAY_WRITE_SKEW].seen, "not tested");
}

/* ---- Levels and cells -------------------------------------------------------------------------------------------- */

typedef struct told {
    int cells, decided;
} told;

static void note_cell(void *arg, belay_level level, belay_anomaly anomaly, const belay_isolation_cell *cell)
{
    told *t = arg;
    t->cells += level == BELAY_SERIALIZABLE && anomaly < BELAY_ANOMALY_COUNT;
    t->decided += cell->verdict != BELAY_UNDECIDED;
}

static void only_the_levels_that_were_asked_for_are_tested_and_each_cell_is_told(void **state)
{
    (void)state;
    database d;
    told t = {0};
    database_make(&d, "");
    belay_code code = belay_isolation_check(
        d.url, BELAY_ISOLATION_OPTIONS(.levels = one_level, .progress = note_cell, .progress_arg = &t), &report);
    database_close(&d);
    assert_int_equal(code, BELAY_OK);
    assert_int_equal(t.cells, BELAY_ANOMALY_COUNT);
    assert_int_equal(t.decided, BELAY_ANOMALY_COUNT);
    assert_int_equal(report.in_force[BELAY_SERIALIZABLE], BELAY_SERIALIZABLE);
    assert_int_not_equal(report.in_force[BELAY_ISOLATION_DEFAULT], BELAY_ISOLATION_DEFAULT);
    assert_string_equal(report.cells[BELAY_SNAPSHOT][BELAY_LOST_UPDATE].seen, "not tested");
    const belay_isolation_cell *cell = &report.cells[BELAY_SERIALIZABLE][BELAY_LOST_UPDATE];
    assert_true(cell->verdict == BELAY_PREVENTED_BY_WAITING || cell->verdict == BELAY_PREVENTED_BY_ERROR);
    assert_true(cell->waits > 0); /* somebody did on all three engines */
    assert_int_equal(cell->reruns > 0, cell->verdict == BELAY_PREVENTED_BY_ERROR);
    assert_non_null(strstr(cell->seen, "left 1:12 2:20"));
    assert_true(strlen(report.version) > 6);
}

typedef struct cutter {
    belay_session *s;
    int64_t cut;
} cutter;

/* Once, sessions lose their connections in the midst of a unit. */
static bool cut_once(void *arg)
{
    cutter *c = arg;
    if (c->cut == 0)
        c->cut = belay_int_of(c->s, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE state = 'idle "
                                    "in transaction' AND datname = current_database() AND pid <> pg_backend_pid()");
    return false;
}

static void a_cell_that_could_not_be_decided_says_so_and_the_next_one_can_be(void **state)
{
    (void)state;
    const char *url = getenv("BELAY_TEST_URL");
    if (!url || strncmp(url, "postgres", 8) != 0)
        skip();
    database d;
    database_open(&d, NULL);
    cutter c = {.s = d.s};
    belay_code code = belay_isolation_check(
        d.url, BELAY_ISOLATION_OPTIONS(.levels = one_level, .stop = cut_once, .stop_arg = &c), &report);
    database_close(&d);
    assert_true(c.cut > 0);
    assert_int_equal(code, BELAY_OK);
    assert_in_range(report.undecided, 1, 2);
    int undecided = 0;
    for (int i = 0; i < BELAY_ANOMALY_COUNT; i++) {
        const belay_isolation_cell *cell = &report.cells[BELAY_SERIALIZABLE][i];
        undecided += cell->verdict == BELAY_UNDECIDED;
        if (cell->verdict != BELAY_UNDECIDED)
            continue;
        assert_true(cell->code == BELAY_CONNECTION || cell->code == BELAY_IN_DOUBT); /* the second: at its COMMIT */
        assert_ptr_equal(strstr(cell->seen, belay_code_name(cell->code)), cell->seen);
    }
    assert_int_equal(undecided, report.undecided);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_anomaly_verdict_and_level_has_its_words),
        cmocka_unit_test(what_can_not_be_checked_is_refused),
        cmocka_unit_test(a_server_that_is_not_there_is_an_error_and_no_cell_is_filled),
        cmocka_unit_test(nothing_that_is_there_is_touched_and_nothing_is_left),
        cmocka_unit_test(the_file_of_the_url_is_not_even_opened),
        cmocka_unit_test(a_check_that_is_stopped_leaves_nothing),
        cmocka_unit_test(only_the_levels_that_were_asked_for_are_tested_and_each_cell_is_told),
        cmocka_unit_test(a_cell_that_could_not_be_decided_says_so_and_the_next_one_can_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
