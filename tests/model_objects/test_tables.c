/* belay_create_tables: the tables of models on each engine, and what can be stored in them. */
#include "objects.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* A document whose pages have a text as key, and pages of pages: each kind of reference. */
typedef struct folder {
    const char *name;
} folder;

typedef struct page {
    int16_t id;
    folder *in;
    const char *folder_name;
    struct page *next;
    int64_t next_id; /* wider than the key */
    const char *state;
    const char *title;
    int64_t revision;
} page;

BELAY_MODEL(folder, "folder", BELAY_KEY(folder, name, .size = 40))
BELAY_MODEL_DECLARE(page);
BELAY_MODEL(page, "page", BELAY_KEY(page, id), BELAY_PARENT(page, in, folder_name, folder, .not_null = true),
            BELAY_PARENT(page, next, next_id, page),
            BELAY_COLUMN(page, state, .not_null = true, .size = 10, .check = "state IN ('draft', 'done')"),
            BELAY_COLUMN(page, title, .unique = true, .size = 30, .default_sql = "'untitled'"),
            BELAY_VERSION_COLUMN(page, revision))

/* Two that are parents of each other, and one whose parent is never made. */
typedef struct hen {
    int64_t id, egg_id;
    struct egg *egg;
} hen;
typedef struct egg {
    int64_t id, hen_id;
    hen *hen;
} egg;
BELAY_MODEL_DECLARE(egg);
BELAY_MODEL(hen, "hen", BELAY_KEY(hen, id), BELAY_PARENT(hen, egg, egg_id, egg))
BELAY_MODEL(egg, "egg", BELAY_KEY(egg, id), BELAY_PARENT(egg, hen, hen_id, hen))

typedef struct broken {
    int64_t id, size;
} broken;
BELAY_MODEL(broken, "broken", BELAY_KEY(broken, id), BELAY_COLUMN(broken, size, .check = "size >"))

/* The program says where the key comes from. */
typedef struct numbered {
    int64_t id;
    const char *text;
} numbered;
BELAY_MODEL(numbered, "numbered", BELAY_KEY(numbered, id, .default_sql = "41 + 1"), BELAY_COLUMN(numbered, text))

/* A model that is no good, and says so before anything is made. */
typedef struct keyless {
    int64_t size;
} keyless;
BELAY_MODEL(keyless, "keyless", BELAY_COLUMN(keyless, size))

static void create_all(belay_session *s)
{
    assert_code(belay_create_tables(s, line, part, order, account, category, stock, setting, thing, page, folder),
                BELAY_OK);
    assert_status(s, BELAY_OK);
}

static void tables_that_were_made_are_as_their_models(void **state)
{
    world *w = *state;
    create_all(w->s);
    belay_check_tables(w->s, NULL, NULL, line, part, order, account, category, stock, setting, thing, page, folder);
    assert_string_equal(belay_message(w->s), "no error");
    assert_status(w->s, BELAY_OK);
}

static thing lowest(void)
{
    return (thing){.id = INT64_MIN,
                   .i8 = INT8_MIN,
                   .i16 = INT16_MIN,
                   .i32 = INT32_MIN,
                   .i64 = INT64_MIN,
                   .f = -FLT_MAX,
                   .d = -DBL_MAX,
                   .text = "",
                   .bytes = {"", 0},
                   .price = "-9999999999.99",
                   .at = INT64_C(-62135596800000000), /* the year 1 */
                   .maybe = INT32_MIN,
                   .has_maybe = true,
                   .has_maybe_text = true,
                   .made = " "};
}

static thing highest(char *bytes, size_t size)
{
    return (thing){.id = INT64_MAX,
                   .yes = true,
                   .i8 = INT8_MAX,
                   .i16 = INT16_MAX,
                   .i32 = INT32_MAX,
                   .i64 = INT64_MAX,
                   .u8 = UINT8_MAX,
                   .u32 = UINT32_MAX,
                   .u64 = INT64_MAX,
                   .f = FLT_TRUE_MIN,
                   .d = DBL_TRUE_MIN,
                   .color = COLOR_GREEN,
                   .text = "007 \xf0\x9f\x90\xa2 1e3 ",
                   .array = "1234567",
                   .bytes = {bytes, size},
                   .price = "9999999999.99",
                   .at = INT64_C(253402300799999999), /* the end of the year 9999 */
                   .maybe = INT32_MAX,
                   .has_maybe = true,
                   .maybe_text = "00.0 ",
                   .has_maybe_text = true,
                   .made = "A"};
}

