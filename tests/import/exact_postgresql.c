/* exact_postgresql.c - what only PostgreSQL's tables have. */
#include "exact.h"

static void add_indexes(exact_case *c)
{
    if (c->partitioned) {
        exact_add(exact_statement(c), "CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (20)");
        exact_add(exact_statement(c), "CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (20) TO (100)");
        return;
    }
    if (exact_chance(c, 12))
        exact_add(exact_statement(c), "CREATE UNIQUE INDEX of_expression ON t (abs(v), (n %% 50))");
    if (exact_chance(c, 12))
        exact_add(exact_statement(c), "CREATE UNIQUE INDEX in_part ON t (v) WHERE v > 30");
    if (exact_chance(c, 10))
        exact_add(exact_statement(c),
                  "ALTER TABLE t ADD CONSTRAINT apart EXCLUDE USING gist (int8range(v, n + 20) "
                  "WITH &&, int4range(v, v + 1) WITH =) WHERE (v < 200)%s",
                  exact_chance(c, 30) ? " DEFERRABLE INITIALLY DEFERRED" : "");
}

static void add_before_trigger(exact_case *c)
{
    exact_add(exact_statement(c),
              "CREATE FUNCTION before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
              "IF NEW.v = 13 THEN RAISE EXCEPTION 'thirteen' USING DETAIL = 'a detail', HINT = 'a hint'; END IF; "
              "IF NEW.v = 14 THEN RAISE EXCEPTION 'fourteen' USING ERRCODE = '23505', CONSTRAINT = 'made_up', "
              "TABLE = 'nowhere'; END IF; "
              "IF NEW.v = 15 THEN RETURN NULL; END IF; "
              "IF NEW.v = 16 AND %s THEN RAISE EXCEPTION 'sixteen' USING ERRCODE = '40001'; END IF; "
              "IF NEW.v = 17 THEN NEW.v := 18; END IF; "
              "IF NEW.v = 19 THEN RAISE NOTICE 'nineteen'; END IF; RETURN NEW; END $$",
              exact_chance(c, 20) ? "true" : "false");
    exact_add(exact_statement(c), "CREATE TRIGGER before BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION before()");
}

static void add_after_triggers(exact_case *c)
{
    exact_add(exact_statement(c), "CREATE FUNCTION after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                                  "IF TG_LEVEL = 'ROW' THEN INSERT INTO audit VALUES (NEW.n, NEW.v); "
                                  "ELSE INSERT INTO audit SELECT -1, count(*) FROM t; END IF; RETURN NULL; END $$");
    if (exact_chance(c, 50))
        exact_add(exact_statement(c), "CREATE TRIGGER after AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION after()");
    else
        exact_add(exact_statement(c), "CREATE TRIGGER after AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION "
                                      "after()");
}

static void add_late_trigger(exact_case *c)
{
    exact_add(exact_statement(c), "CREATE FUNCTION at_last() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                                  "IF NEW.v = 12 THEN RAISE EXCEPTION 'twelve'; END IF; RETURN NULL; END $$");
    exact_add(exact_statement(c),
              "CREATE CONSTRAINT TRIGGER at_last AFTER INSERT ON t DEFERRABLE INITIALLY %s FOR EACH "
              "ROW EXECUTE FUNCTION at_last()",
              exact_chance(c, 60) ? "DEFERRED" : "IMMEDIATE");
}

static void add_rule(exact_case *c)
{
    exact_add(exact_statement(c),
              exact_chance(c, 50) ? "CREATE RULE also AS ON INSERT TO t DO ALSO INSERT INTO audit VALUES (NEW.n, NEW.v)"
                                  : "CREATE RULE nothing AS ON INSERT TO t WHERE NEW.v = 19 DO INSTEAD NOTHING");
}

static void add_policy(exact_case *c)
{
    exact_add(exact_statement(c),
              "DO $$ BEGIN CREATE ROLE belay_exact; EXCEPTION WHEN duplicate_object OR unique_violation "
              "THEN NULL; END $$");
    exact_add(exact_statement(c), "GRANT ALL ON SCHEMA public TO belay_exact");
    exact_add(exact_statement(c), "GRANT ALL ON ALL TABLES IN SCHEMA public TO belay_exact");
    exact_add(exact_statement(c), "ALTER TABLE t ENABLE ROW LEVEL SECURITY");
    exact_add(exact_statement(c), "CREATE POLICY not_eleven ON t USING (true) WITH CHECK (v <> 11)");
    c->inside = "SET LOCAL ROLE belay_exact";
}

static void add_view(exact_case *c)
{
    exact_add(exact_statement(c), "CREATE VIEW w AS SELECT * FROM t WHERE v < 99 WITH CHECK OPTION");
    c->table = "w";
}

void exact_on_postgresql(exact_case *c)
{
    static const char *const late[] = {"INSERT INTO parent VALUES (99, 0)", "UPDATE t SET v = v + 1 WHERE v < 3",
                                       "DELETE FROM t WHERE v = 5",         "CREATE UNIQUE INDEX later ON t (n, v)",
                                       "INSERT INTO child VALUES (70)",     "SET CONSTRAINTS ALL IMMEDIATE"};
    for (size_t i = 0; i < sizeof late / sizeof late[0]; i++)
        c->late[i] = late[i];
    if (exact_chance(c, 10)) {
        exact_add(exact_statement(c), "ALTER TABLE t ADD COLUMN m double precision DEFAULT random()");
        c->hide_rows = true;
    }
    add_indexes(c);
    if (exact_chance(c, 20))
        add_before_trigger(c);
    if (exact_chance(c, 15))
        add_after_triggers(c);
    if (exact_chance(c, 10))
        add_late_trigger(c);
    if (exact_chance(c, 6))
        add_rule(c);
    if (exact_chance(c, 6))
        add_view(c);
    if (exact_chance(c, 6))
        add_policy(c);
}
