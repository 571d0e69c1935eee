/* Who owns texts, and how long the old ones live. Worth most under the address sanitizer. */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

static void a_text_of_the_programs_is_copied_by_the_flush(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    char *text = strdup("eve");
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->owner = text;
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_not_equal(a->owner, text);
    memset(text, 'x', 3);
    free(text);
    assert_string_equal(a->owner, "eve");
    assert_code(belay_commit(s), BELAY_OK);
    assert_string_equal(a->owner, "eve");
    assert_accounts(w, "1|eve|100;2|bob|50");
}

static void a_text_with_the_same_bytes_is_let_go_of_too(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    char *text = strdup("ann"), *other = strdup("ann");
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    a->owner = text;
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_not_equal(a->owner, text);
    a->owner = other;
    belay_rollback(s);
    assert_ptr_not_equal(a->owner, other);
    free(text);
    free(other);
    assert_string_equal(a->owner, "ann");
}

static void old_texts_stay_valid_until_the_outermost_scope_has_ended(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    const char *old[4];
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    old[0] = a->owner;
    a->owner = "second";
    belay_flush(s);
    old[1] = a->owner;
    belay_begin(s, NULL);
    a->owner = "third";
    belay_flush(s);
    old[2] = a->owner;
    belay_rollback(s);
    old[3] = a->owner;
    assert_string_equal(old[0], "ann");
    assert_string_equal(old[1], "second");
    assert_string_equal(old[2], "third");
    assert_string_equal(old[3], "second");
    a->owner = NULL;
    assert_code(belay_flush(s), BELAY_NOT_NULL);
    assert_string_equal(old[3], "second");
    belay_rollback(s);
    assert_string_equal(a->owner, "ann");
}

static void a_text_that_is_replaced_by_reading_is_valid_until_the_unit_ends(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account *a = belay_get(s, account, 1);
    const char *old = a->owner;
    assert_code(belay_exec(w->other, "UPDATE account SET owner = 'other' WHERE id = 1"), BELAY_OK);
    belay_begin(s, NULL);
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_string_equal(a->owner, "other");
    assert_string_equal(old, "ann");
    assert_code(belay_commit(s), BELAY_OK);
    assert_string_equal(a->owner, "other");
}

static void texts_of_malloc_are_the_objects_own(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    assert_code(belay_exec(s, "INSERT INTO setting VALUES ('a', 'one')"), BELAY_OK);
    belay_begin(s, NULL);
    setting *x = belay_get(s, setting, "a");
    x->value[0] = 'O';
    assert_code(belay_flush(s), BELAY_OK);
    belay_begin(s, NULL);
    free(x->value);
    x->value = strdup("a longer one");
    assert_code(belay_flush(s), BELAY_OK);
    free(x->value);
    x->value = NULL;
    belay_rollback(s);
    assert_string_equal(x->value, "One");
    belay_begin(s, NULL);
    strcpy(x->value, "two"); /* not flushed */
    belay_rollback(s);
    assert_string_equal(x->value, "One");
    free(x->value);
    x->value = NULL;
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT name, value FROM setting", "a|NULL");
}

static void an_object_of_the_programs_own_keeps_its_own_texts(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    char name[] = "eve", later[] = "joe", *value = strdup("v");
    account mine = {.owner = name};
    setting own = {.name = name, .value = value};
    belay_begin(s, NULL);
    belay_add(s, account, &mine);
    belay_add(s, setting, &own);
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_equal(mine.owner, name);
    assert_ptr_equal(own.value, value);
    belay_begin(s, NULL);
    mine.owner = later;
    belay_flush(s);
    belay_rollback(s);
    assert_ptr_equal(mine.owner, name);
    assert_code(belay_commit(s), BELAY_OK);
    assert_ptr_equal(mine.owner, name);
    assert_ptr_equal(own.value, value);
    free(own.value);
}

static void what_is_read_into_an_object_of_the_programs_own_lives_with_the_session(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account mine = {.owner = "eve"};
    belay_begin(s, NULL);
    belay_add(s, account, &mine);
    assert_code(belay_exec(s, "UPDATE account SET owner = 'joe' WHERE owner = 'eve'"), BELAY_OK);
    assert_code(belay_refresh(s, &mine), BELAY_OK);
    assert_string_equal(mine.owner, "joe");
    mine.balance = 4;
    assert_code(belay_commit(s), BELAY_OK);
    assert_string_equal(mine.owner, "joe");
    assert_accounts(w, "1|ann|100;2|bob|50;3|joe|4");
}

static void a_kept_text_is_valid_until_the_outermost_scope_ends(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    belay_begin(s, NULL);
    char text[] = "kept";
    const char *kept = belay_keep(s, text);
    memset(text, 'x', 4);
    assert_code(belay_commit(s), BELAY_OK);
    a->owner = kept;
    assert_null(belay_keep(s, NULL));
    assert_code(belay_commit(s), BELAY_OK);
    assert_string_equal(a->owner, "kept");
}

static void bytes_are_copied_as_texts_are(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    char *bytes = malloc(3);
    memcpy(bytes, "\0\1\2", 3);
    thing *t = belay_new(s, thing);
    t->bytes = (belay_span){bytes, 3};
    belay_begin(s, NULL);
    belay_add(s, thing, t);
    assert_code(belay_flush(s), BELAY_OK);
    free(bytes);
    belay_begin(s, NULL);
    t->bytes = (belay_span){"zz", 2};
    belay_rollback(s);
    assert_int_equal(t->bytes.size, 3);
    assert_memory_equal(t->bytes.data, "\0\1\2", 3);
    assert_code(belay_commit(s), BELAY_OK);
}

static void members_that_are_no_columns_are_left_alone(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = belay_new(s, order);
    line *l = belay_new(s, line);
    l->of = o;
    l->quantity = 1;
    l->scratch = 5;
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, line, l);
    belay_flush(s);
    belay_begin(s, NULL);
    l->scratch = 6;
    l->quantity = 2;
    belay_flush(s);
    l->scratch = 7;
    belay_rollback(s);
    assert_int_equal(l->quantity, 1);
    assert_int_equal(l->scratch, 7);
    assert_code(belay_refresh(s, l), BELAY_OK);
    assert_int_equal(l->scratch, 7);
    belay_rollback(s);
    assert_int_equal(l->scratch, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(a_text_of_the_programs_is_copied_by_the_flush),
        with_objects(a_text_with_the_same_bytes_is_let_go_of_too),
        with_objects(old_texts_stay_valid_until_the_outermost_scope_has_ended),
        with_objects(a_text_that_is_replaced_by_reading_is_valid_until_the_unit_ends),
        with_objects(texts_of_malloc_are_the_objects_own),
        with_objects(an_object_of_the_programs_own_keeps_its_own_texts),
        with_objects(what_is_read_into_an_object_of_the_programs_own_lives_with_the_session),
        with_objects(a_kept_text_is_valid_until_the_outermost_scope_ends),
        with_objects(bytes_are_copied_as_texts_are),
        with_objects(members_that_are_no_columns_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
