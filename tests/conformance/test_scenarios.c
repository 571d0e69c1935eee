/*
 * test_scenarios.c - every scenario, undisturbed: the exact result described.
 *
 * What is compared is written down here a second time, apart from what the
 * scenarios themselves expect.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "scenarios.h"

/* How the units end ("C" committed, "R" rolled back, "-" did not run), the first error, and the tables. */
typedef struct result {
    const scenario *scenario;
    const char *fates;
    belay_code first_error;
    const char *tables;
} result;

static const result results[] = {
    {&scenario_payment_log, "CC", BELAY_OK, "wallet[1|20] payment[1|30] log[1|30|paid;2|80|refused]"},
    {&scenario_flaky_success, "C", BELAY_OK, "purchase[1] payment[1|3]"},
    {&scenario_flaky_failure, "R", BELAY_APPLICATION, "purchase[] payment[]"},
    {&scenario_transfers, "CRC", BELAY_CHECK, "account[1|70;2|0;3|80] transfer[1;3]"},
    {&scenario_proof, "RCR", BELAY_FOREIGN_KEY, "account[1|100;2|90] entry[]"},
    {&scenario_stock, "RC", BELAY_CHECK, "stock[1|1] purchase[1] shipment[1]"},
    {&scenario_three_updates, "C", BELAY_OK, "counter[1|1;2|0;3|3]"},
    {&scenario_marks, "CC", BELAY_OK, "step[1;2;3;9;11] log[0;1]"},
    {&scenario_escape, "R", BELAY_UNIQUE, "counter[1|0;2|0;3|0]"},
    {&scenario_optional_extra, "C", BELAY_OK, "stock[1|0;2|0;3|0] reservation[1;3] purchase[1] payment[1]"},
    {&scenario_depth, "CC", BELAY_OK, "level[0|1;0|2;0|3;0|4;0|5;1|3;1|6;1|9]"},
    {&scenario_user_rows, "C", BELAY_OK, "person[0|ann|30;2|cid|41;5|eve|18] audit[0|read;2|read;5|read]"},
    {&scenario_duplicate_mail, "CR", BELAY_UNIQUE, "person[0|ann@example.org|33] audit[0|signed up]"},
    {&scenario_reading, "CC", BELAY_OK, "total[each|60;one|60;stream|60]"},
    {&scenario_tries, "CCR", BELAY_UNIQUE, "person[] audit[0|begun;1|try;2|last;9|done;10|alone]"},
    {&scenario_mail_hook, "CCRCC", BELAY_ROLLED_BACK, "post[0|outer;1|inner;10|outer;30|outer;31|inner] outbox[1]"},
    {&scenario_failed_session, "RCRC", BELAY_APPLICATION, "post[1|next;3|last] outbox[]"},
    {&scenario_no_scope, "CRCCC", BELAY_UNIQUE, "post[1|alone;4|four;5|five] extra[]"},
    {&scenario_post_and_mail, "RC", BELAY_APPLICATION, "post[1|news] outbox[1]"},
    {&scenario_callbacks, "CRRC", BELAY_APPLICATION, "post[0|unit;1|joined;30|call] outbox[]"},
    {&scenario_busy_hooks, "CC-RC", BELAY_APPLICATION, "entry[0|main;1|before;10|after commit;40|after refusal]"},
    {&scenario_attempts, "CCCC-C", BELAY_OK, "entry[0|done;5|done;100|rolled back;101|rolled back;102|rolled back]"},
    {&scenario_marked_hooks, "CC", BELAY_OK,
     "entry[1|before;4|last;11|before;12|after the mark;13|after both;14|last]"},
    {&scenario_propagation, "CCRCCRCRC", BELAY_UNIQUE, "entry[10|0;11|0;12|0;13|0;40|0;43|0;60|0;63|0;80|0]"},
    {&scenario_streams, "CCRR", BELAY_MISUSE, "entry[1|6;2|3]"},
    {&scenario_one_connection, "CRCRCRCC", BELAY_TOO_MANY, "entry[0|0;1|0;20|0;60|0;70|0]"},
    {&scenario_two_connections, "CRCRCCCC", BELAY_LOCK_TIMEOUT, "entry[0|0;1|0;20|0;60|0;70|0]"},
    {&scenario_flaky_given_up, "C", BELAY_OK, "purchase[1] payment[9|0]"},
    {&scenario_orders, "CCC", BELAY_OK,
     "stock[clock|0;lamp|7] purchase[1|done|NULL;2|failed|CHECK;3|done|NULL;4|failed|NOT_FOUND;5|done|NULL]"
     " shipment[1;3;5]"},
    {&scenario_many, "CC", BELAY_OK, "person[] audit[0|begun;1|row;2|row;3|row;9|done;20|row;21|row]"},
};

