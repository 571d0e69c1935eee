/*
 * isolation_json.c - a report as one JSON object.
 */
#include "cli.h"

#include <jansson.h>

static json_t *make_cell(const belay_isolation_cell *cell, belay_anomaly anomaly)
{
    return json_pack("{s:s, s:s, s:s, s:s?, s:i, s:i, s:s, s:s}", "anomaly", belay_anomaly_name(anomaly), "title",
                     belay_anomaly_title(anomaly), "verdict", belay_verdict_word(cell->verdict), "code",
                     cell->code == BELAY_OK ? NULL : belay_code_name(cell->code), "waits", cell->waits, "reruns",
                     cell->reruns, "seen", cell->seen, "advice",
                     cell->verdict == BELAY_ALLOWED ? belay_anomaly_advice(anomaly)
                                                    : belay_verdict_text(cell->verdict));
}

static json_t *make_level(const belay_isolation_report *report, belay_level level)
{
    json_t *cells = json_array();
    for (int anomaly = 0; anomaly < BELAY_ANOMALY_COUNT; anomaly++)
        json_array_append_new(cells, make_cell(&report->cells[level][anomaly], (belay_anomaly)anomaly));
    return json_pack("{s:s, s:s, s:o}", "level", belay_level_name(level), "in_force",
                     belay_level_name(report->in_force[level]), "cells", cells);
}

int cli_isolation_json(const belay_isolation_report *report, unsigned wanted)
{
    json_t *levels = json_array();
    for (int level = BELAY_READ_UNCOMMITTED; level <= BELAY_SERIALIZABLE; level++)
        if (wanted & 1u << level)
            json_array_append_new(levels, make_level(report, (belay_level)level));
    json_t *whole =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:o}", "engine", report->engine, "version", report->version, "place",
                  report->place, "default_level", belay_level_name(report->in_force[BELAY_ISOLATION_DEFAULT]),
                  "undecided", report->undecided, "levels", levels);
    return cli_print_json("isolation", whole);
}
