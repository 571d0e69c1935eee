/*
 * belay_message, the error record and the codes: what they say, and what they
 * never say.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* ---- The message -------------------------------------------------------------------------------------- */

static void a_message_says_what_where_what_became_and_what_helps(void **state)
{
    world *w = *state;
    char place[64];
    BELAY_ATOMIC_WITH(w->s, .name = "booking") {
        snprintf(place, sizeof place, "test_message.c:%d", __LINE__ + 1);
        belay_exec(w->s, "INSERT INTO taken VALUES (?)", 1);
        assert_contains(belay_message(w->s), "will be rolled back");
    }
    const char *message = belay_message(w->s);
    assert_contains(message, "UNIQUE");
    assert_contains(message, on_engine(&w->d, "taken.id", "taken_pkey", "key 'PRIMARY'"));
    assert_contains(message, "INSERT INTO taken VALUES (?)");
    assert_contains(message, place);
    assert_contains(message, __func__);
    assert_contains(message, "booking");
    assert_contains(message, "nothing of the unit was kept");
    assert_contains(message, "fail the same way");
}

static void a_message_says_when_running_it_again_may_help(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        belay_fail(w->s, BELAY_SERIALIZATION, "somebody was faster");
    assert_contains(belay_message(w->s), "running it again may help");
    assert_contains(belay_message(w->s), "somebody was faster");
}

static void a_message_is_never_null(void **state)
{
    world *w = *state;
    assert_non_null(belay_message(NULL));
    assert_true(belay_message(NULL)[0] != '\0');
    assert_non_null(belay_message(w->s));
    put(w->s, 1);
    assert_non_null(belay_message(w->s));
    BELAY_ATOMIC(w->s) {
        assert_non_null(belay_message(w->s));
        belay_undo(w->s);
        assert_contains(belay_message(w->s), "ROLLED_BACK");
    }
    assert_contains(belay_message(w->s), "ROLLED_BACK");
    belay_fail(w->s, BELAY_APPLICATION, "%s", "");
    assert_contains(belay_message(w->s), belay_code_text(BELAY_APPLICATION)); /* when there are no words of its own */
}

static void assert_one_line(const char *message)
{
    assert_true(strlen(message) > 10);
    for (const char *c = message; *c; c++)
        if (strchr("\n\r\v\f", *c))
            fail_msg("byte %d, a %d, breaks the line: %s", (int)(c - message), *c, message);
}

static void a_message_is_one_line(void **state)
{
    world *w = *state;
    belay_fail(w->s, BELAY_APPLICATION, "one\ntwo\r\nthree\tfour");
    assert_one_line(belay_message(w->s));
    belay_exec(w->s, "INSERT\nINTO\r\n  taken\nVALUES (1)\n");
    assert_one_line(belay_message(w->s));
}

static void a_message_is_one_line_for_a_terminal_too(void **state)
{
    world *w = *state;
    belay_fail(w->s, BELAY_APPLICATION, "one\vtwo\fthree");
    assert_one_line(belay_message(w->s));
}

static void a_message_of_a_first_attempt_does_not_count_attempts(void **state)
{
    world *w = *state;
    BELAY_ATOMIC(w->s)
        clash(w->s);
    assert_lacks(belay_message(w->s), "attempt");
    BELAY_ATOMIC_WITH(w->s, .retries = 1, .backoff_ms = 1)
        belay_fail(w->s, BELAY_BUSY, "busy");
    assert_contains(belay_message(w->s), "attempt 2");
}

/* ---- The record ----------------------------------------------------------------------------------------- */

static bool is_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    while (*c) {
        int more = *c < 0x80                 ? 0
                   : *c >= 0xC2 && *c < 0xE0 ? 1
                   : *c >= 0xE0 && *c < 0xF0 ? 2
                   : *c >= 0xF0 && *c < 0xF5 ? 3
                                             : -1;
        if (more < 0)
            return false;
        for (c++; more > 0; more--, c++)
            if ((*c & 0xC0) != 0x80)
                return false;
    }
    return true;
}

/* The text is as long as it may be, still UTF-8, and says that it was cut. */
static void assert_cut(const char *text, size_t room)
{
    static const char ellipsis[] = "\xE2\x80\xA6";
    size_t size = strlen(text);
    assert_true(size < room && size + 8 > room);
    assert_true(is_utf8(text));
    assert_string_equal(text + size - (sizeof ellipsis - 1), ellipsis);
}

