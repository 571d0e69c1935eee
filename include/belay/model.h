/*
 * belay/model.h - a program's own structs as objects of a session.
 *
 *     typedef struct account { int64_t id; const char *owner; int64_t balance; int64_t version; } account;
 *
 *     BELAY_MODEL(account, "account",
 *         BELAY_KEY    (account, id),
 *         BELAY_COLUMN (account, owner, .not_null = true),
 *         BELAY_COLUMN (account, balance),
 *         BELAY_VERSION_COLUMN(account, version))
 *
 *     BELAY_ATOMIC(s) {
 *         account *a = belay_get(s, account, from), *b = belay_get(s, account, to);
 *         if (!a || !b)                 belay_fail(s, BELAY_NOT_FOUND, "no such account");
 *         else if (a->balance < amount) belay_fail(s, BELAY_APPLICATION, "insufficient funds");
 *         else { a->balance -= amount; b->balance += amount; }      // written by the flush at commit
 *     }
 *
 * One row is one object within a session. What the program changes in its fields
 * is found by comparison and written by a *flush*: before every statement of the
 * program's on the session, before a nested scope or mark begins, and before a
 * scope is kept. A rollback of any scope or mark puts the objects back, too.
 *
 * The states are SQLAlchemy's; src/model/README.md has the whole table.
 *   transient    the session knows nothing of it; or it was made by belay_new and not added yet
 *   pending      added; its row is inserted by the next flush
 *   persistent   it stands for a row
 *   deleted      its row was deleted by a flush that is not committed yet
 *   detached     it stood for a row, and has left the session
 *
 * In C++ models are written in a C file; the functions ending in _at are there.
 */
#ifndef BELAY_MODEL_H
#define BELAY_MODEL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/error.h>
#include <belay/macros.h>
#include <belay/session.h>
#include <belay/statement.h>
#include <belay/value.h>

BELAYI_BEGIN_C

/* ---- Models ------------------------------------------------------------------------------------ */

/* Bytes of some size. `data` NULL is SQL's NULL. Owned as the texts of `const char *` are. */
typedef struct belay_span {
    const void *data;
    size_t size;
} belay_span;

/* What a member is in C. Found by the macros. */
typedef enum belay_kind {
    BELAY_KIND_NONE,       /* a member that can't be a column */
    BELAY_KIND_BOOL,       /* bool */
    BELAY_KIND_INT,        /* a signed integer of 1, 2, 4 or 8 bytes */
    BELAY_KIND_UINT,       /* an unsigned one; an enum, too */
    BELAY_KIND_REAL,       /* float, double */
    BELAY_KIND_TEXT,       /* const char *: see "Who owns what" */
    BELAY_KIND_TEXT_OWNED, /* char *: of malloc, and the object's own */
    BELAY_KIND_TEXT_ARRAY, /* char[N]: a text of up to N - 1 bytes in the struct itself */
    BELAY_KIND_BYTES       /* belay_span */
} belay_kind;

typedef enum belay_role { BELAY_ROLE_COLUMN, BELAY_ROLE_KEY, BELAY_ROLE_VERSION, BELAY_ROLE_PARENT } belay_role;

typedef struct belay_model belay_model;

/*
 * A column. The first part is filled by the macros, the second are the options
 * that stand in them: BELAY_COLUMN(account, owner, .not_null = true, .size = 80).
 */
typedef struct belay_column_def {
    const char *type, *member; /* of the struct */
    belay_role role;
    belay_kind kind;
    size_t offset, room;       /* of the member */
    size_t has;                /* 1 + the offset of the bool that tells whether there is a value; 0: none */
    size_t pointer;            /* of a parent: the offset of the pointer to it */
    const belay_model *parent; /* and its model */

    const char *name;  /* in the database; NULL: as the member */
    bool given;        /* a key: 0 is a key like any other. Without it, an integer that is the only key is
                          generated where it is 0 in a new object */
    bool key;          /* a parent: its key is a part of this object's own key, too, in the order of the columns */
    bool not_null;     /* a text, belay_span or parent: NOT NULL. A number without a bool is so by itself */
    bool unique;       /* UNIQUE */
    const char *check; /* an SQL condition: "balance >= 0" */
    const char *default_sql; /* an SQL expression. A new object whose column is NULL leaves it to the database, and
                                reads back what that made of it */
    int size;                /* a text: characters at most; 0: no bound, for char[N] N - 1 */
    int precision, scale;    /* a text that is a decimal number of so many digits, and of them behind the point */
    bool timestamp;          /* an int64_t that is a moment: microseconds since 1970-01-01 00:00 UTC */
} belay_column_def;

