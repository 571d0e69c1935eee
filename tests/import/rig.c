#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int rig_open(void **state)
{
    rig *r = calloc(1, sizeof *r);
    assert_non_null(r);
    database_open(&r->d, NULL);
    r->s = r->d.s;
    snprintf(r->folder, sizeof r->folder, "/tmp/belay-import-XXXXXX");
    assert_non_null(mkdtemp(r->folder));
    snprintf(r->input, sizeof r->input, "%s/in", r->folder);
    snprintf(r->rejects, sizeof r->rejects, "%s/rejects", r->folder);
    snprintf(r->errors, sizeof r->errors, "%s/errors", r->folder);
    *state = r;
    return 0;
}

int rig_close(void **state)
{
    rig *r = *state;
    unlink(r->input);
    unlink(r->rejects);
    unlink(r->errors);
    rmdir(r->folder);
    database_close(&r->d);
    free(r);
    return 0;
}

void rig_write_bytes(rig *r, const void *bytes, size_t size)
{
    FILE *file = fopen(r->input, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

void rig_write(rig *r, const char *text)
{
    rig_write_bytes(r, text, strlen(text));
}

static void append(char *text, size_t room, const char *more)
{
    size_t size = strlen(text);
    snprintf(text + size, room - size, "%s", more);
}

static void note(void *arg, const belay_import_reject *reject)
{
    rig *r = arg;
    char one[400];
    snprintf(one, sizeof one, "%llu:%llu:%s:%s;", (unsigned long long)reject->record, (unsigned long long)reject->line,
             reject->column, belay_code_name(reject->error->code));
    append(r->told, sizeof r->told, one);
    snprintf(one, sizeof one, "%s;", reject->value ? reject->value : "-");
    append(r->values, sizeof r->values, one);
}

static bool go_on(void *arg, const belay_import_counts *counts)
{
    rig *r = arg;
    void (*meanwhile)(rig *) = counts->read > 0 ? r->meanwhile : NULL;
    if (meanwhile) {
        r->meanwhile = NULL;
        meanwhile(r);
    }
    if (r->first_progress == 0)
        r->first_progress = counts->read;
    return !r->stops && (r->stop_behind == 0 || counts->read < r->stop_behind);
}

belay_code rig_import(rig *r, belay_import_spec spec)
{
    if (!spec.path && !spec.source)
        spec.path = r->input;
    if (!spec.table)
        spec.table = "tx";
    if (!spec.rejects)
        spec.rejects = r->rejects;
    if (!spec.errors)
        spec.errors = r->errors;
    spec.on_reject = note;
    spec.on_progress = go_on;
    spec.arg = r;
    r->told[0] = r->values[0] = '\0';
    return belay_import(r->s, &spec, &r->report);
}

void rig_imports_at(rig *r, belay_import_spec spec, const char *file, int line)
{
    if (rig_import(r, spec) == BELAY_OK)
        return;
    print_error("%s\n", belay_message(r->s));
    _fail(file, line);
}

const char *rig_counts(const belay_import_counts *c)
{
    static char text[4][128];
    static unsigned next;
    char *out = text[next++ % 4];
    snprintf(out, sizeof text[0], "%llu %llu %llu %llu %llu", (unsigned long long)c->read,
             (unsigned long long)c->inserted, (unsigned long long)c->updated, (unsigned long long)c->skipped,
             (unsigned long long)c->rejected);
    return out;
}

const char *rig_read(const char *path)
{
    static char text[3][RIG_TEXT];
    static unsigned next;
    char *out = text[next++ % 3];
    FILE *file = fopen(path, "rb");
    if (!file)
        return "(no file)";
    size_t size = fread(out, 1, RIG_TEXT - 1, file);
    fclose(file);
    out[size] = '\0';
    return out;
}

void rig_run(rig *r, const char *sql)
{
    database_run(r->s, (const char *[]){sql, NULL});
}

void assert_contains_at(const char *text, const char *part, const char *file, int line)
{
    if (strstr(text, part))
        return;
    print_error("\"%s\" is not in:\n%s\n", part, text);
    _fail(file, line);
}