/* 1,000 bytes of two-byte characters, after `shift` single bytes. */
static const char *long_text(int shift)
{
    static char text[1010];
    memset(text, 'x', (size_t)shift);
    for (size_t i = (size_t)shift; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 3);
    return text;
}

static void a_text_that_does_not_fit_is_cut_and_never_inside_a_character(void **state)
{
    world *w = *state;
    char sql[1100];
    for (int shift = 0; shift < 2; shift++) {
        const char *text = long_text(shift);
        BELAY_ATOMIC_WITH(w->s, .name = text)
            belay_fail(w->s, BELAY_APPLICATION, "%s", text);
        assert_cut(belay_pending(w->s)->message, sizeof belay_pending(w->s)->message);
        assert_cut(belay_pending(w->s)->scope, sizeof belay_pending(w->s)->scope);
        assert_true(is_utf8(belay_message(w->s)));
        snprintf(sql, sizeof sql, "SELECT \"%s\" FROM nowhere", text);
        belay_exec(w->s, sql);
        assert_code(belay_pending(w->s)->code, BELAY_SCHEMA);
        assert_cut(belay_pending(w->s)->statement, sizeof belay_pending(w->s)->statement);
        assert_true(is_utf8(belay_pending(w->s)->message) && is_utf8(belay_message(w->s)));
        belay_exec_at(w->s, (belay_place){.file = "f.c", .function = text, .line = 3}, "nonsense", 0, NULL);
        assert_cut(belay_pending(w->s)->function, sizeof belay_pending(w->s)->function);
    }
}

static void of_a_long_path_the_end_is_kept_and_never_cut_inside_a_character(void **state)
{
    world *w = *state;
    char path[1100];
    for (int shift = 0; shift < 2; shift++) {
        snprintf(path, sizeof path, "%s/%.*sthe_end.c", long_text(0), shift, "x");
        belay_exec_at(w->s, (belay_place){.file = path, .function = "f", .line = 3}, "nonsense", 0, NULL);
        const char *file = belay_pending(w->s)->file;
        assert_contains(file, "the_end.c");
        assert_true(strlen(file) > sizeof belay_pending(w->s)->file - 8);
        assert_true(is_utf8(file));
    }
}

static void a_record_is_copied_by_assignment_and_valid_for_ever(void **state)
{
    world *w = *state;
    int number = database_is_sqlite(&w->d) ? 1555 : database_is_mariadb(&w->d) ? 1062 : 0;
    const char *state_code = on_engine(&w->d, "", "23505", "23000");
    bool named = !database_is_mariadb(&w->d); /* which tells the key only */
    clash(w->s);
    belay_error kept = *belay_pending(w->s);
    belay_session_close(w->s);
    belay_close(w->d.db);
    w->s = w->d.s = NULL;
    w->d.db = NULL;
    assert_code(kept.code, BELAY_UNIQUE);
    assert_string_equal(kept.table, named ? "taken" : "");
    assert_string_equal(kept.column, named ? "id" : "");
    assert_int_equal(kept.native_code, number);
    assert_string_equal(kept.sqlstate, state_code);
}

static void a_field_that_is_not_known_is_empty(void **state)
{
    world *w = *state;
    belay_exec_values(w->s, "INSERT INTO taken VALUES (1)", 0, NULL); /* no place is known */
    const belay_error *error = belay_pending(w->s);
    assert_code(error->code, BELAY_UNIQUE);
    assert_string_equal(error->file, "");
    assert_string_equal(error->function, "");
    assert_int_equal(error->line, 0);
    assert_string_equal(error->scope, "");
    assert_string_equal(error->constraint, on_engine(&w->d, "", "taken_pkey", "PRIMARY"));
    assert_string_equal(error->sqlstate, on_engine(&w->d, "", "23505", "23000"));
}

