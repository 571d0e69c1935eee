/* Objects in items of belay_batch: what an item changed is written within it, and put back when it is rejected. */
#include "objects.h"

typedef struct job {
    account *a, *b;
    account *made[8];
    bool fails_late; /* the third item changes something first */
    int runs, told[8], codes[8], told_count;
} job;

static void note_rejected(belay_session *s, size_t i, const belay_error *error, void *arg)
{
    job *j = arg;
    (void)s;
    j->told[j->told_count] = (int)i;
    j->codes[j->told_count++] = (int)error->code;
}

/* Item i takes 30 from ann, who has 100, and gives it to bob. */
static int move(belay_session *s, size_t i, void *arg)
{
    job *j = arg;
    (void)s;
    (void)i;
    j->runs++;
    j->b->balance += 30;
    j->a->balance -= 30;
    return 0;
}

static void what_an_item_changed_fails_within_the_item(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    job j = {0};
    belay_begin(s, NULL);
    j.a = belay_get(s, account, 1);
    j.b = belay_get(s, account, 2);
    assert_code(belay_batch(s, 5, move, &j, note_rejected), BELAY_OK);
    assert_int_equal(j.told_count, 2);
    assert_int_equal(j.told[0], 3);
    assert_int_equal(j.told[1], 4);
    assert_int_equal(j.codes[0], BELAY_CHECK);
    assert_int_equal(j.a->balance, 10);
    assert_int_equal(j.b->balance, 140);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|10;2|bob|140");
    assert_int_equal(j.a->version, 4);
}

/* Every second item is refused by the program itself, without a statement. */
static int change_and_refuse(belay_session *s, size_t i, void *arg)
{
    job *j = arg;
    j->a->balance += 1;
    j->a->owner = i % 2 ? "odd" : "even";
    if (i % 2 && j->fails_late)
        belay_flush(s);
    return i % 2 ? 1 : 0;
}

static void run_refusing(world *w, bool late)
{
    belay_session *s = w->s;
    job j = {.fails_late = late};
    belay_begin(s, NULL);
    j.a = belay_get(s, account, 1);
    assert_code(belay_batch(s, 6, change_and_refuse, &j, note_rejected), BELAY_OK);
    assert_int_equal(j.told_count, 3);
    assert_int_equal(j.codes[2], BELAY_APPLICATION);
    assert_int_equal(j.a->balance, 103);
    assert_string_equal(j.a->owner, "even");
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|even|103;2|bob|50");
}

static void what_a_rejected_item_only_changed_is_put_back(void **state)
{
    run_refusing(*state, false);
}

static void what_a_rejected_item_wrote_is_put_back(void **state)
{
    run_refusing(*state, true);
}

/* Adds one, deletes bob in the third item, and fails in the fourth after all that. */
static int add_one(belay_session *s, size_t i, void *arg)
{
    job *j = arg;
    j->made[i] = belay_new(s, account);
    j->made[i]->owner = "new";
    j->made[i]->balance = i == 1 ? -1 : (int64_t)i;
    belay_add(s, account, j->made[i]);
    if (i == 3) {
        belay_delete(s, j->b);
        belay_flush(s);
    }
    return i == 3;
}

static void what_a_rejected_item_added_is_transient_and_what_it_deleted_is_there(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    job j = {0};
    belay_get(s, account, 2);
    belay_begin(s, NULL);
    j.b = belay_get(s, account, 2);
    assert_code(belay_batch(s, 5, add_one, &j, note_rejected), BELAY_OK);
    assert_int_equal(j.told_count, 2);
    assert_int_equal(j.told[0], 1);
    assert_int_equal(j.told[1], 3);
    assert_state(s, j.made[0], "persistent");
    assert_state(s, j.made[1], "transient");
    assert_state(s, j.made[3], "transient");
    assert_state(s, j.made[4], "persistent");
    assert_int_equal(j.made[3]->id, 0);
    assert_state(s, j.b, "persistent");
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT owner, balance FROM account ORDER BY balance", "new|0;new|2;new|4;bob|50;ann|100");
}

/* Is undone without an error. */
static int change_and_undo(belay_session *s, size_t i, void *arg)
{
    job *j = arg;
    j->a->balance += 1;
    if (i == 2)
        belay_undo(s);
    return 0;
}

static void an_item_that_is_undone_puts_its_objects_back_and_is_no_rejection(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    job j = {0};
    belay_begin(s, NULL);
    j.a = belay_get(s, account, 1);
    assert_code(belay_batch(s, 4, change_and_undo, &j, note_rejected), BELAY_OK);
    assert_int_equal(j.told_count, 0);
    assert_int_equal(j.a->balance, 103);
    assert_code(belay_commit(s), BELAY_OK);
    assert_accounts(w, "1|ann|103;2|bob|50");
}

/* Outside all scopes: each item reads what it changes. */
static int get_and_change(belay_session *s, size_t i, void *arg)
{
    job *j = arg;
    account *a = belay_get(s, account, 1 + (int)i % 2);
    if (!a)
        return 1;
    j->runs++;
    a->balance -= 40;
    return 0;
}

static void a_batch_of_its_own_reads_and_writes_objects(void **state)
{
    world *w = *state;
    job j = {0};
    assert_code(belay_batch(w->s, 6, get_and_change, &j, note_rejected), BELAY_OK);
    assert_int_equal(j.told_count, 3); /* ann can pay twice, bob once */
    assert_accounts(w, "1|ann|20;2|bob|10");
}

/* In a pipeline what a statement failed with is known late. */
static int exec_and_change(belay_session *s, size_t i, void *arg)
{
    job *j = arg;
    belay_exec(s, "INSERT INTO account(owner, balance, version) VALUES ('q', ?, 1)", i == 2 ? -5 : (int)i);
    j->a->balance += 1;
    return 0;
}

static void objects_and_queued_statements_share_an_items_fate(void **state)
{
    world *w = *state;
    belay_session *s = w->s;
    job j = {0};
    belay_begin(s, BELAY_SCOPE_OPTIONS(.pipeline = true));
    j.a = belay_get(s, account, 1);
    assert_code(belay_batch(s, 4, exec_and_change, &j, note_rejected), BELAY_OK);
    assert_int_equal(j.told_count, 1);
    assert_int_equal(j.told[0], 2);
    assert_int_equal(j.a->balance, 103);
    assert_code(belay_commit(s), BELAY_OK);
    assert_rows(w->other, "SELECT owner, balance FROM account ORDER BY balance", "q|0;q|1;q|3;bob|50;ann|103");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_objects(what_an_item_changed_fails_within_the_item),
        with_objects(what_a_rejected_item_only_changed_is_put_back),
        with_objects(what_a_rejected_item_wrote_is_put_back),
        with_objects(what_a_rejected_item_added_is_transient_and_what_it_deleted_is_there),
        with_objects(an_item_that_is_undone_puts_its_objects_back_and_is_no_rejection),
        with_objects(a_batch_of_its_own_reads_and_writes_objects),
        with_objects(objects_and_queued_statements_share_an_items_fate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
