#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <belay/testing.h>

#include "decisions.h"

const char *const rig_kinds[] = {"postgresql mariadb",
                                 "mariadb postgresql",
                                 "postgresql postgresql",
                                 "mariadb mariadb",
                                 "sqlite postgresql",
                                 "mariadb sqlite",
                                 NULL};

static void note_line(void *arg, belay_log_level level, const char *line)
{
    rig *r = arg;
    size_t used = strlen(r->log);
    (void)level;
    snprintf(r->log + used, sizeof r->log - used, "%s\n", line);
}

static void find_url(rig *r, int i, const char *engine)
{
    if (strncmp(engine, "sqlite", 6) == 0) {
        snprintf(r->urls[i], sizeof r->urls[i], "sqlite:%s/%d.db", r->directory, i);
        return;
    }
    const char *url = getenv(engine[0] == 'p' ? "BELAY_TEST_POSTGRESQL" : "BELAY_TEST_MARIADB");
    if (!url)
        fail_msg("%s", "there is no server: tools/servers.py run -- starts them");
    snprintf(r->urls[i], sizeof r->urls[i], "%s", url);
}

static const char *const tables[] = {"account_a", "account_b"};

static void make_table(rig *r, int i)
{
    char text[160];
    const char *engine = strncmp(r->urls[i], "mariadb", 7) == 0 ? " ENGINE = InnoDB" : "";
    snprintf(text, sizeof text, "DROP TABLE IF EXISTS %s", tables[i]);
    belay_exec(r->sees[i], text);
    belay_exec(r->sees[i], "DROP TABLE IF EXISTS belay_decisions");
    snprintf(text, sizeof text,
             "CREATE TABLE %s (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0))%s", tables[i],
             engine);
    belay_exec(r->sees[i], text);
    snprintf(text, sizeof text, "INSERT INTO %s VALUES (1, 100)", tables[i]);
    belay_exec(r->sees[i], text);
    assert_status(r->sees[i], BELAY_OK);
}

void rig_reopen(rig *r, const char *decision_log)
{
    belay_session_close(r->a);
    belay_session_close(r->b);
    for (int i = 0; i < 2; i++) {
        belay_close(r->dbs[i]);
        r->dbs[i] =
            belay_open(r->urls[i], BELAY_DB_OPTIONS(.decision_log = decision_log, .log = note_line, .log_arg = r,
                                                    .trace = r->trace, .trace_arg = r->trace_arg,
                                                    .require_scope = r->require_scope, .lock_timeout_ms = 2000));
        assert_code(belay_db_error(r->dbs[i])->code, BELAY_OK);
    }
    r->a = belay_session_open(r->dbs[0]);
    r->b = belay_session_open(r->dbs[1]);
}

void rig_open(rig *r, const char *kind)
{
    *r = (rig){.kind = kind};
    snprintf(r->directory, sizeof r->directory, "/tmp/belay-two-XXXXXX");
    assert_non_null(mkdtemp(r->directory));
    snprintf(r->log_url, sizeof r->log_url, "sqlite:%s/log.db", r->directory);
    find_url(r, 0, kind);
    find_url(r, 1, strchr(kind, ' ') + 1);
    for (int i = 0; i < 2; i++) {
        r->looking[i] = belay_open(r->urls[i], NULL);
        r->sees[i] = belay_session_open(r->looking[i]);
        make_table(r, i);
    }
    rig_reopen(r, r->log_url);
}

void rig_close(rig *r)
{
    char command[128];
    belay_session_close(r->a);
    belay_session_close(r->b);
    for (int i = 0; i < 2; i++) {
        belay_close(r->dbs[i]);
        belay_session_close(r->sees[i]);
        belay_close(r->looking[i]);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", r->directory);
    assert_int_equal(system(command), 0);
}

int rig_move(belay_session *a, belay_session *b, void *amount)
{
    int n = *(int *)amount;
    belay_exec(a, "UPDATE account_a SET balance = balance - ? WHERE id = 1", n);
    belay_exec(b, "UPDATE account_b SET balance = balance + ? WHERE id = 1", n);
    return 0;
}

void rig_assert_balances(rig *r, const char *wanted)
{
    char text[64], both[64];
    both[0] = '\0';
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "SELECT balance FROM %s WHERE id = 1", tables[i]);
        size_t used = strlen(both);
        snprintf(both + used, sizeof both - used, "%s%s", i ? ";" : "", rows_of(r->sees[i], text));
    }
    if (strcmp(both, wanted) != 0)
        fail_msg("on %s: the balances are %s, and should be %s", r->kind, both, wanted);
}

void rig_leave_undecided(rig *r)
{
    static int ten = 10;
    belay_code code = BELAY_OK;
    belay_db *log = belayi_decisions_log_of(r->dbs[0]);
    assert_code(belay_commit_two_phase(r->a, r->b, rig_move, &ten), BELAY_OK);
    for (unsigned n = 1; n < 20 && code != BELAY_IN_DOUBT; n++) {
        belay_fail_nth(log, n, BELAY_IN_DOUBT, true);
        code = belay_commit_two_phase(r->a, r->b, rig_move, &ten);
    }
    belay_fail_nth(log, 0, BELAY_OK, false);
    assert_code(code, BELAY_IN_DOUBT);
    assert_status(r->b, BELAY_IN_DOUBT);
}

static void count_found(void *arg, const belay_recovery *found)
{
    (void)found;
    ++*(int *)arg;
}

int rig_recover(rig *r, belay_code *out_code)
{
    int found = 0;
    belay_db *log = belay_open(r->log_url, NULL);
    belay_db *all[] = {r->looking[0], r->looking[1], log};
    *out_code = belay_recover(all, 3, count_found, &found);
    belay_close(log);
    return found;
}

static void assert_no_decision(belay_session *s, const char *kind)
{
    const char *rows = rows_of(s, "SELECT unit, decision FROM belay_decisions WHERE unit <> 'log'");
    if (rows[0] && !strstr(rows, "belay_decisions"))
        fail_msg("on %s: there are decisions left: %s", kind, rows);
    belay_status(s);
}

void rig_assert_clean(rig *r)
{
    belay_code code;
    int found = rig_recover(r, &code);
    if (code != BELAY_OK || found != 0)
        fail_msg("on %s: %d transactions were left prepared (%s)", r->kind, found, belay_code_name(code));
    belay_db *log = belay_open(r->log_url, NULL);
    belay_session *s = belay_session_open(log);
    assert_no_decision(s, r->kind);
    belay_session_close(s);
    belay_close(log);
    for (int i = 0; i < 2; i++)
        assert_no_decision(r->sees[i], r->kind);
}

void rig_on_each(void (*test)(rig *))
{
    for (int i = 0; rig_kinds[i]; i++) {
        rig r;
        rig_open(&r, rig_kinds[i]);
        test(&r);
        rig_close(&r);
    }
}
