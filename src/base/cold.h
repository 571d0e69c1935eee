/*
 * cold.h - marks what runs seldom.
 *
 * An empty nested scope is to cost a few nanoseconds: what it does not need is
 * kept out of its functions, so that they save no registers for it.
 */
#ifndef BELAYI_BASE_COLD_H
#define BELAYI_BASE_COLD_H

#define BELAYI_COLD __attribute__((cold, noinline))

#endif
