/*
 * Rows of a table: however they are stored, each has the fate, and the error, that its own INSERT between savepoints
 * would have had, in order. Random rows for tables of many kinds, by COPY and one by one.
 */
#include "postgresql_rig.h"

#include "drivers/postgresql/store.h"

enum { ROWS = 1500, COLUMNS_MOST = 8, TEXT_ROOM = 40 };

/* ---- Whether there was a COPY ---------------------------------------------------------------------------------- */

static int copies;

int __real_PQputCopyEnd(PGconn *pg, const char *why);
int __wrap_PQputCopyEnd(PGconn *pg, const char *why);

int __wrap_PQputCopyEnd(PGconn *pg, const char *why)
{
    copies++;
    return __real_PQputCopyEnd(pg, why);
}

/* ---- Rows of many kinds --------------------------------------------------------------------------------------- */

static uint64_t seed_now;

static unsigned dice(unsigned sides)
{
    seed_now = seed_now * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed_now >> 33) % sides;
}

static bool is_bad(unsigned share) /* in a thousand */
{
    return dice(1000) < share;
}

/* One in ten is written in another way, where rows may be bad at all. */
static bool is_odd(unsigned share)
{
    return share > 0 && is_bad(100);
}

/* Texts that live as long as the rows. */
static char texts[ROWS * COLUMNS_MOST][TEXT_ROOM];
static size_t text_count;

BELAYI_PRINTF(1, 2) static belay_value say(const char *format, ...)
{
    va_list list;
    char *out = texts[text_count++ % (ROWS * COLUMNS_MOST)];
    va_start(list, format);
    vsnprintf(out, TEXT_ROOM, format, list);
    va_end(list);
    return belay_string(out);
}

/* The key of row i, or one that was there. */
static int key(int i, unsigned share)
{
    return is_bad(share) && i > 0 ? (int)dice((unsigned)i) : i;
}

typedef struct shape {
    const char *name, *create;
    size_t columns;
    const char *names[COLUMNS_MOST];
    void (*make)(belay_value *row, int i, unsigned share);
    const char *order; /* of the rows when they are compared */
    bool never_copied;
} shape;

static void make_payment(belay_value *row, int i, unsigned share)
{
    row[0] = BELAY_V(key(i, share));
    row[1] = is_bad(share) ? say("2026-13-%02u", dice(30) + 1) : say("2026-%02u-%02u", dice(12) + 1, dice(28) + 1);
    row[2] = is_bad(share)   ? belay_null()
             : is_bad(share) ? say("a name that is too long %d", i)
                             : say("p\\a\ty\nee \"%d\" {,}", i);
    row[3] = is_bad(share)   ? belay_decimal("-1.50")
             : is_bad(share) ? belay_decimal("12345678901.00")
                             : belay_decimal(say("%u.%02u", dice(1000), dice(99) + 1).as.data);
    if (is_bad(share / 4))
        row[2] = belay_text("\xff\xfe", 2);
    if (is_bad(share / 4))
        row[0] = say("twenty");
}

static void make_order(belay_value *row, int i, unsigned share)
{
    int from = (int)dice(100);
    row[0] = BELAY_V(key(i, share));
    row[1] = is_bad(share) ? say("n%u", dice(50)) : say("n%d", i + 1000);
    row[2] = is_bad(share) ? say("%u", dice(4)) : is_bad(300) ? belay_null() : say("%d", i);
    row[3] = BELAY_V((int)dice(10) + (is_bad(share) ? 100 : 0));
    row[4] = BELAY_V(from);
    row[5] = BELAY_V(is_bad(share) ? from - 1 : from + (int)dice(10));
    row[6] = is_bad(500) ? belay_null() : belay_bool(dice(2));
    row[7] = is_bad(500) ? belay_null() : belay_real(dice(1000) / 7.0);
}

static void make_pair(belay_value *row, int i, unsigned share)
{
    row[0] = is_bad(share) ? belay_null() : say(is_odd(share) ? "%d.0" : is_odd(share) ? "+%d" : "%d", key(i, share));
    row[1] = say(is_odd(share) ? "N%d" : is_odd(share) ? "n%d   " : "n%d", key(i, share));
}

static void make_numbers(belay_value *row, int i, unsigned share)
{
    static const char *const forms[] = {"%d", "%d.0", "%d.00", "0%d", "+%d", "%d.004", " %d ", "%de0"};
    row[0] = say(forms[is_odd(share) ? dice(8) : 0], key(i, share));
    row[1] = is_bad(share) ? belay_null() : is_odd(share) ? BELAY_V(i) : say("%d", i);
    if (is_odd(share))
        row[0] = belay_decimal(say("%d.0", key(i, share)).as.data);
}

