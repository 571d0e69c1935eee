/*
 * belay_import: what is kept, what is rejected and why, on every engine.
 */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char table[] = "CREATE TABLE tx (id INTEGER PRIMARY KEY, day DATE NOT NULL, payee VARCHAR(20) NOT NULL, "
                            "amount NUMERIC(12,2) NOT NULL CHECK (amount > 0))";

static const char twelve[] = "id,day,payee,amount\n"
                             "1,2026-01-01,Ann,10.50\n"
                             "2,2026-01-02,\"multi\nline memo\",20.00\n"
                             "3,2026-01-03,Bob,twenty\n"
                             "4,2026-01-04,Cat,40.00\n"
                             "4,2026-01-05,Dup,41.00\n"
                             "6,2026-01-06,Neg,-5.00\n"
                             "7,2026-01-07,,70.00\n"
                             "8,2026-13-45,BadDate,80.00\n"
                             "9,2026-01-09,Short\n"
                             "10,2026-01-10,Long,100.00,extra\n"
                             "11,2026-01-11,Ok,110.00\n"
                             "12,2026-01-12,Last,120.00\n";

static rig *with_table(void **state)
{
    rig *r = *state;
    rig_run(r, table);
    return r;
}

static void assert_ids(rig *r, const char *ids)
{
    assert_rows(r->s, "SELECT id FROM tx ORDER BY id", ids);
}

/* ---- The twelve records ----------------------------------------------------------------------------------------- */

static void of_the_twelve_records_five_are_kept_and_seven_rejected(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    rig_imports(r, .table = "tx");
    assert_string_equal(rig_counts(&r->report.counts), "12 5 0 0 7");
    assert_ids(r, "1;2;4;11;12");
    assert_rows(r->s, "SELECT payee FROM tx WHERE id = 2", "multi\nline memo");
    assert_rows(r->s, "SELECT payee FROM tx WHERE id = 4", "Cat");
    assert_string_equal(r->told, "3:5:amount:DATA;5:7:id:UNIQUE;6:8:amount:CHECK;7:9:payee:NOT_NULL;8:10:day:DATA;"
                                 "9:11::DATA;10:12::DATA;");
    assert_contains(rig_read(r->errors), "3 fields for 4 columns");
    assert_contains(rig_read(r->errors), "5 fields for 4 columns");
}

static void rejects_are_the_records_byte_for_byte_behind_the_header(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    rig_imports(r, .table = "tx");
    assert_string_equal(rig_read(r->rejects), "id,day,payee,amount\n"
                                              "3,2026-01-03,Bob,twenty\n"
                                              "4,2026-01-05,Dup,41.00\n"
                                              "6,2026-01-06,Neg,-5.00\n"
                                              "7,2026-01-07,,70.00\n"
                                              "8,2026-13-45,BadDate,80.00\n"
                                              "9,2026-01-09,Short\n"
                                              "10,2026-01-10,Long,100.00,extra\n");
}

static void what_was_put_right_is_fed_again(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    rig_imports(r, .table = "tx");
    assert_string_equal(rig_counts(&r->report.counts), "12 5 0 0 7");
    rig_write(r, "id,day,payee,amount\n3,2026-01-03,Bob,20.00\n");
    rig_imports(r, .table = "tx");
    assert_string_equal(rig_counts(&r->report.counts), "1 1 0 0 0");
    assert_string_equal(rig_read(r->rejects), "id,day,payee,amount\n");
    assert_string_equal(rig_read(r->errors), "");
    assert_ids(r, "1;2;3;4;11;12");
}

static void an_error_says_where_and_what(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    rig_imports(r, .table = "tx");
    assert_contains(rig_read(r->errors),
                    "{\"record\":3,\"line\":5,\"offset\":80,\"column\":\"amount\",\"value\":\"twenty\","
                    "\"code\":\"DATA\"");
    assert_contains(rig_read(r->errors), "\"code\":\"UNIQUE\"");
    if (!database_is_sqlite(&r->d))
        assert_contains(rig_read(r->errors), "\"sqlstate\":\"23");
}

/* ---- Which column gets what ------------------------------------------------------------------------------------- */

static void fields_go_by_name_in_any_order(void **state)
{
    rig *r = with_table(state);
    rig_write(r, "amount,payee,id,day\n1.00,Ann,1,2026-01-01\n");
    rig_imports(r, .table = "tx");
    assert_rows(r->s, "SELECT id, payee FROM tx", "1|Ann");
}

