/*
 * pipelined.c - linked in, with --wrap=belayi_options_resolve, it gives every
 * outermost scope of a program .pipeline = true.
 */
#include "options.h"

belay_code __real_belayi_options_resolve(belay_session *, const belay_scope_options *, belayi_form,
                                         belayi_scope_spec *out_spec, belay_error *);
belay_code __wrap_belayi_options_resolve(belay_session *, const belay_scope_options *, belayi_form,
                                         belayi_scope_spec *out_spec, belay_error *);

belay_code __wrap_belayi_options_resolve(belay_session *s, const belay_scope_options *options, belayi_form form,
                                         belayi_scope_spec *out_spec, belay_error *error)
{
    belay_code code = __real_belayi_options_resolve(s, options, form, out_spec, error);
    out_spec->pipeline = true;
    return code;
}
