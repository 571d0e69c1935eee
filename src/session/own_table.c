#include "own_table.h"

#include <belay/statement.h>

enum { TIMES = 3 };

belay_code belayi_own_table_make(belay_session *s, belay_place place, const char *sql)
{
    belay_code code = belay_exec_at(s, place, sql, 0, NULL);
    for (int time = 1; time < TIMES && belayi_own_table_clashed(code) && belay_catch(s, code); time++)
        code = belay_exec_at(s, place, sql, 0, NULL);
    return belay_status(s);
}
