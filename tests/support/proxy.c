#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proxy_link.h"

enum { NS_PER_S = 1000000000, BACKLOG = 128 };

struct proxy {
    union {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_un local;
    } target;
    socklen_t target_size;
    unsigned port;
    int listener; /* -1: clients are refused */
    int bell;     /* wakes the thread */
    pthread_t thread;

    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    unsigned asked, done; /* requests, counted */
    bool refuse, let_go, drop, stop;
    proxy_desk desk;
    proxy_link links[PROXY_LINKS_MAX];
};

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* ---- Sockets --------------------------------------------------------------------------------------------- */

static bool read_target(proxy *p, const char *target)
{
    const char *colon = strrchr(target, ':');
    char host[64];
    if (target[0] == '/') {
        p->target.local.sun_family = AF_UNIX;
        p->target_size = sizeof p->target.local;
        int size = snprintf(p->target.local.sun_path, sizeof p->target.local.sun_path, "%s", target);
        return (size_t)size < sizeof p->target.local.sun_path;
    }
    if (!colon || (size_t)(colon - target) >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)(colon - target), target);
    p->target.inet.sin_family = AF_INET;
    p->target.inet.sin_port = htons((uint16_t)atoi(colon + 1));
    p->target_size = sizeof p->target.inet;
    return inet_pton(AF_INET, host, &p->target.inet.sin_addr) == 1;
}

static void send_at_once(int socket)
{
    int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* fails on a unix socket, which has no Nagle */
}

/* Listens on the proxy's port; any free one, when it has none yet. */
static bool listen_there(proxy *p)
{
    int yes = 1;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    socklen_t size = sizeof own;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (s < 0 || bind(s, (struct sockaddr *)&own, sizeof own) != 0 || listen(s, BACKLOG) != 0 ||
        getsockname(s, (struct sockaddr *)&own, &size) != 0) {
        if (s >= 0)
            close(s);
        return false;
    }
    p->port = ntohs(own.sin_port);
    p->listener = s;
    return true;
}

static void accept_link(proxy *p)
{
    proxy_link *link = p->links;
    int client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0)
        return;
    while (link < p->links + PROXY_LINKS_MAX && link->used)
        link++;
    int server = socket(p->target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link == p->links + PROXY_LINKS_MAX || connect(server, &p->target.any, p->target_size) != 0) {
        close(client);
        if (server >= 0)
            close(server);
        return;
    }
    send_at_once(client);
    send_at_once(server);
    p->desk.links_opened++;
    proxy_link_begin(link, &p->desk, client, server);
}

/* ---- The thread ------------------------------------------------------------------------------------------ */

static void end_links(proxy *p, bool silent_only)
{
    for (int i = 0; i < PROXY_LINKS_MAX; i++)
        if (!silent_only || p->links[i].silent)
            proxy_link_end(&p->links[i], true);
}

/* Does what was asked for. Who is in the backlog of a listener that goes gets a reset. */
static void obey(proxy *p)
{
    if (p->let_go || p->drop || p->stop)
        end_links(p, !p->drop && !p->stop);
    p->let_go = p->drop = false;
    if ((p->refuse || p->stop) && p->listener >= 0) {
        close(p->listener);
        p->listener = -1;
    }
    if (!p->refuse && !p->stop && p->listener < 0 && !listen_there(p))
        abort(); /* somebody has taken the port: every test that follows would mislead */
    p->done = p->asked;
    pthread_cond_broadcast(&p->changed);
}

/* What to wait for: the bell, the listener, and two sockets a link. Returns how many; `out_due_ns` is 0 for ever. */
static nfds_t prepare(const proxy *p, struct pollfd *sockets, int64_t *out_due_ns)
{
    nfds_t n = 2;
    int64_t moment = now();
    *out_due_ns = 0;
    sockets[0] = (struct pollfd){.fd = p->bell, .events = POLLIN};
    sockets[1] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (int i = 0; i < PROXY_LINKS_MAX; i++) {
        const proxy_link *link = &p->links[i];
        if (!link->used)
            continue;
        int64_t due = proxy_link_due(link);
        if (due != 0 && (*out_due_ns == 0 || due < *out_due_ns))
            *out_due_ns = due;
        for (int side = 0; side < 2; side++, n++) {
            short events = proxy_link_events(link, side, moment);
            sockets[n] = (struct pollfd){.fd = events ? link->sockets[side] : -1, .events = events};
        }
    }
    return n;
}

static void wait_for(struct pollfd *sockets, nfds_t n, int64_t due_ns)
{
    int64_t left = due_ns - now();
    left = left < 0 ? 0 : left;
    struct timespec time = {.tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S};
    if (ppoll(sockets, n, due_ns != 0 ? &time : NULL, NULL) < 0)
        for (nfds_t i = 0; i < n; i++)
            sockets[i].revents = 0;
}

/* Links are begun and ended on this thread only, so those in use are the ones that `prepare` has seen. */
static void move(proxy *p, const struct pollfd *sockets)
{
    uint64_t rings;
    const struct pollfd *next = sockets + 2;
    int64_t moment = now();
    for (int i = 0; i < PROXY_LINKS_MAX; i++) {
        if (!p->links[i].used)
            continue;
        short happened[2] = {next[0].revents, next[1].revents};
        next += 2;
        if (!p->links[i].silent)
            proxy_link_move(&p->links[i], &p->desk, happened, moment);
    }
    if (sockets[1].revents && p->listener >= 0)
        accept_link(p);
    if (sockets[0].revents && read(p->bell, &rings, sizeof rings) == (ssize_t)sizeof rings)
        obey(p);
}

