/* pick.h - what an operation is done to: chosen among what is there. */
#ifndef BELAY_TESTS_RANDOM_PICK_H
#define BELAY_TESTS_RANDOM_PICK_H

#include "run.h"

/* The object at a pointer, or NOBODY. */
int slot_of(const run *, const void *object);

/* A slot of a kind (KINDS: any) whose object the program can touch; most often one that is liked. NOBODY: there is
 * none. */
typedef bool (*liked)(const object *);
int pick_slot(const run *, int kind, int number, liked);

bool likes_any(const object *);
bool likes_transient(const object *);
bool likes_persistent(const object *);
bool likes_fresh(const object *); /* not expired: its fields may be changed */
bool likes_parent(const object *);

/* A key: of a row, of an object, or of neither. */
void pick_key(const run *, int kind, int number, int64_t *of);

/* Values for all columns but a generated key and the version. */
void pick_values(run *, int kind, int number, fields *, bool keeps_key);
/* One value for a column. */
int64_t pick_value(const run *, int kind, int column, int number);

/* Writes the fields to a real object, as far as they differ. */
void write_fields(run *, int kind, void *real, const fields *);
void read_fields(run *, int kind, const void *real, fields *);

#endif