static void without_a_header_fields_go_in_the_order_of_the_columns(void **state)
{
    rig *r = with_table(state);
    rig_write(r, "1,2026-01-01,Ann,1.00\n");
    rig_imports(r, .no_header = true);
    assert_rows(r->s, "SELECT id, payee FROM tx", "1|Ann");
    assert_string_equal(rig_counts(&r->report.counts), "1 1 0 0 0");
}

static void a_map_names_fields_and_set_gives_all_rows_a_value(void **state)
{
    rig *r = with_table(state);
    rig_write(r, "nr,who,why\n1,Ann,x\n2,Bob,y\n");
    rig_imports(r, .map = (const char *[]){"id=nr", "payee=2"}, .map_count = 2,
                .set = (const char *[]){"day=2026-05-05", "amount=7.50"}, .set_count = 2);
    assert_rows(r->s, "SELECT id, payee FROM tx ORDER BY id", "1|Ann;2|Bob");
    assert_rows(r->s, "SELECT count(*) FROM tx WHERE day = '2026-05-05' AND amount = 7.5", "2");
}

static void a_field_without_a_column_is_refused_before_anything_is_written(void **state)
{
    rig *r = with_table(state);
    rig_write(r, "id,day,payee,amuont\n1,2026-01-01,Ann,1.00\n");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "tx")), BELAY_SCHEMA);
    assert_contains(belay_message(r->s), "amuont");
    assert_contains(belay_message(r->s), "id, day, payee, amount");
    assert_ids(r, "");
    assert_string_equal(rig_read(r->rejects), "(no file)");
}

static void a_table_that_is_not_there_is_told(void **state)
{
    rig *r = *state;
    rig_write(r, twelve);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.table = "nowhere")), BELAY_SCHEMA);
    assert_contains(belay_message(r->s), "nowhere");
}

static void a_file_that_is_not_there_is_told(void **state)
{
    rig *r = with_table(state);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.path = "/tmp/belay-there-is-no-such-file")), BELAY_NOT_FOUND);
    assert_contains(belay_message(r->s), "belay-there-is-no-such-file");
    assert_code(r->report.error.code, BELAY_NOT_FOUND);
}

static void json_members_that_are_missing_get_the_default(void **state)
{
    rig *r = *state;
    rig_run(r, "CREATE TABLE tx (id INTEGER PRIMARY KEY, a INTEGER DEFAULT 5, b INTEGER)");
    rig_write(r, "{\"id\": 1, \"a\": 2, \"b\": 3}\n{\"id\": 2, \"b\": null}\n{\"a\": null, \"id\": 3}\n{\"id\": 3}\n");
    rig_imports(r, .format = BELAY_IMPORT_JSONL);
    assert_rows(r->s, "SELECT id, a, b FROM tx ORDER BY id", "1|2|3;2|5|NULL;3|NULL|NULL");
    assert_string_equal(r->told, "4:4:id:UNIQUE;");
}

/* ---- Keys that are there already -------------------------------------------------------------------------------- */

static void rows_with_a_key_that_is_there_are_skipped(void **state)
{
    rig *r = with_table(state);
    rig_run(r, "INSERT INTO tx (id, day, payee, amount) VALUES (4, '2025-01-01', 'Old', 1)");
    rig_write(r, twelve);
    rig_imports(r, .on_conflict = BELAY_IMPORT_SKIP);
    assert_string_equal(rig_counts(&r->report.counts), "12 4 0 2 6");
    assert_rows(r->s, "SELECT payee FROM tx WHERE id = 4", "Old");
}

static void rows_with_a_key_that_is_there_are_updated(void **state)
{
    rig *r = with_table(state);
    rig_run(r, "INSERT INTO tx (id, day, payee, amount) VALUES (4, '2025-01-01', 'Old', 1)");
    rig_write(r, twelve);
    rig_imports(r, .on_conflict = BELAY_IMPORT_UPDATE);
    assert_string_equal(rig_counts(&r->report.counts), "12 4 2 0 6");
    assert_rows(r->s, "SELECT payee FROM tx WHERE id = 4", "Dup");
}

