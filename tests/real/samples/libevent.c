// SPDX-License-Identifier: Apache-2.0
// libevent's own HTTP server on its epoll backend.
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE (2 << 20)

static char large[LARGE];
static struct event_base *base;

static void answer(struct evhttp_request *request, const void *body, size_t length)
{
    struct evbuffer *buffer = evbuffer_new();
    evbuffer_add(buffer, body, length);
    evhttp_send_reply(request, 200, "OK", buffer);
    evbuffer_free(buffer);
}

struct pause {
    struct evhttp_request *request;
    struct event *timer;
};

// The client may be gone by now.
static void dropped(struct evhttp_connection *connection, void *arg)
{
    struct pause *pause = arg;
    (void)connection;
    pause->request = NULL;
}

static void pause_over(evutil_socket_t fd, short what, void *arg)
{
    struct pause *pause = arg;
    (void)fd;
    (void)what;
    if (pause->request) {
        evhttp_connection_set_closecb(evhttp_request_get_connection(pause->request), NULL, NULL);
        answer(pause->request, "hello world\n", 12);
    }
    event_free(pause->timer);
    free(pause);
}

static void handle(struct evhttp_request *request, void *arg)
{
    const char *path = evhttp_request_get_uri(request);
    (void)arg;
    if (strncmp(path, "/slow/", 6) == 0) {
        int ms = atoi(path + 6);
        struct timeval delay = {ms / 1000, ms % 1000 * 1000};
        struct pause *pause = calloc(1, sizeof(*pause));
        pause->request = request;
        pause->timer = evtimer_new(base, pause_over, pause);
        evhttp_connection_set_closecb(evhttp_request_get_connection(request), dropped, pause);
        evtimer_add(pause->timer, &delay);
    } else if (strcmp(path, "/large") == 0) {
        answer(request, large, LARGE);
    } else {
        answer(request, "hello world\n", 12);
    }
}

int main(int argc, char **argv)
{
    base = event_base_new();
    if (argc != 2 || !base || strcmp(event_base_get_method(base), "epoll") != 0) {
        fprintf(stderr, "libevent PORT, on epoll\n");
        return 2;
    }
    struct evhttp *server = evhttp_new(base);
    evhttp_set_gencb(server, handle, NULL);
    if (evhttp_bind_socket(server, "127.0.0.1", (ev_uint16_t)atoi(argv[1])) != 0)
        return 1;
    return event_base_dispatch(base);
}