static void make_moment(belay_value *row, int i, unsigned share)
{
    static const char *const forms[] = {"2026-01-02 03:%02d:%02d", "2026-01-02 03:%02d:%02d.00",
                                        "2026-01-02T03:%02d:%02d", "2026-1-2 03:%02d:%02d", "20260102 03%02d%02d"};
    int at = key(i, share);
    row[0] = say(forms[is_odd(share) ? dice(5) : 0], at / 60 % 60, at % 60);
    row[1] = belay_timestamp((int64_t)key(i, share) * 1000000);
}

static void make_own(belay_value *row, int i, unsigned share)
{
    row[0] = BELAY_V(i);
    row[1] = i == 0 ? belay_null() : is_bad(share) ? BELAY_V(i + (int)dice(100)) : BELAY_V((int)dice((unsigned)i));
}

static void make_nulls(belay_value *row, int i, unsigned share)
{
    row[0] = is_bad(300) ? belay_null() : BELAY_V(key(i, share) / 2);
    row[1] = is_bad(300) ? belay_null() : say("%d", key(i, share) % 2);
}

static void make_other_type(belay_value *row, int i, unsigned share)
{
    row[0] = BELAY_V(i);
    row[1] = is_bad(share) ? BELAY_V(20200101) : say("2020-01-01");
}

static void make_any(belay_value *row, int i, unsigned share)
{
    row[0] = BELAY_V(key(i, share));
    row[1] = is_bad(share) ? belay_null() : BELAY_V(is_bad(share) ? -1 : i);
}

static void make_enum(belay_value *row, int i, unsigned share)
{
    static const unsigned char bytes[] = {0, 1, 92, 255, 10, 13, 9, 46};
    row[0] = is_bad(share) ? say("blue") : say(dice(2) ? "red" : "green");
    row[1] = belay_blob(bytes, (size_t)(i % 8));
    row[2] = say("00000000-0000-0000-%s-%012d", is_odd(share) ? "00FF" : "00ff", key(i, share));
    row[3] = is_bad(share) ? say("%d minutes", i) : say("%d", i);
}

static void make_word(belay_value *row, int i, unsigned share)
{
    row[0] = BELAY_V(key(i, share));
    row[1] = say(is_bad(share)   ? "zoe"
                 : is_bad(share) ? "Zed"
                 : is_bad(share) ? "\xc3\xa9"
                                   "douard"
                                 : "ann");
}

/* In each ten a row that is refused, one that gets its key then, and one that is refused for that key, though a later
   one of its keys is taken too. */
static void make_heirs(belay_value *row, int i, unsigned share)
{
    int what = share > 0 ? i % 10 : 9;
    row[0] = BELAY_V(what == 1 || what == 2 ? i - what : what == 4 && i > 20 ? i - 5 : i);
    row[1] = say("n%d", what == 2 && i > 40 ? i - 3 : what == 5 && i > 20 ? i - 6 : i);
    row[2] = what == 0 ? belay_null() : say("there");
}

#define TWO                                                                                                            \
    {                                                                                                                  \
        "\"a\"", "\"b\""                                                                                               \
    }

