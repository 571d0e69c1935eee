/*
 * every_macro.c - every macro of the public headers, used as C programs use it.
 * Only compiled: it must be clean under all the warnings of compile.sh.
 */
#include <belay/belay.h>

#include <stdio.h>

int blocks(belay_session *s, int n);
int unit(belay_session *s, void *arg);
int item(belay_session *s, size_t i, void *arg);
void calls(belay_session *s);
void values(belay_session *s);
void counts(belay_session *s);
void rows(belay_session *s);
void handles(void);
void objects(belay_session *s, int64_t from, int64_t to, int64_t amount);
const char *codes(void);

/* clang-format off */
typedef struct account { int64_t id; const char *owner; int64_t balance; int64_t version; } account;

BELAY_MODEL(account, "account",
    BELAY_KEY    (account, id),
    BELAY_COLUMN (account, owner, .not_null = true),
    BELAY_COLUMN (account, balance),
    BELAY_VERSION_COLUMN(account, version))
/* clang-format on */

typedef struct entry {
    const char *code;
    int32_t part;
    account *owner;
    int64_t owner_id;
    double rate;
    bool has_rate;
} entry;

BELAY_MODEL_DECLARE(entry);
BELAY_MODEL(entry, "ledger.entry", BELAY_KEY(entry, code), BELAY_KEY(entry, part, .name = "part_no"),
            BELAY_PARENT(entry, owner, owner_id, account, .not_null = true),
            BELAY_NULLABLE(entry, rate, has_rate, .check = "rate > 0", .default_sql = "1.5"))

int blocks(belay_session *s, int n)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "SELECT 1");
        BELAY_ATOMIC(s) {
            BELAY_ATOMIC_WITH(s, .name = "inner", .timeout_ms = 5) {
                BELAY_READ(s)
                    belay_exec(s, "SELECT 1");
            }
        }
        BELAY_ATOMIC(s)
            BELAY_ATOMIC(s)
                belay_exec(s, "SELECT 1"); /* two on one line */
    }
    for (int i = 0; i < n; i++)
        BELAY_ATOMIC_WITH(s, .isolation = BELAY_SERIALIZABLE, .read_only = true, .deferrable = true, .timeout_ms = 1000,
                          .lock_timeout_ms = -1, .idle_timeout_ms = 0, .retries = 5, .backoff_ms = 1,
                          .backoff_max_ms = 10, .propagation = BELAY_REQUIRED, .pipeline = true, .once = "key",
                          .name = "all the options") {
            if (i == 1)
                continue;
            if (i == 2)
                break;
            if (i == 3)
                goto out;
            if (i == 4)
                return 0;
        }
out:
    if (n > 3)
        BELAY_READ(s) {
            belay_exec(s, "SELECT 1");
        }
    else
        BELAY_ATOMIC(s)
            belay_undo(s);
    return belay_status(s) == BELAY_OK;
}

int unit(belay_session *s, void *arg)
{
    return belay_exec(s, "SELECT ?", *(const int *)arg) != BELAY_OK;
}

int item(belay_session *s, size_t i, void *arg)
{
    (void)i;
    return unit(s, arg);
}

void calls(belay_session *s)
{
    int n = 1;
    belay_atomic(s, NULL, unit, &n);
    belay_atomic(s, BELAY_SCOPE_OPTIONS(.retries = 3), unit, &n);
    belay_begin(s, NULL);
    belay_begin(s, BELAY_SCOPE_OPTIONS(.name = "explicit", .propagation = BELAY_MANDATORY));
    belay_savepoint(s, "mark");
    belay_rollback_to(s, "mark");
    belay_release(s, "mark");
    belay_undo(s);
    belay_rollback(s);
    belay_commit(s);
    belay_fail(s, BELAY_APPLICATION, "no arguments");
    belay_fail(s, BELAY_APPLICATION, "%d of %s", n, "them");
    if (belay_catch(s, BELAY_ANY))
        belay_raise(s, belay_caught(s));
    belay_require_no_transaction(s);
    printf("%lld\n", (long long)belay_last_id(s));
}

