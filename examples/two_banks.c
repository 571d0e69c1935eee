/*
 * two_banks - money moves from a database to another one, on another server.
 *
 * Both get the transfer or neither does, also when the program or a server dies
 * half-way: what such a crash has left is ended when the program is started
 * again. One bank refuses a transfer that is too large, and the other forgets it
 * as well.
 *
 *     two_banks URL URL LOG       two_banks postgresql://me@localhost/west mariadb://me@localhost/east sqlite:log.db
 *
 * One of the two may be an SQLite file. The tables west_account and east_account
 * are replaced; the log keeps its table.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/belay.h>

typedef struct transfer {
    int64_t from, to, cents;
} transfer;

/* ---- When the program starts ---------------------------------------------------------------- */

static void tell(void *arg, const belay_recovery *one)
{
    static const char *const banks[] = {"west", "east", "the log"};
    (void)arg;
    printf("  %s in %s: %s\n", one->name, banks[one->database],
           one->outcome == BELAY_WORK_COMMITTED     ? "committed"
           : one->outcome == BELAY_WORK_ROLLED_BACK ? "rolled back"
                                                    : one->error->message);
}

/* Before anything else: what is prepared holds its locks, and would keep the units that follow waiting. */
static bool end_what_crashes_left(belay_db *west, belay_db *east, const char *log_url)
{
    belay_db *log = belay_open(log_url, NULL);
    belay_db *all[] = {west, east, log};
    belay_code code = belay_recover(all, 3, tell, NULL);
    printf("recovery: %s\n", belay_code_name(code));
    belay_close(log);
    return code == BELAY_OK;
}

/* ---- The unit --------------------------------------------------------------------------------- */

static int move(belay_session *west, belay_session *east, void *arg)
{
    const transfer *t = arg;
    belay_exec(east, "UPDATE east_account SET cents = cents + ? WHERE id = ?", t->cents, t->to);
    belay_exec(west, "UPDATE west_account SET cents = cents - ? WHERE id = ?", t->cents, t->from);
    return 0;
}

/* Again, when the unit has lost a race or a connection; never when nobody knows what became of it. */
static belay_code run_transfer(belay_session *west, belay_session *east, transfer t)
{
    belay_code code = belay_commit_two_phase(west, east, move, &t);
    for (int i = 0; i < 3 && belay_retryable(belay_pending(west)); i++)
        code = belay_commit_two_phase(west, east, move, &t);
    printf("%" PRId64 " cents: %s\n", t.cents, code == BELAY_OK ? "moved" : belay_message(west));
    return code;
}

/* ---- All of it ---------------------------------------------------------------------------------- */

static bool make_account(belay_session *s, const char *drop, const char *create, const char *insert)
{
    return belay_exec(s, drop) == BELAY_OK && belay_exec(s, create) == BELAY_OK && belay_exec(s, insert) == BELAY_OK;
}

static bool have(belay_session *west, belay_session *east, int64_t in_west, int64_t in_east)
{
    int64_t w = belay_int_of(west, "SELECT cents FROM west_account WHERE id = 1");
    int64_t e = belay_int_of(east, "SELECT cents FROM east_account WHERE id = 1");
    printf("  west has %" PRId64 ", east has %" PRId64 "\n", w, e);
    return w == in_west && e == in_east && belay_status(west) == BELAY_OK && belay_status(east) == BELAY_OK;
}

static bool run(belay_session *west, belay_session *east)
{
    bool made = make_account(west, "DROP TABLE IF EXISTS west_account",
                             "CREATE TABLE west_account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL,"
                             " CONSTRAINT not_negative CHECK (cents >= 0))",
                             "INSERT INTO west_account (id, cents) VALUES (1, 10000)") &&
                make_account(east, "DROP TABLE IF EXISTS east_account",
                             "CREATE TABLE east_account (id INTEGER PRIMARY KEY, cents INTEGER NOT NULL)",
                             "INSERT INTO east_account (id, cents) VALUES (1, 0)");
    return made && run_transfer(west, east, (transfer){1, 1, 2500}) == BELAY_OK && have(west, east, 7500, 2500) &&
           run_transfer(west, east, (transfer){1, 1, 9900}) == BELAY_CHECK && have(west, east, 7500, 2500) &&
           run_transfer(west, east, (transfer){1, 1, 500}) == BELAY_OK && have(west, east, 7000, 3000);
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: two_banks URL URL LOG\n");
        return 2;
    }
    const belay_db_options *options = BELAY_DB_OPTIONS(.decision_log = argv[3]);
    belay_db *west_db = belay_open(argv[1], options), *east_db = belay_open(argv[2], options);
    belay_session *west = belay_session_open(west_db), *east = belay_session_open(east_db);
    bool right = end_what_crashes_left(west_db, east_db, argv[3]) && run(west, east);
    printf("%s\n", right ? "both banks agree" : "something went wrong");
    if (belay_status(west) != BELAY_OK && !right)
        printf("%s\n", belay_message(west));
    belay_session_close(west);
    belay_session_close(east);
    belay_close(west_db);
    belay_close(east_db);
    return right ? 0 : 1;
}