static const shape shapes[] = {
    {"payments",
     "CREATE TABLE tab (\"id\" INTEGER PRIMARY KEY, \"Day\" DATE NOT NULL, payee VARCHAR(20) NOT NULL, amount "
     "NUMERIC(12,2) NOT NULL CHECK (amount > 0))",
     4,
     {"\"id\"", "\"Day\"", "\"payee\"", "\"amount\""},
     make_payment,
     "id",
     false},
    {"orders with a parent",
     "CREATE TABLE IF NOT EXISTS parent (id int PRIMARY KEY); INSERT INTO parent SELECT generate_series(0, 9);"
     "CREATE TABLE tab (id bigint PRIMARY KEY, no text NOT NULL UNIQUE, ref numeric UNIQUE, parent int REFERENCES "
     "parent, first int, last smallint, CHECK (first <= last), is_new boolean, weight double precision)",
     8,
     {"\"id\"", "\"no\"", "\"ref\"", "\"parent\"", "\"first\"", "\"last\"", "\"is_new\"", "\"weight\""},
     make_order,
     "id",
     false},
    {"an expression index", "CREATE TABLE tab (a numeric NOT NULL, b text); CREATE UNIQUE INDEX low ON tab (lower(b))",
     2, TWO, make_pair, "a, b", false},
    {"padded characters", "CREATE TABLE tab (a numeric(10,1) UNIQUE, b char(8) UNIQUE)", 2, TWO, make_pair, "a, b",
     false},
    {"cut characters", "CREATE TABLE tab (a numeric(10,1), b varchar(4) UNIQUE)", 2, TWO, make_pair, "b", false},
    {"numbers in many forms", "CREATE TABLE tab (a numeric(8,2) PRIMARY KEY, b int NOT NULL)", 2, TWO, make_numbers,
     "a", false},
    {"rounded numbers", "CREATE TABLE tab (a int UNIQUE, b numeric)", 2, TWO, make_numbers, "a", false},
    {"moments", "CREATE TABLE tab (a timestamp UNIQUE, b timestamptz UNIQUE)", 2, TWO, make_moment, "a", false},
    {"whole moments", "CREATE TABLE tab (a timestamp(0), b timestamptz(0) UNIQUE)", 2, TWO, make_moment, "b", true},
    {"itself as parent", "CREATE TABLE tab (a int PRIMARY KEY, b int REFERENCES tab)", 2, TWO, make_own, "a", true},
    {"a trigger",
     "CREATE OR REPLACE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.b % 7 = 3 THEN NEW.a = "
     "NEW.a "
     "- 1; END IF; IF NEW.b % 50 = 9 THEN RETURN NULL; END IF; RETURN NEW; END'; CREATE TABLE tab (a int PRIMARY KEY, "
     "b "
     "int); CREATE TRIGGER shifts BEFORE INSERT ON tab FOR EACH ROW EXECUTE FUNCTION shift()",
     2, TWO, make_any, "a", true},
    {"a function that looks at the table",
     "CREATE TABLE tab (a int, b int); CREATE OR REPLACE FUNCTION few(int) RETURNS boolean LANGUAGE sql AS 'SELECT "
     "count(*) < 3 FROM tab WHERE a = $1'; ALTER TABLE tab ADD CHECK (few(a))",
     2, TWO, make_any, "a, b", true},
    {"parts",
     "CREATE TABLE tab (a int PRIMARY KEY, b int CHECK (b >= 0)) PARTITION BY RANGE (a); CREATE TABLE part PARTITION "
     "OF "
     "tab FOR VALUES FROM (0) TO (900)",
     2, TWO, make_any, "a", true},
    {"a view",
     "CREATE TABLE below (a int PRIMARY KEY, b int); CREATE VIEW tab AS SELECT * FROM below WHERE b > 5 WITH "
     "CHECK OPTION",
     2, TWO, make_any, "a", true},
    {"a domain",
     "CREATE DOMAIN positive AS int CHECK (VALUE >= 0); CREATE TABLE tab (a int PRIMARY KEY, b positive NOT NULL)", 2,
     TWO, make_any, "a", true},
    {"a key that waits", "CREATE TABLE tab (a int UNIQUE DEFERRABLE, b int)", 2, TWO, make_any, "a", false},
    {"an exclusion", "CREATE TABLE tab (a int, b int, EXCLUDE (a WITH =))", 2, TWO, make_any, "a", false},
    {"NULLs that are equal", "CREATE TABLE tab (a int, b text, UNIQUE NULLS NOT DISTINCT (a, b))", 2, TWO, make_nulls,
     "a, b", false},
    {"NULLs", "CREATE TABLE tab (a int, b text, UNIQUE (a, b))", 2, TWO, make_nulls, "a, b", false},
    {"a part of the rows", "CREATE TABLE tab (a int, b int); CREATE UNIQUE INDEX partly ON tab (a) WHERE b % 3 = 0", 2,
     TWO, make_any, "a, b", false},
    {"a key with a constant", "CREATE TABLE tab (a int, b int, c int DEFAULT 5, UNIQUE (a, c), UNIQUE (c, b))", 2, TWO,
     make_any, "a", false},
    {"a key that is a constant", "CREATE TABLE tab (a int, b int CHECK (b > 5), c int DEFAULT 5 UNIQUE)", 2, TWO,
     make_any, "a", false},
    {"a number that is made", "CREATE TABLE tab (n serial PRIMARY KEY, a int UNIQUE, b int NOT NULL)", 2, TWO, make_any,
     "a", false},
    {"a generated key", "CREATE TABLE tab (a int, b int NOT NULL, g int GENERATED ALWAYS AS (a / 2) STORED UNIQUE)", 2,
     TWO, make_any, "a", false},
    {"always an identity", "CREATE TABLE tab (a int GENERATED ALWAYS AS IDENTITY, b int)", 2, TWO, make_any, "a", true},
    {"case does not count",
     "CREATE COLLATION IF NOT EXISTS nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false); "
     "CREATE "
     "TABLE tab (a numeric, b text COLLATE nocase UNIQUE)",
     2, TWO, make_pair, "b", false},
    {"names that are written otherwise",
     "CREATE TABLE tab (a int CHECK (a > 5), b int UNIQUE, c int CHECK (c < 5))",
     2,
     {"a", "B"},
     make_any,
     "a",
     true},
    {"an order of its own", "CREATE TABLE tab (a int UNIQUE, b text COLLATE \"en-US-x-icu\" CHECK (b < 'm'))", 2, TWO,
     make_word, "a", false},
    {"a parent that is looked for later",
     "CREATE TABLE IF NOT EXISTS parent (id int PRIMARY KEY); CREATE TABLE tab (a int UNIQUE, b int REFERENCES parent "
     "DEFERRABLE INITIALLY DEFERRED)",
     2, TWO, make_any, "a", false},
    {"keys that are inherited",
     "CREATE TABLE tab (a int PRIMARY KEY, b text UNIQUE, c text NOT NULL)",
     3,
     {"\"a\"", "\"b\"", "\"c\""},
     make_heirs,
     "a",
     false},
    {"another type", "CREATE TABLE tab (a int UNIQUE, b date)", 2, TWO, make_other_type, "a", false},
    {"an interval of minutes",
     "DROP TYPE IF EXISTS colour CASCADE; CREATE TYPE colour AS ENUM ('red', 'green'); CREATE TABLE tab (a colour, b "
     "bytea, c uuid UNIQUE, d interval minute)",
     4,
     {"\"a\"", "\"b\"", "\"c\"", "\"d\""},
     make_enum,
     "c",
     true},
    {"an enum and bytes",
     "DROP TYPE IF EXISTS colour CASCADE; CREATE TYPE colour AS ENUM ('red', 'green'); CREATE TABLE tab (a colour, b "
     "bytea, c uuid UNIQUE, d interval)",
     4,
     {"\"a\"", "\"b\"", "\"c\"", "\"d\""},
     make_enum,
     "c",
     false},
};

