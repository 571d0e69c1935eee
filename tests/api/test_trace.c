/*
 * What a trace is told: every word to the engine, for which scope, and how it ended.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS = 256, TEXT_ROOM = 120 };

/* An event with its texts copied: they are borrowed. */
typedef struct heard {
    belay_trace_event event;
    char scope[TEXT_ROOM], file[TEXT_ROOM], statement[TEXT_ROOM], detail[TEXT_ROOM];
} heard;

static heard events[EVENTS];
static int count;

static void copy(char out[TEXT_ROOM], const char *text)
{
    snprintf(out, TEXT_ROOM, "%s", text ? text : "");
}

static void listen(void *arg, const belay_trace_event *event)
{
    assert_ptr_equal(arg, events);
    assert_true(count < EVENTS);
    heard *h = &events[count++];
    h->event = *event;
    copy(h->scope, event->scope);
    copy(h->file, event->file);
    copy(h->statement, event->statement);
    copy(h->detail, event->detail);
}

static belay_session *traced(world *w, belay_db **out_db)
{
    *out_db = open_again(w, BELAY_DB_OPTIONS(.trace = listen, .trace_arg = events));
    count = 0;
    return belay_session_open(*out_db);
}

static void untrace(belay_db *db, belay_session *s)
{
    belay_session_close(s);
    belay_close(db);
}

/*
 * The kinds that were heard, in order, with the number where there is one, and the code where it isn't OK. But for
 * waits for a connection: on a slow machine there is one wherever a connection is lent.
 */
static const char *all_heard(void)
{
    static char text[4096];
    text[0] = '\0';
    for (int i = 0; i < count; i++) {
        const belay_trace_event *e = &events[i].event;
        size_t used = strlen(text);
        if (strcmp(events[i].detail, "connection") == 0)
            continue;
        snprintf(text + used, sizeof text - used, "%s%s", used ? ", " : "", belay_trace_kind_name(e->kind));
        used = strlen(text);
        if (e->number)
            snprintf(text + used, sizeof text - used, " %u", e->number);
        else if (e->kind == BELAY_TRACE_SCOPE || e->kind == BELAY_TRACE_STATEMENT)
            snprintf(text + used, sizeof text - used, " at %d", e->depth);
        used = strlen(text);
        if (e->code != BELAY_OK)
            snprintf(text + used, sizeof text - used, " %s", belay_code_name(e->code));
    }
    count = 0;
    return text;
}

static const heard *find(belay_trace_kind kind, int nth)
{
    for (int i = 0; i < count; i++)
        if (events[i].event.kind == kind && nth-- == 0)
            return &events[i];
    fail_msg("no event \"%s\" was heard", belay_trace_kind_name(kind));
    return NULL;
}

/* ---- What is told, in which order -------------------------------------------------------------------------- */

static void every_word_to_the_engine_is_told_in_order(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s) {
        put(s, 1);
        BELAY_ATOMIC(s) {
            put(s, 2);
            BELAY_ATOMIC(s)
                clash(s);
            belay_ignore(s, BELAY_UNIQUE);
        }
    }
    assert_string_equal(all_heard(), "begin, statement at 1, savepoint 1, statement at 2, savepoint 2, statement at 3 "
                                     "UNIQUE, rollback to 2, release 2, scope at 3 UNIQUE, release 1, scope at 2, "
                                     "commit, scope at 1");
    untrace(db, s);
}

static void a_scope_that_sends_nothing_is_told_alone(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s) {
        }
    }
    assert_string_equal(all_heard(), "scope at 2, scope at 1");
    BELAY_ATOMIC(s)
        belay_undo(s);
    assert_string_equal(all_heard(), "scope at 1 ROLLED_BACK");
    untrace(db, s);
}

static void a_scope_that_is_rolled_back_tells_why(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s) {
        put(s, 1);
        clash(s);
        put(s, 2);
    }
    assert_string_equal(all_heard(), "begin, statement at 1, statement at 1 UNIQUE, rollback, scope at 1 UNIQUE");
    untrace(db, s);
}

