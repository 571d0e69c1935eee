#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct author {
    int64_t id;
    const char *name;
    char *nick;
    char code[8];
    int16_t score;
    bool has_score;
    const char *price;
    int32_t version;
} author;

typedef struct book {
    const char *isbn;
    author *by;
    int64_t author_id;
    char *title;
    int pages;
} book;

typedef struct note {
    int64_t author_id;
    author *of;
    int32_t number;
    belay_span text;
    const char *made;
    int64_t version;
} note;

typedef struct tree {
    int64_t id;
    struct tree *above;
    int64_t above_id;
    const char *name;
} tree;

BELAY_MODEL_DECLARE(author);
BELAY_MODEL_DECLARE(book);
BELAY_MODEL_DECLARE(note);
BELAY_MODEL_DECLARE(tree);

BELAY_MODEL(author, "author", BELAY_KEY(author, id), BELAY_COLUMN(author, name, .unique = true),
            BELAY_COLUMN(author, nick), BELAY_COLUMN(author, code), BELAY_NULLABLE(author, score, has_score),
            BELAY_COLUMN(author, price, .precision = 8, .scale = 2), BELAY_VERSION_COLUMN(author, version))
BELAY_MODEL(book, "book", BELAY_KEY(book, isbn), BELAY_PARENT(book, by, author_id, author),
            BELAY_COLUMN(book, title, .not_null = true), BELAY_COLUMN(book, pages))
BELAY_MODEL(note, "note", BELAY_PARENT(note, of, author_id, author, .key = true), BELAY_KEY(note, number),
            BELAY_COLUMN(note, text), BELAY_COLUMN(note, made, .default_sql = "'fresh'"),
            BELAY_VERSION_COLUMN(note, version))
BELAY_MODEL(tree, "tree", BELAY_KEY(tree, id), BELAY_PARENT(tree, above, above_id, tree), BELAY_COLUMN(tree, name))

const kind kinds[KINDS] = {
    [AUTHOR] = {BELAY_MODEL_OF(author),
                "author",
                7,
                {LOOK_NUMBER, LOOK_TEXT, LOOK_TEXT, LOOK_TEXT, LOOK_NUMBER, LOOK_DECIMAL, LOOK_NUMBER},
                1,
                {0, 0},
                6,
                -1,
                -1,
                true,
                0,
                4,
                "SELECT id, name, nick, code, score, price, version FROM author ",
                "UPDATE author SET score = 3 WHERE id = ?",
                "UPDATE author SET version = version + 1 WHERE id = ?",
                "DELETE FROM author WHERE id = ?",
                "INSERT INTO author(id, code, version) VALUES (?, 't1', 1)",
                "UPDATE author SET score = 60 WHERE id = ?"},
    [BOOK] = {BELAY_MODEL_OF(book),
              "book",
              4,
              {LOOK_TEXT, LOOK_NUMBER, LOOK_TEXT, LOOK_NUMBER},
              1,
              {0, 0},
              -1,
              1,
              AUTHOR,
              false,
              1,
              3,
              "SELECT isbn, author_id, title, pages FROM book ",
              "UPDATE book SET pages = 3 WHERE isbn = ?",
              NULL,
              "DELETE FROM book WHERE isbn = ?",
              "INSERT INTO book(isbn, title, pages) VALUES (?, 't1', 1)",
              "UPDATE book SET pages = -1 WHERE isbn = ?"},
    [NOTE] = {BELAY_MODEL_OF(note),
              "note",
              5,
              {LOOK_NUMBER, LOOK_NUMBER, LOOK_BYTES, LOOK_TEXT, LOOK_NUMBER},
              2,
              {0, 1},
              4,
              0,
              AUTHOR,
              false,
              1,
              -1,
              "SELECT author_id, number, text, made, version FROM note ",
              NULL,
              "UPDATE note SET version = version + 1 WHERE author_id = ? AND number = ?",
              "DELETE FROM note WHERE author_id = ? AND number = ?",
              "INSERT INTO note(author_id, number, version) VALUES (?, ?, 1)",
              NULL},
    [TREE] = {BELAY_MODEL_OF(tree),
              "tree",
              3,
              {LOOK_NUMBER, LOOK_NUMBER, LOOK_TEXT},
              1,
              {0, 0},
              -1,
              1,
              TREE,
              true,
              0,
              -1,
              "SELECT id, above_id, name FROM tree ",
              NULL,
              NULL,
              "DELETE FROM tree WHERE id = ?",
              "INSERT INTO tree(id) VALUES (?)",
              NULL},
};

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

static const belay_column_def *def_of(int k, int column)
{
    return &kinds[k].model->columns[column];
}

