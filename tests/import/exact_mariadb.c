/* exact_mariadb.c - what only MariaDB's tables have. */
#include "exact.h"

static void add_columns(exact_case *c)
{
    if (exact_chance(c, 10)) {
        exact_add(exact_statement(c), "ALTER TABLE t ADD COLUMN m TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE "
                                      "CURRENT_TIMESTAMP(6), ADD COLUMN r DOUBLE DEFAULT (rand())");
        c->hide_rows = true;
    }
    if (exact_chance(c, 10) && !c->partitioned)
        exact_add(exact_statement(c), "ALTER TABLE t ADD COLUMN h BIGINT AS (n %% 50 + abs(v) * 100) PERSISTENT, ADD "
                                      "UNIQUE INDEX of_expression (h)");
}

static void add_before_trigger(exact_case *c)
{
    exact_add(exact_statement(c), "CREATE TRIGGER before_t BEFORE INSERT ON t FOR EACH ROW BEGIN "
                                  "IF NEW.v = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'thirteen'; END IF; "
                                  "IF NEW.v = 14 THEN SIGNAL SQLSTATE '23000' SET MESSAGE_TEXT = 'fourteen', "
                                  "MYSQL_ERRNO = 1062; END IF; "
                                  "IF NEW.v = 15 THEN SIGNAL SQLSTATE '01000' SET MESSAGE_TEXT = 'fifteen'; END IF; "
                                  "IF NEW.v = 17 THEN SET NEW.v = 18; END IF; END");
}

static void add_after_trigger(exact_case *c)
{
    exact_add(exact_statement(c), "CREATE TRIGGER after_t AFTER INSERT ON t FOR EACH ROW INSERT INTO audit VALUES "
                                  "(NEW.n, NEW.v)");
}

static void add_view(exact_case *c)
{
    exact_add(exact_statement(c), "CREATE VIEW w AS SELECT * FROM t WHERE v < 99 WITH CHECK OPTION");
    c->table = "w";
}

void exact_on_mariadb(exact_case *c)
{
    static const char *const late[] = {"INSERT INTO parent VALUES (99, 0)", "UPDATE t SET v = v + 1 WHERE v < 3",
                                       "DELETE FROM t WHERE v = 5"};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++)
        c->late[i] = late[i];
    add_columns(c);
    if (exact_chance(c, 20))
        add_before_trigger(c);
    if (exact_chance(c, 15))
        add_after_trigger(c);
    if (exact_chance(c, 6))
        add_view(c);
}
