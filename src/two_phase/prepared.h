/*
 * prepared.h - what is prepared at a server, by its name.
 */
#ifndef BELAYI_TWO_PHASE_PREPARED_H
#define BELAYI_TWO_PHASE_PREPARED_H

#include <stdbool.h>

#include <belay/db.h>

#include "decisions.h"

enum { BELAYI_PREPARED_ROOM = 64 };

void belayi_prepared_name(char out[BELAYI_PREPARED_ROOM], const char *log, const char *unit, int participant);

/* Takes a name apart; false when it is none of these. */
bool belayi_prepared_read_name(const char *name, char out_log[BELAYI_NUMBER_ROOM], char out_unit[BELAYI_NUMBER_ROOM]);

/* Whether a transaction can be prepared in this database: BELAY_OK, BELAY_UNSUPPORTED, or why it could not be asked. */
belay_code belayi_prepared_can(belay_db *, belay_error *error);

/* Commits or rolls it back, on a connection of the pool; again where trying again may help. BELAY_NOT_FOUND when there
   is none of that name any more. */
belay_code belayi_prepared_end(belay_db *, const char *name, bool commit, int patience_ms, belay_error *error);

/* Tells all names that belayi_prepared_name could have made. */
belay_code belayi_prepared_list(belay_db *, void (*tell)(void *arg, const char *name), void *arg, belay_error *error);

#endif
