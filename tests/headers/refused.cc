/*
 * refused.cc - what must not compile in C++, one case for each value of CASE.
 * With CASE 0 it does. Not among them is NULL, which in C++ is a number.
 */
#include <belay/belay.h>

#include <string>

struct point {
    int x, y;
};

void use(belay_session *s, int *number, void *pointer, const unsigned char *bytes, const std::string &string, point at);
void use(belay_session *s, int *number, void *pointer, const unsigned char *bytes, const std::string &string, point at)
{
    (void)s;
    (void)number;
    (void)pointer;
    (void)bytes;
    (void)string;
    (void)at;
#if CASE == 0
    belay_exec(s, "...", *number, belay_null(), belay_blob(bytes, 2), string.c_str(), at.x);
#elif CASE == 1
    belay_exec(s, "...", number);
#elif CASE == 2
    belay_exec(s, "...", pointer);
#elif CASE == 3
    belay_exec(s, "...", bytes);
#elif CASE == 4
    belay_exec(s, "...", nullptr);
#elif CASE == 5
    belay_exec(s, "...", string);
#elif CASE == 6
    belay_exec(s, "...", at);
#elif CASE == 7
    belay_exec(s, "...", &at);
#else
#error no such case
#endif
}
