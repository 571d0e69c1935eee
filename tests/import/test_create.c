/*
 * test_create.c - an import that makes its table: names from the header, types from the first records.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What the engine holds the columns of `made` to be: "name type;". */
static const char *columns(rig *r)
{
    return rows_of(r->s,
                   on_engine(&r->d, "SELECT name, type FROM pragma_table_info('made') ORDER BY cid",
                             "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                             "WHERE attrelid = 'made'::regclass AND attnum > 0 ORDER BY attnum",
                             "SELECT column_name, column_type FROM information_schema.columns "
                             "WHERE table_schema = DATABASE() AND table_name = 'made' ORDER BY ordinal_position"));
}

static void names_are_the_headers_and_types_fit_the_values(void **state)
{
    rig *r = *state;
    rig_write(r, "id,day,at,amount,ratio,good,zip,\"a \"\"note\"\"\",empty\n"
                 "1,2026-01-01,2026-01-01 10:20:30.5,10.50,1e-3,true,007,short,\n"
                 "2,2026-01-02,2026-01-02T00:00:00,-3,2.5,false,10115,\xC3\xA9,\n");
    rig_imports(r, .table = "made", .create = true);
    assert_string_equal(rig_counts(&r->report.counts), "2 2 0 0 0");
    assert_string_equal(
        columns(r),
        on_engine(&r->d,
                  "id|BIGINT;day|DATE;at|TIMESTAMP;amount|NUMERIC(18,2);ratio|DOUBLE PRECISION;good|BOOLEAN;"
                  "zip|VARCHAR(255);a \"note\"|VARCHAR(255);empty|TEXT",
                  "id|bigint;day|date;at|timestamp without time zone;amount|numeric(18,2);ratio|double precision;"
                  "good|boolean;zip|character varying(255);a \"note\"|character varying(255);empty|text",
                  "id|bigint(20);day|date;at|datetime(6);amount|decimal(18,2);ratio|double;good|tinyint(1);"
                  "zip|varchar(255);a \"note\"|varchar(255);empty|longtext"));
    assert_rows(r->s, "SELECT id, day, zip FROM made ORDER BY id", "1|2026-01-01|007;2|2026-01-02|10115");
    assert_rows(r->s, "SELECT count(*) FROM made WHERE amount = 10.5 AND empty IS NULL", "1");
}

static void what_the_sample_did_not_show_is_rejected_alone(void **state)
{
    rig *r = *state;
    char *text = calloc(1, 40000), *at = text;
    assert_non_null(text);
    at += sprintf(at, "id\n");
    for (int i = 0; i < 2000; i++)
        at += sprintf(at, "%d\n", i);
    sprintf(at, "late\n");
    rig_write(r, text);
    free(text);
    rig_imports(r, .table = "made", .create = true);
    assert_string_equal(rig_counts(&r->report.counts), "2001 2000 0 0 1");
    assert_string_equal(r->told, "2001:2002:id:DATA;");
}

static void only_what_the_map_and_the_set_name_becomes_a_column(void **state)
{
    rig *r = *state;
    const char *map[] = {"who=name", "much=3"}, *set[] = {"source=bank", "year=2026"};
    rig_write(r, "id,name,amount\n1,Ann,1.5\n");
    rig_imports(r, .table = "made", .create = true, .map = map, .map_count = 2, .set = set, .set_count = 2);
    assert_string_equal(columns(r),
                        on_engine(&r->d, "who|VARCHAR(255);much|NUMERIC(18,1);source|VARCHAR(255);year|BIGINT",
                                  "who|character varying(255);much|numeric(18,1);source|character varying(255);"
                                  "year|bigint",
                                  "who|varchar(255);much|decimal(18,1);source|varchar(255);year|bigint(20)"));
    assert_rows(r->s, "SELECT who, source, year FROM made", "Ann|bank|2026");
}

static void the_key_becomes_the_primary_key_and_nothing_else_does(void **state)
{
    rig *r = *state;
    const char *key[] = {"name", "id"};
    rig_write(r, "id,name\n1,Ann\n1,Bob\n1,Ann\n");
    rig_imports(r, .table = "made", .create = true, .key = key, .key_count = 2);
    assert_string_equal(r->told,
                        on_engine(&r->d, "3:4:name, id:UNIQUE;", "3:4:name, id:UNIQUE;", "3:4:name, id:UNIQUE;"));
    rig_imports(r, .table = "made", .on_conflict = BELAY_IMPORT_SKIP);
    assert_string_equal(rig_counts(&r->report.counts), "3 0 0 3 0");
    rig_imports(r, .table = "keyless", .create = true);
    assert_string_equal(rig_counts(&r->report.counts), "3 3 0 0 0");
}