/* What BELAY_MODEL makes: one for a type in the whole program. */
struct belay_model {
    size_t size; /* of this struct: a later release may append fields */
    const char *type, *table;
    size_t object_size;
    const belay_column_def *columns;
    size_t count;
};

#ifndef __cplusplus

/*
 * BELAY_MODEL(type, "table", columns...)
 *
 * At file scope, in one .c file of the program, without a semicolon: how objects
 * of a struct are rows of a table. `type` is a typedef's name. Members that are no
 * column are left alone, always: they stay as the program made them. Names are
 * sent in quotes, so any word will do, in the very spelling that the database has:
 * on PostgreSQL what was made without quotes is in small letters. "schema.table"
 * is a table of a schema. Up to 64 columns.
 *
 * What C can't tell at compile time is found when the model is first used on a
 * session: BELAY_MISUSE, naming model and column.
 */
#define BELAY_MODEL(type_, table_, ...)                                                                                \
    extern const belay_model belayi_model_##type_;                                                                     \
    static const belay_column_def belayi_columns_##type_[] = {__VA_ARGS__};                                            \
    const belay_model belayi_model_##type_ = {sizeof(belay_model),                                                     \
                                              #type_,                                                                  \
                                              table_,                                                                  \
                                              sizeof(type_),                                                           \
                                              belayi_columns_##type_,                                                  \
                                              sizeof belayi_columns_##type_ / sizeof belayi_columns_##type_[0]};

/* BELAY_MODEL_DECLARE(type); In a header, for the other files; and before a model whose BELAY_PARENT comes later. */
#define BELAY_MODEL_DECLARE(type_) extern const belay_model belayi_model_##type_

/* The model of a type: for the functions ending in _at. */
#define BELAY_MODEL_OF(type_) (&belayi_model_##type_)

/*
 * BELAY_KEY(type, member, options...)
 *
 * The primary key: an integer or a text. Several make a composite key, in their
 * order; a BELAY_PARENT with .key = true is a part of it, too. A key is not changed while the object is in a session:
 * BELAY_MISUSE.
 */
#define BELAY_KEY(...) BELAYI_KEY_COLUMN(__VA_ARGS__, )

/*
 * BELAY_COLUMN(type, member, options...)
 *
 * A number or bool has always a value: a NULL that is read into it is BELAY_DATA,
 * as is a number that does not fit, or a text too long for its array. An enum is
 * stored as its number. A decimal (.precision) is a text of digits, compared by
 * its value: 12.3 and 12.30 are the same.
 */
#define BELAY_COLUMN(...) BELAYI_PLAIN_COLUMN(__VA_ARGS__, )

/*
 * BELAY_NULLABLE(type, member, has_member, options...)
 *
 * A number, bool or char[N] that may be NULL, with a bool beside it that says
 * whether there is a value: `int64_t discount; bool has_discount;`. A zeroed struct
 * has none. The member is 0 or "" when NULL was read; what it holds while the bool
 * is false makes no difference. Texts of pointers need none: their NULL is NULL.
 */
#define BELAY_NULLABLE(...) BELAYI_NULLABLE_COLUMN(__VA_ARGS__, )

/*
 * BELAY_VERSION_COLUMN(type, member, options...)
 *
 * An integer that a row begins with at 1 and that each UPDATE counts up. An UPDATE
 * or DELETE of a row whose version is not the one that was read is BELAY_STALE,
 * which names the object. An object whose fields were set to what they were is not
 * written, and so never stale. It is not the program's to change: BELAY_MISUSE.
 */
#define BELAY_VERSION_COLUMN(...) BELAYI_VERSION_COLUMN_(__VA_ARGS__, )

