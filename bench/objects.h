/*
 * objects.h - what the C sides of the benchmark of objects share: the work, beside common.h.
 *
 * Modes: objects  in one transaction: reads all accounts, changes each tenth, adds as many orders, each with a line
 *                 that refers to it by its generated key; commits
 *        gets     reads all accounts, then asks for each of them by its key, ten times (Belay and SQLAlchemy only)
 */
#ifndef BENCH_OBJECTS_H
#define BENCH_OBJECTS_H

#include "common.h"

enum { BENCH_TENTH = 10, BENCH_GETS = 10 };

#define BENCH_LINE_ITEM "an item"

#endif
