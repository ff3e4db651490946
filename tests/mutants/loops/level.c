/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reactor of most libraries: one thread, level-triggered, an object behind each descriptor. Output that does not fit
 * is kept, and while it is, room is asked for instead of input.
 */
#include "common.h"

#define TURN 64

struct conn {
    int fd;
    uint32_t mask;
    size_t owed;
    size_t sent;
    char out[65536];
};

static int ep;

static void ask(struct conn *c, uint32_t mask)
{
    struct epoll_event ev = {.events = mask, .data.ptr = c};
    if (mask == c->mask)
        return;
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &ev);
    c->mask = mask;
}

static void end(struct conn *c)
{
    epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
}

static int flush(struct conn *c)
{
    while (c->sent < c->owed) {
        ssize_t n = send(c->fd, c->out + c->sent, c->owed - c->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        c->sent += n;
    }
    c->sent = c->owed = 0;
    return 0;
}

static int fill(struct conn *c)
{
    ssize_t n = recv(c->fd, c->out, sizeof(c->out), 0);
    if (n == 0)
        return -1;
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    c->owed = n;
    return flush(c);
}

static void on_ready(struct conn *c)
{
    int failed = c->owed ? flush(c) : fill(c);
    if (failed) {
        end(c);
        return;
    }
    ask(c, c->owed ? EPOLLOUT : EPOLLIN);
}

static void on_listener(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct conn *c = calloc(1, sizeof(*c));
    c->fd = fd;
    c->mask = EPOLLIN;
    struct epoll_event ev = {.events = c->mask, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

int main(int argc, char **argv)
{
    uint16_t port;
    int listener = listen_on_loopback(SOCK_NONBLOCK, &port);
    ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event first = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &first);
    serve_from(argv, port);
    while (!over()) {
        struct epoll_event events[TURN];
        int n = epoll_wait(ep, events, TURN, 500);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_ready(events[i].data.ptr);
            else
                on_listener(listener);
        }
    }
    return argc != 3;
}
