/*
 * mail_after_commit - a mail goes out when its order is there for good, and only then.
 *
 * A customer signs up and orders. Each of the two is a scope that registers its
 * mail where the work is done, and need not know what is around it: a hook sends
 * the mail once the outermost scope has committed. What is undone takes its mails
 * along. A mail that can't be sent undoes nothing: it is counted, and logged. A
 * mail without which the work may not be there is sent before the commit instead.
 *
 *     mail_after_commit [URL]     the default is sqlite::memory:
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <belay/belay.h>

/* Stands for the mail server. */
typedef struct mail_server {
    int sent;
    int to_refuse; /* so many of the next mails */
} mail_server;

typedef struct mail {
    mail_server *server;
    char text[80];
} mail;

typedef struct visit {
    const char *name;
    int64_t order;
    int64_t cents;
    bool confirmed;
} visit;

/* What must be there afterwards. */
typedef struct result {
    belay_code code;
    int customers, orders, sent, failed;
} result;

static bool create_tables(belay_session *s)
{
    static const char *const statements[] = {
        "DROP TABLE IF EXISTS invoice",
        "DROP TABLE IF EXISTS purchase",
        "DROP TABLE IF EXISTS customer",
        "CREATE TABLE customer (name VARCHAR(20) PRIMARY KEY)",
        "CREATE TABLE purchase (id INTEGER PRIMARY KEY, customer VARCHAR(20) NOT NULL, amount INTEGER NOT NULL,"
        " CONSTRAINT amount_is_positive CHECK (amount > 0), FOREIGN KEY (customer) REFERENCES customer (name))",
        "CREATE TABLE invoice (purchase_id INTEGER PRIMARY KEY,"
        " FOREIGN KEY (purchase_id) REFERENCES purchase (id))",
    };
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        if (belay_exec(s, statements[i]) != BELAY_OK)
            return false;
    return true;
}

/* ---- Mails ----------------------------------------------------------------------------------- */

static bool deliver(const mail *m)
{
    bool accepted = m->server->to_refuse == 0;

    if (accepted)
        m->server->sent++;
    else
        m->server->to_refuse--;
    printf("    %s: %s\n", accepted ? "mail sent" : "mail refused", m->text);
    return accepted;
}

/* After the commit. A mail server may take its time: no transaction is open meanwhile, and this makes sure of it. */
static int send_after(belay_session *s, void *arg)
{
    return belay_require_no_transaction(s) == BELAY_OK && deliver(arg) ? 0 : 1;
}

/* Before the commit, with the transaction open. Failing here makes the unit fail. */
static int send_before(belay_session *s, void *arg)
{
    (void)s;
    return deliver(arg) ? 0 : 1;
}

/* For any scope, at any depth: the mail waits for the outermost commit, and is dropped when its scope is undone. */
static void mail_later(belay_session *s, mail_server *server, const char *name, const char *subject)
{
    mail *m = malloc(sizeof *m);

    if (!m) {
        belay_fail(s, BELAY_NO_MEMORY, "no memory for a mail to %s", name);
        return;
    }
    m->server = server;
    snprintf(m->text, sizeof m->text, "to %s: %s", name, subject);
    belay_on_commit(s, send_after, m, free); /* m is freed in any case, also when the hook is refused or dropped */
}

/* ---- Work ------------------------------------------------------------------------------------ */

static void sign_up(belay_session *s, mail_server *server, const visit *v)
{
    BELAY_ATOMIC_WITH(s, .name = "sign up") {
        belay_exec(s, "INSERT INTO customer (name) VALUES (?)", v->name);
        mail_later(s, server, v->name, "welcome");
    }
}

static void place_order(belay_session *s, mail_server *server, const visit *v)
{
    BELAY_ATOMIC_WITH(s, .name = "order") {
        mail_later(s, server, v->name, "your order"); /* said before the order is there: it is not sent yet */
        belay_exec(s, "INSERT INTO purchase (id, customer, amount) VALUES (?, ?, ?)", v->order, v->name, v->cents);
    }
}

