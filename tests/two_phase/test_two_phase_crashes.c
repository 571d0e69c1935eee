/*
 * Units over two databases whose program is killed: by itself, after each step in
 * turn, and from outside, at any moment. A recovery follows each crash: both have
 * the unit or neither, what was told to be committed is there, and nothing stays
 * prepared.
 *
 * The program that is killed is victim.c.
 */
#include "rig.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_STEPS = 64, FROM_OUTSIDE = 32, WANTED_CRASHES = 300, OPENING = 100000, PATIENCE_S = 20 };

static int one = 1;

/* ---- Starting and burying it
 * ------------------------------------------------------------------------------------------
 */

typedef struct run {
    pid_t pid;
    int answers; /* the end of the pipe that is read */
    char text[65536];
    bool killed;
} run;

static void start(run *r, rig *g, int at)
{
    int ends[2];
    char number[16];
    snprintf(number, sizeof number, "%d", at);
    char *words[] = {VICTIM, g->urls[0], g->urls[1], g->log_url, number, NULL};
    assert_int_equal(pipe(ends), 0);
    *r = (run){.answers = ends[0]};
    r->pid = fork();
    assert_true(r->pid >= 0);
    if (r->pid == 0) {
        close(ends[0]);
        if (dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO)
            execv(VICTIM, words);
        _exit(127);
    }
    close(ends[1]);
}

static void read_on(run *r, int wait_ms)
{
    struct pollfd ready = {.fd = r->answers, .events = POLLIN};
    size_t used = strlen(r->text);
    if (poll(&ready, 1, wait_ms) != 1)
        return;
    ssize_t n = read(r->answers, r->text + used, sizeof r->text - 1 - used);
    if (n > 0)
        r->text[used + (size_t)n] = '\0';
}

static int count_commits(const run *r)
{
    int n = 0;
    for (const char *at = r->text; (at = strstr(at, "committed\n")) != NULL; at++)
        n++;
    return n;
}

static void bury(run *r)
{
    int status;
    size_t before;
    do {
        before = strlen(r->text);
        read_on(r, PATIENCE_S * 1000); /* its death closes the pipe */
    } while (strlen(r->text) > before);
    assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
    close(r->answers);
    r->killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!r->killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail_msg("the program ended with status %d, having said: %s", status, r->text);
}

/* ---- What is left
 * ------------------------------------------------------------------------------------------------------
 */

static int64_t count_connections(rig *g, int i)
{
    if (strncmp(g->urls[i], "sqlite", 6) == 0)
        return 0;
    return belay_int_of(g->sees[i],
                        strncmp(g->urls[i], "mariadb", 7) == 0
                            ? "SELECT count(*) FROM information_schema.processlist WHERE user = 'belay'"
                            : "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'");
}

/* What the servers still do for the dead program is done: a recovery sees the last of it. */
static void await_connections(rig *g, const int64_t before[2])
{
    time_t until = time(NULL) + PATIENCE_S;
    for (int i = 0; i < 2; i++)
        while (count_connections(g, i) > before[i]) {
            assert_true(time(NULL) < until);
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        }
}

typedef struct tally {
    char step[64];
    int committed, rolled_back;
} tally;

static tally tallies[MOST_STEPS];
static int crashes, recovered_units;

static void note(const char *step, bool committed)
{
    int i = 0;
    while (i < MOST_STEPS - 1 && tallies[i].step[0] && strcmp(tallies[i].step, step) != 0)
        i++;
    snprintf(tallies[i].step, sizeof tallies[i].step, "%s", step);
    *(committed ? &tallies[i].committed : &tallies[i].rolled_back) += 1;
}

static void name_step(const run *r, char out[64])
{
    const char *at = strstr(r->text, "after ");
    if (at)
        snprintf(out, 64, "%.*s", (int)strcspn(at, "\n"), at);
    else
        snprintf(out, 64, "at a random moment");
}

static int64_t balance(rig *g, int i)
{
    int64_t value = belay_int_of(g->sees[i], i ? "SELECT balance FROM account_b" : "SELECT balance FROM account_a");
    assert_status(g->sees[i], BELAY_OK);
    return value;
}