static void another_unique_key_still_rejects(void **state)
{
    rig *r = *state;
    rig_run(r, "CREATE TABLE tx (id INTEGER PRIMARY KEY, name VARCHAR(20) UNIQUE)");
    rig_run(r, "INSERT INTO tx (id, name) VALUES (1, 'one'), (2, 'two')");
    rig_write(r, "id,name\n1,two\n3,one\n4,four\n");
    rig_imports(r, .on_conflict = BELAY_IMPORT_SKIP);
    assert_string_equal(r->told, "2:3:name:UNIQUE;");
    assert_string_equal(rig_counts(&r->report.counts), "3 1 0 1 1");
    rig_write(r, "id,name\n1,two\n3,one\n4,vier\n");
    rig_imports(r, .on_conflict = BELAY_IMPORT_UPDATE);
    assert_string_equal(r->told, "1:2:name:UNIQUE;2:3:name:UNIQUE;");
    assert_rows(r->s, "SELECT id, name FROM tx ORDER BY id", "1|one;2|two;4|vier");
}

/* ---- Limits, trying out, emptying ------------------------------------------------------------------------------- */

static void past_the_limit_of_rejects_nothing_is_kept(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.limit_rejects = true, .max_rejects = 6)), BELAY_DATA);
    assert_ids(r, "");
    assert_string_equal(rig_counts(&r->report.counts), "0 0 0 0 0");
    assert_int_equal(r->report.attempted.rejected, 7);
    rig_imports(r, .limit_rejects = true, .max_rejects = 7);
    assert_ids(r, "1;2;4;11;12");
}

static void rejects_that_can_not_be_written_end_the_import_at_once(void **state)
{
    rig *r = with_table(state);
    enum { MANY = 100000 };
    char *text = malloc(MANY * 32);
    size_t size = (size_t)sprintf(text, "id,day,payee,amount\n");
    for (int i = 1; i <= MANY; i++)
        size += (size_t)sprintf(text + size, "%d,2026-01-01,payee,much\n", i);
    rig_write(r, text);
    free(text);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.rejects = "/dev/full")), BELAY_DISK_FULL);
    assert_in_range(r->report.attempted.read, 1, MANY / 2);
}

static void a_limit_in_percent_is_of_the_records_read(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.max_rejects_percent = 58.0)), BELAY_DATA);
    assert_ids(r, "");
    rig_imports(r, .max_rejects_percent = 59.0);
    assert_ids(r, "1;2;4;11;12");
}

static void a_dry_run_reports_and_keeps_nothing(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    rig_imports(r, .dry_run = true);
    assert_string_equal(rig_counts(&r->report.counts), "12 5 0 0 7");
    assert_ids(r, "");
    assert_contains(rig_read(r->rejects), "twenty");
}

static void a_table_is_emptied_in_the_same_transaction(void **state)
{
    rig *r = with_table(state);
    rig_run(r, "INSERT INTO tx (id, day, payee, amount) VALUES (77, '2025-01-01', 'Old', 1)");
    rig_write(r, twelve);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.truncate = true, .limit_rejects = true)), BELAY_DATA);
    assert_ids(r, "77");
    rig_imports(r, .truncate = true);
    assert_ids(r, "1;2;4;11;12");
}

static void an_empty_file_is_no_error(void **state)
{
    rig *r = with_table(state);
    rig_write(r, "id,day,payee,amount\n");
    rig_imports(r, .table = "tx");
    assert_string_equal(rig_counts(&r->report.counts), "0 0 0 0 0");
}

/* ---- Inside a scope --------------------------------------------------------------------------------------------- */

static void inside_a_scope_it_is_a_part_of_that(void **state)
{
    rig *r = with_table(state);
    belay_code code = BELAY_OK;
    rig_write(r, twelve);
    BELAY_ATOMIC(r->s) {
        code = rig_import(r, BELAY_IMPORT_SPEC(.table = "tx"));
        belay_undo(r->s);
    }
    assert_code(code, BELAY_OK);
    assert_ids(r, "");
    BELAY_ATOMIC(r->s) {
        code = rig_import(r, BELAY_IMPORT_SPEC(.table = "tx"));
        belay_exec(r->s, "DELETE FROM tx WHERE id = 1");
    }
    assert_code(code, BELAY_OK);
    assert_ids(r, "2;4;11;12");
}

static void inside_a_scope_its_failure_is_an_inner_scopes(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    belay_code failed = BELAY_OK;
    bool caught = false;
    BELAY_ATOMIC(r->s) {
        belay_exec(r->s, "INSERT INTO tx (id, day, payee, amount) VALUES (77, '2025-01-01', 'Old', 1)");
        failed = rig_import(r, BELAY_IMPORT_SPEC(.limit_rejects = true));
        caught = belay_catch(r->s, BELAY_DATA);
    }
    assert_code(failed, BELAY_DATA);
    assert_true(caught);
    assert_ids(r, "77");
}

