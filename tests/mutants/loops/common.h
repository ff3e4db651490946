/* SPDX-License-Identifier: Apache-2.0 */
/* What the loops share, and what is never mutated: an echo service's listener, its end, its first word. */
#pragma once

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct timespec began;
static double seconds_to_serve;

/* What a loop knows of a connection is never freed: a mutant that goes on with one that is over is to show what epoll makes of
 * it, not what malloc() does. */

static int over(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec - began.tv_sec) + (now.tv_nsec - began.tv_nsec) / 1e9 > seconds_to_serve;
}

static int listen_on_loopback(int flags, uint16_t* port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || bind(fd, (struct sockaddr*)&at, sizeof(at)) || listen(fd, 128) ||
        getsockname(fd, (struct sockaddr*)&at, &size))
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

/* argv: the seconds to serve, and the file that is to hold the port. */
static void serve_from(char** argv, uint16_t port)
{
    char part[4096];
    signal(SIGPIPE, SIG_IGN);
    clock_gettime(CLOCK_MONOTONIC, &began);
    seconds_to_serve = atof(argv[1]);
    snprintf(part, sizeof(part), "%s.part", argv[2]);
    FILE* file = fopen(part, "w");
    if (!file || fprintf(file, "%u\n", port) < 0 || fclose(file) || rename(part, argv[2]))
        abort();
}
