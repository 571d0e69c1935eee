/*
 * undo.h - the log of what became of records, and going back in it.
 *
 * An entry says how a record was before: its state and its image. Entries are
 * undone last first.
 * Tests: tests/model_objects/test_undo.c.
 */
#ifndef BELAYI_MODEL_UNDO_H
#define BELAYI_MODEL_UNDO_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "map.h"

typedef struct belayi_undo_entry {
    belayi_object *record;
    size_t logged; /* the record's entry before this one */
    void *image;   /* as it was, and behind it the raw struct of the program's own; NULL: it was read here */
    belayi_texts *texts;
    belay_state state;
    bool expired, to_delete;
} belayi_undo_entry;

typedef struct belayi_undo {
    belayi_undo_entry *entries;
    size_t count, room;
    belayi_arena images;    /* of the entries; freed when the log is emptied */
    belayi_texts *replaced; /* texts that were some image's; freed then, too */
} belayi_undo;

/* Keeps how the record is now, unless an entry behind `boundary` does so already. False without memory. */
bool belayi_undo_log(belayi_undo *, belayi_object *, size_t boundary);
/* It was just read, and was not in the session before: it stays when that is undone, and is expired. */
bool belayi_undo_log_read(belayi_undo *, belayi_object *);

/* Texts that are no image's any more: they are kept until the log is emptied. NULL is fine. */
void belayi_undo_keep(belayi_undo *, belayi_texts *);

/* Undoes all entries from `position` on. False when memory was out for a text of some object: see belayi_map_restore.
 */
bool belayi_undo_go_back(belayi_undo *, belayi_map *, size_t position);

/* Forgets all, and frees what only the log kept. */
void belayi_undo_empty(belayi_undo *, belayi_map *);

#endif