/*
 * BELAY_PARENT(type, pointer, key, parent_type, options...)
 *
 * A foreign key: the member `key`, a column of that name, holds the key of an
 * object of `parent_type`, whose model has one BELAY_KEY of the same kind; the
 * member `pointer`, of type parent_type *, may point to that object.
 *
 *   - A flush that finds a pointer which is not NULL sets the key from the object,
 *     also one that was generated just before. The object must be in the session,
 *     and not be deleted: BELAY_MISUSE.
 *   - A pointer that the program has set to NULL clears the key. 0, or a NULL text,
 *     is no parent and NULL in the column.
 *   - A key that the program has changed, while it left the pointer alone or set it to
 *     NULL, is what counts: the pointer becomes that of the object with this key, if it
 *     is in the session, else NULL.
 *   - Where pointer and key were both changed and disagree it is BELAY_MISUSE.
 *   - What is loaded points to its parent when that is in the session, else to NULL:
 *     line->order = belay_get(s, order, line->order_id) sets it.
 *
 * Parents are inserted before their children and deleted after them. New objects
 * that are parents of each other in a circle are BELAY_MISUSE.
 */
#define BELAY_PARENT(...) BELAYI_PARENT_COLUMN(__VA_ARGS__, )

#endif

/* ---- Who owns what -----------------------------------------------------------------------------
 *
 * Objects. What belay_new, belay_get, belay_find and belay_merge give is the
 * session's memory, and stays where it is until belay_expunge or the end of the
 * session, through commits and rollbacks. (In a BELAY_REQUIRES_NEW scope a session
 * has other objects, as if it were another session, and they end with that scope.)
 *
 * An object of the program's own memory may be given to belay_add. It must stay
 * where it is until the outermost scope has ended. Then the session lets go of it,
 * and never touches it again: it is detached when that committed, and transient
 * when it was rolled back.
 *
 * Texts and bytes of `const char *` and belay_span. What the session put there is
 * its own: valid, and as it was, until the outermost scope has ended in which the
 * field was given another value, by the program, a reading or a rollback, and until
 * the object itself ends. (What was read into an object of the program's own: until
 * the session is closed.) What the program puts there it must keep as it is until
 * the next flush, which replaces it by a copy of the session's, with the same bytes;
 * in an object of the program's own it is not replaced, and must be kept until the
 * outermost scope has ended. belay_keep makes a text that lives long enough.
 *
 * Texts of `char *` are of malloc and belong to the object: the program changes one
 * by free and strdup, or in place; the session does the same when it reads or rolls
 * back, so that a copy of the pointer is good until then only. The session frees
 * those of its own objects; those of the program's are the program's to free.
 *
 * ---- What a rollback does -----------------------------------------------------------------------
 *
 * When a scope is rolled back, or a mark gone back to, every object in the session
 * is what it was when the scope began: its columns, pointers to parents, state, and
 * whether it is in the session at all. One that was added in it has the columns that
 * it had at belay_add, and is transient again. One that was loaded in it stays, and
 * is expired; or it is detached, where another one that was deleted in the scope
 * stands for the row again. It is the same between two attempts of .retries.
 * belay_expunge is not undone.
 *
 * When the outermost scope has ended, every object is expired, whatever its end: its
 * fields stay as they are and may be read, but they may be old, and must not be changed
 * before belay_get, belay_find, belay_refresh or belay_lock has read the row again,
 * into the same object. Else the next flush in a scope fails with BELAY_MISUSE.
 *
 * ---- Where things may be called --------------------------------------------------------------
 *
 * belay_add, belay_delete, belay_flush, belay_merge and belay_lock need a scope:
 * BELAY_MISUSE. A belay_get, belay_find or belay_refresh outside all scopes is a
 * transaction of its own, as a statement is; what it loads is expired at once. While an
 * error is pending, all calls return its code, NULL or false and do nothing, but for
 * belay_new, belay_expunge, belay_expunge_all and belay_state_of.
 *
 * Costs: a flush compares every object in the session with what was read, some
 * nanoseconds each: also at the beginning of each nested scope and before each
 * statement. A session that has loaded very many can let go of them: belay_expunge_all.
 */

/* ---- Making and finding objects ---------------------------------------------------------------- */

