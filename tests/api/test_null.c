/*
 * NULL for every pointer of every function, and the functions on codes.
 */
#include "support.h"

#include <signal.h>
#include <stdlib.h>

static int nothing_to_do(belay_session *s, void *arg)
{
    (void)s;
    (void)arg;
    return 0;
}

static void count(void *arg)
{
    ++*(int *)arg;
}

/* ---- No session --------------------------------------------------------------------------------------------- */

static void every_function_takes_a_null_session_and_answers_with_an_error(void **state)
{
    (void)state;
    assert_code(belay_exec(NULL, "SELECT 1"), BELAY_MISUSE);
    assert_code(belay_try(NULL, "SELECT 1"), BELAY_MISUSE);
    assert_null(belay_query(NULL, "SELECT 1"));
    assert_null(belay_stream(NULL, "SELECT 1"));
    assert_int_equal(belay_int_of(NULL, "SELECT 1"), 0);
    assert_code(belay_exec_values(NULL, NULL, 0, NULL), BELAY_MISUSE);
    assert_code(belay_try_values(NULL, NULL, 3, NULL), BELAY_MISUSE);
    assert_int_equal(belay_changes(NULL), 0);
    assert_int_equal(belay_last_id(NULL), 0);
    assert_code(belay_begin(NULL, NULL), BELAY_MISUSE);
    assert_code(belay_commit(NULL), BELAY_MISUSE);
    assert_code(belay_rollback(NULL), BELAY_MISUSE);
    assert_code(belay_undo(NULL), BELAY_MISUSE);
    assert_code(belay_atomic(NULL, NULL, nothing_to_do, NULL), BELAY_MISUSE);
    assert_code(belay_atomic(NULL, NULL, NULL, NULL), BELAY_MISUSE);
    assert_code(belay_savepoint(NULL, "a"), BELAY_MISUSE);
    assert_code(belay_rollback_to(NULL, NULL), BELAY_MISUSE);
    assert_code(belay_release(NULL, "a"), BELAY_MISUSE);
    assert_code(belay_fail(NULL, BELAY_APPLICATION, "x"), BELAY_MISUSE);
    assert_code(belay_require_no_transaction(NULL), BELAY_MISUSE);
    BELAY_READ(NULL)
        fail();
}

static void what_is_asked_of_a_null_session_is_nothing(void **state)
{
    (void)state;
    assert_code(belay_status(NULL), BELAY_MISUSE);
    assert_non_null(belay_message(NULL));
    assert_code(belay_pending(NULL)->code, BELAY_MISUSE);
    assert_code(belay_caught(NULL)->code, BELAY_OK);
    assert_code(belay_unread(NULL)->code, BELAY_OK);
    assert_false(belay_catch(NULL, BELAY_ANY));
    belay_ignore(NULL, BELAY_ANY);
    assert_int_equal(belay_depth(NULL), 0);
    assert_false(belay_in_transaction(NULL));
    assert_int_equal(belay_attempt(NULL), 0);
    assert_int_equal(belay_hook_errors(NULL), 0);
    assert_int_equal(belay_isolation(NULL), BELAY_ISOLATION_DEFAULT);
    assert_code(belay_session_close(NULL), BELAY_OK);
}

static void a_hook_on_a_null_session_is_refused_and_its_argument_freed(void **state)
{
    (void)state;
    int freed = 0;
    assert_code(belay_on_commit(NULL, nothing_to_do, &freed, count), BELAY_MISUSE);
    assert_code(belay_on_rollback(NULL, nothing_to_do, &freed, count), BELAY_MISUSE);
    assert_code(belay_before_commit(NULL, nothing_to_do, &freed, count), BELAY_MISUSE);
    assert_int_equal(freed, 3);
}

/* ---- No handle -------------------------------------------------------------------------------------------------- */

