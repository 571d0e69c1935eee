/*
 * refused.c - what must not compile, one case for each value of CASE. With
 * CASE 0 it does, so that no case fails for another reason.
 */
#include <belay/belay.h>

struct point {
    int x, y;
};

void use(belay_session *s, int *number, void *pointer, const unsigned char *bytes, struct point point,
         long double wide);
void use(belay_session *s, int *number, void *pointer, const unsigned char *bytes, struct point point, long double wide)
{
    (void)s;
    (void)number;
    (void)pointer;
    (void)bytes;
    (void)point;
    (void)wide;
#if CASE == 0
    belay_exec(s, "...", *number, belay_null(), belay_blob(bytes, 2), point.x);
#elif CASE == 1
    belay_exec(s, "...", number);
#elif CASE == 2
    belay_exec(s, "...", pointer);
#elif CASE == 3
    belay_exec(s, "...", bytes);
#elif CASE == 4
    belay_exec(s, "...", NULL);
#elif CASE == 5
    belay_exec(s, "...", point);
#elif CASE == 6
    belay_exec(s, "...", &point);
#elif CASE == 7
    belay_value value = BELAY_V(point);
#elif CASE == 8
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31, 32, 33);
#elif CASE == 9 /* the last one could be taken for a count */
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31, 32, 5);
#elif CASE == 10
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31, 32, 0);
#elif CASE == 11
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 3, 3, 3, 3);
#elif CASE == 12
    belay_exec(s, "...", wide);
#elif CASE == 13
    belay_query(s, "...", number);
#elif CASE == 14
    belay_exec(s);
#elif CASE == 15
    belay_fail(s, BELAY_APPLICATION, "%s", 5);
#elif CASE == 16
    BELAY_EACH(row, s, "...", NULL)
        break;
#else
#error no such case
#endif
}