typedef enum belay_state {
    BELAY_TRANSIENT,
    BELAY_PENDING,
    BELAY_PERSISTENT,
    BELAY_DELETED,
    BELAY_DETACHED
} belay_state;

/*
 * In which state an object is. After belay_delete it is persistent until the flush.
 * An object of the program's own that was detached is said to be so until the next
 * outermost scope has ended; then the session knows nothing of it any more, and it is
 * transient. BELAY_TRANSIENT for NULL and without a session.
 */
BELAY_API belay_state belay_state_of(belay_session *, const void *object);

/*
 * belay_new(s, type): a new object in the session's memory, zeroed and transient.
 * Not refused because of an error, so that its fields can be written without a look.
 * NULL when memory is out or the model is no good; that error is pending then, unless
 * another is.
 */
#define belay_new(s, type) ((type *)belay_new_at(s, BELAY_HERE, BELAY_MODEL_OF(type)))
BELAY_API void *belay_new_at(belay_session *, belay_place, const belay_model *);

/*
 * belay_add(s, type, object): the object's row is to be inserted: pending. Nothing
 * is sent yet. For one that is pending or persistent it does nothing, but takes back a
 * belay_delete that was not flushed. BELAY_MISUSE for one that is deleted, or was.
 */
#define belay_add(s, type, object) belay_add_at(s, BELAY_HERE, BELAY_MODEL_OF(type), (type *[]){object}[0])
BELAY_API belay_code belay_add_at(belay_session *, belay_place, const belay_model *, void *object);

/*
 * belay_get(s, type, key...): the object of the row with that key. Of a composite
 * key all parts, in their order. One that is in the session, and not expired, is
 * given without a word to the database. NULL without an error when there is no such
 * row, or the object was given to belay_delete; NULL with the error pending else.
 *
 * When a row must be read and objects were added or deleted since the last flush,
 * it flushes first; what was only changed waits.
 *
 * Errors: BELAY_DATA (a column does not fit its member), BELAY_MISUSE (an expired
 * object was changed; the wrong number of key parts), BELAY_SCHEMA, any of a SELECT.
 */
#define belay_get(s, type, ...) ((type *)BELAYI_STATEMENT(belay_get_at, s, BELAY_MODEL_OF(type), __VA_ARGS__))
BELAY_API void *belay_get_at(belay_session *, belay_place, const belay_model *, size_t n, const belay_value *key);

/*
 * belay_find(s, type, rest, values...): the objects of all rows that SELECT gives
 * with that rest of the statement behind its FROM, in that order:
 *
 *     account **rich = belay_find(s, account, "WHERE balance > ? ORDER BY owner LIMIT 10", 100);
 *
 * `rest` may be "", and may end in FOR UPDATE [NOWAIT | SKIP LOCKED], as in
 * belay/statement.h. It flushes first. The object of a row that is in the session
 * already, and not expired, is given as it is, unless the rest locks: then it is
 * read again.
 *
 * Gives an array of pointers with NULL behind the last; belay_found tells how many.
 * It is the session's, and valid until the outermost scope has ended; outside all
 * scopes, until the next call that begins one or reaches the database. NULL on an
 * error, which is pending then.
 */
#define belay_find(s, type, ...) ((type **)BELAYI_FIND(BELAY_MODEL_OF(type), s, __VA_ARGS__))
BELAY_API void *belay_find_at(belay_session *, belay_place, const belay_model *, const char *rest, size_t n,
                              const belay_value *values);

/* How many objects belay_find gave; 0 for NULL. */
BELAY_API size_t belay_found(const void *list);

/*
 * BELAY_EACH_OBJECT(type, name, s, rest, values...) statement
 *
 * Runs the statement or block once for each object that belay_find gives, with
 * `name` pointing to it. Nothing when it failed.
 */
#define BELAY_EACH_OBJECT(type, name, ...) BELAYI_EACH_OBJECT(type, name, BELAYI_UNIQUE(belayi_list_), __VA_ARGS__)

/* ---- What may be done with an object in the session ---------------------------------------------
 *
 * An object that is not in the session is BELAY_MISUSE.
 */

