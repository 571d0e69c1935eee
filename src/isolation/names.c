/*
 * names.c - words for anomalies, verdicts and levels.
 * Tests: tests/isolation/test_isolation_check.c.
 */
#include <belay/isolation.h>

typedef struct words {
    const char *name, *title, *advice;
} words;

static const words anomalies[] = {
#define BELAYI_X(name, sign, title, advice) {sign, title, advice},
    BELAY_ANOMALIES(BELAYI_X)
#undef BELAYI_X
};

static const words verdicts[] = {
#define BELAYI_X(name, word, text) {word, text, ""},
    BELAY_VERDICTS(BELAYI_X)
#undef BELAYI_X
};

static const words nothing = {"?", "?", "?"};

static const words *find_words(const words *table, size_t n, int i)
{
    return i >= 0 && (size_t)i < n ? &table[i] : &nothing;
}

static const words *of_anomaly(belay_anomaly anomaly)
{
    return find_words(anomalies, BELAY_ANOMALY_COUNT, (int)anomaly);
}

static const words *of_verdict(belay_verdict verdict)
{
    return find_words(verdicts, sizeof verdicts / sizeof verdicts[0], (int)verdict);
}

const char *belay_anomaly_name(belay_anomaly anomaly)
{
    return of_anomaly(anomaly)->name;
}

const char *belay_anomaly_title(belay_anomaly anomaly)
{
    return of_anomaly(anomaly)->title;
}

const char *belay_anomaly_advice(belay_anomaly anomaly)
{
    return of_anomaly(anomaly)->advice;
}

const char *belay_verdict_word(belay_verdict verdict)
{
    return of_verdict(verdict)->name;
}

const char *belay_verdict_text(belay_verdict verdict)
{
    return of_verdict(verdict)->title;
}

const char *belay_level_name(belay_level level)
{
    static const char *const names[] = {"default",         "read uncommitted", "read committed",
                                        "repeatable read", "snapshot",         "serializable"};
    return (int)level >= 0 && (int)level < BELAY_LEVEL_COUNT ? names[level] : "?";
}
