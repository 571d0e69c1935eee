/* What ends the transaction amid rows of a table leaves nothing of them, however they are stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <time.h>

#include "database.h"
#include "many.h"

/* The limit passes while the program is told of a row, amid the others. */
static void linger(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    struct timespec left = {.tv_nsec = 400 * 1000000L};
    (void)s;
    (void)row;
    (void)error;
    if ((*(int *)arg)++ == 0)
        while (nanosleep(&left, &left) != 0 && errno == EINTR)
            continue;
}

static void a_time_limit_that_passes_amid_the_rows_leaves_nothing(void **state)
{
    enum { ROWS = 5000 };
    static belay_value values[2 * ROWS];
    static const char *const names[] = {"n", "v"};
    const belay_target target = {"t", names};
    int told = 0;
    int64_t changes = 0;
    database base;
    (void)state;
    for (int i = 0; i < ROWS; i++) {
        values[2 * i] = BELAY_V(i % 1000 == 999 ? 1 : i);
        values[2 * i + 1] = BELAY_V(i);
    }
    const belayi_insert insert = {.sql = "INSERT INTO t (n, v) VALUES (?, ?)",
                                  .target = &target,
                                  .rows = ROWS,
                                  .columns = 2,
                                  .values = values,
                                  .on_reject = linger,
                                  .arg = &told,
                                  .place = BELAY_HERE};
    database_open(&base, NULL);
    database_run(base.s, (const char *const[]){"CREATE TABLE t (n INTEGER PRIMARY KEY, v INTEGER)", NULL});
    BELAY_ATOMIC_WITH(base.s, .timeout_ms = 300) {
        belay_exec(base.s, "INSERT INTO t (n, v) VALUES (-1, 0)");
        belayi_many_insert(base.s, &insert, &changes);
        belay_exec(base.s, "INSERT INTO t (n, v) VALUES (-2, 0)");
    }
    assert_status(base.s, BELAY_TIMEOUT);
    assert_rows(base.s, "SELECT count(*) FROM t", "0");
    assert_true(told > 0);
    assert_int_equal(belayi_many_insert(base.s, &insert, &changes), BELAY_OK);
    assert_int_equal(changes, ROWS - 5);
    assert_rows(base.s, "SELECT count(*) FROM t", "4995");
    database_close(&base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_limit_that_passes_amid_the_rows_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
