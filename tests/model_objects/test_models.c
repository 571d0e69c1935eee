/* Models that are no good: told at their first use, by the name of the model and the column. */
#include "objects.h"

#include <string.h>

typedef struct bad {
    int64_t id, other;
    const char *text;
    bool has;
    int8_t small;
    struct bad *up;
} bad;

#define BAD(name, ...)                                                                                                 \
    static const belay_column_def columns_##name[] = {__VA_ARGS__};                                                    \
    static const belay_model name = {                                                                                  \
        sizeof(belay_model), "bad",          "bad",                                                                    \
        sizeof(bad),         columns_##name, sizeof columns_##name / sizeof columns_##name[0]};

BAD(no_key, BELAY_COLUMN(bad, id))
BAD(of_another_struct, BELAY_KEY(bad, id), BELAY_COLUMN(account, balance))
BAD(member_twice, BELAY_KEY(bad, id), BELAY_COLUMN(bad, id))
BAD(name_twice, BELAY_KEY(bad, id), BELAY_COLUMN(bad, other, .name = "id"))
BAD(two_versions, BELAY_KEY(bad, id), BELAY_VERSION_COLUMN(bad, other), BELAY_VERSION_COLUMN(bad, small))
BAD(decimal_number, BELAY_KEY(bad, id), BELAY_COLUMN(bad, other, .precision = 4))
BAD(scale_alone, BELAY_KEY(bad, id), BELAY_COLUMN(bad, text, .scale = 4))
BAD(moment_text, BELAY_KEY(bad, id), BELAY_COLUMN(bad, text, .timestamp = true))
BAD(sized_number, BELAY_KEY(bad, id), BELAY_COLUMN(bad, other, .size = 4))
BAD(null_and_not, BELAY_KEY(bad, id), BELAY_NULLABLE(bad, other, has, .not_null = true))
BAD(given_column, BELAY_KEY(bad, id), BELAY_COLUMN(bad, other, .given = true))
BAD(key_option, BELAY_KEY(bad, id), BELAY_COLUMN(bad, other, .key = true))
BAD(empty_name, BELAY_KEY(bad, id), BELAY_COLUMN(bad, other, .name = ""))

BELAY_MODEL_DECLARE(bad);
BELAY_MODEL(bad, "bad", BELAY_KEY(bad, id), BELAY_PARENT(bad, up, small, bad))

typedef struct pair_child {
    int64_t id, sku;
    stock *of;
} pair_child;
BELAY_MODEL(pair_child, "pair", BELAY_KEY(pair_child, id), BELAY_PARENT(pair_child, of, sku, stock))

typedef struct text_child {
    int64_t id, name;
    setting *of;
} text_child;
BELAY_MODEL(text_child, "text_child", BELAY_KEY(text_child, id), BELAY_PARENT(text_child, of, name, setting))

static void refuse(belay_session *s, const belay_model *model, const char *words)
{
    assert_null(belay_new_at(s, BELAY_HERE, model));
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_contains(belay_message(s), model ? model->type : "none");
    assert_contains(belay_message(s), words);
    assert_null(belay_find_at(s, BELAY_HERE, model, "", 0, NULL)); /* again */
    assert_code(belay_status(s), BELAY_MISUSE);
}

static void a_mistake_in_a_model_is_told_at_its_first_use(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    refuse(s, NULL, "table");
    refuse(s, &no_key, "BELAY_KEY");
    refuse(s, &of_another_struct, "account");
    refuse(s, &member_twice, "two columns");
    refuse(s, &name_twice, "name");
    refuse(s, &two_versions, "version");
    refuse(s, &decimal_number, ".precision");
    refuse(s, &scale_alone, ".precision");
    refuse(s, &moment_text, ".timestamp");
    refuse(s, &sized_number, ".size");
    refuse(s, &null_and_not, "BELAY_NULLABLE");
    refuse(s, &given_column, ".given");
    refuse(s, &key_option, ".key");
    refuse(s, &empty_name, "name");
    refuse(s, BELAY_MODEL_OF(bad), "smaller");
    refuse(s, BELAY_MODEL_OF(pair_child), "several");
    refuse(s, BELAY_MODEL_OF(text_child), "text");
    assert_non_null(belay_new(s, account));
}

static void a_table_that_is_not_as_the_model_is_an_error_of_the_schema(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_null(belay_find(s, pair_child, ""));
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_code(belay_exec(s, "DROP TABLE setting"), BELAY_OK);
    assert_null(belay_get(s, setting, "x"));
    assert_code(belay_status(s), BELAY_SCHEMA);
    assert_contains(belay_pending(s)->statement, "setting");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(a_mistake_in_a_model_is_told_at_its_first_use),
        with_objects(a_table_that_is_not_as_the_model_is_an_error_of_the_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
