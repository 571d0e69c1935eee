/* One column of each kind: written, read, compared. */
#include "objects.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

static thing *make_thing(belay_session *s)
{
    thing *t = belay_new(s, thing);
    assert_non_null(t);
    *t = (thing){.id = 5,
                 .yes = true,
                 .i8 = INT8_MIN,
                 .i16 = INT16_MIN,
                 .i32 = INT32_MIN,
                 .i64 = INT64_MIN,
                 .u8 = UINT8_MAX,
                 .u32 = UINT32_MAX,
                 .u64 = INT64_MAX,
                 .f = 1.5f,
                 .d = -2.25,
                 .color = COLOR_GREEN,
                 .text = "Gr\xc3\xbc\xc3\x9f"
                         "e",
                 .owned = strdup("mine"),
                 .array = "seven77",
                 .bytes = {"\0\1\xff", 3},
                 .price = "-1234.50",
                 .at = INT64_C(1700000000123456),
                 .maybe = -7,
                 .has_maybe = true,
                 .maybe_text = "five5",
                 .has_maybe_text = true,
                 .made = "given"};
    return t;
}

/* Reads it in a session of its own. */
static thing *read_thing(belay_session *s, int64_t id)
{
    thing *t = belay_get(s, thing, id);
    assert_status(s, BELAY_OK);
    assert_non_null(t);
    return t;
}

static void every_kind_comes_back_as_it_was_written(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    thing *t = make_thing(s);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    const thing *r = read_thing(w->other, 5);
    assert_true(r->yes);
    assert_int_equal(r->i8, INT8_MIN);
    assert_int_equal(r->i16, INT16_MIN);
    assert_int_equal(r->i32, INT32_MIN);
    assert_true(r->i64 == INT64_MIN);
    assert_int_equal(r->u8, UINT8_MAX);
    assert_int_equal(r->u32, UINT32_MAX);
    assert_true(r->u64 == INT64_MAX);
    assert_true(r->f == 1.5f && r->d == -2.25);
    assert_int_equal(r->color, COLOR_GREEN);
    assert_string_equal(r->text, "Gr\xc3\xbc\xc3\x9f"
                                 "e");
    assert_string_equal(r->owned, "mine");
    assert_string_equal(r->array, "seven77");
    assert_int_equal(r->bytes.size, 3);
    assert_memory_equal(r->bytes.data, "\0\1\xff", 3);
    assert_string_equal(r->price, "-1234.50");
    assert_true(r->at == INT64_C(1700000000123456));
    assert_true(r->has_maybe && r->maybe == -7);
    assert_true(r->has_maybe_text);
    assert_string_equal(r->maybe_text, "five5");
    assert_string_equal(r->made, "given");
}

static void what_is_null_comes_back_as_null(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    thing *t = belay_new(s, thing);
    t->maybe = 99; /* without its bool it is nothing */
    strcpy(t->maybe_text, "no");
    belay_begin(s, NULL);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    const thing *r = read_thing(w->other, t->id);
    assert_null(r->text);
    assert_null(r->owned);
    assert_null(r->bytes.data);
    assert_int_equal(r->bytes.size, 0);
    assert_null(r->price);
    assert_false(r->has_maybe);
    assert_int_equal(r->maybe, 0);
    assert_false(r->has_maybe_text);
    assert_string_equal(r->maybe_text, "");
    assert_string_equal(r->array, "");
    assert_rows(w->other, "SELECT count(*) FROM thing WHERE text IS NULL AND maybe IS NULL AND maybe_text IS NULL",
                "1");
}

static void a_default_of_the_databases_is_read_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    thing *t = belay_new(s, thing);
    thing own = {0};
    belay_begin(s, NULL);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_add(s, thing, &own), BELAY_OK);
    assert_code(belay_flush(s), BELAY_OK);
    assert_string_equal(t->made, "fresh");
    assert_string_equal(own.made, "fresh");
    assert_true(t->id != 0 && own.id != 0);
    assert_code(belay_commit(s), BELAY_OK);
    assert_string_equal(own.made, "fresh"); /* until the session is closed */
}

static void the_empty_text_and_no_bytes_are_not_null(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    thing *t = belay_new(s, thing);
    t->text = "";
    t->bytes = (belay_span){"", 0};
    belay_begin(s, NULL);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    const thing *r = read_thing(w->other, t->id);
    assert_non_null(r->text);
    assert_string_equal(r->text, "");
    assert_non_null(r->bytes.data);
    assert_int_equal(r->bytes.size, 0);
}