static void a_statement_that_cannot_be_prepared_is_told(void **state)
{
    belay_db *db;
    const world *w = *state;
    bool postgresql = !database_is_sqlite(&w->d) && !database_is_mariadb(&w->d); /* reads the text in the unit */
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s)
        belay_exec(s, "SELEKT 1");
    assert_string_equal(all_heard(), postgresql ? "begin, statement at 1 SYNTAX, rollback, scope at 1 SYNTAX"
                                                : "statement at 1 SYNTAX, scope at 1 SYNTAX");
    untrace(db, s);
}

static void a_statement_outside_any_scope_is_a_unit_of_its_own(void **state)
{
    belay_db *db;
    const world *w = *state;
    bool sqlite = database_is_sqlite(&w->d); /* which undoes a failed statement by itself */
    belay_session *s = traced(*state, &db);
    put(s, 1);
    assert_string_equal(all_heard(), sqlite ? "begin, statement at 1, commit, scope at 1"
                                            : "statement at 1, scope at 1"); /* a server's own transaction */
    BELAY_ATOMIC(s)
        belay_try(s, "INSERT INTO taken VALUES (1)");
    assert_string_equal(all_heard(), sqlite ? "begin, statement at 2 UNIQUE, commit, scope at 1"
                                            : "begin, savepoint 1, statement at 2 UNIQUE, rollback to 1, release 1, "
                                              "commit, scope at 1");
    untrace(db, s);
}

static void marks_are_told_as_savepoints(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s) {
        belay_savepoint(s, "here");
        put(s, 1);
        belay_rollback_to(s, "here");
        put(s, 2);
        belay_release(s, "here");
    }
    assert_string_equal(all_heard(), "begin, savepoint 1, statement at 1, rollback to 1, statement at 1, release 1, "
                                     "commit, scope at 1");
    untrace(db, s);
}

/* ---- What an event holds ------------------------------------------------------------------------------------ */

static void a_statement_has_its_text_place_rows_and_scope(void **state)
{
    belay_db *db;
    const world *w = *state;
    int trips = database_is_sqlite(&w->d) ? 0 : database_is_mariadb(&w->d) ? 2 : 1; /* MariaDB prepares it first */
    belay_session *s = traced(*state, &db);
    int line = 0;
    BELAY_ATOMIC_WITH(s, .name = "sale") {
        put(s, 1);
        put(s, 2);
        BELAY_ATOMIC(s) {
            line = __LINE__ + 1;
            belay_exec(s, "UPDATE item SET note = ? WHERE id < ?", "seven", 100);
        }
        belay_rows_close(belay_query(s, "SELECT id FROM item"));
        belay_int_of(s, "SELECT 7");
    }
    const heard *update = find(BELAY_TRACE_STATEMENT, 2);
    assert_string_equal(update->statement, "UPDATE item SET note = ? WHERE id < ?");
    assert_contains(update->file, "test_trace.c");
    assert_int_equal(update->event.line, line);
    assert_int_equal(update->event.rows, 2);
    assert_int_equal(update->event.depth, 2);
    assert_int_equal(update->event.attempt, 1);
    assert_int_equal(update->event.round_trips, trips); /* its savepoint went with it */
    assert_string_equal(update->scope, "sale");
    assert_int_equal(find(BELAY_TRACE_STATEMENT, 3)->event.rows, 2);
    assert_int_equal(find(BELAY_TRACE_STATEMENT, 4)->event.rows, 1);
    assert_int_equal(update->event.size, sizeof(belay_trace_event));
    untrace(db, s);
}

static void bound_values_are_never_part_of_an_event(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    belay_exec(s, "INSERT INTO item(id, note) VALUES (?, ?)", 424242, "secret");
    belay_exec(s, "INSERT INTO item(id, note) VALUES (?, ?)", 424242, "secret");
    for (int i = 0; i < count; i++) {
        assert_lacks(events[i].statement, "secret");
        assert_lacks(events[i].statement, "424242");
        assert_lacks(events[i].detail, "secret");
    }
    assert_int_equal(find(BELAY_TRACE_STATEMENT, 1)->event.code, BELAY_UNIQUE);
    untrace(db, s);
}