/* Both or neither, and all that was told to be committed. */
static void verify(rig *g, const run *r, int64_t before)
{
    char step[64];
    belay_code code, again;
    int found = rig_recover(g, &code), more = rig_recover(g, &again);
    int64_t moved = before - balance(g, 0), arrived = balance(g, 1) - (2 * OPENING - before);
    int told = count_commits(r);
    name_step(r, step);
    if (code != BELAY_OK || again != BELAY_OK || more != 0 || found > 2)
        fail_msg("%s, %s: recovery found %d and gave %s, the next one %d and %s", g->kind, step, found,
                 belay_code_name(code), more, belay_code_name(again));
    if (moved != arrived || moved < told || moved > told + 1)
        fail_msg("%s, %s: %d left the one, %d came to the other, and %d were told to be committed", g->kind, step,
                 (int)moved, (int)arrived, told);
    recovered_units += found > 0;
    crashes += r->killed;
    if (r->killed)
        note(step, moved > told);
}

/* The next unit, on connections that knew of nothing. */
static void go_on(rig *g)
{
    int64_t before = balance(g, 0);
    assert_code(belay_commit_two_phase(g->a, g->b, rig_move, &one), BELAY_OK);
    assert_true(balance(g, 0) == before - 1);
}

static void open_accounts(rig *g)
{
    for (int i = 0; i < 2; i++) {
        belay_exec(g->sees[i], i ? "UPDATE account_b SET balance = ?" : "UPDATE account_a SET balance = ?", OPENING);
        assert_status(g->sees[i], BELAY_OK);
    }
    go_on(g);
}

/* ---- Crashes
 * -----------------------------------------------------------------------------------------------------------
 */

/* True when it came as far as to kill itself. */
static bool crash_after(rig *g, int at)
{
    run r;
    int64_t connections[] = {count_connections(g, 0), count_connections(g, 1)}, before = balance(g, 0);
    start(&r, g, at);
    bury(&r);
    await_connections(g, connections);
    verify(g, &r, before);
    go_on(g);
    return r.killed;
}

static void crashes_after_each_step(rig *g)
{
    int at = 1;
    open_accounts(g);
    while (crash_after(g, at)) {
        at++;
        assert_true(at < MOST_STEPS);
    }
    assert_true(at > 10); /* statements, prepares, the decision, what was told */
}

static void both_or_neither_after_whichever_step_the_program_is_killed(void **state)
{
    (void)state;
    rig_on_each(crashes_after_each_step);
}

static void crash_from_outside(rig *g, int wait_us)
{
    run r;
    int64_t connections[] = {count_connections(g, 0), count_connections(g, 1)}, before = balance(g, 0);
    start(&r, g, 0);
    while (!strchr(r.text, '\n'))
        read_on(&r, PATIENCE_S * 1000);
    nanosleep(&(struct timespec){.tv_nsec = wait_us * 1000L}, NULL);
    kill(r.pid, SIGKILL);
    bury(&r);
    assert_true(r.killed);
    await_connections(g, connections);
    verify(g, &r, before);
}

static void crashes_at_random_moments(rig *g)
{
    open_accounts(g);
    for (int i = 0; i < FROM_OUTSIDE; i++)
        crash_from_outside(g, rand() % 30000);
    go_on(g);
}

static void both_or_neither_at_whatever_moment_the_program_is_killed(void **state)
{
    (void)state;
    rig_on_each(crashes_at_random_moments);
}

static void there_were_enough_crashes_and_recovery_had_work(void **state)
{
    (void)state;
    for (int i = 0; i < MOST_STEPS && tallies[i].step[0]; i++)
        printf("%-40s %3d committed, %3d rolled back\n", tallies[i].step, tallies[i].committed, tallies[i].rolled_back);
    printf("%d crashes; after %d of them something was prepared; 0 units half done\n", crashes, recovered_units);
    assert_true(crashes >= WANTED_CRASHES);
    assert_true(recovered_units > crashes / 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_or_neither_after_whichever_step_the_program_is_killed),
        cmocka_unit_test(both_or_neither_at_whatever_moment_the_program_is_killed),
        cmocka_unit_test(there_were_enough_crashes_and_recovery_had_work),
    };
    unsigned seed = (unsigned)time(NULL);
    printf("seed %u\n", seed);
    srand(seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
