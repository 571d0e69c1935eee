/*
 * every_macro.cc - every macro of the public headers, used as C++ programs use
 * it. Only compiled. What needs designated initialisers is for C++20 on.
 */
#include <belay/belay.h>

#include <cstdio>
#include <string>

static int blocks(belay_session *s, int n)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "SELECT 1");
        BELAY_ATOMIC(s) {
            BELAY_READ(s)
                belay_exec(s, "SELECT 1");
        }
    }
#if __cplusplus >= 202002L
    for (int i = 0; i < n; i++)
        BELAY_ATOMIC_WITH(s, .name = "named", .isolation = BELAY_SERIALIZABLE, .retries = 5) {
            if (i == 1)
                continue;
            if (i == 2)
                break;
        }
    BELAY_ATOMIC_WITH(s, .name = "pay", .once = (std::string("payment-") + std::to_string(n)).c_str())
        belay_exec(s, "SELECT 1"); /* the key is copied before its string is gone */
#endif
    belay_scope_options options = belay_scope_options();
    options.size = sizeof options;
    options.read_only = true;
    options.once = belay_already_done(s) ? "key" : nullptr;
    belay_begin(s, &options);
    belay_begin(s, nullptr);
    belay_savepoint(s, "mark");
    belay_rollback_to(s, "mark");
    belay_release(s, "mark");
    belay_undo(s);
    belay_rollback(s);
    belay_commit(s);
    belay_fail(s, BELAY_APPLICATION, "%d", n);
    belay_raise(s, belay_caught(s));
    return belay_require_no_transaction(s) == BELAY_OK;
}

extern "C" int unit(belay_session *s, void *arg);
extern "C" int unit(belay_session *s, void *arg)
{
    return belay_exec(s, "SELECT ?", *static_cast<const int *>(arg)) != BELAY_OK;
}

extern "C" int item(belay_session *s, size_t i, void *arg);
extern "C" int item(belay_session *s, size_t, void *arg)
{
    return unit(s, arg);
}

static void values(belay_session *s)
{
    char text[] = "text";
    const char *const string = "string";
    enum colour { RED };
    belay_exec(s, "...", true, 'c', static_cast<signed char>(1), static_cast<unsigned char>(1), static_cast<short>(1),
               static_cast<unsigned short>(1), 1, 1U, 1L, 1UL, 1LL, 1ULL, 1.5F, 2.5, RED);
    belay_exec(s, "...", text, string, "literal", belay_null(), belay_bool(true), belay_text("a", 1),
               belay_blob("a", 1), belay_decimal("1.5"), belay_timestamp(0));
    belay_exec(s, "...");
    belay_exec(s, "...", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26,
               27, 28, 29, 30, 31, 32);
    const belay_value list[] = {BELAY_V(1), BELAY_V("two"), BELAY_V(3.0), BELAY_V(belay_null())};
    belay_exec_values(s, "...", 4, list);
    belay_try(s, "...", 1);
    belay_exec_at(s, BELAY_HERE, "...", 4, list);
    belay_try_many(s, "...", 2, 2, list, nullptr, nullptr, nullptr);
    belay_batch(s, 2, item, nullptr, nullptr);
}

static void rows(belay_session *s)
{
    BELAY_EACH(outer, s, "SELECT ?, ?", 1, "two") {
        BELAY_EACH(inner, s, "SELECT ?", belay_int(outer, 0))
            if (belay_is_null(inner, 0))
                break;
    }
    belay_rows_close(belay_query(s, "SELECT ?", 1));
    belay_rows_close(belay_stream(s, "SELECT ?", 1));
    std::printf("%lld %lld\n", static_cast<long long>(belay_int_of(s, "SELECT ?", 1)),
                static_cast<long long>(belay_last_id(s)));
}

static const char *codes()
{
    static const char *const names[] = {
#define NAME(code, class_, retry, text) #code,
        BELAY_CODES(NAME)
#undef NAME
    };
    return names[BELAY_UNIQUE];
}

int main(int count, char **)
{
    belay_db_options options = belay_db_options();
    options.size = sizeof options;
    belay_db *db = belay_open("sqlite::memory:", &options);
    belay_session *s = belay_session_open(db);
    blocks(s, count);
    belay_atomic(s, nullptr, unit, &count);
    values(s);
    rows(s);
    std::printf("%s %s\n", codes(), BELAY_VERSION);
    belay_session_close(s);
    belay_close(db);
}