/*
 * The object's row is to be deleted by the next flush; children before parents. One
 * that is pending is BELAY_MISUSE: belay_expunge takes it out. Again it does nothing.
 */
#define belay_delete(s, object) belay_delete_at(s, BELAY_HERE, object)
BELAY_API belay_code belay_delete_at(belay_session *, belay_place, void *object);

/*
 * Writes what was added, changed and deleted: inserts and updates with parents
 * first, then deletes with children first. Only columns that changed are sent. Keys
 * and defaults that the database made are in the objects afterwards. On failure the
 * error is pending in the scope, whose end, or going back to a mark, puts the objects
 * back.
 *
 * Errors: any of INSERT, UPDATE and DELETE; BELAY_STALE, naming the object, when its
 * row is not there any more or has another version; BELAY_MISUSE: a circle of
 * parents, a parent that is not in the session, a key or version that was changed, an
 * expired object that was changed.
 */
#define belay_flush(s) belay_flush_at(s, BELAY_HERE)
BELAY_API belay_code belay_flush_at(belay_session *, belay_place);

/*
 * Reads the object's row again, now. What was changed in it and not flushed is
 * lost. BELAY_NOT_FOUND when the row is gone. A pending or deleted one is misuse.
 */
#define belay_refresh(s, object) belay_refresh_at(s, BELAY_HERE, object)
BELAY_API belay_code belay_refresh_at(belay_session *, belay_place, void *object);

/*
 * The object's row is read again when it is next asked for. What was changed in it
 * and not flushed is lost: its fields are as they were read. A pending or deleted one
 * is misuse. belay_expire_all does so to all that are persistent.
 */
#define belay_expire(s, object) belay_expire_at(s, BELAY_HERE, object)
#define belay_expire_all(s)     belay_expire_all_at(s, BELAY_HERE)
BELAY_API belay_code belay_expire_at(belay_session *, belay_place, void *object);
BELAY_API belay_code belay_expire_all_at(belay_session *, belay_place);

/*
 * Takes the object out of the session, at once and for good: no rollback brings it
 * back. What was not flushed of it never will be. An object in the session's memory
 * ends: no pointer to it or to its texts may be used any more, also not one of a child
 * in the session, which belay_expunge sets to NULL. One of the program's own is
 * detached, or transient when it was pending. belay_expunge_all does so to all, also to
 * those of belay_new that were not added, and frees their memory.
 *
 * Never refused because of an error. Misuse for what is not in the session and was not
 * made by it.
 */
#define belay_expunge(s, object) belay_expunge_at(s, BELAY_HERE, object)
#define belay_expunge_all(s)     belay_expunge_all_at(s, BELAY_HERE)
BELAY_API belay_code belay_expunge_at(belay_session *, belay_place, void *object);
BELAY_API belay_code belay_expunge_all_at(belay_session *, belay_place);

/*
 * belay_merge(s, type, source): gives the object of the row with the key that
 * `source` has, with all columns set to those of the source; with no such row, or a key
 * of 0 that is to be generated, a new pending one. The source is only read, and its
 * texts are copied. A pointer to a parent is taken over when that is in the session.
 * A version in the source that is not 0 and not that of the row is BELAY_STALE.
 * NULL on an error, which is pending then.
 */
#define belay_merge(s, type, source)                                                                                   \
    ((type *)belay_merge_at(s, BELAY_HERE, BELAY_MODEL_OF(type), (const type *[]){source}[0]))
BELAY_API void *belay_merge_at(belay_session *, belay_place, const belay_model *, const void *source);

/* What is done when somebody else has locked the row. */
typedef enum belay_lock_wait {
    BELAY_LOCK_WAIT,   /* it is waited for, within the scope's lock limit */
    BELAY_LOCK_NOWAIT, /* BELAY_BUSY */
    BELAY_LOCK_SKIP    /* belay_lock gives false, without an error */
} belay_lock_wait;

/*
 * Locks the object's row until the outermost scope ends (SELECT ... FOR UPDATE), and
 * reads it again. What was changed in the session is flushed before. On SQLite a scope
 * that may write holds the one lock there is. True when it is locked; false on an error,
 * which is pending then (BELAY_NOT_FOUND: the row is gone), and for a row that was skipped.
 */