void values(belay_session *s)
{
    bool truth = true;
    char c = 'c';
    signed char sc = 1;
    unsigned char uc = 2;
    short sh = 3;
    unsigned short us = 4;
    long l = 5;
    unsigned long ul = 6;
    long long ll = 7;
    unsigned long long ull = 8;
    const int constant = 9;
    volatile int moving = 10;
    enum { ENUMERATOR = 11 };
    char text[] = "text";
    char *pointer = text;
    const char *const string = "string";
    const belay_value value = belay_integer(12);
    belay_exec(s, "...", truth, c, sc, uc, sh, us, 1, 1U, l, ul, ll, ull, constant, moving, ENUMERATOR, 1.5F, 2.5);
    belay_exec(s, "...", text, pointer, string, "literal", value, belay_null(), belay_bool(true), belay_real(1.5));
    belay_exec(s, "...", belay_integer(1), belay_unsigned(1), belay_text("a", 1), belay_blob("a", 1), belay_string("a"),
               belay_decimal("1.5"), belay_timestamp(0), sizeof s, INT64_C(1), UINT64_C(1), (int8_t)1, (uint16_t)1,
               'c');
    const belay_value list[] = {BELAY_V(1), BELAY_V("two"), BELAY_V(3.0), BELAY_V(belay_null())};
    belay_exec_values(s, "...", 4, list);
    belay_try(s, "...", truth ? 1 : 2, (1 + 2), text[0]);
    belay_exec_at(s, BELAY_HERE, "...", 4, list);
    belay_try_many(s, "...", 2, 2, list, NULL, NULL, NULL);
    belay_batch(s, 2, item, NULL, NULL);
}

void counts(belay_session *s)
{
    belay_exec(s, "...");
    belay_exec(s, "...", 1);
    belay_exec(s, "...", 1, 2);
    belay_exec(s, "...", 1, 2, 3);
    belay_exec(s, "...", 1, 2, 3, 4);
    belay_exec(s, "...", 1, 2, 3, 4, 5);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31);
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31, 32);
}

void rows(belay_session *s)
{
    BELAY_EACH(row, s, "SELECT 1")
        printf("%lld\n", (long long)belay_int(row, 0));
    BELAY_EACH(outer, s, "SELECT ?, ?", 1, "two") {
        BELAY_EACH(inner, s, "SELECT ?", belay_int(outer, 0))
            if (belay_is_null(inner, 0))
                break;
    }
    BELAY_ATOMIC(s)
        BELAY_EACH(row, s, "SELECT 1")
            BELAY_READ(s)
                printf("%s\n", belay_str(row, 0));
    belay_rows *result = belay_query(s, "SELECT ?", 1), *stream = belay_stream(s, "SELECT ?", 1);
    printf("%lld\n", (long long)belay_int_of(s, "SELECT ?", 1));
    belay_rows_close(result);
    belay_rows_close(stream);
}

void objects(belay_session *s, int64_t from, int64_t to, int64_t amount)
{
    /* clang-format off */
    BELAY_ATOMIC(s) {
        account *a = belay_get(s, account, from), *b = belay_get(s, account, to);
        if (!a || !b)                 belay_fail(s, BELAY_NOT_FOUND, "no such account");
        else if (a->balance < amount) belay_fail(s, BELAY_APPLICATION, "insufficient funds");
        else { a->balance -= amount; b->balance += amount; }      // written by the flush at commit
    }
    /* clang-format on */
    entry *e = belay_new(s, entry), copy = {.code = "a"};
    belay_add(s, entry, e);
    e = belay_get(s, entry, "a", 5);
    entry **all = belay_find(s, entry, "");
    printf("%zu\n", belay_found(all));
    BELAY_EACH_OBJECT(entry, each, s, "WHERE part_no > ? AND code <> ? ORDER BY code", 5, "x")
    if (each->has_rate)
        break;
    e = belay_merge(s, entry, &copy);
    belay_delete(s, e);
    belay_flush(s);
    belay_refresh(s, e);
    belay_expire(s, e);
    belay_expire_all(s);
    e->code = belay_keep(s, "b");
    if (belay_lock(s, e, BELAY_LOCK_NOWAIT) && belay_state_of(s, e) == BELAY_PERSISTENT)
        belay_expunge(s, e);
    belay_expunge_all(s);
    belay_create_tables(s, account, entry);
    belay_check_tables(s, NULL, NULL, account);
}

void handles(void)
{
    belay_db *db = belay_open("sqlite:x", BELAY_DB_OPTIONS(.pool_size = 4, .require_scope = true));
    belay_close(db);
    belay_close(belay_open("sqlite:x", BELAY_DB_OPTIONS(.log = NULL)));
}

const char *codes(void)
{
    static const char *const names[] = {
#define NAME(code, class_, retry, text) #code,
        BELAY_CODES(NAME)
#undef NAME
    };
    return names[BELAY_UNIQUE][0] ? BELAY_VERSION : names[0];
}
