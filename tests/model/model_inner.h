/*
 * model_inner.h - what the files of the model share.
 */
#ifndef MODEL_INNER_H
#define MODEL_INNER_H

#include "model.h"

model_frame *model_top(model *m);

/* An error of the innermost scope's own; outside all scopes the status. Returns what is pending afterwards. */
belay_code model_raise(model *m, belay_code code);

/* BELAY_OK when a call may go ahead in the innermost scope; else it is refused with this code. */
belay_code model_refusal(model *m);

/* An error comes into the scope that is now the innermost, out of one that has ended. */
void model_arrive(model *m, belay_code code, bool from_inner);

/* The innermost scope ends: kept when nothing speaks against it. Returns how it ended. */
belay_code model_finish(model *m);

/* An error has ended the transaction; its scopes stay open. */
void model_end_transaction(model *m);

/* The hooks from the `first`th on: their scope was undone; was committed. */
void model_hooks_undone(model *m, int first);
void model_hooks_committed(model *m, int first);

/* The hooks of the transaction that is to be committed. */
void model_hooks_before_commit(model *m);

/* A transaction of its own inside the one that runs: whether it would be misuse; it begins; it has ended with `code`,
   and the one around goes on. */
bool model_own_is_misuse(const model *m);
void model_own_begin(model *m);
belay_code model_own_end(model *m, const model_frame *ended, belay_code code, bool kept);

#endif