#define belay_lock(s, object, wait) belay_lock_at(s, BELAY_HERE, object, wait)
BELAY_API bool belay_lock_at(belay_session *, belay_place, void *object, belay_lock_wait);

/*
 * A copy of the text in the session's memory, for a field of an object: valid until
 * the outermost scope has ended. Misuse outside all scopes. NULL for NULL, and on an error.
 */
#define belay_keep(s, text) belay_keep_at(s, BELAY_HERE, text)
BELAY_API const char *belay_keep_at(belay_session *, belay_place, const char *text);

/* ---- Tables ------------------------------------------------------------------------------------- */

/*
 * belay_create_tables(s, types...): makes the tables of the models that are not there
 * yet, parents first, with their keys, constraints and defaults, in the types of the
 * engine; up to 32 at a time. All or none, but on MariaDB, whose DDL commits: there it is
 * refused inside a scope. Tables that are there are left as they are. A text has the size
 * it says, or any; as a key or parent 255 characters without one. Two texts are the same
 * when their bytes are, on each engine. A uint64_t goes up to INT64_MAX. Decimals are texts
 * on SQLite, which has no exact numbers of so many digits; it does not enforce .size.
 *
 * Errors: BELAY_MISUSE (a model is no good; models that are parents of each other in a
 * circle; inside a scope on MariaDB), any of a statement: BELAY_SYNTAX for a bad .check.
 */
#define belay_create_tables(s, ...) BELAYI_MODELS(belay_create_tables_at, s, __VA_ARGS__)
BELAY_API belay_code belay_create_tables_at(belay_session *, belay_place, const belay_model *const *models,
                                            size_t count);

/* One thing in which a table is not as its model has it. The texts are borrowed. */
typedef struct belay_difference {
    size_t size; /* of this struct: a later release may append fields */
    const char *table;
    const char *column; /* NULL: the table as a whole */
    const char *text;   /* a sentence: "the column may be NULL, and the model says .not_null" */
} belay_difference;

typedef void (*belay_differs)(void *arg, const belay_difference *);

/*
 * belay_check_tables(s, tell, arg, types...): compares the tables with their models, by
 * the engine's catalog: missing tables and columns, types that can't hold the member,
 * NULL where the model has none, the primary key, unique and foreign keys; columns that
 * the model does not know, when an INSERT can't do without them. A text
 * without .size is taken to fit. Conditions of .check are not compared. `tell`, which
 * may be NULL, is called for each difference. BELAY_OK when there is none; else
 * BELAY_SCHEMA, pending, with the first in its message.
 */
#define belay_check_tables(s, tell, arg, ...) BELAYI_CHECK_MODELS(s, tell, arg, __VA_ARGS__)
BELAY_API belay_code belay_check_tables_at(belay_session *, belay_place, belay_differs tell, void *arg,
                                           const belay_model *const *models, size_t count);

BELAYI_END_C

#ifndef __cplusplus

/* ---- The macros behind those above ---------------------------------------------------------------- */

#define BELAYI_MEMBER(type, member) (((type *)0)->member)

/* The kind of a member that is no pointer to text. An array of char turns into a pointer here. */
#define BELAYI_KIND_OF_VALUE(x)                                                                                        \
    _Generic((x),                                                                                      \
        bool: BELAY_KIND_BOOL,                                                                         \
        char: CHAR_MIN < 0 ? BELAY_KIND_INT : BELAY_KIND_UINT,                                         \
        signed char: BELAY_KIND_INT,                                                                   \
        short: BELAY_KIND_INT,                                                                         \
        int: BELAY_KIND_INT,                                                                           \
        long: BELAY_KIND_INT,                                                                          \
        long long: BELAY_KIND_INT,                                                                     \
        unsigned char: BELAY_KIND_UINT,                                                                \
        unsigned short: BELAY_KIND_UINT,                                                               \
        unsigned int: BELAY_KIND_UINT,                                                                 \
        unsigned long: BELAY_KIND_UINT,                                                                \
        unsigned long long: BELAY_KIND_UINT,                                                           \
        float: BELAY_KIND_REAL,                                                                        \
        double: BELAY_KIND_REAL,                                                                       \
        char *: BELAY_KIND_TEXT_ARRAY,                                                                 \
        const char *: BELAY_KIND_NONE,                                                                 \
        belay_span: BELAY_KIND_BYTES)