enum { RESULTS = sizeof results / sizeof *results };

static void read_fates(const scenario_notes *notes, char out[SCENARIO_UNITS + 1])
{
    static const char letters[] = {
        [UNIT_NOT_RUN] = '-', [UNIT_COMMITTED] = 'C', [UNIT_ROLLED_BACK] = 'R', [UNIT_UNKNOWN] = '?'};
    for (unsigned i = 0; i < SCENARIO_UNITS; i++)
        out[i] = letters[notes->units[i].fate];
    unsigned count = SCENARIO_UNITS;
    while (count > 0 && notes->units[count - 1].fate == UNIT_NOT_RUN)
        count--;
    out[count] = '\0';
}

static belay_code first_error(const scenario_notes *notes)
{
    for (unsigned i = 0; i < SCENARIO_UNITS; i++)
        if (notes->units[i].error.code != BELAY_OK)
            return notes->units[i].error.code;
    return BELAY_OK;
}

/* What is queued holds no lock yet: with .pipeline on a server sessions that take turns meet otherwise. */
static bool can_run(const scenario *which)
{
#ifdef PIPELINED
    return which != &scenario_two_connections || !getenv("BELAY_TEST_URL") || !*getenv("BELAY_TEST_URL");
#else
    (void)which;
    return true;
#endif
}

static void scenario_has_its_result(void **state)
{
    static scenario_notes notes;
    static scenario_text shown;
    const result *expected = *state;
    char fates[SCENARIO_UNITS + 1];
    database d;
    if (!can_run(expected->scenario))
        skip();
    notes = (scenario_notes){.unit = 0};
    belay_db_options options = scenario_options(expected->scenario, (belay_db_options){.size = sizeof options});
    database_open(&d, &options);
    notes.db = d.db;
    assert_int_equal(scenario_setup(expected->scenario, d.s), BELAY_OK);
    expected->scenario->run(d.s, &notes);
    read_fates(&notes, fates);
    assert_string_equal(fates, expected->fates);
    assert_int_equal(first_error(&notes), expected->first_error);

    belay_session *witness = belay_session_open(d.db);
    const char *broken = scenario_check(expected->scenario, witness, &notes);
    if (broken)
        fail_msg("%s", broken);
    scenario_show(expected->scenario, witness, &shown);
    assert_string_equal(shown.bytes, expected->tables);
    assert_int_equal(belay_session_close(witness), BELAY_OK);
    assert_int_equal(d.log_lines, expected->scenario->log_lines);
    assert_int_equal(database_close(&d), BELAY_OK);
}

static void every_scenario_has_a_result(void **state)
{
    (void)state;
    assert_int_equal(RESULTS, scenario_count);
    for (size_t i = 0; i < scenario_count; i++)
        assert_ptr_equal(results[i].scenario, scenarios[i]);
}

int main(void)
{
    struct CMUnitTest tests[RESULTS + 1] = {cmocka_unit_test(every_scenario_has_a_result)};
    for (size_t i = 0; i < RESULTS; i++)
        tests[i + 1] = (struct CMUnitTest){.name = results[i].scenario->name,
                                           .test_func = scenario_has_its_result,
                                           .initial_state = (void *)(uintptr_t)&results[i]};
    return cmocka_run_group_tests_name("scenarios", tests, NULL, NULL);
}
