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
#include "shape.h"
#include "texts.h"

/* A model in use: its shape, its SQL texts, the memory of its objects. */
typedef struct belayi_kind {
    belayi_shape shape;
    belayi_statements statements;
    unsigned index;          /* among the world's */
    unsigned level;          /* how many parents there are above, at most; one's own kind does not count */
    void *row, *probe, *key; /* structs for a moment: a row that is read, a parent's key, a key that was asked for */
    int64_t highest;         /* no key that was ever in the map is higher; only kept where the key is one integer */
    bool last_id_tells;      /* RETURNING has shown that what the engine says of the last INSERT is the key */
    size_t piece;            /* bytes of a record with its image and the struct */
    struct belayi_slab *slabs;
    struct belayi_object *free; /* pieces that were used before */
} belayi_kind;

typedef struct belayi_object {
    belayi_kind *kind;
    void *object; /* the struct; the program's own is not touched any more when `gone` */
    void *image;  /* see image.h; not valid before belay_add */
    void *raw;    /* of the program's own object: the struct as it was when its image was taken, with the program's own
                     pointers to texts. Of the session's: the object itself */
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
    struct belayi_object *newer, *older; /* of the records that are in the session */
    struct belayi_object *next;          /* of a list that it is in for a moment; of the gone, and of the free ones */
} belayi_object;

/* Open addressing. The hashes stand by themselves, so that looking for what is not there touches nothing else. */
typedef struct belayi_slots {
    belayi_object **records;
    uint32_t *hashes;  /* 0: empty; 1: somebody was there */
    size_t room, used; /* used: with those that were taken out */
    size_t count;
} belayi_slots;

typedef struct belayi_map {
    belayi_slots by_address, by_key;
    belayi_object *newest, *oldest; /* of those that are in the session */
    belayi_object *gone;            /* taken out, while the log refers to them */
    size_t pending, dying;          /* how many are pending, and to be deleted */
} belayi_map;

/* A record for an object of the session's own, zeroed, or for one of the program's. Transient, in the map by address.
   NULL without memory. */
belayi_object *belayi_map_new(belayi_map *, belayi_kind *);
belayi_object *belayi_map_adopt(belayi_map *, belayi_kind *, void *object);

belayi_object *belayi_map_find(const belayi_map *, const void *object);

/* The persistent record whose key is that in the struct. */
belayi_object *belayi_map_find_key(const belayi_map *, const belayi_kind *, const void *object);

/* Makes room for one more persistent record, so that belayi_map_set can put it in. False without memory. */
bool belayi_map_reserve(belayi_map *);

/* The state, and with it: whether it is in the session's list, in the map by key, counted as pending or dying. Can't
   fail: a table that can't grow is used until it is full, and it is never fuller than it once was. */
void belayi_map_set(belayi_map *, belayi_object *, belay_state, bool to_delete);

/* Makes the image, and the raw struct, what the object is now; a session's object points to its image's texts then. The
   texts that the image had are in *out_replaced, if they are not its any more. False without memory. */
bool belayi_map_take(belayi_object *, belayi_texts **out_replaced);
/* Whether the object differs from its image, or a pointer to a parent does. Where it has the same texts in another
   place, which may be the program's that it will not keep, the session's object points to its image's afterwards. */
bool belayi_map_differs(belayi_object *);
/* Makes the object what its image is. False when there was no memory for a char *, which is NULL then. */
bool belayi_map_restore(belayi_object *);

/* Takes the record out of everything. It, and a session's object with it, ends at once, or with the log that refers to
 * it. */
void belayi_map_remove(belayi_map *, belayi_object *);
/* All of a kind that were never added, or have become transient or detached. */
void belayi_map_remove_all(belayi_map *, belayi_kind *);
/* The log is empty: ends what was waiting for that. */
void belayi_map_bury(belayi_map *);

/* Ends all objects of the session's of a kind. */
void belayi_map_free_kind(belayi_kind *);
void belayi_map_done(belayi_map *);

#endif
