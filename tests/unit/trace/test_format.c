/* What is in the files of traces: every field, escaped, in both formats. */
#include "reading.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void write_events(const char *path, const belay_trace_event *events, size_t n)
{
    belay_error error;
    belay_trace_writer *w = belay_trace_open(path, BELAY_TRACE_BY_NAME, &error);
    assert_non_null(w);
    for (size_t i = 0; i < n; i++)
        belay_trace_write(w, &events[i]);
    assert_int_equal(belay_trace_close(w), BELAY_OK);
}

static belay_trace_event full_event(void)
{
    return (belay_trace_event){
        .size = sizeof(belay_trace_event),
        .kind = BELAY_TRACE_STATEMENT,
        .code = BELAY_UNIQUE,
        .start_ns = 1234567890123,
        .duration_ns = 4005,
        .session = 7,
        .scope_number = 11,
        .thread = 4242,
        .depth = 2,
        .attempt = 3,
        .rows = 5,
        .round_trips = 1,
        .number = 6,
        .scope = "transfer",
        .file = "src/bank.c",
        .function = "move",
        .line = 42,
        .statement = "INSERT INTO t VALUES (?)",
        .detail = "of note",
    };
}

/* ---- JSON lines ------------------------------------------------------------------------------------------------- */

static void every_field_that_is_known_is_in_the_line(void **state)
{
    (void)state;
    belay_trace_event event = full_event();
    char expression[1024];
    write_events(lines_path, &event, 1);
    snprintf(expression, sizeof expression,
             "events == [dict(kind='statement', code='UNIQUE', start_ns=1234567890123, duration_ns=4005, session=7,"
             " scope_number=11, thread=4242, pid=%d, depth=2, attempt=3, rows=5, round_trips=1, number=6,"
             " scope='transfer', file='src/bank.c', function='move', line=42, statement='INSERT INTO t VALUES (?)',"
             " detail='of note')]",
             (int)getpid());
    assert_trace(lines_path, expression);
}

static void what_is_not_known_is_left_out(void **state)
{
    (void)state;
    belay_trace_event event = event_of(BELAY_TRACE_COMMIT);
    write_events(lines_path, &event, 1);
    assert_trace(lines_path, "set(events[0]) == set('kind code start_ns duration_ns pid session scope_number thread"
                             " depth'.split()) and events[0]['code'] == 'OK'");
}

static void a_statement_without_rows_says_so(void **state)
{
    (void)state;
    belay_trace_event event = statement_of("DELETE FROM t");
    write_events(lines_path, &event, 1);
    assert_trace(lines_path, "events[0]['rows'] == 0");
}

static void the_largest_numbers_are_written_exactly(void **state)
{
    (void)state;
    belay_trace_event event = full_event();
    event.start_ns = INT64_MAX;
    event.duration_ns = INT64_MIN;
    event.session = event.thread = UINT64_MAX;
    event.rows = INT64_MIN + 1;
    event.number = UINT_MAX;
    event.line = INT_MIN;
    write_events(lines_path, &event, 1);
    assert_trace(lines_path, "[events[0][k] for k in 'start_ns duration_ns session thread rows number line'.split()]"
                             " == [2**63-1, -2**63, 2**64-1, 2**64-1, 1-2**63, 2**32-1, -2**31]");
}

