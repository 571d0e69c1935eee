/*
 * scenario_rows.c - rows from outside, rows that are there already, rows read.
 */
#include "scenarios.h"

static const belay_code row_codes[] = {BELAY_CHECK, BELAY_NOT_NULL, BELAY_UNIQUE, BELAY_OK};

/* ---- 4: rows through scopes ------------------------------------------------------------------------------------- */

static const char *const person_setup[] = {
    "DROP TABLE IF EXISTS audit",
    "DROP TABLE IF EXISTS person",
    "CREATE TABLE person (id INTEGER PRIMARY KEY, mail VARCHAR(40) NOT NULL, age INTEGER NOT NULL,"
    " CONSTRAINT person_mail UNIQUE (mail), CONSTRAINT grown_up CHECK (age >= 18))",
    "CREATE TABLE audit (id INTEGER PRIMARY KEY, note VARCHAR(40) NOT NULL)",
    NULL,
};

static const scenario_table person_tables[] = {
    {"person", "SELECT id, mail, age FROM person ORDER BY id"},
    {"audit", "SELECT id, note FROM audit ORDER BY id"},
    {NULL, NULL},
};

typedef struct given_row {
    const char *mail;
    int age;
} given_row;

static const given_row given_rows[] = {{"ann", 30}, {"bob", 12}, {"cid", 41}, {NULL, 50}, {"ann", 22}, {"eve", 18}};
enum { GIVEN_ROWS = sizeof given_rows / sizeof *given_rows };

/* facts[i]: what row i ended with. Every reason is caught that can be. */
static void run_user_rows(belay_session *s, scenario_notes *notes)
{
    BELAY_ATOMIC_WITH(s, .name = "load") {
        for (int i = 0; i < GIVEN_ROWS; i++) {
            unsigned hooks = notes->hook_count;
            BELAY_ATOMIC_WITH(s, .name = "row") {
                note_commit_hook(s, notes);
                belay_exec(s, "INSERT INTO audit (id, note) VALUES (?, 'read')", i);
                belay_exec(s, "INSERT INTO person (id, mail, age) VALUES (?, ?, ?)", i, given_rows[i].mail,
                           given_rows[i].age);
            }
            notes->facts[i] = (int)belay_status(s);
            if (belay_catch(s, BELAY_ANY))
                note_undone(notes, hooks);
        }
    }
    note_end(s, notes, 0);
}

static void expect_user_rows(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    scenario_text audit = {.size = 0};
    const char *before = "";
    scenario_text_add(out, "person[");
    for (int i = 0; there[0] && i < GIVEN_ROWS; i++)
        if (notes->facts[i] == BELAY_OK) {
            scenario_text_add(out, "%s%d|%s|%d", before, i, given_rows[i].mail ? given_rows[i].mail : "NULL",
                              given_rows[i].age);
            scenario_text_add(&audit, "%s%d|read", before, i);
            before = ";";
        }
    scenario_text_add(out, "] audit[%s]", audit.bytes);
}

const scenario scenario_user_rows = {
    .name = "good_rows_are_saved_in_one_transaction_and_each_bad_one_is_left_out",
    .setup = person_setup,
    .tables = person_tables,
    .run = run_user_rows,
    .expect = expect_user_rows,
    .own = row_codes,
    .swallows = true,
};

/* ---- 22: a mail address that is taken --------------------------------------------------------------------------- */

static void sign_up(belay_session *s, scenario_notes *notes, unsigned unit, const char *mail)
{
    notes->unit = unit;
    BELAY_ATOMIC_WITH(s, .name = "sign up") {
        note_commit_hook(s, notes);
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (?, ?)", (int)unit, mail);
        belay_exec(s, "INSERT INTO person (id, mail, age) VALUES (?, ?, 33)", (int)unit, mail);
        belay_exec(s, "UPDATE audit SET note = 'signed up' WHERE id = ?", (int)unit);
    }
    note_end(s, notes, unit);
}

