/*
 * expense_file - loads a CSV file of expenses, each line for itself.
 *
 * The file is one unit: belay_import stores each line exactly as it is written, or
 * refuses it alone, with its number and reason; what was stored is booked. The
 * good lines are committed together.
 *
 * The columns: id,day,user,category,description,amount. An empty field is NULL.
 */
#ifndef EXPENSE_FILE_H
#define EXPENSE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <belay/belay.h>

typedef struct refused_line {
    long number;
    belay_code code;
    char reason[sizeof((belay_error *)0)->message];
    char record[80]; /* what is on the line, as far as it is ASCII */
} refused_line;

typedef struct load_report {
    long read; /* lines, without the header */
    long kept;
    refused_line *refused; /* in the order of the file */
    size_t refused_count;
    size_t capacity;
    bool no_memory;
} load_report;

/*
 * Loads the file into the tables of budget_rules.h. BELAY_OK when all good lines
 * are committed; else nothing of the file is there. `report` is filled either
 * way: load_report_done.
 */
belay_code expense_file_load(belay_session *s, const char *path, load_report *report);

/* Reads the file again, without the database, and adds up the lines that were not refused. */
bool expense_file_sum(const char *path, const load_report *report, long *out_lines, int64_t *out_cents);

/* Prints the refused lines, grouped by the code of their error. */
void load_report_print(const load_report *report);

void load_report_done(load_report *report);

#endif