static void every_kind_has_its_name_and_other_numbers_have_a_question_mark(void **state)
{
    (void)state;
    enum { KINDS = BELAY_TRACE_OUTCOME + 1 };
    static const belay_trace_kind none[] = {(belay_trace_kind)KINDS, (belay_trace_kind)INT_MAX,
                                            (belay_trace_kind)UINT_MAX};
    belay_trace_event events[KINDS + 1];
    for (int i = 0; i <= KINDS; i++)
        events[i] = event_of((belay_trace_kind)i);
    write_events(lines_path, events, KINDS + 1);
    assert_trace(
        lines_path,
        "[e['kind'] for e in events] == ['scope', 'begin', 'savepoint', 'statement', 'release',"
        " 'rollback to', 'commit', 'prepare', 'rollback', 'retry', 'wait', 'hook', 'warning', 'outcome', '?']");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_string_equal(belay_trace_kind_name(none[i]), "?");
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

static void every_ascii_character_survives_in_every_text(void **state)
{
    (void)state;
    char all[128];
    for (int i = 0; i < 127; i++)
        all[i] = (char)(i + 1);
    all[127] = '\0';
    belay_trace_event event = full_event();
    event.scope = event.file = event.function = event.statement = event.detail = all;
    write_events(lines_path, &event, 1);
    assert_trace(lines_path, "all(events[0][k] == ''.join(map(chr, range(1, 128)))"
                             " for k in 'scope file function statement detail'.split())");
    write_events(chrome_path, &event, 1);
    assert_trace(chrome_path, "all(events[0]['args'][k] == ''.join(map(chr, range(1, 128)))"
                              " for k in 'scope file function statement detail'.split())");
}

static void characters_beyond_ascii_stay_as_they_are(void **state)
{
    (void)state;
    belay_trace_event event = statement_of("\xC2\x80 \xC3\xA4\xE2\x82\xAC \xE2\x80\xA8 \xF0\x9F\x98\x80 "
                                           "\xF4\x8F\xBF\xBF\xEF\xBF\xBF\xED\x9F\xBF");
    write_events(lines_path, &event, 1);
    assert_trace(lines_path, "events[0]['statement'] =="
                             " '\\x80 \\xe4\\u20ac \\u2028 \\U0001f600 \\U0010ffff\\uffff\\ud7ff'");
}

static void bytes_that_are_no_text_become_the_replacement_character(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "a\xFFz",           "\x80",     "\xC3",           "z\xE2\x82",
        "\xE2\x82z",        "\xC0\xAF", "\xED\xA0\x80\"", "\xF4\x90\x80\x80",
        "\xF5\\\x80\n\xC3", "\xFE\xFF",
    };
    enum { TEXTS = sizeof texts / sizeof texts[0] };
    belay_trace_event events[TEXTS];
    for (size_t i = 0; i < TEXTS; i++)
        events[i] = statement_of(texts[i]);
    write_events(lines_path, events, TEXTS);
    assert_trace(lines_path, "[e['statement'].replace('\\ufffd', '~') for e in events] == ['a~z', '~', '~', 'z~~',"
                             " '~~z', '~~', '~~~\"', '~~~~', '~\\\\~\\n~', '~~']");
    write_events(chrome_path, events, TEXTS);
    assert_trace(chrome_path, "[e['args']['statement'].count('\\ufffd') for e in events] == [1,1,1,2,2,2,3,4,3,2]");
}

static void every_pair_of_bytes_gives_valid_json(void **state)
{
    (void)state;
    belay_error error;
    belay_trace_writer *w = belay_trace_open(lines_path, BELAY_TRACE_BY_NAME, &error);
    assert_non_null(w);
    for (int i = 1; i < 256; i++) {
        char pairs[256 * 3], *end = pairs;
        for (int k = 1; k < 256; k++) {
            *end++ = (char)i;
            *end++ = (char)k;
            *end++ = '.';
        }
        *end = '\0';
        belay_trace_event event = statement_of(pairs);
        belay_trace_write(w, &event);
    }
    assert_int_equal(belay_trace_close(w), BELAY_OK);
    assert_trace(lines_path, "len(events) == 255 and"
                             " all(e['statement'].count('.') == (255 if i != 45 else 510) + 1 for i, e in"
                             " enumerate(events))");
}

/* ---- Chrome ------------------------------------------------------------------------------------------------------ */

