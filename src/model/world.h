/*
 * world.h - the objects of one transaction, and how they follow its scopes.
 *
 * A world is made by the first call on objects, put behind the transaction as its
 * follower, and lives as long as the transaction: for the outermost one of a
 * session, as long as the session.
 * Tests: tests/model_objects.
 */
#ifndef BELAYI_MODEL_WORLD_H
#define BELAYI_MODEL_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "map.h"
#include "session.h"
#include "undo.h"

/* An object of the program's own that has left the session: only its address, for belay_state_of. */
typedef struct belayi_left {
    const void *object;
} belayi_left;

typedef struct belayi_world {
    belay_session *session;
    belayi_kind **kinds;
    unsigned kind_count, kind_room;
    belayi_map map;
    belayi_undo undo;
    uint64_t sequences; /* of belay_add */
    bool
        torn; /* memory was out in a rollback: an object is not what it was. Nothing is written any more in this unit */
    unsigned busy;     /* a flush or a reading is under way: it does not flush */
    belayi_arena keep; /* of belay_keep and belay_find: the unit's */
    belayi_arena kept; /* texts that were read into the program's own objects: the session's */
    belayi_left *left;
    size_t left_count, left_room; /* room for the guests, too: the program's own objects that were added in this unit */
    size_t guests;
    char *row; /* texts of the row that is read */
    size_t row_room;
    char quote; /* of names, on this engine */
} belayi_world;

/* The world of the innermost transaction; made when there is none. NULL with the error pending. */
belayi_world *belayi_world_of(belay_session *, belay_place);
/* The same, or NULL when there is none. */
belayi_world *belayi_world_there(const belay_session *);

/* The kind of a model; checked when it is first used, and those of its parents with it. NULL with the error pending. */
belayi_kind *belayi_world_kind(belayi_world *, belay_place, const belay_model *);

/* ---- What happens to records. False without memory. ------------------------------------------------------------- */

/* Keeps how the record is, so that the innermost scope, or mark, can be undone. Before anything of it changes. */
bool belayi_world_log(belayi_world *, belayi_object *);
/* It is read for the first time. */
bool belayi_world_log_read(belayi_world *, belayi_object *);
/* The image becomes what the object is. */
bool belayi_world_take(belayi_world *, belayi_object *);
/* By its image. Another one that had this key is detached: its row can't be there any more. */
bool belayi_world_be_persistent(belayi_world *, belayi_object *);

/* A buffer for what is read or looked for at the moment; what was in it stays, perhaps elsewhere. NULL without memory.
 */
char *belayi_world_row(belayi_world *, size_t size);

/* An object of the program's own comes: makes room to note that it has left, and forgets that it did before. False
 * without memory. */
bool belayi_world_expect_left(belayi_world *, const void *object);

/* Takes a record out of the session for good: its object ends, or is the program's again. Nothing is logged. */
void belayi_world_expunge(belayi_world *, belayi_object *);
/* All of them, with those that were never added. */
void belayi_world_expunge_all(belayi_world *);

/* flush.c: writes all that is to be written in the innermost scope. BELAY_OK when there is nothing, or the world is
 * busy. */
belay_code belayi_world_flush(belayi_world *, belay_place);

/* ---- Errors, raised in the innermost scope. Return what is pending. --------------------------------------------- */

belay_code belayi_world_no_memory(belayi_world *, belay_place);
/* One that names an object: "account(7) ...". `format` has one %s for it. */
belay_code belayi_world_refuse(belayi_world *, belay_place, const belayi_object *, belay_code, const char *format);

#endif
