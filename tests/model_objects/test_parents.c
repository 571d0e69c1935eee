/* Objects that point to others: keys, order, circles. */
#include "objects.h"

#include <stdlib.h>
#include <string.h>

static order *new_order(belay_session *s, const char *customer)
{
    order *o = belay_new(s, order);
    assert_non_null(o);
    o->customer = customer;
    return o;
}

static line *new_line(belay_session *s, order *of, const char *item)
{
    line *l = belay_new(s, line);
    assert_non_null(l);
    l->of = of;
    l->item = item;
    l->quantity = 1;
    return l;
}

static void generated_keys_reach_the_children(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann");
    line *a = new_line(s, o, "pen"), *b = new_line(s, o, "ink");
    belay_begin(s, NULL);
    belay_add(s, line, a); /* children first: the flush orders them */
    belay_add(s, line, b);
    belay_add(s, order, o);
    assert_code(belay_commit(s), BELAY_OK);
    assert_true(o->id != 0);
    assert_true(a->order_id == o->id && b->order_id == o->id);
    assert_rows(w->other, "SELECT item, quantity FROM line ORDER BY id", "pen|1;ink|1");
}

static void a_failed_line_takes_the_order_with_it(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann");
    line *a = new_line(s, o, "pen"), *b = new_line(s, o, "ink");
    b->quantity = 0; /* refused by a CHECK */
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, line, a);
    belay_add(s, line, b);
    assert_code(belay_commit(s), BELAY_CHECK);
    assert_int_equal(o->id, 0);
    assert_int_equal(a->order_id, 0);
    assert_ptr_equal(a->of, o);
    assert_state(s, o, "transient");
    assert_state(s, a, "transient");
    b->quantity = 2;
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, line, a);
    belay_add(s, line, b);
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(b->order_id, o->id);
}

static void what_is_loaded_points_to_parents_that_are_there(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann");
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, line, new_line(s, o, "pen"));
    assert_code(belay_commit(s), BELAY_OK);
    int64_t id = o->id;
    belay_expunge_all(s);
    belay_begin(s, NULL);
    line **lines = belay_find(s, line, "");
    assert_null(lines[0]->of);
    assert_int_equal(lines[0]->order_id, id);
    o = lines[0]->of = belay_get(s, order, id);
    assert_code(belay_commit(s), BELAY_OK);
    belay_begin(s, NULL);
    lines = belay_find(s, line, "");
    assert_ptr_equal(lines[0]->of, o);
    assert_code(belay_commit(s), BELAY_OK);
}

static void a_line_moves_to_another_order_by_pointer_or_key(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *one = new_order(s, "one"), *two = new_order(s, "two");
    line *l = new_line(s, one, "pen");
    belay_begin(s, NULL);
    belay_add(s, order, one);
    belay_add(s, order, two);
    belay_add(s, line, l);
    assert_code(belay_flush(s), BELAY_OK);
    l->of = two;
    assert_code(belay_flush(s), BELAY_OK);
    assert_int_equal(l->order_id, two->id);
    l->order_id = one->id;
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_equal(l->of, one);
    assert_int_equal(belay_int_of(s, "SELECT order_id FROM line WHERE id = ?", l->id), one->id);
    assert_code(belay_commit(s), BELAY_OK);
}

static void a_pointer_and_a_key_that_disagree_are_misuse(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *one = new_order(s, "one"), *two = new_order(s, "two");
    line *l = new_line(s, one, "pen");
    belay_begin(s, NULL);
    belay_add(s, order, one);
    belay_add(s, order, two);
    belay_add(s, line, l);
    assert_code(belay_flush(s), BELAY_OK);
    belay_begin(s, NULL);
    l->of = two;
    l->order_id = 99;
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_contains(belay_message(s), "order_id");
    belay_ignore(s, BELAY_ANY);
    assert_ptr_equal(l->of, one);
    assert_int_equal(l->order_id, one->id);
    assert_code(belay_commit(s), BELAY_OK);
}

