/*
 * objects.h - the models that the tests of objects share, and their tables.
 *
 * A test runs in the world of tests/api/support.h, with these tables in it. The
 * tables are written in SQL here, so that nothing but the calls under test is used.
 */
#ifndef BELAY_TESTS_OBJECTS_H
#define BELAY_TESTS_OBJECTS_H

#include "support.h"

typedef struct account {
    int64_t id;
    const char *owner;
    int64_t balance;
    int64_t version;
} account;

/* An order and its lines. "order" is a word of SQL's. */
typedef struct order {
    int64_t id;
    const char *customer;
} order;

typedef struct line {
    int64_t id;
    order *of;
    int64_t order_id;
    const char *item;
    int quantity;
    int scratch; /* no column */
} line;

/* A tree. */
typedef struct category {
    int64_t id;
    const char *name;
    struct category *parent;
    int64_t parent_id;
} category;

/* A composite key, one part of it in the struct itself. No version. */
typedef struct stock {
    int32_t warehouse;
    char sku[12];
    int32_t amount;
} stock;

/* A part of the key is the parent's. */
typedef struct part {
    int64_t order_id;
    int32_t number;
    order *of;
    const char *text;
} part;

/* A text as key, and a text of malloc. */
typedef struct setting {
    const char *name;
    char *value;
} setting;

enum color { COLOR_RED, COLOR_GREEN = 7 };

/* One column of each kind. */
typedef struct thing {
    int64_t id;
    bool yes;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;
    float f;
    double d;
    enum color color;
    const char *text;
    char *owned;
    char array[8];
    belay_span bytes;
    const char *price; /* decimal */
    int64_t at;        /* a moment */
    int32_t maybe;
    bool has_maybe;
    char maybe_text[6];
    bool has_maybe_text;
    const char *made; /* has a default */
} thing;

BELAY_MODEL_DECLARE(account);
BELAY_MODEL_DECLARE(order);
BELAY_MODEL_DECLARE(line);
BELAY_MODEL_DECLARE(category);
BELAY_MODEL_DECLARE(stock);
BELAY_MODEL_DECLARE(part);
BELAY_MODEL_DECLARE(setting);
BELAY_MODEL_DECLARE(thing);

/* The world of support.h, with the tables; account 1 is ann's with 100, 2 is bob's with 50. */
int objects_open(void **state);

#define with_objects(test) cmocka_unit_test_setup_teardown(test, objects_open, world_close)

/* The state's name, so that a failure can be read. */
const char *state_name(belay_session *, const void *object);
#define assert_state(s, object, wanted) assert_string_equal(state_name(s, object), wanted)

/* What is committed, in short. */
#define assert_accounts(w, rows) assert_rows((w)->other, "SELECT id, owner, balance FROM account ORDER BY id", rows)

/* Counts the statements that a handle sends from now on: give it as the trace of belay_open. */
typedef struct sent {
    int count;
    char last[512], all[4096];
} sent;

void sent_note(void *arg, const belay_trace_event *);

/* A session on a handle of its own that tells what it sends. */
typedef struct listening {
    sent sent;
    belay_db *db;
    belay_session *s;
} listening;

listening *listen_open(world *);
void listen_close(listening *);

#endif
