/*
 * transfer_objects - transfers between accounts that are plain structs.
 *
 * What a transfer changes in the structs is written at its end. One that is
 * refused, by the program or by the database, leaves nothing in the tables and
 * nothing in the structs: a pointer that the program holds shows the balance of
 * before. And what somebody was shown in one unit, and changes in another, is
 * only saved when nobody was faster: the version of the row tells.
 *
 *     transfer_objects [URL]  the default is sqlite::memory:
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <belay/belay.h>

typedef struct account {
    int64_t id;
    const char *owner;
    int64_t cents;
    int64_t version;
} account;

BELAY_MODEL(account, "bank_account", BELAY_KEY(account, id), BELAY_COLUMN(account, owner, .size = 40, .not_null = true),
            BELAY_COLUMN(account, cents, .check = "cents >= 0"), BELAY_VERSION_COLUMN(account, version))

static bool open_accounts(belay_session *s)
{
    static const account first[] = {{1, "Ann", 10000, 0}, {2, "Bob", 5000, 0}};

    belay_exec(s, "DROP TABLE IF EXISTS bank_account");
    belay_create_tables(s, account);
    BELAY_ATOMIC(s) {
        for (size_t i = 0; i < sizeof first / sizeof *first; i++)
            belay_merge(s, account, &first[i]);
    }
    return belay_status(s) == BELAY_OK;
}

/* All or nothing. */
static belay_code transfer(belay_session *s, int64_t source, int64_t target, int64_t cents)
{
    BELAY_ATOMIC(s) {
        account *from = belay_get(s, account, source), *to = belay_get(s, account, target);

        if (!from || !to) {
            belay_fail(s, BELAY_NOT_FOUND, "there is no such account"); /* unless an error is pending: that wins */
        } else {
            to->cents += cents;
            from->cents -= cents; /* below zero: the CHECK refuses it */
        }
    }
    return belay_status(s);
}

/* ---- A form ---------------------------------------------------------------------------------------- */

/* A copy of an account, for somebody to look at and to change, while no unit is open. */
static account open_form(belay_session *s, int64_t id)
{
    const account *there = belay_get(s, account, id);

    return there ? *there : (account){0};
}

/* The row becomes what the form says, unless it was changed since the form was opened: BELAY_STALE. */
static belay_code save_form(belay_session *s, const account *form)
{
    BELAY_ATOMIC(s)
        belay_merge(s, account, form);
    return belay_status(s);
}

/* ---- What is shown ------------------------------------------------------------------------------- */

static bool stored(belay_session *s, int64_t ann, int64_t bob)
{
    int64_t a = belay_int_of(s, "SELECT cents FROM bank_account WHERE id = 1");
    int64_t b = belay_int_of(s, "SELECT cents FROM bank_account WHERE id = 2");

    printf("    Ann has %" PRId64 ", Bob has %" PRId64 "\n", a, b);
    return a == ann && b == bob;
}

static bool show_transfers(belay_session *s)
{
    const account *ann = belay_get(s, account, 1), *bob = belay_get(s, account, 2);

    printf("3000 from Ann to Bob\n");
    if (transfer(s, 1, 2, 3000) != BELAY_OK || !stored(s, 7000, 8000))
        return false;
    printf("9000 more: the database refuses it, and the structs are as they were\n");
    if (transfer(s, 1, 2, 9000) != BELAY_CHECK || !stored(s, 7000, 8000))
        return false;
    if (!ann || !bob || ann->cents != 7000 || bob->cents != 8000)
        return false;
    printf("3000 to nobody\n");
    return transfer(s, 1, 3, 3000) == BELAY_NOT_FOUND && stored(s, 7000, 8000);
}

static bool show_form(belay_session *s, belay_session *other)
{
    account form = open_form(s, 1);

    printf("A clerk opens a form with Ann's account, and meanwhile 500 go from Ann to Bob\n");
    if (transfer(other, 1, 2, 500) != BELAY_OK)
        return false;
    form.cents += 100;
    if (save_form(s, &form) != BELAY_STALE)
        return false;
    printf("    not saved: %s\n", belay_pending(s)->message);
    printf("The clerk opens it again, adds 100, and saves it\n");
    form = open_form(s, 1);
    form.cents += 100;
    return save_form(s, &form) == BELAY_OK && stored(s, 6600, 8500);
}

int main(int argc, char **argv)
{
    belay_db *db = belay_open(argc > 1 ? argv[1] : "sqlite::memory:", NULL);
    belay_session *s = belay_session_open(db), *other = belay_session_open(db);
    bool right = open_accounts(s) && show_transfers(s) && show_form(s, other);

    if (!right)
        printf("    %s\n", belay_message(s));
    printf("\n%s\n", right ? "Nothing half done, nothing lost: as promised." : "NOT as promised.");
    belay_session_close(other);
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
