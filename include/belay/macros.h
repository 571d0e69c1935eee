/*
 * belay/macros.h - what the other headers need from the preprocessor.
 *
 * Nothing here is for programs to use; names with BELAYI_ may change.
 */
#ifndef BELAY_MACROS_H
#define BELAY_MACROS_H

#ifdef __cplusplus
#define BELAYI_BEGIN_C extern "C" {
#define BELAYI_END_C   }
#else
#define BELAYI_BEGIN_C
#define BELAYI_END_C
#endif

#define BELAY_API __attribute__((visibility("default")))

#define BELAYI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define BELAYI_CLEANUP(function)   __attribute__((cleanup(function)))
#define BELAYI_UNUSED_RESULT       __attribute__((warn_unused_result))

#define BELAYI_PASTE_(a, b) a##b
#define BELAYI_PASTE(a, b)  BELAYI_PASTE_(a, b)
#define BELAYI_UNIQUE(name) BELAYI_PASTE(name, __COUNTER__)

BELAYI_BEGIN_C

/* Where in the program a call stands. The texts are borrowed: literals of the compiler's. */
typedef struct belay_place {
    const char *file;
    const char *function;
    int line;
} belay_place;

static inline belay_place belayi_place(const char *file, int line, const char *function)
{
    belay_place place;
    place.file = file;
    place.function = function;
    place.line = line;
    return place;
}

#define BELAY_HERE belayi_place(__FILE__, __LINE__, __func__)

BELAYI_END_C

#endif