/* Field by field what the program had. */
static void compare(const thing *r, const thing *t)
{
    assert_true(r->yes == t->yes);
    assert_int_equal(r->i8, t->i8);
    assert_int_equal(r->i16, t->i16);
    assert_int_equal(r->i32, t->i32);
    assert_true(r->i64 == t->i64);
    assert_int_equal(r->u8, t->u8);
    assert_int_equal(r->u32, t->u32);
    assert_true(r->u64 == t->u64);
    assert_memory_equal(&r->f, &t->f, sizeof r->f);
    assert_memory_equal(&r->d, &t->d, sizeof r->d);
    assert_int_equal(r->color, t->color);
    assert_string_equal(r->text, t->text);
    assert_string_equal(r->array, t->array);
    assert_int_equal(r->bytes.size, t->bytes.size);
    assert_memory_equal(r->bytes.data, t->bytes.data, t->bytes.size);
    assert_string_equal(r->price, t->price);
    assert_true(r->at == t->at);
    assert_true(r->has_maybe == t->has_maybe && r->maybe == t->maybe);
    assert_true(r->has_maybe_text == t->has_maybe_text);
    assert_string_equal(r->maybe_text, t->maybe_text);
    assert_string_equal(r->made, t->made);
}

static void the_extremes_of_each_kind_come_back_as_they_were(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    enum { MANY = 200000 };
    char *bytes = malloc(MANY);
    assert_non_null(bytes);
    for (int i = 0; i < MANY; i++)
        bytes[i] = (char)(i * 7);
    create_all(s);
    thing low = lowest(), high = highest(bytes, MANY);
    belay_begin(s, NULL);
    assert_code(belay_add(s, thing, &low), BELAY_OK);
    assert_code(belay_add(s, thing, &high), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    const thing *r = belay_get(w->other, thing, INT64_MIN);
    assert_non_null(r);
    compare(r, &low);
    r = belay_get(w->other, thing, INT64_MAX);
    assert_non_null(r);
    compare(r, &high);
    free(bytes);
}

/* A text of the struct's, of any length. */
static void a_long_text_comes_back(void **state)
{
    world *w = *state;
    enum { LONG = 300000 };
    char *text = malloc(LONG + 1);
    assert_non_null(text);
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    create_all(w->s);
    thing t = {.text = text};
    belay_begin(w->s, NULL);
    assert_code(belay_add(w->s, thing, &t), BELAY_OK);
    assert_code(belay_commit(w->s), BELAY_OK);
    const thing *r = belay_get(w->other, thing, t.id);
    assert_non_null(r);
    assert_string_equal(r->text, text);
    free(text);
}

static void texts_that_differ_are_different_keys_on_each_engine(void **state)
{
    static const char *const names[] = {"a", "A", "a ", "\xc3\xa4", "ae"};
    world *w = *state;
    belay_session *s = w->s;
    setting all[5] = {{0}};
    create_all(s);
    belay_begin(s, NULL);
    for (int i = 0; i < 5; i++) {
        all[i].name = names[i];
        belay_add(s, setting, &all[i]);
    }
    assert_code(belay_commit(s), BELAY_OK);
    for (int i = 0; i < 5; i++) {
        const setting *r = belay_get(w->other, setting, names[i]);
        assert_non_null(r);
        assert_string_equal(r->name, names[i]);
    }
}

static void keys_defaults_and_versions_are_the_databases(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    create_all(s);
    folder f = {"inbox"};
    page first = {.in = &f, .state = "draft"}, second = {.in = &f, .next = &first, .state = "done", .title = "two"};
    belay_begin(s, NULL);
    belay_add(s, page, &second);
    belay_add(s, page, &first);
    belay_add(s, folder, &f);
    assert_code(belay_commit(s), BELAY_OK);
    assert_true(first.id > 0 && second.id > first.id);
    assert_true(second.next_id == first.id);
    assert_string_equal(first.title, "untitled");
    assert_rows(w->other, "SELECT folder_name, state, title, revision FROM page ORDER BY id",
                "inbox|draft|untitled|1;inbox|done|two|1");
    /* of a row that another program inserts, too */
    assert_code(belay_exec(s, "INSERT INTO page(folder_name, state, title) VALUES ('inbox', 'done', 'x')"), BELAY_OK);
    assert_rows(w->other, "SELECT revision FROM page WHERE title = 'x'", "1");
}

static void a_keys_default_is_what_makes_it(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_code(belay_create_tables(s, numbered), BELAY_OK);
    assert_code(belay_check_tables(s, NULL, NULL, numbered), BELAY_OK);
    numbered n = {.text = "x"};
    belay_begin(s, NULL);
    belay_add(s, numbered, &n);
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(n.id, 42);
    assert_rows(w->other, "SELECT id, text FROM numbered", "42|x");
}

/* What a constraint of the model's refuses, in a scope of its own. */
static void refuse(belay_session *s, belay_code code, const char *sql)
{
    belay_begin(s, NULL);
    belay_exec_values(s, sql, 0, NULL);
    assert_code(belay_status(s), code);
    belay_rollback(s);
}

static void each_constraint_of_a_model_is_in_its_table(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    create_all(s);
    assert_code(belay_exec(s, "INSERT INTO folder(name) VALUES ('inbox')"), BELAY_OK);
    assert_code(belay_exec(s, "INSERT INTO page(id, folder_name, state) VALUES (1, 'inbox', 'done')"), BELAY_OK);
    refuse(s, BELAY_UNIQUE, "INSERT INTO page(id, folder_name, state, title) VALUES (1, 'inbox', 'done', 'x')");
    refuse(s, BELAY_UNIQUE, "INSERT INTO page(folder_name, state) VALUES ('inbox', 'done')"); /* untitled, too */
    refuse(s, BELAY_FOREIGN_KEY, "INSERT INTO page(folder_name, state, title) VALUES ('none', 'done', 'x')");
    refuse(s, BELAY_FOREIGN_KEY,
           "INSERT INTO page(folder_name, state, title, next_id) VALUES ('inbox', 'done', 'x', 99)");
    refuse(s, BELAY_NOT_NULL, "INSERT INTO page(state, folder_name, title) VALUES ('done', NULL, 'x')");
    refuse(s, BELAY_CHECK, "INSERT INTO page(folder_name, state, title) VALUES ('inbox', 'lost', 'x')");
    belay_begin(s, NULL);
    belay_exec(s, "INSERT INTO page(folder_name, state, title) VALUES ('inbox', 'lost', 'x')");
    assert_string_equal(belay_pending(s)->constraint, "state_check");
    belay_rollback(s);
}

static void tables_that_are_there_are_left_as_they_are(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_code(belay_exec(s, "CREATE TABLE folder(name VARCHAR(40) NOT NULL PRIMARY KEY, size INTEGER)"), BELAY_OK);
    assert_code(belay_exec(s, "INSERT INTO folder VALUES ('mine', 3)"), BELAY_OK);
    assert_code(belay_create_tables(s, folder, account), BELAY_OK);
    assert_code(belay_create_tables(s, folder, account), BELAY_OK);
    assert_rows(s, "SELECT name, size FROM folder", "mine|3");
    assert_rows(s, "SELECT count(*) FROM account", "0");
}

static void inside_a_scope_they_are_part_of_it_or_refused(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    bool commits = database_is_mariadb(&w->d);
    belay_begin(s, NULL);
    assert_code(belay_create_tables(s, account), commits ? BELAY_MISUSE : BELAY_OK);
    assert_contains(belay_message(s), commits ? "making a table commits" : "no error");
    belay_rollback(s);
    assert_code(belay_check_tables(s, NULL, NULL, account), BELAY_SCHEMA);
    if (commits)
        return;
    belay_begin(s, NULL);
    assert_code(belay_create_tables(s, account), BELAY_OK);
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT count(*) FROM account", "0");
}

static void a_failure_is_the_engines_and_leaves_nothing_where_it_can(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_code(belay_create_tables(s, account, broken), BELAY_SYNTAX);
    assert_contains(belay_pending(s)->statement, "broken");
    bool made = database_is_mariadb(&w->d); /* what came before it */
    assert_code(belay_check_tables(s, NULL, NULL, account), made ? BELAY_OK : BELAY_SCHEMA);
    assert_code(belay_create_tables(s, account), BELAY_OK);
}

static void what_can_not_be_made_is_told_before_anything_is_sent(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    assert_code(belay_create_tables(l->s, account, keyless), BELAY_MISUSE);
    assert_contains(belay_message(l->s), "keyless");
    assert_int_equal(l->sent.count, 0);
    assert_code(belay_create_tables(l->s, hen, egg), BELAY_MISUSE);
    assert_contains(belay_message(l->s), "circle");
    assert_int_equal(l->sent.count, 0);
    listen_close(l);
}

static void they_are_refused_while_an_error_is_pending(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    belay_fail(s, BELAY_APPLICATION, "no");
    assert_code(belay_create_tables(s, account), BELAY_APPLICATION);
    assert_code(belay_check_tables(s, NULL, NULL, account), BELAY_APPLICATION);
    belay_rollback(s);
    assert_code(belay_create_tables_at(NULL, BELAY_HERE, NULL, 0), BELAY_MISUSE);
    assert_code(belay_check_tables_at(NULL, BELAY_HERE, NULL, NULL, NULL, 0), BELAY_MISUSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(tables_that_were_made_are_as_their_models),
        in_world(the_extremes_of_each_kind_come_back_as_they_were),
        in_world(a_long_text_comes_back),
        in_world(texts_that_differ_are_different_keys_on_each_engine),
        in_world(keys_defaults_and_versions_are_the_databases),
        in_world(a_keys_default_is_what_makes_it),
        in_world(each_constraint_of_a_model_is_in_its_table),
        in_world(tables_that_are_there_are_left_as_they_are),
        in_world(inside_a_scope_they_are_part_of_it_or_refused),
        in_world(a_failure_is_the_engines_and_leaves_nothing_where_it_can),
        in_world(what_can_not_be_made_is_told_before_anything_is_sent),
        in_world(they_are_refused_while_an_error_is_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