static void the_error_and_the_engine_of_a_handle_are_never_null(void **state)
{
    (void)state;
    assert_non_null(belay_db_error(NULL));
    assert_true(belay_db_error(NULL)->code != BELAY_OK);
    assert_string_equal(belay_db_engine(NULL), "");
    belay_close(NULL);
    belay_db *db = belay_open(NULL, NULL);
    assert_non_null(db);
    assert_code(belay_db_error(db)->code, BELAY_MISUSE);
    assert_string_equal(belay_db_engine(db), "");
    belay_close(db);
}

static void a_session_on_a_null_handle_opens_and_every_scope_on_it_fails(void **state)
{
    (void)state;
    int ran = 0;
    belay_session *s = belay_session_open(NULL);
    assert_non_null(s);
    BELAY_ATOMIC(s)
        ran++;
    assert_true(belay_status(s) != BELAY_OK);
    assert_true(belay_exec(s, "SELECT 1") != BELAY_OK);
    assert_true(belay_begin(s, NULL) != BELAY_OK);
    assert_true(belay_exec(s, "SELECT 1") != BELAY_OK);
    assert_true(belay_commit(s) != BELAY_OK);
    assert_true(belay_atomic(s, NULL, nothing_to_do, NULL) != BELAY_OK);
    assert_null(belay_query(s, "SELECT 1"));
    assert_int_equal(ran, 0);
    assert_true(belay_session_close(s) != BELAY_OK);
}

/* ---- Other pointers --------------------------------------------------------------------------------------------- */

static void null_texts_names_and_functions_are_misuse(void **state)
{
    world *w = *state;
    int freed = 0;
    assert_code(belay_exec(w->s, NULL), BELAY_MISUSE);
    assert_code(belay_exec(w->s, NULL, 1, 2), BELAY_MISUSE);
    assert_null(belay_query(w->s, NULL));
    assert_code(belay_on_commit(w->s, NULL, &freed, count), BELAY_MISUSE);
    BELAY_ATOMIC(w->s) {
        assert_code(belay_on_rollback(w->s, NULL, &freed, count), BELAY_MISUSE);
        assert_code(belay_before_commit(w->s, NULL, &freed, count), BELAY_MISUSE);
    }
    assert_int_equal(freed, 3);
    assert_status(w->s, BELAY_MISUSE);
}

static void a_place_of_nulls_is_no_place(void **state)
{
    world *w = *state;
    const belay_place nowhere = {0};
    assert_code(belay_exec_at(w->s, nowhere, "INSERT INTO taken VALUES (1)", 0, NULL), BELAY_UNIQUE);
    assert_code(belay_begin_at(w->s, nowhere, NULL), BELAY_OK);
    assert_code(belay_require_no_transaction_at(w->s, nowhere), BELAY_MISUSE);
    assert_non_null(belay_message(w->s));
    assert_code(belay_commit_at(w->s, nowhere), BELAY_MISUSE);
    belay_exec_at(w->s, (belay_place){.file = "f.c", .line = 3}, "nonsense", 0, NULL); /* without a function */
    assert_contains(belay_message(w->s), "f.c:3");
}

static int fail_without_a_format(void *arg)
{
    const char *nothing = NULL;
    belay_session *s = belay_session_open(NULL);
    (void)arg;
    belay_fail(s, BELAY_APPLICATION, nothing, 1);
    return belay_message(s) ? 0 : 1;
}

static void a_null_format_is_no_crash(void **state)
{
    (void)state;
    assert_int_equal(run_in_child(fail_without_a_format, NULL), 0);
}

/* ---- Misuse that aborts ----------------------------------------------------------------------------------------- */

static int misuse_with_the_variable_set(void *arg)
{
    belay_session *s = belay_session_open(NULL);
    (void)arg;
    setenv("BELAY_ABORT_ON_MISUSE", "1", 1);
    belay_commit(s);
    return 1;
}

static void misuse_aborts_only_when_the_environment_asks_for_it(void **state)
{
    world *w = *state;
    enum { ABORTED = 100 + SIGABRT };
    assert_code(belay_commit(w->s), BELAY_MISUSE);
    assert_int_equal(run_in_child(misuse_with_the_variable_set, NULL), ABORTED);
}

/* ---- Codes ------------------------------------------------------------------------------------------------------ */