static void a_table_that_is_there_is_left_as_it_is(void **state)
{
    rig *r = *state;
    rig_run(r, "CREATE TABLE made (id INTEGER, name VARCHAR(3))");
    rig_write(r, "id,name\n1,Ann\n2,Anna\n");
    rig_imports(r, .table = "made", .create = true);
    assert_string_equal(rig_counts(&r->report.counts), "2 1 0 0 1");
}

static void what_can_not_become_a_table_is_refused_and_none_is_made(void **state)
{
    rig *r = *state;
    const char *key[] = {"who"}, *map[] = {"a=nothing"}, *twice[] = {"a=id", "a=name"};
    rig_write(r, "id,name\n1,Ann\n");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "made", .create = true, .key = key, .key_count = 1)),
                BELAY_MISUSE);
    assert_contains(r->report.error.message, "who");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "made", .create = true, .map = map, .map_count = 1)),
                BELAY_SCHEMA);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "made", .create = true, .map = twice, .map_count = 2)),
                BELAY_MISUSE);
    rig_write(r, "");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "made", .create = true)), BELAY_MISUSE);
    assert_contains(rows_of(r->s, "SELECT * FROM made"), "ERROR");
}

static void names_need_quotes_of_no_kind(void **state)
{
    rig *r = *state;
    rig_write(r, "\"sel\"\"ect\",a`b,c.d,%s\n1,2,3,4\n");
    rig_imports(r, .table = "or\"de`r", .create = true);
    const char *rows =
        rows_of(r->s, database_is_mariadb(&r->d) ? "SELECT * FROM `or\"de``r`" : "SELECT * FROM \"or\"\"de`r\"");
    assert_string_equal(rows, "1|2|3|4");
}

static void members_of_json_become_columns_in_the_order_in_which_they_first_appear(void **state)
{
    rig *r = *state;
    rig_write(r, "{\"id\": 1, \"name\": \"Ann\"}\n"
                 "{\"amount\": 2.50, \"id\": 2, \"name\": null}\n"
                 "{\"id\": 3, \"id\": 4}\n"
                 "{\"name\": \"Cat\", \"good\": true, \"id\": 5}\n");
    rig_imports(r, .table = "made", .create = true, .format = BELAY_IMPORT_JSONL);
    assert_string_equal(rig_counts(&r->report.counts), "4 3 0 0 1");
    assert_string_equal(r->told, "3:3::DATA;");
    assert_string_equal(columns(r), on_engine(&r->d, "id|BIGINT;name|VARCHAR(255);amount|NUMERIC(18,2);good|BOOLEAN",
                                              "id|bigint;name|character varying(255);amount|numeric(18,2);good|boolean",
                                              "id|bigint(20);name|varchar(255);amount|decimal(18,2);good|tinyint(1)"));
    assert_rows(r->s,
                "SELECT id, name, CASE WHEN amount = 2.5 THEN 'amount' END, CASE WHEN good THEN 'good' END "
                "FROM made ORDER BY id",
                "1|Ann|NULL|NULL;2|NULL|amount|NULL;5|Cat|NULL|good");
}

static void a_map_of_members_makes_the_columns_it_names(void **state)
{
    rig *r = *state;
    const char *map[] = {"who=name", "number=id"};
    rig_write(r, "{\"id\": 1, \"name\": \"Ann\", \"more\": 1}\n{\"id\": 2}\n");
    rig_imports(r, .table = "made", .create = true, .format = BELAY_IMPORT_JSONL, .map = map, .map_count = 2);
    assert_rows(r->s, "SELECT who, number FROM made ORDER BY number", "Ann|1;NULL|2");
    rig_write(r, "");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "none", .create = true, .format = BELAY_IMPORT_JSONL)),
                BELAY_MISUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_rig(names_are_the_headers_and_types_fit_the_values),
        in_rig(what_the_sample_did_not_show_is_rejected_alone),
        in_rig(only_what_the_map_and_the_set_name_becomes_a_column),
        in_rig(the_key_becomes_the_primary_key_and_nothing_else_does),
        in_rig(a_table_that_is_there_is_left_as_it_is),
        in_rig(what_can_not_become_a_table_is_refused_and_none_is_made),
        in_rig(names_need_quotes_of_no_kind),
        in_rig(members_of_json_become_columns_in_the_order_in_which_they_first_appear),
        in_rig(a_map_of_members_makes_the_columns_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
