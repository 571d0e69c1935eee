/* How many parameters there may be, and how large: the most that the server takes, and one more. */
#include "postgresql_rig.h"

#include <sys/mman.h>

enum { PARAMETERS_MOST = 65535 };

/* SELECT count(*) FROM (VALUES ($1::integer), ...) v */
static char *write_query(int n)
{
    char *text = malloc((size_t)n * 24 + 64), *end = text;
    if (!text)
        abort();
    end += sprintf(end, "SELECT count(*) FROM (VALUES ");
    for (int i = 1; i <= n; i++)
        end += sprintf(end, "%s($%d::integer)", i > 1 ? "," : "", i);
    strcpy(end, ") v");
    return text;
}

static belay_code run_with(int n, int64_t *out_count)
{
    belay_value *values = calloc((size_t)n, sizeof *values), cell;
    belay_statement *statement = NULL;
    char *text = write_query(n);
    for (int i = 0; i < n; i++)
        values[i] = belay_integer(i);
    belay_code code = rig_try_prepare(conn, text, (unsigned)n, &statement, &r.error);
    if (code == BELAY_OK)
        code = D->start(statement, (size_t)n, values, &r.error);
    if (code == BELAY_OK && D->step(statement, &cell, &r.effect, &r.error) == BELAY_STEP_ROW)
        *out_count = cell.as.integer;
    if (code == BELAY_OK)
        D->finish(statement);
    D->finalize(statement);
    free(text);
    free(values);
    return code;
}

static void a_statement_has_up_to_65535_parameters(void **state)
{
    (void)state;
    int64_t count = 0;
    assert_int_equal(run_with(PARAMETERS_MOST, &count), BELAY_OK);
    assert_int_equal(count, PARAMETERS_MOST);
}

static void one_more_is_refused_and_harms_nothing(void **state)
{
    (void)state;
    int64_t count = 0;
    rig_must_begin(&r, conn);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'kept')");
    assert_int_equal(run_with(PARAMETERS_MOST + 1, &count), BELAY_UNSUPPORTED);
    assert_non_null(strstr(r.error.message, "65,535"));
    rig_must_commit(&r, conn);
    assert_int_equal(rig_ask(&r, other, "SELECT count(*) FROM t"), 3);
}

/* The bytes are not there: nothing of them is read, copied or sent. */
static void parameters_of_a_gigabyte_are_refused_before_anything_is_sent(void **state)
{
    (void)state;
    size_t size = (size_t)1 << 30;
    char *nothing = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(nothing, MAP_FAILED);
    belay_value large[] = {belay_text(nothing, size), belay_blob(nothing, size)};
    belay_value halves[] = {belay_blob(nothing, size / 2), belay_blob(nothing, size / 2)};
    int trips = conn->round_trips;
    rig_must_begin(&r, conn);
    for (int i = 0; i < 2; i++)
        assert_int_equal(rig_run_values(&r, conn, "SELECT $1", 1, &large[i]), BELAY_DATA);
    assert_non_null(strstr(r.error.message, "1 GB"));
    assert_int_equal(rig_run_values(&r, conn, "SELECT $1, $2", 2, halves), BELAY_DATA);
    assert_int_equal(conn->round_trips, trips);
    rig_must(&r, conn, "INSERT INTO t VALUES (3, 'kept')");
    rig_must_commit(&r, conn);
    munmap(nothing, size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_statement_has_up_to_65535_parameters),
        T(one_more_is_refused_and_harms_nothing),
        T(parameters_of_a_gigabyte_are_refused_before_anything_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
