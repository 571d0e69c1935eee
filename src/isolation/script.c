/*
 * script.c - the scripts, and their judges.
 *
 * The scripts follow the cases that Adya (1999) defines and that Kleppmann's
 * Hermitage made into tests. A judge says when no serial order, or no order that
 * the anomaly's definition admits, explains what was seen.
 * Tests: tests/isolation/test_isolation_tables.c.
 */
#include "script.h"

enum { A, B, C };

#define READ(who, slot, sql)                                                                                           \
    {                                                                                                                  \
        BELAYI_READ, who, slot, sql                                                                                    \
    }
#define WRITE(who, sql)                                                                                                \
    {                                                                                                                  \
        BELAYI_WRITE, who, 0, sql                                                                                      \
    }
#define SET_X_FROM(who, slot)                                                                                          \
    {                                                                                                                  \
        BELAYI_WRITE, who, slot, "UPDATE @ SET value = ? WHERE id = 1"                                                 \
    }
#define COMMIT(who)                                                                                                    \
    {                                                                                                                  \
        BELAYI_COMMIT, who, 0, NULL                                                                                    \
    }
#define ROLL_BACK(who)                                                                                                 \
    {                                                                                                                  \
        BELAYI_ROLL_BACK, who, 0, NULL                                                                                 \
    }

#define RACE(who)                                                                                                      \
    {                                                                                                                  \
        BELAYI_RACE, who, 0, NULL                                                                                      \
    }

#define READ_X(who, slot) READ(who, slot, "SELECT value FROM @ WHERE id = 1")
#define READ_Y(who, slot) READ(who, slot, "SELECT value FROM @ WHERE id = 2")
#define SET_X(who, value) WRITE(who, "UPDATE @ SET value = " #value " WHERE id = 1")
#define SET_Y(who, value) WRITE(who, "UPDATE @ SET value = " #value " WHERE id = 2")

/* ---- Judges ------------------------------------------------------------------------------------------------------ */

/* A writes 11 and 21, B writes 12 and 22: a mixture is of both. */
static bool is_mixed(const belayi_history *h)
{
    return h->x + 10 != h->y;
}

static bool saw_101(const belayi_history *h)
{
    return h->read[1] == 101 || h->read[2] == 101;
}

static bool saw_each_other(const belayi_history *h)
{
    return h->read[1] == 21 && h->read[2] == 11;
}

/* The last digit is the number of the transaction that wrote it; each wrote both rows. Who has seen the work of one
   can't see what it has replaced, in whichever row. */
static bool goes_back(const belayi_history *h, int reads)
{
    int64_t newest = 0;
    for (int slot = 1; slot <= reads; slot++) {
        int64_t version = h->read[slot] % 10;
        if (version < newest)
            return true;
        newest = version;
    }
    return false;
}

static bool goes_back_in_5(const belayi_history *h)
{
    return goes_back(h, 5);
}

static bool goes_back_in_6(const belayi_history *h)
{
    return goes_back(h, 6);
}

static bool reads_differ(const belayi_history *h)
{
    return h->read[1] != h->read[2];
}

/* B reads which row has 20, and deletes the one with 20. A adds 10 to all. B before A: row 2, and 20 is left of row 1;
   A before B: row 1, and 30 is left of row 2. */
static bool deleted_another(const belayi_history *h)
{
    bool b_first = h->x == 20 && h->y == BELAYI_NO_ROW, a_first = h->x == BELAYI_NO_ROW && h->y == 30;
    return h->read[1] == 2 ? !b_first : !a_first;
}

static bool counts_short_of_12(const belayi_history *h)
{
    return h->x < 12;
}

/* Three times one, in the script; and then what all have added to 20 in the race. */
static bool counts_short_of_all(const belayi_history *h)
{
    return h->x < 13 || h->y < 20 + BELAYI_SESSIONS * BELAYI_LAPS;
}

/* 5 were moved from x to y: there are 30 in all. */
static bool sum_is_wrong(const belayi_history *h)
{
    return h->read[1] + h->read[2] != 30;
}

/* B makes 12 of 10. Before it two values are multiples of 5 and none is one of 3. */
static bool saw_before_and_after(const belayi_history *h)
{
    return h->read[1] == 2 && h->read[2] != 0;
}

/* A has read x before B changed it; so the row that A deletes is the one with 20, whatever B makes of it later. */
static bool deleted_nothing(const belayi_history *h)
{
    return h->read[1] == 10 && h->y != BELAYI_NO_ROW;
}

static bool both_saw_30(const belayi_history *h)
{
    return h->read[1] == 30 && h->read[2] == 30;
}

static bool both_saw_none(const belayi_history *h)
{
    return h->read[1] == 0 && h->read[2] == 0;
}

/* ---- Scripts ----------------------------------------------------------------------------------------------------- */

