/*
 * fault.c - the n-th call of a handle fails.
 *
 * A handle gets its stand-in when a fault is first planned on it, so that a
 * program that never does pays nothing.
 */
#include "fault.h"

#include <limits.h>
#include <stdlib.h>

#include <belay/testing.h>

#include "report.h"

belay_code belayi_fault_refuse(const belay_db *db, belay_error *error)
{
    if (!db)
        return belayi_report(error, BELAY_MISUSE, "there is no database handle");
    if (!belayi_db_is_ours(db))
        return belayi_report(error, BELAY_MISUSE, "this database handle was opened by the parent process");
    if (atomic_load(&db->closed))
        return belayi_report(error, BELAY_MISUSE, "the database handle is closed");
    if (!db->driver)
        return belayi_report(error, BELAY_MISUSE, "this database handle can't be used: %s", db->refusal.message);
    return BELAY_OK;
}

belayi_standin *belayi_fault_standin(belay_db *db)
{
    if (!db->stand_in) {
        belayi_standin *standin = malloc(sizeof *standin);
        if (!standin)
            return NULL;
        belayi_standin_init(standin, db->driver);
        db->stand_in = standin;
        belayi_pool_use_driver(&db->pool, &standin->sound.driver);
    }
    return db->stand_in;
}

belay_code belay_fail_nth(belay_db *db, unsigned n, belay_code code, bool onwards)
{
    belay_error error;
    if (belayi_fault_refuse(db, &error) != BELAY_OK)
        return error.code;
    if (n > 0 && !belayi_report_is_error(code))
        return belayi_report(&error, BELAY_MISUSE, "%s is not the code of an error", belay_code_name(code));
    belayi_standin *standin = belayi_fault_standin(db);
    if (!standin)
        return BELAY_NO_MEMORY;
    belayi_standin_arm(standin, &(belayi_fault){.first = n, .last = onwards ? UINT_MAX : n, .code = code}, NULL);
    return BELAY_OK;
}

static unsigned count(const belay_db *db, bool failed)
{
    belayi_standin *standin = db && belayi_db_is_ours(db) ? db->stand_in : NULL;
    if (!standin)
        return 0;
    return atomic_load(failed ? &standin->failed : &standin->made);
}

unsigned belay_calls_made(const belay_db *db)
{
    return count(db, false);
}

unsigned belay_calls_failed(const belay_db *db)
{
    return count(db, true);
}