static void each_code_has_a_name_a_text_and_a_class(void **state)
{
    (void)state;
#define CHECK_CODE(code, class_, retry, text)                                                                          \
    assert_string_equal(belay_code_name(BELAY_##code), #code);                                                         \
    assert_string_equal(belay_code_text(BELAY_##code), text);                                                          \
    assert_int_equal(belay_code_class(BELAY_##code), BELAY_##class_);
    BELAY_CODES(CHECK_CODE)
#undef CHECK_CODE
}

static void code_names_and_texts_are_never_null(void **state)
{
    (void)state;
    static const int numbers[] = {-1, BELAY_ANY + 1, 1000, INT32_MAX, INT32_MIN};
    assert_non_null(belay_code_name(BELAY_ANY));
    assert_non_null(belay_code_text(BELAY_ANY));
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_string_equal(belay_code_name((belay_code)numbers[i]), "?");
        assert_non_null(belay_code_text((belay_code)numbers[i]));
        belay_code_class((belay_code)numbers[i]);
    }
}

static void ok_and_rolled_back_are_no_errors_and_never_covered(void **state)
{
    (void)state;
    for (int which = BELAY_OK; which <= BELAY_ANY; which++) {
        assert_false(belay_code_covers((belay_code)which, BELAY_OK));
        assert_false(belay_code_covers((belay_code)which, BELAY_ROLLED_BACK));
    }
}

static void a_code_is_covered_by_itself_its_class_and_any(void **state)
{
    (void)state;
    for (int code = BELAY_OK + 1; code < BELAY_ANY; code++) {
        if (code == BELAY_ROLLED_BACK)
            continue;
        for (int which = BELAY_OK; which <= BELAY_ANY; which++) {
            bool covers = which == code || which == BELAY_ANY || which == (int)belay_code_class((belay_code)code);
            assert_int_equal(belay_code_covers((belay_code)which, (belay_code)code), covers);
        }
    }
}

static void retryable_is_what_the_list_says_and_never_when_the_outcome_is_unknown(void **state)
{
    (void)state;
    static const bool table[] = {
#define YES                              true
#define NO                               false
#define RETRY(code, class_, retry, text) retry,
        BELAY_CODES(RETRY)
#undef RETRY
#undef YES
#undef NO
    };
    assert_false(belay_retryable(NULL));
    for (int code = BELAY_OK; code < BELAY_ANY; code++) {
        belay_error error = {.code = (belay_code)code, .outcome = BELAY_WORK_ROLLED_BACK};
        assert_int_equal(belay_retryable(&error), table[code]);
        error.outcome = BELAY_WORK_UNKNOWN;
        assert_false(belay_retryable(&error));
    }
}

static void the_version_is_never_null_and_that_of_the_header(void **state)
{
    (void)state;
    assert_non_null(belay_version());
    assert_string_equal(belay_version(), BELAY_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_takes_a_null_session_and_answers_with_an_error),
        cmocka_unit_test(what_is_asked_of_a_null_session_is_nothing),
        cmocka_unit_test(a_hook_on_a_null_session_is_refused_and_its_argument_freed),
        cmocka_unit_test(the_error_and_the_engine_of_a_handle_are_never_null),
        cmocka_unit_test(a_session_on_a_null_handle_opens_and_every_scope_on_it_fails),
        in_world(null_texts_names_and_functions_are_misuse),
        in_world(a_place_of_nulls_is_no_place),
        cmocka_unit_test(a_null_format_is_no_crash),
        in_world(misuse_aborts_only_when_the_environment_asks_for_it),
        cmocka_unit_test(each_code_has_a_name_a_text_and_a_class),
        cmocka_unit_test(code_names_and_texts_are_never_null),
        cmocka_unit_test(ok_and_rolled_back_are_no_errors_and_never_covered),
        cmocka_unit_test(a_code_is_covered_by_itself_its_class_and_any),
        cmocka_unit_test(retryable_is_what_the_list_says_and_never_when_the_outcome_is_unknown),
        cmocka_unit_test(the_version_is_never_null_and_that_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