/* ---- Both ways ------------------------------------------------------------------------------------------------- */

typedef struct record {
    size_t row;
    belay_error error;
} record;

typedef struct outcome {
    size_t count;
    record rejects[ROWS];
    int64_t changes, kept;
    char hash[64];
} outcome;

static bool note(void *arg, size_t row, belay_error *error)
{
    outcome *o = arg;
    assert_true(o->count < ROWS);
    o->rejects[o->count++] = (record){row, *error};
    return true;
}

static void make_statement(const shape *sh, char *sql, size_t room)
{
    size_t at = (size_t)snprintf(sql, room, "INSERT INTO \"tab\" (");
    for (size_t i = 0; i < sh->columns; i++)
        at += (size_t)snprintf(sql + at, room - at, "%s%s", i ? ", " : "", sh->names[i]);
    at += (size_t)snprintf(sql + at, room - at, ") VALUES (");
    for (size_t i = 0; i < sh->columns; i++)
        at += (size_t)snprintf(sql + at, room - at, "%s$%zu", i ? ", " : "", i + 1);
    snprintf(sql + at, room - at, ")");
}

static void read_hash(const shape *sh, outcome *o)
{
    char sql[300];
    belay_value cell;
    snprintf(sql, sizeof sql, "SELECT md5(coalesce(string_agg(%s::text, ';' ORDER BY %s), '')) FROM tab AS x",
             strstr(sh->create, "serial") ? "(a, b)" : "x", sh->order);
    belay_statement *ask = rig_prepare(&r, conn, sql, 0);
    assert_int_equal(D->start(ask, 0, NULL, &r.error), BELAY_OK);
    assert_int_equal(D->step(ask, &cell, &r.effect, &r.error), BELAY_STEP_ROW);
    snprintf(o->hash, sizeof o->hash, "%s", (const char *)cell.as.data);
    D->finish(ask);
    D->finalize(ask);
    o->kept = rig_ask(&r, conn, "SELECT count(*) FROM tab");
}

static void run_one_by_one(belay_statement *statement, const shape *sh, size_t rows, const belay_value *values,
                           outcome *o)
{
    belay_error why;
    belay_effect effect = {0};
    for (size_t i = 0; i < rows; i++) {
        assert_int_equal(D->savepoint(conn, 1, &r.error), BELAY_OK);
        if (D->execute(statement, sh->columns, values + i * sh->columns, &effect, &why) != BELAY_OK) {
            note(o, i, &why);
            assert_int_equal(D->rollback_to(conn, 1, &r.error), BELAY_OK);
        } else {
            o->changes += effect.changes;
        }
        assert_int_equal(D->release(conn, 1, &r.error), BELAY_OK);
    }
}