static void values_are_never_put_into_an_error(void **state)
{
    static const char *const statements[] = {
        "INSERT INTO secret(a) VALUES (?)", "INSERT INTO secret(b) VALUES (?)",
        "INSERT INTO secret(n) VALUES (?)", "INSERT INTO secret(a) VALUES (?), (1)",
        "INSERT INTO secret(n) SELECT ?",   "SELECT ? FROM nowhere",
        "INSERT INTO item(id) VALUES (?)",  "no SQL ?"};
    world *w = *state;
    belay_exec(w->s, on_engine(&w->d, "CREATE TABLE secret(a TEXT UNIQUE, b TEXT CHECK (length(b) < 3), n INT) STRICT",
                               "CREATE TABLE secret(a TEXT UNIQUE, b TEXT CHECK (length(b) < 3), n INT)",
                               "CREATE TABLE secret(a VARCHAR(20) UNIQUE, b TEXT CHECK (length(b) < 3), n INT)"));
    belay_exec(w->s, "INSERT INTO secret(a) VALUES ('hunter2')");
    assert_status(w->s, BELAY_OK);
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
        assert_true(belay_exec(w->s, statements[i], "hunter2") != BELAY_OK);
        const belay_error *error = belay_pending(w->s);
        assert_lacks(error->message, "hunter2");
        assert_lacks(error->detail, "hunter2");
        assert_lacks(error->hint, "hunter2");
        assert_lacks(error->statement, "hunter2");
        assert_lacks(belay_message(w->s), "hunter2");
    }
    assert_lacks(database_log(&w->d), "hunter2");
}

static void a_statement_keeps_its_placeholders_in_the_record(void **state)
{
    world *w = *state;
    belay_exec(w->s, "INSERT INTO taken VALUES (:id)", 1);
    assert_string_equal(belay_pending(w->s)->statement, "INSERT INTO taken VALUES (:id)");
}

static void the_error_names_the_innermost_named_scope(void **state)
{
    world *w = *state;
    BELAY_ATOMIC_WITH(w->s, .name = "outer")
        BELAY_ATOMIC_WITH(w->s, .name = "inner")
            clash(w->s);
    assert_string_equal(belay_pending(w->s)->scope, "inner");
}

static void pending_caught_and_unread_are_never_null_and_ok_when_there_is_no_error(void **state)
{
    world *w = *state;
    assert_code(belay_pending(NULL)->code, BELAY_MISUSE);
    assert_code(belay_pending(w->s)->code, BELAY_OK);
    BELAY_ATOMIC(w->s) {
        assert_code(belay_pending(w->s)->code, BELAY_OK);
        belay_undo(w->s);
        assert_code(belay_pending(w->s)->code, BELAY_ROLLED_BACK);
    }
    assert_non_null(belay_unread(NULL));
    assert_non_null(belay_unread(w->s));
    assert_non_null(belay_caught(NULL));
}

/* ---- Silence ------------------------------------------------------------------------------------------------ */

static void make_trouble(world *w)
{
    clash(w->s);
    belay_exec(w->s, "nonsense");
    BELAY_ATOMIC(w->s)
        belay_commit(w->s);
    belay_db *db = belay_open("sqlite:/no/such/directory/x.db", NULL);
    belay_session *s = belay_session_open(db);
    put(s, 1);
    belay_session_close(s);
    belay_close(db);
    belay_close(belay_open("nonsense", NULL));
}

static void the_library_itself_never_prints(void **state)
{
    world *w = *state;
    char heard[8];
    int ear = memfd_create("ear", 0), out = dup(1), err = dup(2);
    fflush(stdout);
    fflush(stderr);
    dup2(ear, 1);
    dup2(ear, 2);
    make_trouble(w);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    ssize_t size = pread(ear, heard, sizeof heard, 0);
    close(ear);
    assert_int_equal(size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_world(a_message_says_what_where_what_became_and_what_helps),
        in_world(a_message_says_when_running_it_again_may_help),
        in_world(a_message_is_never_null),
        in_world(a_message_is_one_line),
        in_world(a_message_is_one_line_for_a_terminal_too),
        in_world(a_message_of_a_first_attempt_does_not_count_attempts),
        in_world(a_text_that_does_not_fit_is_cut_and_never_inside_a_character),
        in_world(of_a_long_path_the_end_is_kept_and_never_cut_inside_a_character),
        in_world(a_record_is_copied_by_assignment_and_valid_for_ever),
        in_world(a_field_that_is_not_known_is_empty),
        in_world(values_are_never_put_into_an_error),
        in_world(a_statement_keeps_its_placeholders_in_the_record),
        in_world(the_error_names_the_innermost_named_scope),
        in_world(pending_caught_and_unread_are_never_null_and_ok_when_there_is_no_error),
        in_world(the_library_itself_never_prints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
