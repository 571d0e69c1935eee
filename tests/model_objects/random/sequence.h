/*
 * sequence.h - a random sequence of calls: made, shrunk, printed.
 *
 * A flat list in which any operation may be missing: what was left open is closed
 * by the end, an END too many does nothing. What an operation is done to is chosen
 * when it runs, among what is there, so that a shorter list still means something.
 */
#ifndef BELAY_TESTS_RANDOM_SEQUENCE_H
#define BELAY_TESTS_RANDOM_SEQUENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { OPS = 96 };

#define OP_KINDS(X)                                                                                                    \
    X(NEW)  /* kind, own or the session's, values */                                                                   \
    X(ADD)  /* slot */                                                                                                 \
    X(GET)  /* kind, key */                                                                                            \
    X(FIND) /* kind, condition */                                                                                      \
    X(DELETE)                                                                                                          \
    X(FLUSH)                                                                                                           \
    X(REFRESH)                                                                                                         \
    X(EXPIRE)                                                                                                          \
    X(EXPIRE_ALL)                                                                                                      \
    X(MERGE) /* kind, key, values */                                                                                   \
    X(EXPUNGE)                                                                                                         \
    X(EXPUNGE_ALL)                                                                                                     \
    X(LOCK)   /* slot, how */                                                                                          \
    X(CHANGE) /* slot, column, value */                                                                                \
    X(PARENT) /* slot, another slot or none */                                                                         \
    X(EXEC)   /* kind, statement, key */                                                                               \
    X(TRY)                                                                                                             \
    X(MARK) /* name */                                                                                                 \
    X(BACK)                                                                                                            \
    X(RELEASE)                                                                                                         \
    X(FAIL)   /* an ordinary error, or one that a unit is run again for */                                             \
    X(LET_GO) /* the program frees what is its own and in no session */                                                \
    X(SCOPE)  /* form, how it ends, whether its error is caught */                                                     \
    X(BATCH)  /* how its first item ends */                                                                            \
    X(ITEM)   /* the next item of a batch; how it ends */                                                              \
    X(END)

typedef enum op_kind {
#define OP_ENUM(name) OP_##name,
    OP_KINDS(OP_ENUM)
#undef OP_ENUM
        OP_COUNT
} op_kind;

typedef struct op {
    op_kind kind;
    int a, b, c;
} op;

typedef struct sequence {
    int count;
    op ops[OPS];
} sequence;

void sequence_generate(sequence *, uint64_t seed);

/* Whether the sequence still shows the difference. */
typedef bool (*sequence_shows)(const sequence *, void *arg);
void sequence_shrink(sequence *, sequence_shows, void *arg);

/* Where the operations of the block that begins at `at` end: at its END, or behind the last. */
int sequence_end(const sequence *, int at);

const char *sequence_op_name(op_kind);
/* In a form that sequence_parse reads. */
void sequence_print(const sequence *);
bool sequence_parse(sequence *, const char *text);

#endif