const char *kinds_text(int k, int column, int64_t number, bool again)
{
    static const char *const texts[NUMBERS] = {
        "",   "t1", "t2", "t3 of some more letters than fit in a word or two", "t4", "t5 \xc3\xa4\xc3\xb6'\"",
        "t6", "t7"};
    static const char *const shorts[NUMBERS] = {"", "t1", "t2", "t3", "t4", "t5", "t6", "t7"};
    static const char *const decimals[2][NUMBERS] = {{"0.5", "1.5", "2.5", "3.5", "4.5", "5.5", "6.5", "7.5"},
                                                     {"0.50", "01.5", "2.50", "+3.5", "4.50", "5.50", "06.5", "7.50"}};
    static const char *const keys[NUMBERS] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};
    if (number == NOTHING)
        return NULL;
    if (number == FRESH)
        return "fresh";
    if (kinds[k].looks[column] == LOOK_DECIMAL)
        return decimals[again][number];
    if (k == BOOK && column == 0)
        return keys[number];
    return def_of(k, column)->kind == BELAY_KIND_TEXT_ARRAY ? shorts[number] : texts[number];
}

/* The number of a text; WRONG for a text that is none of ours. */
static int64_t number_of(int k, int column, const char *text, size_t size)
{
    if (!text)
        return NOTHING;
    if (kinds[k].looks[column] == LOOK_DECIMAL) {
        double value = strtod(text, NULL);
        return value - 0.5 == (double)(int)value && value < NUMBERS ? (int64_t)value : WRONG;
    }
    for (int64_t i = 0; i <= NUMBERS; i++) {
        int64_t number = i < NUMBERS ? i : FRESH;
        const char *ours = kinds_text(k, column, number, false);
        if (size == strlen(ours) && memcmp(ours, text, size) == 0)
            return number;
    }
    return WRONG;
}

/* ---- Members of structs ----------------------------------------------------------------------------------------- */

static void *member_of(const belay_column_def *def, const void *object)
{
    return (char *)(uintptr_t)object + def->offset;
}

static int64_t read_number(const belay_column_def *def, const void *object)
{
    int16_t two;
    int32_t four;
    int64_t eight;
    if (def->room == sizeof two) {
        memcpy(&two, member_of(def, object), sizeof two);
        return two;
    }
    if (def->room == sizeof four) {
        memcpy(&four, member_of(def, object), sizeof four);
        return four;
    }
    memcpy(&eight, member_of(def, object), sizeof eight);
    return def->role == BELAY_ROLE_PARENT && eight == 0 ? NOTHING : eight;
}

int64_t kinds_read(int k, int column, const void *object)
{
    const belay_column_def *def = def_of(k, column);
    const char *text = member_of(def, object);
    belay_span span;
    if (def->has > 0 && !*((const char *)object + def->has - 1))
        return NOTHING;
    if (def->kind == BELAY_KIND_INT)
        return read_number(def, object);
    if (def->kind == BELAY_KIND_BYTES) {
        memcpy(&span, member_of(def, object), sizeof span);
        return number_of(k, column, span.data, span.size);
    }
    if (def->kind != BELAY_KIND_TEXT_ARRAY)
        memcpy(&text, member_of(def, object), sizeof text);
    return number_of(k, column, text, text ? strlen(text) : 0);
}

static void write_number(const belay_column_def *def, void *object, int64_t number)
{
    int16_t two = (int16_t)number;
    int32_t four = (int32_t)number;
    memcpy(member_of(def, object),
           def->room == sizeof two    ? (const void *)&two
           : def->room == sizeof four ? (const void *)&four
                                      : (const void *)&number,
           def->room);
}

void kinds_lend(int k, int column, void *object, const char *text)
{
    const belay_column_def *def = def_of(k, column);
    belay_span span = {text, text ? strlen(text) : 0};
    if (def->kind == BELAY_KIND_BYTES)
        memcpy(member_of(def, object), &span, sizeof span);
    else
        memcpy(member_of(def, object), &text, sizeof text);
}

bool kinds_is_borrowed(int k, int column)
{
    return def_of(k, column)->kind == BELAY_KIND_TEXT || def_of(k, column)->kind == BELAY_KIND_BYTES;
}

void kinds_write(int k, int column, void *object, int64_t number, bool again)
{
    const belay_column_def *def = def_of(k, column);
    char *old;
    if (def->has > 0)
        *((char *)object + def->has - 1) = (char)(number != NOTHING);
    if (def->kind == BELAY_KIND_INT) {
        write_number(def, object, number == NOTHING ? 0 : number);
        return;
    }
    const char *text = kinds_text(k, column, number, again);
    if (def->kind == BELAY_KIND_TEXT_ARRAY) {
        memset(member_of(def, object), again ? 'x' : 0, def->room); /* what is behind the NUL makes no difference */
        memcpy(member_of(def, object), text ? text : "", strlen(text ? text : "") + 1);
    } else if (def->kind == BELAY_KIND_TEXT_OWNED) {
        memcpy(&old, member_of(def, object), sizeof old);
        free(old);
        old = text ? strdup(text) : NULL;
        memcpy(member_of(def, object), &old, sizeof old);
    } else {
        kinds_lend(k, column, object, text);
    }
}