static void run_each(belay_statement *statement, const shape *sh, size_t rows, const belay_value *values, outcome *o)
{
    belay_target target = {"\"tab\"", sh->names};
    belay_each each = {.columns = sh->columns, .target = &target, .rejected = note, .arg = o};
    belay_effect effect = {0};
    size_t at = 0;
    while (at < rows) { /* in one, two or three calls */
        size_t part = dice(2) ? rows - at : BELAYI_PG_STORE_LEAST + dice(200);
        each.rows = part < rows - at ? part : rows - at;
        each.values = values + at * sh->columns;
        int64_t changes = 0;
        size_t before = o->count;
        each.changes = &changes;
        belay_code code = D->execute_each(statement, &each, &effect, &r.error);
        if (code != BELAY_OK)
            fail_msg("%s: %s", sh->name, r.error.message);
        for (; before < o->count; before++)
            o->rejects[before].row += at;
        o->changes += changes;
        at += each.rows;
    }
}

static void assert_same_error(const shape *sh, const record *a, const record *b)
{
    const belay_error *x = &a->error, *y = &b->error;
    if (a->row == b->row && x->code == y->code && strcmp(x->sqlstate, y->sqlstate) == 0 &&
        strcmp(x->constraint, y->constraint) == 0 && strcmp(x->table, y->table) == 0 &&
        strcmp(x->column, y->column) == 0 && strcmp(x->message, y->message) == 0 && strcmp(x->detail, y->detail) == 0)
        return;
    fail_msg("%s: row %zu by itself: %s %s (%s); row %zu: %s %s (%s)", sh->name, a->row, x->sqlstate, x->message,
             x->detail, b->row, y->sqlstate, y->message, y->detail);
}

static void compare(const shape *sh, unsigned share, uint64_t seed)
{
    static outcome one, each;
    static belay_value values[ROWS * COLUMNS_MOST];
    char sql[400];
    seed_now = seed;
    text_count = 0;
    memset(&one, 0, sizeof one);
    memset(&each, 0, sizeof each);
    for (int i = 0; i < ROWS; i++)
        sh->make(values + (size_t)i * sh->columns, i, share);
    make_statement(sh, sql, sizeof sql);
    for (int way = 0; way < 2; way++) {
        outcome *o = way ? &each : &one;
        belay_statement *statement = rig_prepare(&r, conn, sql, (unsigned)sh->columns);
        rig_must_begin(&r, conn);
        (way ? run_each : run_one_by_one)(statement, sh, ROWS, values, o);
        read_hash(sh, o);
        D->finalize(statement);
        rig_must_rollback(&r, conn);
    }
    for (size_t i = 0; i < one.count && i < each.count; i++)
        assert_same_error(sh, &one.rejects[i], &each.rejects[i]);
    assert_int_equal(one.count, each.count);
    assert_int_equal(one.kept, each.kept);
    assert_int_equal(one.changes, each.changes);
    assert_string_equal(one.hash, each.hash);
}

static void run_texts(const char *statements)
{
    char text[1000];
    snprintf(text, sizeof text, "%s", statements);
    for (char *at = text, *end; at && *at; at = end) {
        end = strstr(at, "; CREATE") ? strstr(at, "; CREATE") : strstr(at, "; ALTER");
        char *insert = strstr(at, "; INSERT"), *after = strstr(at, ";CREATE");
        end = insert && (!end || insert < end) ? insert : end;
        end = after && (!end || after < end) ? after : end;
        if (end)
            *end++ = '\0';
        rig_must(&r, conn, at);
    }
}

static void rows_have_the_fate_and_the_error_of_their_own_insert(void **state)
{
    static const unsigned shares[] = {0, 1, 10, 100, 400};
    (void)state;
    const char *given = getenv("BELAY_TEST_SEED"), *only = getenv("BELAY_TEST_SHAPE");
    uint64_t seed = given ? strtoull(given, NULL, 10) : 1;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        if (only && strcmp(only, shapes[i].name) != 0)
            continue;
        rig_must(&r, conn, "DROP SCHEMA public CASCADE");
        rig_must(&r, conn, "CREATE SCHEMA public");
        run_texts(shapes[i].create);
        copies = 0;
        for (size_t k = 0; k < sizeof shares / sizeof shares[0]; k++)
            compare(&shapes[i], shares[k], seed * 100 + i * 10 + k);
        if ((copies == 0) != shapes[i].never_copied)
            fail_msg("%s: %d times COPY", shapes[i].name, copies);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rows_have_the_fate_and_the_error_of_their_own_insert),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
