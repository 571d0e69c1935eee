/*
 * model_inner.h - what the two files of the model share.
 */
#ifndef MODEL_INNER_H
#define MODEL_INNER_H

#include "model.h"

model_frame *model_top(model *m);

/* An error of the innermost scope's own; outside all scopes the status. Returns what is pending afterwards. */
belay_code model_raise(model *m, belay_code code);

/* BELAY_OK when a call may go ahead in the innermost scope; else it is refused with this code. */
belay_code model_refusal(model *m);

/* The innermost scope ends: kept when nothing speaks against it. Returns how it ended. */
belay_code model_finish(model *m);

/* An error has ended the transaction; its scopes stay open. */
void model_end_transaction(model *m);

/* The hooks from the `first`th on: their scope was undone; is to be committed; was committed. */
void model_hooks_undone(model *m, int first);
void model_hooks_before_commit(model *m);
void model_hooks_committed(model *m, int first);

#endif
