/*
 * inherited.h - files that were open when this process was forked.
 *
 * SQLite keeps, for the whole process, which locks it holds on a file. A child
 * after fork inherits the notes but not the locks. A connection of its own to
 * such a file takes the parent's locks for held: when the parent closes the file,
 * it finds nobody else there and removes the log, and what the child commits from
 * then on is reported as committed and gone. So in a child, a file that the
 * parent had open can't be opened.
 * Tests: tests/api/test_fork.c.
 */
#ifndef BELAYI_SQLITE_INHERITED_H
#define BELAYI_SQLITE_INHERITED_H

#include <stdbool.h>

/* Whether the file was open in a parent of this process when it was forked. */
bool belayi_sqlite_inherited(const char *path);

/* A file that is open. */
struct belayi_open_file;

/* Notes one more connection to the file; *out_file is NULL when there is no such file any more. False without memory.
 */
bool belayi_sqlite_note_open(const char *path, struct belayi_open_file **out_file);

/* One less. Accepts NULL. */
void belayi_sqlite_note_closed(struct belayi_open_file *);

#endif