static void what_happens_inside_a_scope_lies_within_its_time(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s) {
        BELAY_ATOMIC(s)
            put(s, 1);
    }
    const belay_trace_event *outer = &find(BELAY_TRACE_SCOPE, 1)->event;
    for (int i = 0; i < count; i++) {
        const belay_trace_event *e = &events[i].event;
        assert_true(e->duration_ns >= 0);
        assert_true(e->start_ns >= outer->start_ns);
        assert_true(e->start_ns + e->duration_ns <= outer->start_ns + outer->duration_ns);
        assert_int_equal(e->session, outer->session);
        assert_int_equal(e->thread, outer->thread);
    }
    assert_true(find(BELAY_TRACE_SCOPE, 0)->event.scope_number != outer->scope_number);
    untrace(db, s);
}

static void sessions_have_numbers_of_their_own(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db), *other = belay_session_open(db);
    put(s, 1);
    uint64_t first = events[0].event.session;
    count = 0;
    put(other, 2);
    assert_true(events[0].event.session != first);
    belay_session_close(other);
    untrace(db, s);
}

static void a_stream_is_told_when_it_ends_with_the_rows_that_were_read(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    for (int i = 1; i <= 3; i++)
        put(s, i);
    count = 0;
    BELAY_ATOMIC(s) {
        belay_rows *rows = belay_stream(s, "SELECT id FROM item");
        belay_next(rows);
        belay_next(rows);
        belay_rows_close(rows);
    }
    assert_int_equal(find(BELAY_TRACE_STATEMENT, 0)->event.rows, 2);
    assert_string_equal(all_heard(), "begin, statement at 1, commit, scope at 1");
    untrace(db, s);
}

/* ---- Waits, retries, hooks, remarks -------------------------------------------------------------------------- */

static void a_retry_tells_why_there_is_another_attempt(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC_WITH(s, .retries = 1, .backoff_ms = 1, .name = "again") {
        put(s, belay_attempt(s));
        if (belay_attempt(s) == 1)
            belay_fail(s, BELAY_SERIALIZATION, "once more");
    }
    const heard *retry = find(BELAY_TRACE_RETRY, 0);
    assert_code(retry->event.code, BELAY_SERIALIZATION);
    assert_string_equal(retry->scope, "again");
    assert_int_equal(find(BELAY_TRACE_SCOPE, 1)->event.attempt, 2);
    assert_string_equal(all_heard(), "begin, statement at 1, rollback, scope at 1 SERIALIZATION, retry SERIALIZATION, "
                                     "begin, statement at 1, commit, scope at 1");
    untrace(db, s);
}

static void a_wait_for_a_lock_is_told_with_its_length(void **state)
{
    world *w = *state;
    belay_db *db;
    belay_session *s = traced(w, &db);
    only_on_sqlite(w);
    void *lock = hold_write_lock(w);
    BELAY_ATOMIC_WITH(s, .lock_timeout_ms = 30)
        put(s, 1);
    let_go(lock);
    const heard *wait = find(BELAY_TRACE_WAIT, 0);
    assert_string_equal(wait->detail, "lock");
    assert_true(wait->event.duration_ns >= 25 * 1000000LL); /* not shorter: the limit was 30 ms */
    assert_string_equal(all_heard(), "wait LOCK_TIMEOUT, begin LOCK_TIMEOUT, scope at 1 LOCK_TIMEOUT");
    untrace(db, s);
}

static void a_wait_for_a_connection_is_told(void **state)
{
    world *w = *state;
    belay_db *db =
        open_again(w, BELAY_DB_OPTIONS(.trace = listen, .trace_arg = events, .pool_size = 1, .pool_timeout_ms = 20));
    belay_session *holder = belay_session_open(db), *s = belay_session_open(db);
    belay_begin(holder, NULL);
    put(holder, 1);
    count = 0;
    put(s, 2);
    const heard *wait = find(BELAY_TRACE_WAIT, 0);
    assert_string_equal(wait->detail, "connection");
    assert_code(wait->event.code, BELAY_TOO_MANY);
    belay_status(s);
    belay_rollback(holder);
    belay_session_close(holder);
    untrace(db, s);
}