void *kinds_parent(int k, const void *object)
{
    void *parent = NULL;
    if (kinds[k].parent >= 0)
        memcpy(&parent, (const char *)object + def_of(k, kinds[k].parent)->pointer, sizeof parent);
    return parent;
}

void kinds_set_parent(int k, void *object, void *parent)
{
    memcpy((char *)object + def_of(k, kinds[k].parent)->pointer, &parent, sizeof parent);
}

void kinds_free_owned(int k, void *object)
{
    for (int i = 0; i < kinds[k].columns; i++)
        if (def_of(k, i)->kind == BELAY_KIND_TEXT_OWNED)
            kinds_write(k, i, object, NOTHING, false);
}

/* ---- SQL -------------------------------------------------------------------------------------------------------- */

belay_value kinds_value(int k, int column, int64_t number)
{
    if (number == NOTHING)
        return belay_null();
    if (kinds[k].looks[column] == LOOK_NUMBER)
        return belay_integer(number);
    return belay_string(kinds_text(k, column, number, false));
}

int64_t kinds_cell(int k, int column, const belay_rows *row)
{
    if (belay_is_null(row, column))
        return NOTHING;
    if (kinds[k].looks[column] == LOOK_NUMBER)
        return belay_int(row, column);
    if (kinds[k].looks[column] == LOOK_BYTES)
        return number_of(k, column, belay_bytes(row, column), belay_size(row, column));
    const char *text = belay_str(row, column);
    return number_of(k, column, text, text ? strlen(text) : 0);
}

bool kinds_own_row_counts;

static bool is_mariadb(const char *url)
{
    return strncmp(url, "mariadb", 7) == 0 || strncmp(url, "mysql", 5) == 0;
}

void kinds_engine(const char *url)
{
    kinds_own_row_counts = is_mariadb(url);
}

bool kinds_make_tables(belay_session *s, const char *url)
{
    bool mariadb = is_mariadb(url);
    bool sqlite = strncmp(url, "sqlite", 6) == 0;
    const char *key = sqlite    ? "INTEGER PRIMARY KEY"
                      : mariadb ? "BIGINT AUTO_INCREMENT PRIMARY KEY"
                                : "bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    char sql[KINDS][500];
    snprintf(sql[AUTHOR], sizeof sql[AUTHOR],
             "CREATE TABLE author(id %s, name VARCHAR(60) UNIQUE, nick VARCHAR(60), code VARCHAR(7) NOT NULL, score "
             "SMALLINT CHECK (score < 50), price %s, version INTEGER NOT NULL)",
             key, sqlite ? "TEXT" : "DECIMAL(8, 2)");
    snprintf(sql[BOOK], sizeof sql[BOOK],
             "CREATE TABLE book(isbn VARCHAR(20) PRIMARY KEY, author_id BIGINT, title VARCHAR(60) NOT NULL, pages "
             "INTEGER NOT NULL CHECK (pages >= 0), FOREIGN KEY (author_id) REFERENCES author(id))");
    snprintf(sql[NOTE], sizeof sql[NOTE],
             "CREATE TABLE note(author_id BIGINT, number INTEGER, text %s, made VARCHAR(60) DEFAULT 'fresh', version "
             "BIGINT NOT NULL, PRIMARY KEY (author_id, number), FOREIGN KEY (author_id) REFERENCES author(id))",
             sqlite    ? "BLOB"
             : mariadb ? "LONGBLOB"
                       : "bytea");
    snprintf(sql[TREE], sizeof sql[TREE],
             "CREATE TABLE tree(id %s, above_id BIGINT, name VARCHAR(60), FOREIGN KEY (above_id) REFERENCES tree(id))",
             key);
    for (int k = 0; k < KINDS; k++)
        if (belay_exec(s, sql[k]) != BELAY_OK)
            return false;
    return true;
}

belay_code kinds_empty_tables(belay_session *s)
{
    BELAY_ATOMIC(s) {
        belay_exec(s, "DELETE FROM note");
        belay_exec(s, "DELETE FROM book");
        belay_exec(s, "UPDATE tree SET above_id = NULL");
        belay_exec(s, "DELETE FROM tree");
        belay_exec(s, "DELETE FROM author");
    }
    return belay_status(s);
}