static void a_parent_that_is_not_in_the_session_is_misuse(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order stranger = {.id = 1, .customer = "eve"};
    belay_begin(s, NULL);
    belay_add(s, line, new_line(s, &stranger, "pen"));
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_contains(belay_message(s), "order_id");
    order *o = new_order(s, "ann"); /* the session's memory, but not added */
    belay_begin(s, NULL);
    belay_add(s, line, new_line(s, o, "pen"));
    assert_code(belay_commit(s), BELAY_MISUSE);
}

static void a_tree_is_inserted_from_its_root_and_deleted_from_its_leaves(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    category *c[4];
    static const char *const names[] = {"leaf", "twig", "branch", "root"};
    belay_begin(s, NULL);
    for (int i = 0; i < 4; i++) {
        c[i] = belay_new(s, category);
        c[i]->name = names[i];
        belay_add(s, category, c[i]);
        if (i > 0)
            c[i - 1]->parent = c[i];
    }
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT a.name, b.name FROM category a JOIN category b ON a.parent_id = b.id ORDER BY a.name",
                "branch|root;leaf|twig;twig|branch");
    belay_expunge_all(s);
    belay_begin(s, NULL);
    BELAY_EACH_OBJECT(category, each, s, "ORDER BY name DESC")
    belay_delete(s, each);
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT count(*) FROM category", "0");
}

static void a_circle_of_new_objects_is_refused(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    category *a = belay_new(s, category), *b = belay_new(s, category), *c = belay_new(s, category);
    a->name = "a";
    b->name = "b";
    c->name = "c";
    a->parent = b;
    b->parent = a;
    c->parent = a;
    belay_begin(s, NULL);
    belay_add(s, category, c);
    belay_add(s, category, a);
    belay_add(s, category, b);
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_contains(belay_message(s), "circle");
    assert_contains(belay_message(s), "category");
    a->parent = a;
    belay_begin(s, NULL);
    belay_add(s, category, a);
    assert_code(belay_commit(s), BELAY_MISUSE);
    assert_rows(w->other, "SELECT count(*) FROM category", "0");
}

static void the_key_of_a_parent_may_be_part_of_the_own_key(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann"), *other = new_order(s, "bob");
    part *p = belay_new(s, part), *q = belay_new(s, part);
    *p = (part){.of = o, .number = 1, .text = "one"};
    *q = (part){.of = o, .number = 2, .text = "two"};
    belay_begin(s, NULL);
    belay_add(s, part, q);
    belay_add(s, part, p);
    belay_add(s, order, o);
    belay_add(s, order, other);
    assert_code(belay_flush(s), BELAY_OK);
    assert_ptr_equal(belay_get(s, part, o->id, 2), q);
    q->text = "zwei";
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT number, text FROM part ORDER BY number", "1|one;2|zwei");
    belay_begin(s, NULL);
    belay_refresh(s, p);
    belay_refresh(s, other);
    p->of = other;
    assert_code(belay_commit(s), BELAY_MISUSE); /* the key would change */
    assert_ptr_equal(p->of, o);
    belay_begin(s, NULL);
    belay_add(s, part, belay_new(s, part));
    assert_code(belay_commit(s), BELAY_NOT_NULL);
}

static void a_parent_set_to_null_clears_the_key(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    category *a = belay_new(s, category), *b = belay_new(s, category);
    a->name = "a";
    b->name = "b";
    b->parent = a;
    belay_begin(s, NULL);
    belay_add(s, category, a);
    belay_add(s, category, b);
    assert_code(belay_flush(s), BELAY_OK);
    assert_int_equal(b->parent_id, a->id);
    b->parent = NULL;
    assert_code(belay_commit(s), BELAY_OK);
    assert_int_equal(b->parent_id, 0);
    assert_rows(w->other, "SELECT name FROM category WHERE parent_id IS NULL ORDER BY name", "a;b");
}

static void parents_are_deleted_after_their_children(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann");
    line *l = new_line(s, o, "pen");
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, line, l);
    assert_code(belay_flush(s), BELAY_OK);
    belay_delete(s, o);
    belay_delete(s, l);
    assert_code(belay_commit(s), BELAY_OK);
    assert_state(s, o, "detached");
    assert_rows(w->other, "SELECT count(*) FROM line", "0");
}

