/*
 * fault.h - the stand-in of a handle.
 * Tests: tests/testing.
 */
#ifndef BELAYI_TESTING_FAULT_H
#define BELAYI_TESTING_FAULT_H

#include "db.h"
#include "standin.h"

/*
 * Why no fault can be planned on this handle: BELAY_OK when one can. A handle
 * that can't connect at the moment can be used: connecting is a call as well.
 */
belay_code belayi_fault_refuse(const belay_db *, belay_error *error);

/* The handle's stand-in, put in place at the first call; lives as long as the handle. NULL without memory. */
belayi_standin *belayi_fault_standin(belay_db *);

#endif