static void run_duplicate_mail(belay_session *s, scenario_notes *notes)
{
    sign_up(s, notes, 0, "ann@example.org");
    sign_up(s, notes, 1, "ann@example.org");
}

static void expect_duplicate_mail(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    if (there[0] && there[1])
        scenario_text_add(out, "one address twice");
    else if (there[0] || there[1]) /* when the first could not sign up, the second one could */
        scenario_text_add(out, "person[%d|ann@example.org|33] audit[%d|signed up]", there[1], there[1]);
    else
        scenario_text_add(out, "person[] audit[]");
}

const scenario scenario_duplicate_mail = {
    .name = "a_unit_whose_mail_address_is_taken_leaves_nothing",
    .setup = person_setup,
    .tables = person_tables,
    .run = run_duplicate_mail,
    .expect = expect_duplicate_mail,
    .own = row_codes,
};

/* ---- Reading: what was read decides what is written ------------------------------------------------------------- */

static const char *const reading_setup[] = {
    "DROP TABLE IF EXISTS total",
    "DROP TABLE IF EXISTS item",
    "CREATE TABLE item (id INTEGER PRIMARY KEY, price INTEGER NOT NULL, name VARCHAR(40) NOT NULL)",
    "CREATE TABLE total (way VARCHAR(10) PRIMARY KEY, price INTEGER NOT NULL)",
    "INSERT INTO item (id, price, name) VALUES (1, 10, 'ten'), (2, 20, 'twenty'), (3, 30, 'thirty')",
    NULL,
};

static const scenario_table reading_tables[] = {
    {"total", "SELECT way, price FROM total ORDER BY way"},
    {NULL, NULL},
};

/* The rows as they come, while nothing else is asked. */
static int64_t add_stream(belay_session *s)
{
    int64_t sum = 0;
    belay_rows *rows = belay_stream(s, "SELECT price, name FROM item");
    while (belay_next(rows))
        sum += belay_int(rows, 0) * (belay_size(rows, 1) > 0);
    belay_rows_close(rows);
    return sum;
}

static void run_reading(belay_session *s, scenario_notes *notes)
{
    int64_t each = 0, streamed = 0;
    BELAY_ATOMIC(s) {
        BELAY_EACH(row, s, "SELECT price FROM item WHERE price > ?", 5)
            each += belay_int(row, 0);
        belay_exec(s, "INSERT INTO total (way, price) VALUES ('each', ?)", each);
        streamed = add_stream(s);
        belay_exec(s, "INSERT INTO total (way, price) VALUES ('stream', ?)", streamed);
        int64_t one = belay_int_of(s, "SELECT sum(price) FROM item");
        belay_exec(s, "INSERT INTO total (way, price) VALUES ('one', ?)", one);
    }
    note_end(s, notes, 0);
    BELAY_READ(s) {
        each = 0;
        BELAY_EACH(row, s, "SELECT price FROM item")
            each += belay_int(row, 0);
        streamed = add_stream(s);
    }
    note_end(s, notes, 1);
    if (notes->units[1].fate == UNIT_COMMITTED && (each != 60 || streamed != 60))
        note_broken(notes, "reading succeeded, and gave %lld and %lld", (long long)each, (long long)streamed);
}

static void expect_reading(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    (void)notes;
    scenario_text_add(out, there[0] ? "total[each|60;one|60;stream|60]" : "total[]");
}

static const belay_code no_codes[] = {BELAY_OK};

const scenario scenario_reading = {
    .name = "nothing_is_written_from_what_could_not_be_read",
    .setup = reading_setup,
    .tables = reading_tables,
    .run = run_reading,
    .expect = expect_reading,
    .own = no_codes,
};

/* ---- belay_try -------------------------------------------------------------------------------------------------- */