static void a_parent_with_children_in_the_database_is_not_deleted(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann");
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, line, new_line(s, o, "pen"));
    assert_code(belay_commit(s), BELAY_OK);
    belay_begin(s, NULL);
    belay_delete(s, o);
    assert_code(belay_commit(s), BELAY_FOREIGN_KEY);
    assert_state(s, o, "persistent");
}

static void nobody_points_to_an_object_that_was_taken_out(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann"), mine = {.customer = "bob"};
    line *a = new_line(s, o, "pen"), *b = new_line(s, &mine, "ink");
    belay_begin(s, NULL);
    belay_add(s, order, o);
    belay_add(s, order, &mine);
    belay_add(s, line, a);
    belay_add(s, line, b);
    assert_code(belay_flush(s), BELAY_OK);
    belay_begin(s, NULL);
    a->of = &mine;
    belay_flush(s);
    belay_expunge(s, o);
    belay_rollback(s); /* a pointed to o when the scope began */
    assert_null(a->of);
    assert_code(belay_commit(s), BELAY_OK);
    assert_null(b->of); /* the program's own has left with the outermost scope */
    assert_int_equal(b->order_id, mine.id);
}

static void a_rollback_brings_no_pointer_back_to_what_was_taken_out(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order *o = new_order(s, "ann");
    belay_begin(s, NULL);
    belay_add(s, order, o);
    line *a = new_line(s, o, "pen");
    belay_add(s, line, a);
    assert_code(belay_commit(s), BELAY_OK);
    belay_begin(s, NULL);
    assert_ptr_equal(belay_get(s, line, a->id)->of, o); /* which is expired, and untouched in this unit */
    belay_delete(s, a);
    belay_expunge(s, o);
    order *again = belay_new(s, order); /* perhaps in its place */
    belay_rollback(s);
    assert_null(a->of);
    assert_state(s, again, "transient");
}

static void nobody_points_to_one_of_the_programs_own_that_was_rolled_back(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order mine = {.customer = "bob"};
    belay_begin(s, NULL);
    belay_add(s, order, &mine);
    assert_code(belay_flush(s), BELAY_OK);
    assert_code(belay_exec(s, "INSERT INTO line(id, order_id, item, quantity) VALUES (7, ?, 'pen', 1)", mine.id),
                BELAY_OK);
    line *a = belay_get(s, line, 7);
    assert_ptr_equal(a->of, &mine);
    belay_rollback(s);
    assert_state(s, a, "persistent"); /* and expired, as it was loaded */
    assert_null(a->of);
}

static void what_is_transient_again_points_where_it_did_when_it_was_added(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    order mine = {.customer = "bob"};
    line *b = new_line(s, &mine, "ink");
    belay_begin(s, NULL);
    belay_add(s, line, b);
    belay_add(s, order, &mine);
    assert_code(belay_flush(s), BELAY_OK);
    belay_rollback(s);
    assert_ptr_equal(b->of, &mine);
    assert_int_equal(b->order_id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(generated_keys_reach_the_children),
        with_objects(a_failed_line_takes_the_order_with_it),
        with_objects(what_is_loaded_points_to_parents_that_are_there),
        with_objects(a_line_moves_to_another_order_by_pointer_or_key),
        with_objects(a_pointer_and_a_key_that_disagree_are_misuse),
        with_objects(a_parent_that_is_not_in_the_session_is_misuse),
        with_objects(a_tree_is_inserted_from_its_root_and_deleted_from_its_leaves),
        with_objects(a_circle_of_new_objects_is_refused),
        with_objects(the_key_of_a_parent_may_be_part_of_the_own_key),
        with_objects(a_parent_set_to_null_clears_the_key),
        with_objects(parents_are_deleted_after_their_children),
        with_objects(a_parent_with_children_in_the_database_is_not_deleted),
        with_objects(nobody_points_to_an_object_that_was_taken_out),
        with_objects(a_rollback_brings_no_pointer_back_to_what_was_taken_out),
        with_objects(nobody_points_to_one_of_the_programs_own_that_was_rolled_back),
        with_objects(what_is_transient_again_points_where_it_did_when_it_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
