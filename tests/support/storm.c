#include "storm.h"

#include <stddef.h>
#include <sys/time.h>

volatile sig_atomic_t storm_signals;

static void count_signal(int number)
{
    (void)number;
    storm_signals++;
}

void storm_start(void)
{
    struct sigaction action = {.sa_handler = count_signal};
    const struct itimerval often = {{0, 300}, {0, 300}};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    storm_signals = 0;
    setitimer(ITIMER_REAL, &often, NULL);
}

void storm_stop(void)
{
    const struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
    signal(SIGALRM, SIG_DFL);
}
