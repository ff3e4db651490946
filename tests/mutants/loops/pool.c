/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three threads wait on one epoll. EPOLLONESHOT gives a connection to one of them at a time; whoever has it re-arms it,
 * for input or for room, or closes it.
 */
#include "common.h"

#define THREADS 3

struct conn {
    int fd;
    int ended;
    size_t owed;
    size_t sent;
    char out[32768];
};

static int ep;
static int listener;

static void arm(int operation, int fd, uint32_t mask, struct conn *c)
{
    struct epoll_event ev = {.events = mask | EPOLLONESHOT, .data.ptr = c};
    epoll_ctl(ep, operation, fd, &ev);
}

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

static void fill(struct conn *c)
{
    ssize_t n = recv(c->fd, c->out, sizeof(c->out), 0);
    if (n == 0)
        c->ended = 1;
    if (n < 0 && errno != EAGAIN)
        c->ended = 1;
    if (n <= 0)
        return;
    c->owed = n;
    flush(c);
}

static void on_conn(struct conn *c)
{
    if (c->owed)
        flush(c);
    else
        fill(c);
    if (c->ended) {
        close(c->fd);
        return;
    }
    if (c->owed)
        arm(EPOLL_CTL_MOD, c->fd, EPOLLOUT, c);
    else
        arm(EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLRDHUP, c);
}

static void on_listener(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        struct conn *c = calloc(1, sizeof(*c));
        c->fd = fd;
        arm(EPOLL_CTL_ADD, fd, EPOLLIN | EPOLLRDHUP, c);
    }
    arm(EPOLL_CTL_MOD, listener, EPOLLIN, NULL);
}

static void *serve(void *nothing)
{
    while (!over()) {
        struct epoll_event ev;
        int n = epoll_wait(ep, &ev, 1, 500);
        if (n != 1)
            continue;
        if (ev.data.ptr)
            on_conn(ev.data.ptr);
        else
            on_listener();
    }
    return nothing;
}

int main(int argc, char **argv)
{
    uint16_t port;
    pthread_t threads[THREADS];
    listener = listen_on_loopback(SOCK_NONBLOCK, &port);
    ep = epoll_create1(EPOLL_CLOEXEC);
    arm(EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    serve_from(argv, port);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, serve, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return argc != 3;
}