/* One change in each column, alone. */
static void every_kind_of_change_is_found(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    thing *t = make_thing(s);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_flush(s), BELAY_OK);
    t->yes = false;
    assert_rows(s, "SELECT CAST(yes AS INTEGER) FROM thing WHERE id = 5", "0"); /* each query flushes */
    t->i8 = 1;
    assert_rows(s, "SELECT i8 FROM thing", "1");
    t->u64 = 2;
    assert_rows(s, "SELECT u64 FROM thing", "2");
    t->d = 0.5;
    assert_rows(s, "SELECT d FROM thing", "0.5");
    t->color = COLOR_RED;
    assert_rows(s, "SELECT colour FROM thing", "0");
    t->text = NULL;
    assert_rows(s, "SELECT text FROM thing", "NULL");
    t->text = "new";
    assert_rows(s, "SELECT text FROM thing", "new");
    t->owned[0] = 'f'; /* in place */
    assert_rows(s, "SELECT owned FROM thing", "fine");
    strcpy(t->array, "x");
    assert_rows(s,
                database_is_sqlite(&w->d) || database_is_mariadb(&w->d) ? "SELECT array FROM thing"
                                                                        : "SELECT \"array\" FROM thing",
                "x");
    t->bytes.size = 1;
    assert_rows(s, "SELECT length(bytes) FROM thing", "1");
    t->price = "7.25";
    assert_rows(s, "SELECT price FROM thing", "7.25");
    t->price = "-7.25";
    assert_rows(s, "SELECT price FROM thing", "-7.25");
    t->maybe = 3;
    assert_rows(s, "SELECT maybe FROM thing", "3");
    t->has_maybe = false;
    assert_rows(s, "SELECT maybe FROM thing", "NULL");
    t->at = 0;
    assert_contains(rows_of(s, "SELECT at FROM thing"), "1970-01-01 00:00:00");
    assert_code(belay_commit(s), BELAY_OK);
}

static void what_means_the_same_is_not_written(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    belay_session *s = l->s;
    belay_begin(s, NULL);
    thing *t = make_thing(s);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_flush(s), BELAY_OK);
    char same[] = "-1234.5", text[] = "mine";
    t->price = same; /* the same number */
    free(t->owned);
    t->owned = strdup(text); /* the same text elsewhere */
    memcpy(t->array, "seven77", 8);
    l->sent.count = 0;
    assert_code(belay_flush(s), BELAY_OK);
    t->price = "-1234.50";
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(l->sent.count, 0);
    listen_close(l);
}

/* The row as a program that does not know better has left it. */
static void refuse_row(world *w, const char *change, const char *column)
{
    belay_session *s = w->s;
    belay_begin(s, NULL);
    assert_code(belay_exec(s, change), BELAY_OK);
    assert_null(belay_get(s, thing, 5));
    assert_code(belay_status(s), BELAY_DATA);
    assert_contains(belay_pending(s)->message, "thing");
    assert_contains(belay_pending(s)->message, column);
    assert_string_equal(belay_pending(s)->column, strcmp(column, "color") == 0 ? "colour" : column);
    belay_rollback(s);
}

static void what_does_not_fit_is_an_error_that_names_the_column(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    assert_code(belay_add(s, thing, make_thing(s)), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    belay_expunge_all(s);
    refuse_row(w, "UPDATE thing SET i8 = 128", "i8");
    refuse_row(w, "UPDATE thing SET i8 = -129", "i8");
    refuse_row(w, "UPDATE thing SET u8 = 256", "u8");
    refuse_row(w, "UPDATE thing SET u8 = -1", "u8");
    refuse_row(w, "UPDATE thing SET u32 = 4294967296", "u32");
    refuse_row(w, "UPDATE thing SET i32 = NULL", "i32");
    refuse_row(w, "UPDATE thing SET colour = NULL", "color");
    refuse_row(w, "UPDATE thing SET u64 = -1", "u64");
    if (database_is_sqlite(&w->d)) { /* which keeps what it is given */
        refuse_row(w, "UPDATE thing SET i32 = 'x'", "i32");
        refuse_row(w, "UPDATE thing SET i32 = 1.5", "i32");
        refuse_row(w, "UPDATE thing SET yes = 2", "yes");
        refuse_row(w, "UPDATE thing SET array = '12345678'", "array");
        refuse_row(w, "UPDATE thing SET at = 'yesterday'", "at");
        refuse_row(w, "UPDATE thing SET d = 'x'", "d");
    }
    assert_non_null(belay_get(s, thing, 5));
}

static void a_number_too_large_for_any_engine_is_refused(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    thing *t = belay_new(s, thing);
    t->u64 = (uint64_t)INT64_MAX + 1;
    belay_begin(s, NULL);
    assert_code(belay_add(s, thing, t), BELAY_OK);
    assert_code(belay_commit(s), BELAY_DATA);
    assert_state(s, t, "transient");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(every_kind_comes_back_as_it_was_written),
        with_objects(what_is_null_comes_back_as_null),
        with_objects(a_default_of_the_databases_is_read_back),
        with_objects(the_empty_text_and_no_bytes_are_not_null),
        with_objects(every_kind_of_change_is_found),
        with_objects(what_means_the_same_is_not_written),
        with_objects(what_does_not_fit_is_an_error_that_names_the_column),
        with_objects(a_number_too_large_for_any_engine_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
