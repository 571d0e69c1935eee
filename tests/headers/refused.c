/*
 * refused.c - what must not compile, one case for each value of CASE. With
 * CASE 0 it does, so that no case fails for another reason.
 */
#include <belay/belay.h>

struct point {
    int x, y;
};

typedef struct owner {
    int64_t id;
} owner;
typedef struct model {
    int64_t id;
    double real;
    struct point point;
    int *number;
    int bits : 3;
    long double wide;
    int has;
    owner *owner;
    int64_t owner_id;
    const char *text;
} model;

BELAY_MODEL(owner, "owner", BELAY_KEY(owner, id))
#if CASE == 17 /* a struct is no column */
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, point))
#elif CASE == 18 /* nor a pointer to anything but text */
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, number))
#elif CASE == 19
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, bits))
#elif CASE == 20
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, wide))
#elif CASE == 21
BELAY_MODEL(model, "model", BELAY_KEY(model, real))
#elif CASE == 22
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_NULLABLE(model, real, has))
#elif CASE == 23
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_PARENT(model, number, owner_id, owner))
#elif CASE == 24
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_PARENT(model, owner, real, owner))
#elif CASE == 25
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_VERSION_COLUMN(model, text))
#elif CASE == 26 /* an option that there isn't */
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, real, .notnull = true))
#elif CASE == 27 /* a member that there isn't */
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, name))
#else
BELAY_MODEL(model, "model", BELAY_KEY(model, id), BELAY_COLUMN(model, real),
            BELAY_COLUMN(model, text, .not_null = true), BELAY_PARENT(model, owner, owner_id, owner))
#endif

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
    belay_add(s, owner, belay_new(s, owner));
    belay_merge(s, owner, belay_get(s, owner, 1));
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
#elif CASE == 28 /* an object of another type */
    belay_add(s, owner, belay_new(s, model));
#elif CASE == 29
    belay_merge(s, owner, belay_new(s, model));
#elif CASE == 30 /* no key */
    belay_get(s, owner);
#elif CASE == 31
    belay_get(s, owner, pointer);
#elif CASE == 32 /* a model that there isn't */
    belay_new(s, point);
#elif CASE > 16 && CASE < 28
#else
#error no such case
#endif
}