static belay_code serve(belay_session *s, mail_server *server, const visit *v)
{
    BELAY_ATOMIC_WITH(s, .name = "visit") {
        sign_up(s, server, v);
        place_order(s, server, v);
        if (belay_catch(s, BELAY_CHECK)) /* only the order is undone, with its mail */
            printf("    the order is refused: %s\n", belay_caught(s)->message);
        if (!v->confirmed)
            belay_undo(s);
        printf("    end of the block\n");
    }
    return belay_status(s);
}

/* No invoice without its mail. But what is sent can't be called back: should the commit fail, the mail was wrong. */
static belay_code write_invoice(belay_session *s, mail_server *server, int64_t order)
{
    mail m = {.server = server, .text = "to the tax office: an invoice"};

    BELAY_ATOMIC_WITH(s, .name = "invoice") {
        belay_before_commit(s, send_before, &m, NULL);
        belay_exec(s, "INSERT INTO invoice (purchase_id) VALUES (?)", order);
    }
    return belay_status(s);
}

/* ---- What is shown --------------------------------------------------------------------------- */

static bool show_visit(belay_session *s, mail_server *server, const char *what, visit v, result expected)
{
    int before = server->sent;

    printf("%s\n", what);
    belay_code code = serve(s, server, &v);
    int sent = server->sent - before, failed = belay_hook_errors(s); /* of this unit: asked before the next one */
    if (code == BELAY_OK)
        printf("    committed, %d sent, %d failed\n", sent, failed);
    else
        printf("    %s; %d sent, %d failed\n", belay_message(s), sent, failed);
    return code == expected.code && sent == expected.sent && failed == expected.failed &&
           belay_int_of(s, "SELECT count(*) FROM customer WHERE name = ?", v.name) == expected.customers &&
           belay_int_of(s, "SELECT count(*) FROM purchase WHERE customer = ?", v.name) == expected.orders;
}

static bool show_invoice(belay_session *s, mail_server *server, const char *what, belay_code expected)
{
    printf("%s\n", what);
    belay_code code = write_invoice(s, server, 1);
    printf("    %s\n", code == BELAY_OK ? "committed" : belay_message(s));
    return code == expected && belay_int_of(s, "SELECT count(*) FROM invoice") == (expected == BELAY_OK ? 1 : 0);
}

/* Hooks have nobody to return an error to: what fails there comes here, and into belay_hook_errors. */
static void print_log(void *arg, belay_log_level level, const char *line)
{
    (void)level;
    ++*(int *)arg;
    printf("    log: %s\n", line);
}

static bool show_all(belay_session *s, const int *logged)
{
    mail_server server = {0};
    bool right = show_visit(s, &server, "Ana signs up and orders", (visit){"Ana", 1, 5000, true},
                            (result){BELAY_OK, .customers = 1, .orders = 1, .sent = 2});

    right = right && show_visit(s, &server, "Bea's order is undone, the unit goes on: no mail of the order",
                                (visit){"Bea", 2, 0, true}, (result){BELAY_OK, .customers = 1, .sent = 1});
    right = right && show_visit(s, &server, "Cem does not confirm, the unit is undone: no mail",
                                (visit){"Cem", 3, 700, false}, (result){BELAY_ROLLED_BACK, .sent = 0});
    right = right && *logged == 0;

    server.to_refuse = 1;
    right = right && show_visit(s, &server, "Dan's first mail is refused: the order stays, the other mail is sent",
                                (visit){"Dan", 4, 900, true},
                                (result){BELAY_OK, .customers = 1, .orders = 1, .sent = 1, .failed = 1});
    right = right && *logged == 1;

    server.to_refuse = 1;
    right = right && show_invoice(s, &server, "No invoice without its mail: it is refused", BELAY_APPLICATION);
    return right && show_invoice(s, &server, "And now it is accepted", BELAY_OK);
}

int main(int argc, char **argv)
{
    int logged = 0;
    belay_db *db =
        belay_open(argc > 1 ? argv[1] : "sqlite::memory:", BELAY_DB_OPTIONS(.log = print_log, .log_arg = &logged));
    belay_session *s = belay_session_open(db);
    bool right = create_tables(s);

    if (!right)
        printf("no tables: %s\n", belay_message(s));
    right = right && show_all(s, &logged);
    printf("\n%s\n", right ? "Each mail went out once, after its commit, and none for what was undone: as promised."
                           : "NOT as promised.");
    belay_session_close(s);
    belay_close(db);
    return right ? 0 : 1;
}
