/*
 * options.h - scope options: what is refused, what is inherited.
 * Tests: tests/unit/session.
 */
#ifndef BELAYI_SESSION_OPTIONS_H
#define BELAYI_SESSION_OPTIONS_H

#include "session.h"

/* The caller's options in the layout of this release; *out is filled with defaults for NULL. */
belay_code belayi_options_read(belay_scope_options *out, const belay_scope_options *given, belay_error *error);

/*
 * What the options mean here. BELAY_OK and *out_spec filled, or a refusal:
 * misuse, or a level that the engine or the transaction can't give. `form` says
 * whether the scope could be run again.
 */
belay_code belayi_options_resolve(belay_session *, const belay_scope_options *, belayi_form form,
                                  belayi_scope_spec *out_spec, belay_error *error);

/* The level in force, asked of the engine where the transaction has a connection. */
belay_level belayi_options_level(belay_session *);

#endif
