/*
 * test_proxy.c - the proxy does to a link what the tests of the drivers say that it does.
 *
 * The test is both the client and the server: it listens where the proxy connects to.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proxy.h"
#include "proxy_frame.h"

/* ---- Both ends ------------------------------------------------------------------------------------------- */

typedef struct line {
    proxy *p;
    int listener, client, server;
} line;

/* Nothing here waits for ever. */
static void bound_waits(int socket)
{
    struct timeval limit = {.tv_sec = 30};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

static struct sockaddr_in at_port(unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int dial(unsigned port)
{
    struct sockaddr_in address = at_port(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    bound_waits(s);
    if (connect(s, (struct sockaddr *)&address, sizeof address) == 0)
        return s;
    close(s);
    return -1;
}

static void link_up(line *l)
{
    l->client = dial(proxy_port(l->p));
    assert_true(l->client >= 0);
    l->server = accept(l->listener, NULL, NULL);
    assert_true(l->server >= 0);
    bound_waits(l->server);
}

static line line_open(proxy_wire wire, unsigned delay_us)
{
    line l = {.listener = socket(AF_INET, SOCK_STREAM, 0)};
    struct sockaddr_in own = at_port(0);
    socklen_t size = sizeof own;
    char target[40];
    assert_int_equal(bind(l.listener, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(l.listener, 8), 0);
    getsockname(l.listener, (struct sockaddr *)&own, &size);
    bound_waits(l.listener);
    snprintf(target, sizeof target, "127.0.0.1:%u", ntohs(own.sin_port));
    l.p = proxy_open(wire, target, 0, delay_us);
    assert_non_null(l.p);
    link_up(&l);
    return l;
}

static void hang_up(line *l)
{
    close(l->client);
    close(l->server);
}

static void line_close(line *l)
{
    hang_up(l);
    close(l->listener);
    proxy_close(l->p);
}

static void say(int socket, const char *bytes, size_t size)
{
    assert_int_equal(send(socket, bytes, size, MSG_NOSIGNAL), size);
}

#define SAY(socket, text) say(socket, text, sizeof text - 1)

/* Reads up to the end of what was sent; a reset shows as "!" behind it. */
static const char *hear_all(int socket, size_t *out_size)
{
    static char bytes[4096];
    ssize_t got;
    *out_size = 0;
    while ((got = recv(socket, bytes + *out_size, sizeof bytes - 1 - *out_size, 0)) > 0)
        *out_size += (size_t)got;
    if (got < 0 && errno == ECONNRESET)
        bytes[(*out_size)++] = '!';
    else if (got < 0)
        fail_msg("nothing came, and no end");
    return bytes;
}

static void expect_all(int socket, const char *expected, size_t size)
{
    size_t got;
    const char *bytes = hear_all(socket, &got);
    assert_int_equal(got, size);
    assert_memory_equal(bytes, expected, size);
}

#define EXPECT_ALL(socket, text) expect_all(socket, text, sizeof text - 1)

static void expect(int socket, const char *expected, size_t size)
{
    char bytes[4096];
    assert_int_equal(recv(socket, bytes, size, MSG_WAITALL), size);
    assert_memory_equal(bytes, expected, size);
}

#define EXPECT(socket, text) expect(socket, text, sizeof text - 1)

/* ---- Messages -------------------------------------------------------------------------------------------- */

#define STARTUP  "\0\0\0\x0c\0\3\0\0user"
#define WANT_SSL "\0\0\0\x08\x04\xd2\x16\x2f"
#define QUERY                                                                                                          \
    "Q\0\0\0\x0b"                                                                                                      \
    "COMMIT\0"
#define SYNC "S\0\0\0\4"
#define DONE                                                                                                           \
    "C\0\0\0\x0b"                                                                                                      \
    "COMMIT\0"
#define READY "Z\0\0\0\5I"

static void what_is_no_whole_message_has_no_size_yet(void **state)
{
    (void)state;
    assert_int_equal(proxy_frame_size(PROXY_FRAMES_TYPED, (const unsigned char *)QUERY, 4), 0);
    assert_int_equal(proxy_frame_size(PROXY_FRAMES_TYPED, (const unsigned char *)QUERY, 5), 12);
    assert_int_equal(proxy_frame_size(PROXY_FRAMES_STARTUP, (const unsigned char *)STARTUP, 3), 0);
    assert_int_equal(proxy_frame_size(PROXY_FRAMES_STARTUP, (const unsigned char *)STARTUP, 4), 12);
    assert_int_equal(proxy_frame_size(PROXY_FRAMES_PACKET, (const unsigned char *)"\2\1\0\0", 4), 4 + 258);
    assert_int_equal(proxy_frame_size(PROXY_FRAMES_TYPED, (const unsigned char *)"Q\0\0\0\0", 5), 5);
    assert_int_equal(proxy_frame_head(PROXY_FRAMES_TYPED), 5);
    assert_int_equal(proxy_frame_head(PROXY_FRAMES_NONE), 0);
}

static void messages_of_postgresql_pass_and_are_counted(void **state)
{
    (void)state;
    line l = line_open(PROXY_POSTGRESQL, 0);
    SAY(l.client, STARTUP QUERY SYNC);
    EXPECT(l.server, STARTUP QUERY SYNC);
    SAY(l.server, DONE READY);
    EXPECT(l.client, DONE READY);
    assert_int_equal(proxy_messages(l.p, PROXY_TO_SERVER), 3);
    assert_int_equal(proxy_messages(l.p, PROXY_TO_CLIENT), 2);
    assert_int_equal(proxy_links_opened(l.p), 1);
    line_close(&l);
}

static void an_answer_of_one_byte_to_who_asks_for_encryption_is_a_message(void **state)
{
    (void)state;
    line l = line_open(PROXY_POSTGRESQL, 0);
    SAY(l.client, WANT_SSL);
    EXPECT(l.server, WANT_SSL);
    SAY(l.server, "N");
    EXPECT(l.client, "N");
    SAY(l.client, STARTUP SYNC);
    EXPECT(l.server, STARTUP SYNC);
    SAY(l.server, READY READY);
    EXPECT(l.client, READY READY);
    assert_int_equal(proxy_messages(l.p, PROXY_TO_SERVER), 3);
    assert_int_equal(proxy_messages(l.p, PROXY_TO_CLIENT), 3);
    line_close(&l);
}

static void packets_of_mariadb_pass_and_are_counted(void **state)
{
    (void)state;
    line l = line_open(PROXY_MARIADB, 0);
    SAY(l.server, "\2\0\0\0hi");
    EXPECT(l.client, "\2\0\0\0hi");
    SAY(l.client, "\7\0\0\0\3COMMIT\1\0\0\0\1");
    EXPECT(l.server, "\7\0\0\0\3COMMIT\1\0\0\0\1");
    assert_int_equal(proxy_messages(l.p, PROXY_TO_SERVER), 2);
    assert_int_equal(proxy_messages(l.p, PROXY_TO_CLIENT), 1);
    line_close(&l);
}

enum { LARGE = 5 * 1000 * 1000 };

static void *say_large(void *arg)
{
    const line *l = arg;
    char *bytes = calloc(1, LARGE);
    memcpy(bytes, "\x3c\x4b\x4c\0", 4); /* LARGE - 4 */
    for (size_t i = 4; i < LARGE; i++)
        bytes[i] = (char)(i * 31 >> 3);
    size_t sent = 0;
    for (ssize_t n; sent < LARGE && (n = send(l->client, bytes + sent, LARGE - sent, MSG_NOSIGNAL)) > 0;)
        sent += (size_t)n;
    free(bytes);
    SAY(l->client, "\1\0\0\0\1");
    return NULL;
}

static void a_message_that_is_larger_than_any_buffer_passes_as_one(void **state)
{
    (void)state;
    line l = line_open(PROXY_MARIADB, 200);
    char *bytes = calloc(1, LARGE);
    pthread_t thread;
    size_t wrong = 0;
    pthread_create(&thread, NULL, say_large, &l);
    ssize_t size = recv(l.server, bytes, LARGE, MSG_WAITALL);
    for (size_t i = 4; i < LARGE; i++)
        wrong += bytes[i] != (char)(i * 31 >> 3);
    free(bytes);
    EXPECT(l.server, "\1\0\0\0\1");
    pthread_join(thread, NULL);
    assert_int_equal(size, LARGE);
    assert_int_equal(wrong, 0);
    assert_int_equal(proxy_messages(l.p, PROXY_TO_SERVER), 2);
    line_close(&l);
}

static void who_has_said_all_still_hears_the_answer(void **state)
{
    (void)state;
    line l = line_open(PROXY_POSTGRESQL, 0);
    SAY(l.client, STARTUP QUERY "S\0"); /* the last one is cut off */
    shutdown(l.client, SHUT_WR);
    EXPECT_ALL(l.server, STARTUP QUERY "S\0");
    SAY(l.server, DONE);
    close(l.server);
    EXPECT_ALL(l.client, DONE);
    line_close(&l);
}

/* ---- Faults ---------------------------------------------------------------------------------------------- */

static void plan_one(line *l, proxy_fault fault)
{
    proxy_plan(l->p, &fault, 1);
}

static void a_cut_on_the_way_there_is_before_in_the_middle_of_or_after_its_message(void **state)
{
    (void)state;
    static const struct {
        proxy_place place;
        const char *expected;
        size_t size;
    } cases[] = {
        {PROXY_BEFORE, STARTUP, 12},
        {PROXY_MIDDLE, STARTUP QUERY, 12 + 6},
        {PROXY_AFTER, STARTUP QUERY, 12 + 12},
    };
    for (int i = 0; i < 3; i++) {
        line l = line_open(PROXY_POSTGRESQL, 0);
        plan_one(&l, (proxy_fault){.way = PROXY_TO_SERVER, .message = 2, .place = cases[i].place, .act = PROXY_CLOSE});
        SAY(l.client, STARTUP QUERY SYNC);
        expect_all(l.server, cases[i].expected, cases[i].size);
        size_t size;
        hear_all(l.client, &size);
        assert_int_equal(proxy_struck(l.p), 1);
        line_close(&l);
    }
}

static void an_answer_is_cut_after_the_message_that_holds_a_text(void **state)
{
    (void)state;
    line l = line_open(PROXY_POSTGRESQL, 0);
    plan_one(&l, (proxy_fault){.text = "COMMIT", .way = PROXY_TO_CLIENT, .message = 2, .place = PROXY_MIDDLE});
    SAY(l.client, STARTUP SYNC);
    EXPECT(l.server, STARTUP SYNC);
    SAY(l.server, READY READY READY);
    EXPECT(l.client, READY READY READY);
    assert_int_equal(proxy_struck(l.p), 0);
    SAY(l.client, QUERY SYNC);
    EXPECT(l.server, QUERY SYNC);
    SAY(l.server, DONE READY);
    EXPECT_ALL(l.client, DONE "Z\0\0!");
    EXPECT_ALL(l.server, "!");
    assert_int_equal(proxy_struck(l.p), 1);
    line_close(&l);
}

static void the_next_fault_counts_from_where_the_one_before_it_struck(void **state)
{
    (void)state;
    static const proxy_fault faults[] = {
        {.way = PROXY_TO_SERVER, .message = 2, .place = PROXY_AFTER, .act = PROXY_CLOSE},
        {.way = PROXY_TO_SERVER, .message = 2, .place = PROXY_BEFORE, .act = PROXY_CLOSE},
    };
    line l = line_open(PROXY_POSTGRESQL, 0);
    proxy_watch(l.p, "COMMIT");
    proxy_plan(l.p, faults, 2);
    SAY(l.client, STARTUP SYNC);
    EXPECT_ALL(l.server, STARTUP SYNC);
    hang_up(&l);
    link_up(&l);
    assert_false(proxy_saw(l.p));
    assert_int_equal(proxy_struck(l.p), 1);
    SAY(l.client, STARTUP SYNC);
    EXPECT_ALL(l.server, STARTUP);
    assert_int_equal(proxy_struck(l.p), 2);
    hang_up(&l);
    link_up(&l);
    SAY(l.client, STARTUP QUERY);
    EXPECT(l.server, STARTUP QUERY);
    assert_int_equal(proxy_links_opened(l.p), 2);
    assert_false(proxy_saw(l.p)); /* it came after the first fault */
    proxy_plan(l.p, NULL, 0);
    SAY(l.client, QUERY);
    EXPECT(l.server, QUERY);
    assert_true(proxy_saw(l.p));
    line_close(&l);
}

static void a_stalled_link_says_nothing_to_either_side_until_it_is_dropped(void **state)
{
    (void)state;
    char byte;
    line l = line_open(PROXY_POSTGRESQL, 0);
    plan_one(&l, (proxy_fault){.way = PROXY_TO_SERVER, .message = 2, .place = PROXY_AFTER, .act = PROXY_STALL});
    SAY(l.client, STARTUP QUERY SYNC);
    EXPECT(l.server, STARTUP QUERY);
    SAY(l.server, DONE);
    shutdown(l.client, SHUT_WR);
    usleep(20000);
    assert_int_equal(recv(l.server, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(recv(l.client, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    proxy_drop(l.p);
    EXPECT_ALL(l.server, "!");
    EXPECT_ALL(l.client, "!");
    line_close(&l);
}

static void a_server_that_is_left_hears_of_it_when_the_link_is_dropped(void **state)
{
    (void)state;
    char byte;
    line l = line_open(PROXY_POSTGRESQL, 0);
    plan_one(&l, (proxy_fault){.way = PROXY_TO_SERVER, .message = 2, .place = PROXY_AFTER, .act = PROXY_LEAVE});
    SAY(l.client, STARTUP SYNC);
    EXPECT(l.server, STARTUP SYNC);
    EXPECT_ALL(l.client, "");
    assert_int_equal(recv(l.server, &byte, 1, MSG_DONTWAIT), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(proxy_links(l.p), 1);
    proxy_let_go(l.p);
    assert_int_equal(proxy_links(l.p), 0);
    EXPECT_ALL(l.server, "!");
    line_close(&l);
}

static void links_that_are_not_silent_stay_when_the_silent_ones_are_let_go(void **state)
{
    (void)state;
    line l = line_open(PROXY_RAW, 0);
    proxy_let_go(l.p);
    SAY(l.client, "still there");
    EXPECT(l.server, "still there");
    proxy_drop(l.p);
    EXPECT_ALL(l.server, "!");
    EXPECT_ALL(l.client, "!");
    line_close(&l);
}

static void rubbish_takes_the_place_of_a_message(void **state)
{
    (void)state;
    char bytes[18];
    line l = line_open(PROXY_POSTGRESQL, 0);
    plan_one(&l, (proxy_fault){.way = PROXY_TO_CLIENT, .message = 1, .act = PROXY_GARBAGE});
    SAY(l.server, DONE READY);
    assert_int_equal(recv(l.client, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    assert_memory_not_equal(bytes, DONE, 12);
    assert_memory_equal(bytes + 12, READY, 6);
    line_close(&l);
}

static void a_message_that_is_scrambled_ends_where_it_did(void **state)
{
    (void)state;
    char bytes[18];
    line l = line_open(PROXY_POSTGRESQL, 0);
    plan_one(&l, (proxy_fault){.way = PROXY_TO_CLIENT, .message = 1, .act = PROXY_SCRAMBLE});
    SAY(l.server, DONE READY);
    assert_int_equal(recv(l.client, bytes, sizeof bytes, MSG_WAITALL), sizeof bytes);
    assert_memory_equal(bytes, DONE, 5);
    assert_memory_not_equal(bytes + 5, &DONE[5], 7);
    assert_memory_equal(bytes + 12, READY, 6);
    line_close(&l);
}

static void a_message_is_doubled(void **state)
{
    (void)state;
    line l = line_open(PROXY_POSTGRESQL, 0);
    plan_one(&l, (proxy_fault){.way = PROXY_TO_CLIENT, .message = 1, .act = PROXY_DOUBLE});
    SAY(l.server, DONE READY);
    EXPECT(l.client, DONE DONE READY);
    line_close(&l);
}

/* ---- All links ------------------------------------------------------------------------------------------- */

static void clients_are_refused_and_let_in_again(void **state)
{
    (void)state;
    line l = line_open(PROXY_RAW, 0);
    proxy_refuse(l.p, true);
    assert_int_equal(dial(proxy_port(l.p)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    SAY(l.client, "still there");
    EXPECT(l.server, "still there");
    proxy_refuse(l.p, false);
    hang_up(&l);
    link_up(&l);
    SAY(l.client, "back");
    EXPECT(l.server, "back");
    line_close(&l);
}

static void one_byte_at_a_time_all_still_arrives(void **state)
{
    (void)state;
    line l = line_open(PROXY_POSTGRESQL, 0);
    proxy_trickle(l.p, true);
    SAY(l.client, STARTUP QUERY SYNC);
    EXPECT(l.server, STARTUP QUERY SYNC);
    close(l.client);
    EXPECT_ALL(l.server, "");
    close(l.server);
    link_up(&l);
    line_close(&l);
}

static void what_is_under_way_takes_its_time_each_way(void **state)
{
    (void)state;
    enum { DELAY_US = 3000, TRIPS = 5 };
    struct timespec begin, end;
    line l = line_open(PROXY_RAW, DELAY_US);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < TRIPS; i++) {
        SAY(l.client, "there");
        EXPECT(l.server, "there");
        SAY(l.server, "and back");
        EXPECT(l.client, "and back");
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t took_us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
    assert_true(took_us >= 2 * TRIPS * DELAY_US);
    line_close(&l);
}

static void the_server_may_be_at_a_unix_socket(void **state)
{
    (void)state;
    char directory[] = "/tmp/belay-proxy-XXXXXX";
    struct sockaddr_un own = {.sun_family = AF_UNIX};
    assert_non_null(mkdtemp(directory));
    snprintf(own.sun_path, sizeof own.sun_path, "%s/socket", directory);
    line l = {.listener = socket(AF_UNIX, SOCK_STREAM, 0)};
    assert_int_equal(bind(l.listener, (struct sockaddr *)&own, sizeof own), 0);
    assert_int_equal(listen(l.listener, 8), 0);
    l.p = proxy_open(PROXY_RAW, own.sun_path, 0, 0);
    assert_non_null(l.p);
    link_up(&l);
    SAY(l.client, "there");
    EXPECT(l.server, "there");
    line_close(&l);
    unlink(own.sun_path);
    rmdir(directory);
}

static void a_client_whose_server_is_not_there_is_hung_up_on(void **state)
{
    (void)state;
    line l = line_open(PROXY_RAW, 0);
    close(l.listener);
    int client = dial(proxy_port(l.p));
    EXPECT_ALL(client, "");
    close(client);
    line_close(&l);
}

static void what_is_no_target_is_refused(void **state)
{
    (void)state;
    assert_null(proxy_open(PROXY_RAW, "nowhere", 0, 0));
    assert_null(proxy_open(PROXY_RAW, "localhost:5432", 0, 0)); /* a name */
    assert_null(proxy_before("sqlite:x.db", NULL, 0));
}

static void a_fault_is_described_in_words(void **state)
{
    (void)state;
    const proxy_fault fault = {"COMMIT", PROXY_TO_CLIENT, 3, PROXY_MIDDLE, PROXY_CLOSE};
    assert_string_equal(proxy_describe(&fault), "close in the middle of message 3 to the client from COMMIT");
}

static void a_url_by_way_of_the_proxy_names_its_port(void **state)
{
    (void)state;
    char url[100], expected[100];
    proxy *p = proxy_before("postgresql://belay@127.0.0.1:1/belay?x=y", url, sizeof url);
    assert_non_null(p);
    snprintf(expected, sizeof expected, "postgresql://belay@127.0.0.1:%u/belay?x=y", proxy_port(p));
    assert_string_equal(url, expected);
    proxy_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_whole_message_has_no_size_yet),
        cmocka_unit_test(messages_of_postgresql_pass_and_are_counted),
        cmocka_unit_test(an_answer_of_one_byte_to_who_asks_for_encryption_is_a_message),
        cmocka_unit_test(packets_of_mariadb_pass_and_are_counted),
        cmocka_unit_test(a_message_that_is_larger_than_any_buffer_passes_as_one),
        cmocka_unit_test(who_has_said_all_still_hears_the_answer),
        cmocka_unit_test(a_cut_on_the_way_there_is_before_in_the_middle_of_or_after_its_message),
        cmocka_unit_test(an_answer_is_cut_after_the_message_that_holds_a_text),
        cmocka_unit_test(the_next_fault_counts_from_where_the_one_before_it_struck),
        cmocka_unit_test(a_stalled_link_says_nothing_to_either_side_until_it_is_dropped),
        cmocka_unit_test(a_server_that_is_left_hears_of_it_when_the_link_is_dropped),
        cmocka_unit_test(links_that_are_not_silent_stay_when_the_silent_ones_are_let_go),
        cmocka_unit_test(rubbish_takes_the_place_of_a_message),
        cmocka_unit_test(a_message_that_is_scrambled_ends_where_it_did),
        cmocka_unit_test(a_message_is_doubled),
        cmocka_unit_test(clients_are_refused_and_let_in_again),
        cmocka_unit_test(one_byte_at_a_time_all_still_arrives),
        cmocka_unit_test(what_is_under_way_takes_its_time_each_way),
        cmocka_unit_test(the_server_may_be_at_a_unix_socket),
        cmocka_unit_test(a_client_whose_server_is_not_there_is_hung_up_on),
        cmocka_unit_test(what_is_no_target_is_refused),
        cmocka_unit_test(a_fault_is_described_in_words),
        cmocka_unit_test(a_url_by_way_of_the_proxy_names_its_port),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
