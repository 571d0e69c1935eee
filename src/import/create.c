#include "create.h"

#include "report.h"

char *belayi_create_table(belay_session *s, const belay_import_spec *spec, const belayi_reader *reader,
                          const belayi_sample *sample, belay_error *error)
{
    (void)s;
    (void)reader;
    (void)sample;
    belayi_report(error, BELAY_UNSUPPORTED, "the table %s is not there, and making it is not built yet", spec->table);
    return NULL;
}