/* facts[i]: what the i-th try inside the scope gave. */
static void run_tries(belay_session *s, scenario_notes *notes)
{
    static const int ids[] = {1, 1, 2};
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (0, 'begun')");
        for (int i = 0; i < 3; i++)
            notes->facts[i] =
                (int)belay_try(s, "INSERT INTO audit (id, note) VALUES (?, ?)", ids[i], i == 2 ? "last" : "try");
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (9, 'done')");
    }
    note_end(s, notes, 0);
    note_try(s, notes, 1, belay_try(s, "INSERT INTO audit (id, note) VALUES (10, 'alone')"));
    note_try(s, notes, 2, belay_try(s, "INSERT INTO audit (id, note) VALUES (20, 'many'), (10, 'again')"));
}

/* Key 1 is there by the first try that got it in. */
static void expect_tries(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    bool first = notes->facts[0] == BELAY_OK || notes->facts[1] == BELAY_OK;
    scenario_text_add(out, "person[] audit[");
    if (there[0])
        scenario_text_add(out, "0|begun%s%s;9|done", first ? ";1|try" : "",
                          notes->facts[2] == BELAY_OK ? ";2|last" : "");
    if (there[1])
        scenario_text_add(out, "%s10|alone", there[0] ? ";" : "");
    if (there[2]) /* only when the one before was not there */
        scenario_text_add(out, "%s10|again;20|many", there[0] ? ";" : "");
    scenario_text_add(out, "]");
}

const scenario scenario_tries = {
    .name = "a_statement_that_is_tried_and_fails_is_undone_alone",
    .setup = person_setup,
    .tables = person_tables,
    .run = run_tries,
    .expect = expect_tries,
    .own = row_codes,
    .swallows = true,
};

/* ---- belay_try_many --------------------------------------------------------------------------------------------- */

enum { INSIDE = 5, ALONE = 3 };

static const int many_ids[INSIDE + ALONE] = {1, 1, 2, 3, 3, 20, 20, 21};

static void note_rejected(belay_session *s, size_t row, const belay_error *error, void *arg)
{
    (void)s;
    ((int *)arg)[row] = (int)error->code;
}

/* facts[i]: what became of row i. */
static void run_many(belay_session *s, scenario_notes *notes)
{
    static const char sql[] = "INSERT INTO audit (id, note) VALUES (?, 'row')";
    belay_value values[INSIDE + ALONE];
    for (int i = 0; i < INSIDE + ALONE; i++)
        values[i] = BELAY_V(many_ids[i]);
    BELAY_ATOMIC(s) {
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (0, 'begun')");
        belay_try_many(s, sql, INSIDE, 1, values, note_rejected, notes->facts, NULL);
        belay_exec(s, "INSERT INTO audit (id, note) VALUES (9, 'done')");
    }
    note_end(s, notes, 0);
    belay_try_many(s, sql, ALONE, 1, values + INSIDE, note_rejected, notes->facts + INSIDE, NULL);
    note_end(s, notes, 1);
}

static void add_kept(const scenario_notes *notes, int from, int to, scenario_text *out)
{
    for (int i = from; i < to; i++)
        if (notes->facts[i] == BELAY_OK)
            scenario_text_add(out, "%s%d|row", out->bytes[out->size - 1] == '[' ? "" : ";", many_ids[i]);
}

static void expect_many(const scenario_notes *notes, const bool *there, scenario_text *out)
{
    scenario_text_add(out, "person[] audit[");
    if (there[0]) {
        scenario_text_add(out, "0|begun");
        add_kept(notes, 0, INSIDE, out);
        scenario_text_add(out, ";9|done");
    }
    if (there[1])
        add_kept(notes, INSIDE, INSIDE + ALONE, out);
    scenario_text_add(out, "]");
}

const scenario scenario_many = {
    .name = "of_many_rows_each_is_there_that_was_not_rejected",
    .setup = person_setup,
    .tables = person_tables,
    .run = run_many,
    .expect = expect_many,
    .own = row_codes,
    .swallows = true,
};
