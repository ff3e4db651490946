/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop and two threads that do the work: requests go to them by a queue, answers come back by another and an eventfd,
 * which wakes the loop. A timerfd ticks, as a library's timers do.
 */
#include "common.h"

#define TURN 64
#define THREADS 2

struct conn {
    int fd;
    int busy; /* with a thread */
    int ended;
    size_t owed;
    size_t sent;
    char out[8192];
    struct conn *next;
};

static int ep;
static int wake;
static int tick;
static unsigned long ticks;
static int listener;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct conn *todo;
static struct conn *done;

static void set(int operation, struct conn *c, uint32_t mask)
{
    struct epoll_event ev = {.events = mask, .data.ptr = c};
    epoll_ctl(ep, operation, c->fd, &ev);
}

static void *work(void *nothing)
{
    while (1) {
        pthread_mutex_lock(&lock);
        while (!todo)
            pthread_cond_wait(&more, &lock);
        struct conn *c = todo;
        todo = c->next;
        c->next = done;
        done = c;
        pthread_mutex_unlock(&lock);
        eventfd_write(wake, 1);
    }
    return nothing;
}

static void end(struct conn *c)
{
    set(EPOLL_CTL_DEL, c, 0);
    close(c->fd);
    c->fd = -1;
}

static void answer(struct conn *c)
{
    while (c->sent < c->owed) {
        ssize_t n = send(c->fd, c->out + c->sent, c->owed - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            set(EPOLL_CTL_MOD, c, EPOLLOUT);
            return;
        }
        if (n < 0) {
            end(c);
            return;
        }
        c->sent += n;
    }
    c->sent = c->owed = 0;
    set(EPOLL_CTL_MOD, c, EPOLLIN);
}

static void on_ready(struct conn *c)
{
    if (c->fd < 0)
        return;
    if (c->busy) {
        c->ended = 1;
        return;
    }
    if (c->owed) {
        answer(c);
        return;
    }
    ssize_t n = recv(c->fd, c->out, sizeof(c->out), 0);
    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        end(c);
        return;
    }
    c->owed = n;
    c->busy = 1;
    set(EPOLL_CTL_MOD, c, EPOLLONESHOT);
    pthread_mutex_lock(&lock);
    c->next = todo;
    todo = c;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static void on_wake(void)
{
    eventfd_t n;
    eventfd_read(wake, &n);
    pthread_mutex_lock(&lock);
    struct conn *c = done;
    done = NULL;
    pthread_mutex_unlock(&lock);
    while (c) {
        struct conn *next = c->next;
        c->busy = 0;
        if (c->ended)
            end(c);
        else
            answer(c);
        c = next;
    }
}

static void on_tick(void)
{
    uint64_t n = 0;
    read(tick, &n, sizeof(n));
    ticks += n;
}

static void on_listener(void)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct conn *c = calloc(1, sizeof(*c));
    c->fd = fd;
    set(EPOLL_CTL_ADD, c, EPOLLIN);
}

static void watch(int *fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = fd};
    epoll_ctl(ep, EPOLL_CTL_ADD, *fd, &ev);
}

int main(int argc, char **argv)
{
    uint16_t port;
    pthread_t thread;
    struct itimerspec every = {.it_interval.tv_nsec = 200000000, .it_value.tv_nsec = 200000000};
    listener = listen_on_loopback(SOCK_NONBLOCK, &port);
    ep = epoll_create1(EPOLL_CLOEXEC);
    wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    tick = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(tick, 0, &every, NULL);
    watch(&listener);
    watch(&wake);
    watch(&tick);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread, NULL, work, NULL);
    serve_from(argv, port);
    while (!over()) {
        struct epoll_event events[TURN];
        int n = epoll_wait(ep, events, TURN, -1);
        for (int i = 0; i < n; i++) {
            void *who = events[i].data.ptr;
            if (who == &listener)
                on_listener();
            else if (who == &wake)
                on_wake();
            else if (who == &tick)
                on_tick();
            else
                on_ready(who);
        }
    }
    return argc != 3;
}
