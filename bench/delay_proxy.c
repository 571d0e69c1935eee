/*
 * delay_proxy.c - a link of a chosen length, for benchmarks.
 *
 *   belay-delay-proxy LISTEN_PORT TARGET DELAY_US
 *
 * Passes on what comes in on 127.0.0.1:LISTEN_PORT to TARGET ("host:port" with a
 * numeric host, or the path of a unix socket), each byte DELAY_US microseconds
 * later, each way: 500 makes a round trip of 1 ms. Bandwidth is not limited.
 * LISTEN_PORT 0 takes a free port. The port is printed when it listens. Ends with
 * SIGINT or SIGTERM. Not installed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

int main(int argc, char **argv)
{
    sigset_t ends;
    int which;
    if (argc != 4) {
        fprintf(stderr, "usage: belay-delay-proxy LISTEN_PORT TARGET DELAY_US\n");
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    proxy *p = proxy_open(PROXY_RAW, argv[2], (unsigned)atoi(argv[1]), (unsigned)atoi(argv[3]));
    if (!p) {
        fprintf(stderr, "belay-delay-proxy: %s\n", strerror(errno));
        return 1;
    }
    printf("%u\n", proxy_port(p));
    fflush(stdout);
    sigwait(&ends, &which);
    proxy_close(p);
    return 0;
}
