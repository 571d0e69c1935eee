#include "fake.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct fault_facts {
    const char *name;
    belay_code planned, seen; /* what the stand-in is told, and what the call gives */
    bool rolls_back;
} fault_facts;

static const fault_facts facts[] = {
    [FAKE_ERROR] = {"error", BELAY_IO, BELAY_IO, false},
    [FAKE_NO_MEMORY] = {"no memory", BELAY_NO_MEMORY, BELAY_NO_MEMORY, false},
    [FAKE_LOST_BEFORE] = {"lost before", BELAY_CONNECTION, BELAY_CONNECTION, false},
    [FAKE_LOST_AFTER] = {"lost after", BELAY_IN_DOUBT, BELAY_CONNECTION, false},
    [FAKE_DEADLOCK] = {"deadlock", BELAY_DEADLOCK, BELAY_DEADLOCK, true},
    [FAKE_ENDED] = {"rolled back in silence", BELAY_DISK_FULL, BELAY_DISK_FULL, true},
    [FAKE_BUSY] = {"busy", BELAY_BUSY, BELAY_BUSY, false},
    [FAKE_FAULTS] = {"?", BELAY_OK, BELAY_OK, false},
};

belay_code fake_fault_code(fake_fault fault)
{
    return facts[fault].seen;
}

const char *fake_fault_name(fake_fault fault)
{
    return facts[fault].name;
}

const char *fake_call_name(const char *log, unsigned number, char out[FAKE_CALL_ROOM])
{
    const char *word = log;
    for (unsigned i = 1; word && i < number; i++)
        word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL;
    snprintf(out, FAKE_CALL_ROOM, "%.*s", word && *word ? (int)strcspn(word, " ") : 1, word && *word ? word : "?");
    return out;
}

/* ---- The log ----------------------------------------------------------------------------------------------------- */

static void write_down(fake_driver *fake, const belayi_call_made *call)
{
    static const char *const names[] = {
        [BELAYI_CALL_CONNECT] = "open",
        [BELAYI_CALL_ISOLATION] = "isolation",
        [BELAYI_CALL_BEGIN] = "begin",
        [BELAYI_CALL_COMMIT] = "commit",
        [BELAYI_CALL_ROLLBACK] = "rollback",
        [BELAYI_CALL_OUTCOME] = "outcome",
        [BELAYI_CALL_SAVEPOINT] = "savepoint",
        [BELAYI_CALL_RELEASE] = "release",
        [BELAYI_CALL_ROLLBACK_TO] = "rollback_to",
        [BELAYI_CALL_PREPARE] = "prepare",
        [BELAYI_CALL_EXECUTE] = "execute",
        [BELAYI_CALL_START] = "start",
        [BELAYI_CALL_STEP] = "step",
        [BELAYI_CALL_CHECK_DEFERRED] = "check_deferred",
        [BELAYI_CALL_EACH] = "each",
        [BELAYI_CALL_QUEUE] = "queue",
        [BELAYI_CALL_DRAIN] = "drain",
    };
    char more[16] = "";
    if (call->savepoint > 0)
        snprintf(more, sizeof more, ":%u", call->savepoint);
    else if (call->kind == BELAYI_CALL_BEGIN && !call->writes)
        strcpy(more, ":read");
    size_t room = sizeof fake->log - fake->log_size;
    int size = snprintf(fake->log + fake->log_size, room, "%s%s ", names[call->kind], more);
    if (size > 0 && (size_t)size < room)
        fake->log_size += (size_t)size;
}

static void note_call(void *arg, const belayi_call_made *call, belay_code code)
{
    fake_driver *fake = arg;
    fake->open_connections += call->kind == BELAYI_CALL_CONNECT;
    fake->open_connections -= call->kind == BELAYI_CALL_CLOSE;
    fake->open_statements += call->kind == BELAYI_CALL_PREPARE && code == BELAY_OK;
    fake->open_statements -= call->kind == BELAYI_CALL_FINALIZE;
    fake->doubts += call->kind == BELAYI_CALL_COMMIT && code == BELAY_CONNECTION;
    if (call->number > 0)
        write_down(fake, call);
}

/* ---- Arming ------------------------------------------------------------------------------------------------------ */

void fake_init(fake_driver *fake, const belay_driver *real)
{
    memset(fake, 0, sizeof *fake);
    belayi_standin_init(&fake->standin, real);
    fake->standin.note = note_call;
    fake->standin.note_arg = fake;
}

static void arm(fake_driver *fake, const belayi_fault *first, const belayi_fault *second)
{
    fake->doubts = 0;
    belayi_standin_arm(&fake->standin, first, second);
    fake->log_size = 0;
    fake->log[0] = '\0';
}

static belayi_fault plan(unsigned first, unsigned last, fake_fault fault)
{
    return (belayi_fault){first, last, facts[fault].planned, facts[fault].rolls_back};
}

void fake_arm(fake_driver *fake, unsigned fail_at, fake_fault fault, bool onwards)
{
    belayi_fault only = plan(fail_at, onwards ? UINT_MAX : fail_at, fault);
    arm(fake, &only, NULL);
}

void fake_arm_twice(fake_driver *fake, unsigned fail_at, fake_fault fault, unsigned after, fake_fault second)
{
    belayi_fault one = plan(fail_at, fail_at, fault), other = plan(fail_at + after, fail_at + after, second);
    arm(fake, &one, &other);
}

unsigned fake_calls(const fake_driver *fake)
{
    return atomic_load(&fake->standin.made);
}

unsigned fake_failed(const fake_driver *fake)
{
    return atomic_load(&fake->standin.failed);
}