static void chromes_event_holds_the_same_facts(void **state)
{
    (void)state;
    belay_trace_event event = full_event();
    char expression[1024];
    write_events(chrome_path, &event, 1);
    snprintf(expression, sizeof expression,
             "events == [dict(name='INSERT INTO t VALUES (?)', cat='statement', ph='X', ts=D('1234567890.123'),"
             " dur=D('4.005'), pid=%d, tid=7, args=dict(code='UNIQUE', session=7, scope_number=11, thread=4242,"
             " depth=2, attempt=3, rows=5, round_trips=1, number=6, scope='transfer', file='src/bank.c',"
             " function='move', line=42, statement='INSERT INTO t VALUES (?)', detail='of note'))]",
             (int)getpid());
    assert_trace(chrome_path, expression);
}

static void times_keep_their_nanoseconds(void **state)
{
    (void)state;
    static const int64_t times[] = {0, 1, 999, 1000, 1001, INT64_MAX, -1, INT64_MIN};
    enum { TIMES = sizeof times / sizeof times[0] };
    belay_trace_event events[TIMES];
    for (size_t i = 0; i < TIMES; i++) {
        events[i] = event_of(BELAY_TRACE_BEGIN);
        events[i].start_ns = events[i].duration_ns = times[i];
    }
    write_events(chrome_path, events, TIMES);
    assert_trace(chrome_path, "[e['ts'] * 1000 for e in events] == [e['dur'] * 1000 for e in events] =="
                              " [0, 1, 999, 1000, 1001, 2**63-1, -1, -2**63]");
}

static void a_chrome_trace_without_events_is_an_array(void **state)
{
    (void)state;
    write_events(chrome_path, NULL, 0);
    assert_trace(chrome_path, "text[0] == '[' and events == [] and [m['name'] for m in metadata] == ['process_name']");
    write_events(lines_path, NULL, 0);
    assert_trace(lines_path, "text == ''");
}

static void a_row_is_a_session_and_bears_its_name(void **state)
{
    (void)state;
    belay_trace_event events[200];
    for (unsigned i = 0; i < 200; i++) {
        events[i] = event_of(BELAY_TRACE_BEGIN);
        events[i].session = 1 + i % 100;
        events[i].thread = 5;
    }
    write_events(chrome_path, events, 200);
    assert_trace(chrome_path, "[e['tid'] for e in events] == [1 + i % 100 for i in range(200)]");
    assert_trace(chrome_path, "{m['tid']: m['args']['name'] for m in metadata if m['name'] == 'thread_name'} =="
                              " {i: f'session {i}' for i in range(1, 101)}");
    for (unsigned i = 0; i < 200; i++)
        events[i].session = i % 50;
    write_events(chrome_path, events, 200);
    assert_trace(chrome_path, "len(events) == 200 and len(metadata) == 51");
}

/* A session uses two threads, and a thread two sessions in turns: on rows by thread their scopes would overlap. */
static void slices_of_one_row_nest_whatever_threads_do(void **state)
{
    (void)state;
    static const struct {
        uint64_t session, thread;
        int64_t start, end;
    } scopes[] = {{1, 5, 1, 4}, {2, 5, 2, 6}, {1, 6, 0, 8}, {2, 5, 1, 9}};
    belay_trace_event events[4];
    for (int i = 0; i < 4; i++) {
        events[i] = event_of(BELAY_TRACE_SCOPE);
        events[i].session = scopes[i].session;
        events[i].thread = scopes[i].thread;
        events[i].start_ns = scopes[i].start;
        events[i].duration_ns = scopes[i].end - scopes[i].start;
    }
    write_events(chrome_path, events, 4);
    assert_trace(chrome_path, "not [(a, b) for a in events for b in events if a['tid'] == b['tid']"
                              " and a['ts'] < b['ts'] < a['ts'] + a['dur'] < b['ts'] + b['dur']]");
}

