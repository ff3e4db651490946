/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edge-triggered, as servers for many connections do it: everything is asked for once, and each edge is followed until
 * the kernel says EAGAIN. Input waits while output is owed; the edge of new room goes on with both.
 */
#include "common.h"

#define TURN 256
#define EVERYTHING (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

struct conn {
    int fd;
    int ended;
    size_t owed;
    size_t sent;
    char out[16384];
};

static int ep;

static void flush(struct conn *c)
{
    while (c->sent < c->owed) {
        ssize_t n = send(c->fd, c->out + c->sent, c->owed - c->sent, MSG_NOSIGNAL);
        if (n < 0) {
            if (errno != EAGAIN)
                c->ended = 1;
            return;
        }
        c->sent += n;
    }
    c->sent = c->owed = 0;
}

static void pump(struct conn *c)
{
    flush(c);
    while (!c->owed && !c->ended) {
        ssize_t n = recv(c->fd, c->out, sizeof(c->out), 0);
        if (n < 0) {
            if (errno != EAGAIN)
                c->ended = 1;
            return;
        }
        if (n == 0)
            c->ended = 1;
        c->owed = n;
        flush(c);
    }
}

static void on_edge(struct conn *c)
{
    pump(c);
    if (!c->ended)
        return;
    close(c->fd);
}

static void on_listener(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct conn *c = calloc(1, sizeof(*c));
        c->fd = fd;
        struct epoll_event ev = {.events = EVERYTHING, .data.ptr = c};
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
    }
}

int main(int argc, char **argv)
{
    uint16_t port;
    int listener = listen_on_loopback(SOCK_NONBLOCK, &port);
    ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event first = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &first);
    serve_from(argv, port);
    while (!over()) {
        struct epoll_event events[TURN];
        int n = epoll_wait(ep, events, TURN, 500);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_edge(events[i].data.ptr);
            else
                on_listener(listener);
        }
    }
    return argc != 3;
}
