/* belay_merge: the values of a struct of the program's, in an object of the session. */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

static void merging_changes_the_row_of_the_key(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    char name[] = "eve";
    account source = {.id = 1, .owner = name, .balance = 5};
    belay_begin(s, NULL);
    account *a = belay_merge(s, account, &source);
    assert_non_null(a);
    assert_ptr_not_equal(a, &source);
    memset(name, 'x', 3); /* its texts were copied */
    assert_ptr_equal(belay_get(s, account, 1), a);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|eve|5;2|bob|50");
    assert_int_equal(source.version, 0);
}

static void merging_what_has_no_row_adds_it(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account source = {.owner = "eve", .balance = 5}, given = {.id = 9, .owner = "joe"};
    setting text = {.name = "k", .value = NULL};
    char value[] = "v";
    text.value = value;
    belay_begin(s, NULL);
    account *a = belay_merge(s, account, &source);
    assert_state(s, a, "pending");
    account *b = belay_merge(s, account, &given);
    assert_state(s, b, "pending");
    setting *c = belay_merge(s, setting, &text);
    value[0] = 'x';
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(a->id, 3);
    assert_string_equal(c->value, "v");
    assert_accounts(w, "1|ann|100;2|bob|50;3|eve|5;9|joe|0");
}

static void merging_the_same_values_writes_nothing(void **state)
{
    world *w = *state;
    listening *l = listen_open(w);
    belay_session *s = l->s;
    account source = {.id = 1, .owner = "ann", .balance = 100, .version = 1};
    belay_begin(s, NULL);
    assert_non_null(belay_merge(s, account, &source));
    l->sent.count = 0;
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(l->sent.count, 0);
    listen_close(l);
}

static void a_parent_in_the_session_is_taken_over(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = belay_new(s, order), *p = belay_new(s, order);
    line source = {.of = o, .item = "pen", .quantity = 1};
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, order, p);
    line *l = belay_merge(s, line, &source);
    assert_code(belay_flush(s), BELAY_OK);
    assert_int_equal(l->order_id, o->id);
    source = (line){.id = l->id, .order_id = p->id, .item = "pen", .quantity = 1};
    assert_ptr_equal(belay_merge(s, line, &source), l);
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_equal(l->of, p);
    source.of = o;
    source.order_id = 0;
    assert_ptr_equal(belay_merge(s, line, &source), l);
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(l->order_id, o->id);
}

static void a_merge_is_undone_with_its_scope(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    account source = {.id = 1, .owner = "eve", .balance = 5};
    belay_begin(s, NULL);
    account *a = belay_get(s, account, 1);
    belay_begin(s, NULL);
    assert_ptr_equal(belay_merge(s, account, &source), a);
    belay_flush(s);
    belay_rollback(s);
    assert_string_equal(a->owner, "ann");
    assert_int_equal(a->balance, 100);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|100;2|bob|50");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(merging_changes_the_row_of_the_key),     with_objects(merging_what_has_no_row_adds_it),
        with_objects(merging_the_same_values_writes_nothing), with_objects(a_parent_in_the_session_is_taken_over),
        with_objects(a_merge_is_undone_with_its_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
