/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes that share a listener, each with an epoll of its own, so that EPOLLEXCLUSIVE wakes one of them and not all.
 * Connections are level-triggered; the number in the event is an index into a table, as some libraries have it.
 */
#include "common.h"

#define WORKERS 3
#define TURN 32
#define LISTENER 0
#define MOST 1024

struct conn {
    int fd;
    int paused;
    size_t owed;
    size_t sent;
    char out[16384];
};

static int ep;
static struct conn *conns[MOST];

static void set(int operation, uint32_t mask, int fd, uint64_t number)
{
    struct epoll_event ev = {.events = mask, .data.u64 = number};
    epoll_ctl(ep, operation, fd, &ev);
}

static void end(int slot)
{
    struct conn *c = conns[slot];
    conns[slot] = NULL;
    set(EPOLL_CTL_DEL, 0, c->fd, 0);
    close(c->fd);
}

/* -1: the connection is over. */
static int serve_once(struct conn *c)
{
    if (!c->owed) {
        ssize_t got = recv(c->fd, c->out, sizeof(c->out), 0);
        if (got < 0)
            return errno == EAGAIN ? 0 : -1;
        if (got == 0)
            return -1;
        c->owed = got;
    }
    ssize_t n = send(c->fd, c->out + c->sent, c->owed - c->sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        return -1;
    if (n > 0)
        c->sent += n;
    if (c->sent == c->owed)
        c->sent = c->owed = 0;
    return 0;
}

static void on_ready(int slot)
{
    struct conn *c = conns[slot];
    if (!c)
        return;
    if (serve_once(c)) {
        end(slot);
        return;
    }
    if (c->owed && !c->paused) {
        set(EPOLL_CTL_MOD, EPOLLOUT, c->fd, slot);
        c->paused = 1;
    } else if (!c->owed && c->paused) {
        set(EPOLL_CTL_MOD, EPOLLIN, c->fd, slot);
        c->paused = 0;
    }
}

static void on_listener(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int slot = LISTENER + 1;
    while (slot < MOST && conns[slot])
        slot++;
    if (slot == MOST)
        abort();
    conns[slot] = calloc(1, sizeof(struct conn));
    conns[slot]->fd = fd;
    set(EPOLL_CTL_ADD, EPOLLIN, fd, slot);
}

static void work(int listener)
{
    ep = epoll_create1(EPOLL_CLOEXEC);
    set(EPOLL_CTL_ADD, EPOLLIN | EPOLLEXCLUSIVE, listener, LISTENER);
    while (!over()) {
        struct epoll_event events[TURN];
        int n = epoll_wait(ep, events, TURN, 500);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == LISTENER)
                on_listener(listener);
            else
                on_ready(events[i].data.u64);
        }
    }
}

int main(int argc, char **argv)
{
    uint16_t port;
    int listener = listen_on_loopback(SOCK_NONBLOCK, &port);
    serve_from(argv, port);
    for (int i = 0; i < WORKERS; i++) {
        if (fork() == 0) {
            work(listener);
            _exit(0);
        }
    }
    while (wait(NULL) > 0)
        ;
    return argc != 3;
}