static int do_nothing(belay_session *s, void *arg)
{
    (void)s;
    return arg != NULL;
}

static void hooks_are_told_with_their_kind_and_fate(void **state)
{
    belay_db *db;
    belay_session *s = traced(*state, &db);
    BELAY_ATOMIC(s) {
        belay_before_commit(s, do_nothing, NULL, NULL);
        belay_on_commit(s, do_nothing, s, NULL);
        BELAY_ATOMIC(s) {
            belay_on_rollback(s, do_nothing, NULL, NULL);
            belay_undo(s);
        }
    }
    assert_string_equal(find(BELAY_TRACE_HOOK, 0)->detail, "on rollback");
    assert_string_equal(find(BELAY_TRACE_HOOK, 1)->detail, "before commit");
    assert_string_equal(find(BELAY_TRACE_HOOK, 2)->detail, "on commit");
    assert_string_equal(all_heard(), "hook, scope at 2 ROLLED_BACK, hook, scope at 1, hook APPLICATION");
    untrace(db, s);
}

static void a_scope_that_took_the_write_lock_and_wrote_nothing_is_named(void **state)
{
    world *w = *state;
    belay_db *db;
    belay_session *s = traced(w, &db);
    only_on_sqlite(w);
    BELAY_ATOMIC(s)
        belay_int_of(s, "SELECT 1");
    assert_string_equal(find(BELAY_TRACE_SCOPE, 0)->detail, "took the write lock and wrote nothing");
    count = 0;
    BELAY_ATOMIC(s)
        put(s, 1);
    BELAY_READ(s)
        belay_int_of(s, "SELECT 1");
    assert_string_equal(find(BELAY_TRACE_SCOPE, 0)->detail, "");
    assert_string_equal(find(BELAY_TRACE_SCOPE, 1)->detail, "");
    untrace(db, s);
}

/* ---- The callback ---------------------------------------------------------------------------------------------- */

static belay_session *in_use;
static int refused;

static void use_session(void *arg, const belay_trace_event *event)
{
    (void)arg;
    if (event->kind == BELAY_TRACE_BEGIN)
        refused += belay_exec(in_use, "INSERT INTO item(id) VALUES (99)") == BELAY_MISUSE;
}

static void the_session_must_not_be_used_in_a_trace_and_is_refused(void **state)
{
    world *w = *state;
    belay_db *db = open_again(w, BELAY_DB_OPTIONS(.trace = use_session));
    belay_session *s = in_use = belay_session_open(db);
    refused = 0;
    BELAY_ATOMIC(s)
        put(s, 1);
    assert_int_equal(refused, 1);
    assert_code(belay_status(s), BELAY_MISUSE);
    assert_stored(w, "");
    untrace(db, s);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        in_world(every_word_to_the_engine_is_told_in_order),
        in_world(a_scope_that_sends_nothing_is_told_alone),
        in_world(a_scope_that_is_rolled_back_tells_why),
        in_world(a_statement_that_cannot_be_prepared_is_told),
        in_world(a_statement_outside_any_scope_is_a_unit_of_its_own),
        in_world(marks_are_told_as_savepoints),
        in_world(a_statement_has_its_text_place_rows_and_scope),
        in_world(bound_values_are_never_part_of_an_event),
        in_world(what_happens_inside_a_scope_lies_within_its_time),
        in_world(sessions_have_numbers_of_their_own),
        in_world(a_stream_is_told_when_it_ends_with_the_rows_that_were_read),
        in_world(a_retry_tells_why_there_is_another_attempt),
        in_world(a_wait_for_a_lock_is_told_with_its_length),
        in_world(a_wait_for_a_connection_is_told),
        in_world(hooks_are_told_with_their_kind_and_fate),
        in_world(a_scope_that_took_the_write_lock_and_wrote_nothing_is_named),
        in_world(the_session_must_not_be_used_in_a_trace_and_is_refused),
    };
    return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