/* A member of another type, and a bit-field, do not compile. */
#define BELAYI_KIND(type, member)                                                                                      \
    _Generic(&BELAYI_MEMBER(type, member),                                                             \
        char **: BELAY_KIND_TEXT_OWNED,                                                                \
        const char **: BELAY_KIND_TEXT,                                                                \
        default: BELAYI_KIND_OF_VALUE(BELAYI_MEMBER(type, member)))

/* 0 for an integer; nothing else compiles. */
#define BELAYI_IS_INTEGER(x)                                                                                           \
    _Generic((x), signed char : 0, short : 0, int : 0, long : 0, long long : 0, unsigned char : 0, unsigned short : 0, \
             unsigned int : 0, unsigned long : 0, unsigned long long : 0)
/* The same, and for text. */
#define BELAYI_IS_COUNT_OR_TEXT(x)                                                                                     \
    _Generic((x), char * : 0, const char * : 0, signed char : 0, short : 0, int : 0, long : 0, long long : 0,          \
             unsigned char : 0, unsigned short : 0, unsigned int : 0, unsigned long : 0, unsigned long long : 0)

#define BELAYI_COLUMN(type_, member_, role_)                                                                           \
    .type = #type_, .member = #member_, .role = (role_), .kind = BELAYI_KIND(type_, member_),                          \
    .offset = offsetof(type_, member_), .room = sizeof(BELAYI_MEMBER(type_, member_))

#define BELAYI_PLAIN_COLUMN(type_, member_, ...)                                                                       \
    {                                                                                                                  \
        BELAYI_COLUMN(type_, member_, BELAY_ROLE_COLUMN), __VA_ARGS__                                                  \
    }
#define BELAYI_KEY_COLUMN(type_, member_, ...)                                                                         \
    {                                                                                                                  \
        BELAYI_COLUMN(type_, member_, BELAY_ROLE_KEY + BELAYI_IS_COUNT_OR_TEXT(BELAYI_MEMBER(type_, member_))),        \
            __VA_ARGS__                                                                                                \
    }
#define BELAYI_VERSION_COLUMN_(type_, member_, ...)                                                                    \
    {                                                                                                                  \
        BELAYI_COLUMN(type_, member_, BELAY_ROLE_VERSION + BELAYI_IS_INTEGER(BELAYI_MEMBER(type_, member_))),          \
            __VA_ARGS__                                                                                                \
    }
/* Another type than bool does not compile. */
#define BELAYI_NULLABLE_COLUMN(type_, member_, has_, ...)                                                              \
    {                                                                                                                  \
        BELAYI_COLUMN(type_, member_, BELAY_ROLE_COLUMN),                                                              \
            .has = offsetof(type_, has_) + _Generic(BELAYI_MEMBER(type_, has_), bool : 1), __VA_ARGS__                 \
    }
/* Nor does a pointer to another type than the parent's. */
#define BELAYI_PARENT_COLUMN(type_, pointer_, key_, parent_, ...)                                                      \
    {                                                                                                                  \
        BELAYI_COLUMN(type_, key_, BELAY_ROLE_PARENT + BELAYI_IS_COUNT_OR_TEXT(BELAYI_MEMBER(type_, key_))),           \
            .pointer = offsetof(type_, pointer_) + _Generic(BELAYI_MEMBER(type_, pointer_), parent_ * : 0),            \
            .parent = BELAY_MODEL_OF(parent_), __VA_ARGS__                                                             \
    }

