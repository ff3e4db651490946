/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A proxy: for each client a connection to a server behind (an echo of ours, on threads, without epoll), and bytes go both
 * ways until both sides have ended; the end of one direction is handed on while the other still runs.
 */
#include "common.h"

#define TURN 64

struct pair;

struct side {
    int fd;
    uint32_t mask;
    int ended; /* no more input */
    int shut;  /* and the other side was told */
    size_t got; /* input that the other side has not taken */
    size_t sent;
    char in[16384];
    struct pair *pair;
    struct side *other;
};

struct pair {
    struct side client, server;
    int gone;
};

static int ep;
static struct sockaddr_in behind = {.sin_family = AF_INET};

static void *echo(void *fd_of_conn)
{
    char bytes[16384];
    int fd = (int)(intptr_t)fd_of_conn;
    while (1) {
        ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
        if (n <= 0 || send(fd, bytes, n, MSG_NOSIGNAL) != n)
            break;
    }
    close(fd);
    return NULL;
}

static void *accept_behind(void *fd_of_listener)
{
    while (1) {
        pthread_t thread;
        int fd = accept((int)(intptr_t)fd_of_listener, NULL, NULL);
        if (fd >= 0 && !pthread_create(&thread, NULL, echo, (void *)(intptr_t)fd))
            pthread_detach(thread);
    }
    return NULL;
}

static void ask(struct side *s)
{
    uint32_t mask = (s->ended || s->got ? 0 : EPOLLIN) | (s->other->got ? EPOLLOUT : 0);
    struct epoll_event ev = {.events = mask, .data.ptr = s};
    if (mask == s->mask)
        return;
    epoll_ctl(ep, EPOLL_CTL_MOD, s->fd, &ev);
    s->mask = mask;
}

static void end(struct pair *p)
{
    if (p->gone)
        return;
    p->gone = 1;
    close(p->client.fd);
    close(p->server.fd);
}

/* -1: it failed. */
static int hand_on(struct side *s)
{
    while (s->sent < s->got) {
        ssize_t n = send(s->other->fd, s->in + s->sent, s->got - s->sent, MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
        s->sent += n;
    }
    s->sent = s->got = 0;
    if (s->ended && !s->shut) {
        shutdown(s->other->fd, SHUT_WR);
        s->shut = 1;
    }
    return 0;
}

static int take(struct side *s)
{
    ssize_t n = recv(s->fd, s->in, sizeof(s->in), 0);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    if (n == 0)
        s->ended = 1;
    else
        s->got = n;
    return hand_on(s);
}

static int serve(struct side *s, uint32_t events)
{
    if (events & EPOLLERR)
        return -1;
    if ((events & EPOLLOUT) && hand_on(s->other))
        return -1;
    if ((events & EPOLLIN) && take(s))
        return -1;
    if ((events & EPOLLHUP) && s->ended)
        return -1;
    return s->shut && s->other->shut ? -1 : 0;
}

static void on_ready(struct side *s, uint32_t events)
{
    struct pair *p = s->pair;
    if (p->gone)
        return;
    if (serve(s, events)) {
        end(p);
        return;
    }
    ask(s);
    ask(s->other);
}

static void watch(struct side *s, struct side *other, struct pair *p, int fd)
{
    s->fd = fd;
    s->other = other;
    s->pair = p;
    s->mask = EPOLLIN;
    struct epoll_event ev = {.events = s->mask, .data.ptr = s};
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
}

static void on_listener(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int to = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    connect(to, (struct sockaddr *)&behind, sizeof(behind));
    struct pair *p = calloc(1, sizeof(*p));
    watch(&p->client, &p->server, p, fd);
    watch(&p->server, &p->client, p, to);
}

int main(int argc, char **argv)
{
    uint16_t port, port_behind;
    pthread_t thread;
    int listener_behind = listen_on_loopback(0, &port_behind);
    int listener = listen_on_loopback(SOCK_NONBLOCK, &port);
    behind.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    behind.sin_port = htons(port_behind);
    pthread_create(&thread, NULL, accept_behind, (void *)(intptr_t)listener_behind);
    ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event first = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &first);
    serve_from(argv, port);
    while (!over()) {
        struct epoll_event events[TURN];
        int n = epoll_wait(ep, events, TURN, 500);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_ready(events[i].data.ptr, events[i].events);
            else
                on_listener(listener);
        }
    }
    return argc != 3;
}