static void *run(void *arg)
{
    static _Thread_local struct pollfd sockets[2 + 2 * PROXY_LINKS_MAX];
    proxy *p = arg;
    prctl(PR_SET_TIMERSLACK, 1UL);
    pthread_mutex_lock(&p->mutex);
    while (!p->stop || p->done != p->asked) {
        int64_t due_ns;
        nfds_t n = prepare(p, sockets, &due_ns);
        pthread_mutex_unlock(&p->mutex);
        wait_for(sockets, n, due_ns);
        pthread_mutex_lock(&p->mutex);
        move(p, sockets);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* The signals of the test are not for this thread. */
static int start_thread(proxy *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

/* ---- Opening and closing --------------------------------------------------------------------------------- */

proxy *proxy_open(proxy_wire wire, const char *target, unsigned port, unsigned delay_us)
{
    proxy *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->desk = (proxy_desk){.wire = wire, .delay_ns = (int64_t)delay_us * 1000};
    p->port = port;
    p->listener = -1;
    p->bell = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->changed, NULL);
    errno = EINVAL;
    if (p->bell >= 0 && read_target(p, target) && listen_there(p) && start_thread(p) == 0)
        return p;
    int why = errno;
    if (p->listener >= 0)
        close(p->listener);
    if (p->bell >= 0)
        close(p->bell);
    free(p);
    errno = why;
    return NULL;
}

/* Rings, under the mutex, and waits until the thread has done what was asked. */
static void ask(proxy *p)
{
    uint64_t ring = 1;
    unsigned mine = ++p->asked;
    if (write(p->bell, &ring, sizeof ring) != (ssize_t)sizeof ring)
        abort();
    while ((int)(p->done - mine) < 0)
        pthread_cond_wait(&p->changed, &p->mutex);
}

static void set_and_ask(proxy *p, bool *flag, bool value)
{
    pthread_mutex_lock(&p->mutex);
    *flag = value;
    ask(p);
    pthread_mutex_unlock(&p->mutex);
}

void proxy_close(proxy *p)
{
    if (!p)
        return;
    set_and_ask(p, &p->stop, true);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->mutex);
    close(p->bell);
    free(p);
}

proxy *proxy_before(const char *url, char *out_url, size_t room)
{
    char target[80];
    proxy_wire wire = strncmp(url, "postgres", 8) == 0 ? PROXY_POSTGRESQL : PROXY_MARIADB;
    const char *host = strstr(url, "@127.0.0.1:");
    size_t size = host ? strcspn(host + 1, "/?") : 0;
    if (size == 0 || size >= sizeof target)
        return NULL;
    snprintf(target, sizeof target, "%.*s", (int)size, host + 1);
    proxy *p = proxy_open(wire, target, 0, 0);
    if (p)
        snprintf(out_url, room, "%.*s@127.0.0.1:%u%s", (int)(host - url), url, p->port, host + 1 + size);
    return p;
}

unsigned proxy_port(const proxy *p)
{
    return p->port;
}

/* ---- Planning -------------------------------------------------------------------------------------------- */

void proxy_plan(proxy *p, const proxy_fault *faults, size_t count)
{
    if (count > PROXY_FAULTS_MAX)
        abort();
    pthread_mutex_lock(&p->mutex);
    proxy_desk *desk = &p->desk;
    if (count > 0)
        memcpy(desk->faults, faults, count * sizeof *faults);
    desk->count = (unsigned)count;
    desk->struck = desk->seen = desk->links_opened = 0;
    desk->messages[0] = desk->messages[1] = 0;
    desk->counting = desk->saw = false;
    pthread_mutex_unlock(&p->mutex);
}

void proxy_watch(proxy *p, const char *text)
{
    pthread_mutex_lock(&p->mutex);
    p->desk.watched = text;
    pthread_mutex_unlock(&p->mutex);
}

bool proxy_saw(proxy *p)
{
    pthread_mutex_lock(&p->mutex);
    bool saw = p->desk.saw;
    pthread_mutex_unlock(&p->mutex);
    return saw;
}

const char *proxy_describe(const proxy_fault *f)
{
    static const char *const ways[] = {"to the server", "to the client"};
    static const char *const places[] = {"before", "in the middle of", "after"};
    static const char *const acts[] = {"reset", "close", "leave", "stall", "garbage", "scramble", "double"};
    static char text[120];
    snprintf(text, sizeof text, "%s %s message %u %s%s%s", acts[f->act], places[f->place], f->message, ways[f->way],
             f->text ? " from " : "", f->text ? f->text : "");
    return text;
}

static unsigned look(proxy *p, const unsigned *number)
{
    pthread_mutex_lock(&p->mutex);
    unsigned value = *number;
    pthread_mutex_unlock(&p->mutex);
    return value;
}

unsigned proxy_struck(proxy *p)
{
    return look(p, &p->desk.struck);
}

unsigned proxy_messages(proxy *p, proxy_way way)
{
    return look(p, &p->desk.messages[way]);
}

unsigned proxy_links_opened(proxy *p)
{
    return look(p, &p->desk.links_opened);
}

unsigned proxy_links(proxy *p)
{
    unsigned count = 0;
    pthread_mutex_lock(&p->mutex);
    for (int i = 0; i < PROXY_LINKS_MAX; i++)
        count += p->links[i].used;
    pthread_mutex_unlock(&p->mutex);
    return count;
}

void proxy_refuse(proxy *p, bool refuse)
{
    set_and_ask(p, &p->refuse, refuse);
}

void proxy_trickle(proxy *p, bool trickle)
{
    pthread_mutex_lock(&p->mutex);
    p->desk.trickle = trickle;
    pthread_mutex_unlock(&p->mutex);
}

void proxy_let_go(proxy *p)
{
    set_and_ask(p, &p->let_go, true);
}

void proxy_drop(proxy *p)
{
    set_and_ask(p, &p->drop, true);
}