static void a_slice_is_named_after_what_it_is(void **state)
{
    (void)state;
    belay_trace_event events[] = {
        {.kind = BELAY_TRACE_SCOPE, .scope = "transfer", .file = "/a/b/bank.c", .line = 42},
        {.kind = BELAY_TRACE_SCOPE, .file = "bank.c", .line = 43},
        {.kind = BELAY_TRACE_SCOPE, .scope = "transfer"},
        {.kind = BELAY_TRACE_SCOPE},
        {.kind = BELAY_TRACE_STATEMENT, .statement = "\n  SELECT *\n\tFROM  t\n"},
        {.kind = BELAY_TRACE_STATEMENT, .statement = ""},
        {.kind = BELAY_TRACE_STATEMENT},
        {.kind = BELAY_TRACE_SAVEPOINT, .number = 2},
        {.kind = BELAY_TRACE_ROLLBACK_TO, .number = 3},
        {.kind = BELAY_TRACE_WAIT, .detail = "lock"},
        {.kind = BELAY_TRACE_HOOK, .detail = "on commit"},
        {.kind = BELAY_TRACE_WARNING, .detail = "much"},
        {.kind = BELAY_TRACE_RETRY},
    };
    write_events(chrome_path, events, sizeof events / sizeof events[0]);
    assert_trace(chrome_path,
                 "[e['name'] for e in events] == ['transfer (bank.c:42)', 'bank.c:43', 'transfer', 'scope',"
                 " 'SELECT * FROM t', '', 'statement', 'savepoint 2', 'rollback to 3', 'wait: lock',"
                 " 'hook: on commit', 'warning: much', 'retry']");
}

static void of_a_long_statement_the_slice_shows_the_first_words(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 'x', sizeof text);
    memcpy(text, "SELECT ", 7);
    for (size_t at = 40; at + 2 < sizeof text; at += 2)
        memcpy(text + at, "\xC3\xA4", 2);
    text[sizeof text - 1] = '\0';
    belay_trace_event event = statement_of(text);
    write_events(chrome_path, &event, 1);
    assert_trace(chrome_path,
                 "events[0]['name'].startswith('SELECT xx') and events[0]['name'].endswith('\\xe4\\u2026')"
                 " and len(events[0]['name'].encode()) < 64 and len(events[0]['args']['statement']) > 2000");
}

/* ---- Events of other releases ------------------------------------------------------------------------------------ */

static void fields_that_an_older_release_did_not_have_are_unknown(void **state)
{
    (void)state;
    belay_trace_event event = full_event();
    event.size = offsetof(belay_trace_event, statement);
    write_events(lines_path, &event, 1);
    assert_trace(lines_path, "events[0]['line'] == 42 and 'statement' not in events[0] and 'detail' not in events[0]");
}

static void fields_that_a_newer_release_has_are_ignored(void **state)
{
    (void)state;
    struct {
        belay_trace_event event;
        char more[64];
    } newer = {.event = full_event()};
    memset(newer.more, 0xFF, sizeof newer.more);
    newer.event.size = sizeof newer;
    write_events(lines_path, &newer.event, 1);
    assert_trace(lines_path, "events[0]['detail'] == 'of note'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_directory(every_field_that_is_known_is_in_the_line),
        in_directory(what_is_not_known_is_left_out),
        in_directory(a_statement_without_rows_says_so),
        in_directory(the_largest_numbers_are_written_exactly),
        in_directory(every_kind_has_its_name_and_other_numbers_have_a_question_mark),
        in_directory(every_ascii_character_survives_in_every_text),
        in_directory(characters_beyond_ascii_stay_as_they_are),
        in_directory(bytes_that_are_no_text_become_the_replacement_character),
        in_directory(every_pair_of_bytes_gives_valid_json),
        in_directory(chromes_event_holds_the_same_facts),
        in_directory(times_keep_their_nanoseconds),
        in_directory(a_chrome_trace_without_events_is_an_array),
        in_directory(a_row_is_a_session_and_bears_its_name),
        in_directory(slices_of_one_row_nest_whatever_threads_do),
        in_directory(a_slice_is_named_after_what_it_is),
        in_directory(of_a_long_statement_the_slice_shows_the_first_words),
        in_directory(fields_that_an_older_release_did_not_have_are_unknown),
        in_directory(fields_that_a_newer_release_has_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
