#include "every_call.h"

#include <stdarg.h>
#include <stdio.h>

enum { CALLS_AT_MOST = 400, REPORTS_AT_MOST = 5 };

void point_broken(fault_point *p, const char *format, ...)
{
    va_list list;
    if (p->broken[0])
        return;
    va_start(list, format);
    vsnprintf(p->broken, sizeof p->broken, format, list);
    va_end(list);
}

static int run_series(point_run run, void *arg, fake_fault fault, bool onwards)
{
    int failures = 0;
    bool met = true;
    for (unsigned n = 1; met && n < CALLS_AT_MOST; n++) {
        fault_point p = {.fail_at = n, .fault = fault, .onwards = onwards};
        met = run(arg, &p);
        if (p.broken[0] && ++failures <= REPORTS_AT_MOST)
            fprintf(stderr, "%s at call %u %s: %s\n", fake_fault_name(fault), n, onwards ? "and from then on" : "once",
                    p.broken);
    }
    return failures + met; /* it ends because no call was left to fail */
}

int every_call_fails(point_run run, void *arg)
{
    int failures = 0;
    for (int fault = 0; fault < FAKE_FAULTS; fault++)
        for (int onwards = 0; onwards < 2; onwards++)
            failures += run_series(run, arg, (fake_fault)fault, onwards);
    return failures;
}
