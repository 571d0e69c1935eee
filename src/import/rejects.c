#include "rejects.h"

#include <string.h>

#include "report.h"

belay_code belayi_rejects_open(belayi_rejects *r, const char *records, const char *reasons, const char *input,
                               belayi_rejects_sizes sizes, belay_error *error)
{
    *r = (belayi_rejects){0};
    if (records && reasons && strcmp(records, reasons) == 0)
        return belayi_report(error, BELAY_MISUSE, "%s can't be both, the file of the rejects and that of their errors",
                             records);
    if (records && !(r->records = belayi_output_open(records, input, sizes.records, error)))
        return error->code;
    if (reasons && !(r->reasons = belayi_output_open(reasons, input, sizes.reasons, error))) {
        belayi_rejects_close(r);
        return error->code;
    }
    return BELAY_OK;
}

void belayi_rejects_close(belayi_rejects *r)
{
    belayi_output_close(r->records);
    belayi_output_close(r->reasons);
    belayi_json_free(&r->line);
    *r = (belayi_rejects){0};
}

void belayi_rejects_put(belayi_rejects *r, const char *bytes, size_t size)
{
    if (r->records)
        belayi_output_put(r->records, bytes, size);
}

static void put_reason(belayi_json *j, const belay_import_reject *reject)
{
    const belay_error *error = reject->error;
    belayi_json_put(j, "{");
    belayi_json_put_natural(j, "record", reject->record);
    belayi_json_put_natural(j, "line", reject->line);
    belayi_json_put_natural(j, "offset", reject->offset);
    if (reject->column[0])
        belayi_json_put_text(j, "column", reject->column);
    belayi_json_put_text(j, "value", reject->value);
    belayi_json_put_text(j, "code", belay_code_name(error->code));
    if (error->sqlstate[0])
        belayi_json_put_text(j, "sqlstate", error->sqlstate);
    if (error->constraint[0])
        belayi_json_put_text(j, "constraint", error->constraint);
    belayi_json_put_text(j, "message", error->message);
    belayi_json_put(j, "}\n");
}

void belayi_rejects_write(belayi_rejects *r, const belay_import_reject *reject)
{
    belayi_rejects_put(r, reject->raw, reject->raw_size);
    if (!r->reasons || r->line.failed)
        return;
    belayi_json_clear(&r->line);
    put_reason(&r->line, reject);
    if (!r->line.failed)
        belayi_output_put(r->reasons, r->line.text, r->line.size);
}

belay_code belayi_rejects_check(const belayi_rejects *r, belay_error *error)
{
    belay_code code = BELAY_OK;
    if (r->line.failed)
        return belayi_report(error, BELAY_NO_MEMORY, "no memory for what is wrong with a record");
    if (r->records)
        code = belayi_output_check(r->records, error);
    return code == BELAY_OK && r->reasons ? belayi_output_check(r->reasons, error) : code;
}

belay_code belayi_rejects_sync(belayi_rejects *r, belayi_rejects_sizes *out_sizes, belay_error *error)
{
    belay_code code = belayi_rejects_check(r, error);
    if (code == BELAY_OK && r->records)
        code = belayi_output_sync(r->records, error);
    if (code == BELAY_OK && r->reasons)
        code = belayi_output_sync(r->reasons, error);
    out_sizes->records = r->records ? r->records->size : 0;
    out_sizes->reasons = r->reasons ? r->reasons->size : 0;
    return code;
}