/* Every call carries one argument more, as in belay/statement.h. */
#define BELAYI_FIND(model, ...)        BELAYI_FIND_(BELAYI_COUNT(__VA_ARGS__), model, __VA_ARGS__, none)
#define BELAYI_FIND_(n, model, s, ...) BELAYI_FIND__(n, model, s, __VA_ARGS__)
#define BELAYI_FIND__(n, model, s, rest, ...)                                                                          \
    belay_find_at(s, BELAY_HERE, model, rest, n, (const belay_value[]){{0} BELAYI_ARGS_##n(__VA_ARGS__)} + 1)

#define BELAYI_EACH_OBJECT(type, name, list, s, ...)                                                                   \
    for (type **list = belay_find(s, type, __VA_ARGS__), *name = list ? *list : NULL; name; name = *++list)

#define BELAYI_MODELS_1(type, ...)  BELAY_MODEL_OF(type)
#define BELAYI_MODELS_2(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_1(__VA_ARGS__)
#define BELAYI_MODELS_3(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_2(__VA_ARGS__)
#define BELAYI_MODELS_4(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_3(__VA_ARGS__)
#define BELAYI_MODELS_5(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_4(__VA_ARGS__)
#define BELAYI_MODELS_6(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_5(__VA_ARGS__)
#define BELAYI_MODELS_7(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_6(__VA_ARGS__)
#define BELAYI_MODELS_8(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_7(__VA_ARGS__)
#define BELAYI_MODELS_9(type, ...)  BELAY_MODEL_OF(type), BELAYI_MODELS_8(__VA_ARGS__)
#define BELAYI_MODELS_10(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_9(__VA_ARGS__)
#define BELAYI_MODELS_11(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_10(__VA_ARGS__)
#define BELAYI_MODELS_12(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_11(__VA_ARGS__)
#define BELAYI_MODELS_13(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_12(__VA_ARGS__)
#define BELAYI_MODELS_14(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_13(__VA_ARGS__)
#define BELAYI_MODELS_15(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_14(__VA_ARGS__)
#define BELAYI_MODELS_16(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_15(__VA_ARGS__)
#define BELAYI_MODELS_17(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_16(__VA_ARGS__)
#define BELAYI_MODELS_18(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_17(__VA_ARGS__)
#define BELAYI_MODELS_19(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_18(__VA_ARGS__)
#define BELAYI_MODELS_20(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_19(__VA_ARGS__)
#define BELAYI_MODELS_21(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_20(__VA_ARGS__)
#define BELAYI_MODELS_22(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_21(__VA_ARGS__)
#define BELAYI_MODELS_23(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_22(__VA_ARGS__)
#define BELAYI_MODELS_24(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_23(__VA_ARGS__)
#define BELAYI_MODELS_25(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_24(__VA_ARGS__)
#define BELAYI_MODELS_26(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_25(__VA_ARGS__)
#define BELAYI_MODELS_27(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_26(__VA_ARGS__)
#define BELAYI_MODELS_28(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_27(__VA_ARGS__)
#define BELAYI_MODELS_29(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_28(__VA_ARGS__)
#define BELAYI_MODELS_30(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_29(__VA_ARGS__)
#define BELAYI_MODELS_31(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_30(__VA_ARGS__)
#define BELAYI_MODELS_32(type, ...) BELAY_MODEL_OF(type), BELAYI_MODELS_31(__VA_ARGS__)

/* Counted like the values of a statement: behind two others. */
#define BELAYI_MODELS(function, s, ...)                                                                                \
    BELAYI_MODELS_(BELAYI_COUNT(s, none, __VA_ARGS__), function, s, __VA_ARGS__, none)
#define BELAYI_MODELS_(n, function, s, ...) BELAYI_MODELS__(n, function, s, __VA_ARGS__)
#define BELAYI_MODELS__(n, function, s, ...)                                                                           \
    function(s, BELAY_HERE, (const belay_model *const[]){BELAYI_MODELS_##n(__VA_ARGS__)}, n)

#define BELAYI_CHECK_MODELS(s, tell, arg, ...)                                                                         \
    BELAYI_CHECK_MODELS_(BELAYI_COUNT(s, none, __VA_ARGS__), s, tell, arg, __VA_ARGS__, none)
#define BELAYI_CHECK_MODELS_(n, s, tell, arg, ...) BELAYI_CHECK_MODELS__(n, s, tell, arg, __VA_ARGS__)
#define BELAYI_CHECK_MODELS__(n, s, tell, arg, ...)                                                                    \
    belay_check_tables_at(s, BELAY_HERE, tell, arg, (const belay_model *const[]){BELAYI_MODELS_##n(__VA_ARGS__)}, n)

#endif

#endif