static void inside_a_scope_it_never_commits_by_itself(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    belay_code code = BELAY_OK;
    BELAY_ATOMIC(r->s)
        code = rig_import(r, BELAY_IMPORT_SPEC(.commit_every = 2));
    assert_code(code, BELAY_MISUSE);
    assert_ids(r, "");
}

/* ---- Mistakes --------------------------------------------------------------------------------------------------- */

/* A piece with two records, and then a failure. */
static ptrdiff_t fail_behind_two(void *arg, void *buffer, size_t room)
{
    static const char piece[] = "id,day,payee,amount\n1,2026-01-01,Ann,1\n2,2026-01-02,Bob,2\n3,";
    int *pieces = arg;
    if ((*pieces)++ > 0 || room < sizeof piece)
        return -1;
    memcpy(buffer, piece, sizeof piece - 1);
    return sizeof piece - 1;
}

static void a_source_that_fails_leaves_nothing_and_a_session_that_works(void **state)
{
    rig *r = with_table(state);
    int pieces = 0;
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.source = fail_behind_two, .source_arg = &pieces)), BELAY_IO);
    assert_contains(belay_message(r->s), "the program's source");
    assert_string_equal(rig_counts(&r->report.counts), "0 0 0 0 0");
    assert_ids(r, "");
    rig_write(r, twelve);
    rig_imports(r, .table = "tx");
    assert_ids(r, "1;2;4;11;12");
}

static void contradictions_are_told(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.resume = true)), BELAY_MISUSE);
    assert_contains(belay_message(r->s), "nothing to resume");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.map = (const char *[]){"id"}, .map_count = 1)), BELAY_MISUSE);
    assert_contains(belay_message(r->s), "column=field");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.set = (const char *[]){"id=x"}, .set_count = 1)), BELAY_MISUSE);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.set = (const char *[]){"id=1"}, .set_count = 1)), BELAY_MISUSE);
    assert_contains(belay_message(r->s), "written twice");
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.rejects = r->input)), BELAY_MISUSE);
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.encoding = "no-such-encoding")), BELAY_MISUSE);
    assert_string_equal(rig_read(r->input), twelve);
    assert_ids(r, "");
}

static void a_key_that_tells_no_rows_apart_is_refused_before_the_first_row(void **state)
{
    rig *r = with_table(state);
    rig_write(r, twelve);
    if (database_is_mariadb(&r->d))
        skip(); /* rows are looked for by any columns */
    assert_code(rig_import(r, BELAY_IMPORT_SPEC(.on_conflict = BELAY_IMPORT_SKIP, .key = (const char *[]){"payee"},
                                                .key_count = 1)),
                BELAY_SYNTAX);
    assert_contains(belay_message(r->s), "ON CONFLICT");
    assert_string_equal(r->told, "");
    assert_ids(r, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_rig(of_the_twelve_records_five_are_kept_and_seven_rejected),
        in_rig(rejects_are_the_records_byte_for_byte_behind_the_header),
        in_rig(what_was_put_right_is_fed_again),
        in_rig(an_error_says_where_and_what),
        in_rig(fields_go_by_name_in_any_order),
        in_rig(without_a_header_fields_go_in_the_order_of_the_columns),
        in_rig(a_map_names_fields_and_set_gives_all_rows_a_value),
        in_rig(a_field_without_a_column_is_refused_before_anything_is_written),
        in_rig(a_table_that_is_not_there_is_told),
        in_rig(a_file_that_is_not_there_is_told),
        in_rig(json_members_that_are_missing_get_the_default),
        in_rig(rows_with_a_key_that_is_there_are_skipped),
        in_rig(rows_with_a_key_that_is_there_are_updated),
        in_rig(another_unique_key_still_rejects),
        in_rig(past_the_limit_of_rejects_nothing_is_kept),
        in_rig(rejects_that_can_not_be_written_end_the_import_at_once),
        in_rig(a_limit_in_percent_is_of_the_records_read),
        in_rig(a_dry_run_reports_and_keeps_nothing),
        in_rig(a_table_is_emptied_in_the_same_transaction),
        in_rig(an_empty_file_is_no_error),
        in_rig(inside_a_scope_it_is_a_part_of_that),
        in_rig(inside_a_scope_its_failure_is_an_inner_scopes),
        in_rig(inside_a_scope_it_never_commits_by_itself),
        in_rig(a_source_that_fails_leaves_nothing_and_a_session_that_works),
        in_rig(contradictions_are_told),
        in_rig(a_key_that_tells_no_rows_apart_is_refused_before_the_first_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
