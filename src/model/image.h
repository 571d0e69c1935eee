/*
 * image.h - all columns of a struct, as they were read or written last.
 *
 * An image is a copy of the struct whose texts are copies of their own, in one
 * block. Comparing the two finds what the program has changed; copying back is a
 * rollback. Members that are no columns are never copied back.
 * Tests: tests/model_objects/test_columns.c, test_texts.c.
 */
#ifndef BELAYI_MODEL_IMAGE_H
#define BELAYI_MODEL_IMAGE_H

#include <stdbool.h>

#include "shape.h"

/* The texts of one image, in one block of memory. */
typedef struct belayi_texts {
    struct belayi_texts *next; /* of those that were replaced */
    bool listed;               /* it is among those */
    bool current;              /* and yet some record's again, as that was rolled back */
    char bytes[];
} belayi_texts;

/*
 * Makes *image what `object` is now. `texts` is the block that it has, NULL at
 * first; the new one is in *out_texts, the same where no text changed. False when
 * memory is out, and then nothing was changed. The object is not touched.
 */
bool belayi_image_take(const belayi_shape *, const void *object, void *image, belayi_texts *texts,
                       belayi_texts **out_texts);

/* Which columns of the object mean another value than the image. */
belayi_columns belayi_image_changed(const belayi_shape *, const void *object, const void *image);

/* Which pointers to parents are not those of the image. */
belayi_columns belayi_image_moved(const belayi_shape *, const void *object, const void *image);

/* Makes the object point to the image's texts, where it has others with the same bytes. For the session's objects. */
void belayi_image_lend(const belayi_shape *, void *object, const void *image);

/* Makes the object's columns and pointers to parents what the image is. False when memory for a char * is out: that
   text is NULL then. */
bool belayi_image_restore(const belayi_shape *, void *object, const void *image);

/* Frees what the char * of the object point to, and sets them to NULL. */
void belayi_image_free_owned(const belayi_shape *, void *object);

#endif