static const belayi_script scripts[BELAY_ANOMALY_COUNT] = {
    [BELAY_DIRTY_WRITE] = {"",
                           "AB",
                           is_mixed,
                           {SET_X(A, 11), SET_X(B, 12), SET_Y(B, 22), SET_Y(A, 21), COMMIT(A), COMMIT(B)}},
    [BELAY_ABORTED_READ] = {"B", "AB", saw_101, {SET_X(A, 101), READ_X(B, 1), ROLL_BACK(A), READ_X(B, 2), COMMIT(B)}},
    [BELAY_INTERMEDIATE_READ] = {"B",
                                 "AB",
                                 saw_101,
                                 {SET_X(A, 101), READ_X(B, 1), SET_X(A, 11), COMMIT(A), READ_X(B, 2), COMMIT(B)}},
    [BELAY_CIRCULAR_FLOW] = {"",
                             "AB",
                             saw_each_other,
                             {SET_X(A, 11), SET_Y(B, 21), READ_Y(A, 1), READ_X(B, 2), COMMIT(A), COMMIT(B)}},
    [BELAY_PARTIAL_VIEW] = {"B",
                            "AB",
                            goes_back_in_5,
                            {SET_X(A, 11), READ_X(B, 1), READ_Y(B, 2), SET_Y(A, 21), READ_X(B, 3), COMMIT(A),
                             READ_X(B, 4), READ_Y(B, 5), COMMIT(B)}},
    [BELAY_VANISHING] = {"C",
                         "C",
                         goes_back_in_6,
                         {SET_X(A, 11), SET_Y(A, 21), SET_X(B, 12), COMMIT(A), READ_X(C, 1), READ_Y(C, 2), SET_Y(B, 22),
                          READ_Y(C, 3), READ_X(C, 4), COMMIT(B), READ_X(C, 5), READ_Y(C, 6), COMMIT(C)}},
    [BELAY_PHANTOM_READ] = {"A",
                            "AB",
                            reads_differ,
                            {READ(A, 1, "SELECT count(*) FROM @ WHERE value = 30"),
                             WRITE(B, "INSERT INTO @ (id, value) VALUES (3, 30)"), COMMIT(B),
                             READ(A, 2, "SELECT count(*) FROM @ WHERE value % 3 = 0"), COMMIT(A)}},
    [BELAY_PHANTOM_WRITE] = {"",
                             "AB",
                             deleted_another,
                             {READ(B, 1, "SELECT coalesce(sum(id), 0) FROM @ WHERE value = 20"),
                              WRITE(A, "UPDATE @ SET value = value + 10"), WRITE(B, "DELETE FROM @ WHERE value = 20"),
                              COMMIT(A), COMMIT(B)}},
    [BELAY_LOST_UPDATE] = {"",
                           "AB",
                           counts_short_of_12,
                           {READ_X(A, 1), READ_X(B, 2), SET_X_FROM(A, 1), SET_X_FROM(B, 2), COMMIT(A), COMMIT(B)}},
    [BELAY_COUNTER_RACE] = {"",
                            "ABC",
                            counts_short_of_all,
                            {READ_X(A, 1), READ_X(B, 2), READ_X(C, 3), SET_X_FROM(A, 1), SET_X_FROM(B, 2),
                             SET_X_FROM(C, 3), COMMIT(A), COMMIT(B), COMMIT(C), RACE(A), RACE(B), RACE(C)}},
    [BELAY_READ_SKEW] = {"A",
                         "AB",
                         sum_is_wrong,
                         {READ_X(A, 1), SET_X(B, 5), SET_Y(B, 25), COMMIT(B), READ_Y(A, 2), COMMIT(A)}},
    [BELAY_PREDICATE_SKEW] = {"A",
                              "AB",
                              saw_before_and_after,
                              {READ(A, 1, "SELECT count(*) FROM @ WHERE value % 5 = 0"),
                               WRITE(B, "UPDATE @ SET value = 12 WHERE value = 10"), COMMIT(B),
                               READ(A, 2, "SELECT count(*) FROM @ WHERE value % 3 = 0"), COMMIT(A)}},
    [BELAY_WRITE_ON_SKEW] = {"",
                             "AB",
                             deleted_nothing,
                             {READ_X(A, 1), SET_X(B, 12), SET_Y(B, 18), COMMIT(B),
                              WRITE(A, "DELETE FROM @ WHERE value = 20"), COMMIT(A)}},
    [BELAY_WRITE_SKEW] = {"",
                          "AB",
                          both_saw_30,
                          {READ(A, 1, "SELECT sum(value) FROM @ WHERE id IN (1, 2)"),
                           READ(B, 2, "SELECT sum(value) FROM @ WHERE id IN (1, 2)"), SET_X(A, 11), SET_Y(B, 21),
                           COMMIT(A), COMMIT(B)}},
    [BELAY_PREDICATE_WRITE_SKEW] = {"",
                                    "AB",
                                    both_saw_none,
                                    {READ(A, 1, "SELECT count(*) FROM @ WHERE value % 3 = 0"),
                                     READ(B, 2, "SELECT count(*) FROM @ WHERE value % 3 = 0"),
                                     WRITE(A, "INSERT INTO @ (id, value) VALUES (3, 30)"),
                                     WRITE(B, "INSERT INTO @ (id, value) VALUES (4, 42)"), COMMIT(A), COMMIT(B)}},
};

const belayi_script *belayi_script_of(belay_anomaly anomaly)
{
    return &scripts[anomaly];
}
