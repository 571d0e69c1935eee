/* exact_sqlite.c - what only SQLite's tables have. */
#include "exact.h"

static void add_indexes(exact_case *c)
{
    if (exact_chance(c, 12))
        exact_add(exact_statement(c), "CREATE UNIQUE INDEX of_expression ON t (abs(v), n %% 50)");
    if (exact_chance(c, 12))
        exact_add(exact_statement(c), "CREATE UNIQUE INDEX in_part ON t (v) WHERE v > 30");
    if (exact_chance(c, 20))
        exact_add(exact_statement(c), "CREATE INDEX plain ON t (v, n)");
}

static void add_refusing_triggers(exact_case *c)
{
    if (exact_chance(c, 12))
        exact_add(exact_statement(c), "CREATE TRIGGER aborts BEFORE INSERT ON t WHEN NEW.v = 13 BEGIN "
                                      "SELECT RAISE(ABORT, 'thirteen'); END");
    if (exact_chance(c, 6))
        exact_add(exact_statement(c), "CREATE TRIGGER fails AFTER INSERT ON t WHEN NEW.v = 14 BEGIN "
                                      "INSERT INTO audit VALUES (NEW.n, NULL); SELECT RAISE(FAIL, 'fourteen'); END");
    if (exact_chance(c, 6))
        exact_add(exact_statement(c), "CREATE TRIGGER ignores BEFORE INSERT ON t WHEN NEW.v = 15 BEGIN "
                                      "SELECT RAISE(IGNORE); END");
    if (exact_chance(c, 5))
        exact_add(exact_statement(c), "CREATE TRIGGER rolls_back BEFORE INSERT ON t WHEN NEW.v = 16 BEGIN "
                                      "SELECT RAISE(ROLLBACK, 'sixteen'); END");
}

static void add_writing_triggers(exact_case *c)
{
    if (exact_chance(c, 10))
        exact_add(exact_statement(c), "CREATE TRIGGER writes AFTER INSERT ON t BEGIN "
                                      "INSERT INTO audit VALUES (NEW.n, NEW.v); END");
    if (exact_chance(c, 6))
        exact_add(exact_statement(c), "CREATE TRIGGER changes AFTER INSERT ON t WHEN NEW.v > 15 BEGIN "
                                      "UPDATE t SET v = v + 1 WHERE n = NEW.n; END");
    if (exact_chance(c, 6))
        exact_add(exact_statement(c), "CREATE TRIGGER counts BEFORE INSERT ON t BEGIN "
                                      "UPDATE parent SET hits = hits + 1 WHERE id = NEW.v; "
                                      "DELETE FROM t WHERE v = NEW.v AND n = NEW.n - 7; END");
}

static void add_view(exact_case *c)
{
    exact_text *t = exact_statement(c);
    exact_add(t, "CREATE VIEW w AS SELECT * FROM t");
    t = exact_statement(c);
    exact_add(t, "CREATE TRIGGER instead INSTEAD OF INSERT ON w BEGIN INSERT INTO t (n, v) VALUES (NEW.n, NEW.v); "
                 "INSERT INTO audit VALUES (NEW.n, NEW.v); END");
    c->table = "w";
}

void exact_on_sqlite(exact_case *c)
{
    static const char *const late[] = {
        "INSERT INTO parent VALUES (99, 0)",
        "UPDATE t SET v = v + 1 WHERE v < 3",
        "DELETE FROM t WHERE v = 5",
        "CREATE UNIQUE INDEX later ON t (v) WHERE v = 7",
        "INSERT INTO child VALUES (70)",
        "CREATE TRIGGER later AFTER INSERT ON t WHEN NEW.v = 17 BEGIN SELECT RAISE(ABORT, 'late'); END"};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++)
        c->late[i] = late[i];
    if (exact_chance(c, 5))
        c->inside = "PRAGMA defer_foreign_keys = on";
    add_indexes(c);
    if (exact_chance(c, 50)) {
        add_refusing_triggers(c);
        add_writing_triggers(c);
    }
    if (exact_chance(c, 5))
        add_view(c);
}
