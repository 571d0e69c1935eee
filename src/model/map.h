/*
 * map.h - the identity map: records of objects, by address and by key.
 *
 * It keeps memory and finds things; what a state means and how it changes is the
 * business of the files above.
 * Tests: tests/model_objects/test_identity.c.
 */
#ifndef BELAYI_MODEL_MAP_H
#define BELAYI_MODEL_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/model.h>

#include "image.h"
#include "plan.h"
#include "texts.h"

/* A model in use: its plan, its SQL texts, the memory of its objects. */
typedef struct belayi_kind {
    belayi_plan plan;
    belayi_statements statements;
    unsigned index; /* among the world's */
    unsigned level; /* how many parents there are above, at most; one's own kind does not count */
    size_t piece;   /* bytes of a record with its image, and the struct if it is the session's */
    struct belayi_slab *slabs;
    struct belayi_record *free; /* pieces that can be used again */
} belayi_kind;

typedef struct belayi_record {
    belayi_kind *kind;
    void *object;        /* the struct; the program's own is not touched any more when `gone` */
    void *image;         /* NULL never; not valid for what was never added */
    belayi_texts *texts; /* the image's */
    size_t logged;       /* 1 + the place of its newest entry in the log; 0: none */
    uint64_t sequence;   /* of belay_add: new objects are inserted in this order */
    uint32_t hash;       /* of its key, while it is in the map by key */
    unsigned level;      /* order.c's, while it orders */
    belay_state state;
    bool mine;                           /* the session's memory */
    bool expired;                        /* to be read again before it is given */
    bool to_delete;                      /* by the next flush */
    bool by_key;                         /* it is in the map by key */
    bool gone;                           /* it was taken out while the log refers to it */
    struct belayi_record *newer, *older; /* all records of the world, but those that are transient or gone */
    struct belayi_record *next;          /* of a list that it is in for a moment, or of the free ones */
} belayi_record;

typedef struct belayi_table {
    belayi_record **slots; /* open addressing; NULL is empty */
    size_t room, used;     /* used: with those that were taken out */
    size_t count;
} belayi_table;

typedef struct belayi_map {
    belayi_table by_address, by_key;
    belayi_record *newest, *oldest; /* of those that are in the session */
} belayi_map;

/* A record for an object of the session's own, zeroed, or for one of the program's. Transient, in the map by address.
   NULL without memory. */
belayi_record *belayi_map_new(belayi_map *, belayi_kind *);
belayi_record *belayi_map_adopt(belayi_map *, belayi_kind *, void *object);

belayi_record *belayi_map_find(const belayi_map *, const void *object);

/* The persistent record of the key that is in the struct. */
belayi_record *belayi_map_find_key(const belayi_map *, const belayi_kind *, const void *object);

/* Puts the record in by the key of its image. False without memory. Another one must not have that key. */
bool belayi_map_enter_key(belayi_map *, belayi_record *);
void belayi_map_leave_key(belayi_map *, belayi_record *);

/* Into the session, and out of it. */
void belayi_map_join(belayi_map *, belayi_record *);
void belayi_map_leave(belayi_map *, belayi_record *);

/* Ends the record and, if it is the session's, the object: nothing refers to it any more. */
void belayi_map_free(belayi_map *, belayi_record *);

/* Frees everything of a kind. */
void belayi_map_free_kind(belayi_kind *);
void belayi_map_done(belayi_map *);

#endif
