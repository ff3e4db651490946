// SPDX-License-Identifier: Apache-2.0
// A libuv server: one loop, back-pressure by uv_read_stop.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define LARGE (2 << 20)
#define INPUT 16384
#define CHUNK 1024

struct connection {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    char input[INPUT + 1];
    size_t held;
    char head[128];
    int busy;   // an answer is under way: nothing is read
    int closed; // handles closed so far
};

static char large[LARGE];

static void serve(struct connection *c);

static void closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    if (++c->closed == 2)
        free(c);
}

static void drop(struct connection *c)
{
    if (uv_is_closing((uv_handle_t *)&c->tcp))
        return;
    uv_close((uv_handle_t *)&c->tcp, closed);
    uv_close((uv_handle_t *)&c->timer, closed);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *c = handle->data;
    size_t room = INPUT - c->held;
    (void)suggested;
    buffer->base = c->input + c->held;
    buffer->len = room < CHUNK ? room : CHUNK;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    (void)buffer;
    if (n < 0) {
        drop(c);
        return;
    }
    c->held += (size_t)n;
    if (!c->busy)
        serve(c);
}

static void written(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    if (status < 0) {
        drop(c);
        return;
    }
    c->busy = 0;
    serve(c);
}

static void answer(struct connection *c, char *body, size_t length)
{
    int n = snprintf(c->head, sizeof(c->head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", length);
    uv_buf_t buffers[2] = {uv_buf_init(c->head, (unsigned)n), uv_buf_init(body, (unsigned)length)};
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, buffers, 2, written) < 0)
        drop(c);
}

static void pause_over(uv_timer_t *timer)
{
    answer(timer->data, "hello world\n", 12);
}

// Takes the next request; without a whole one, reads on.
static void serve(struct connection *c)
{
    c->input[c->held] = 0;
    char *end = strstr(c->input, "\r\n\r\n");
    if (!end) {
        if (c->held == INPUT)
            drop(c);
        else
            uv_read_start((uv_stream_t *)&c->tcp, allocate, on_read);
        return;
    }
    c->busy = 1;
    uv_read_stop((uv_stream_t *)&c->tcp);
    int is_large = strncmp(c->input, "GET /large", 10) == 0;
    int ms = strncmp(c->input, "GET /slow/", 10) == 0 ? atoi(c->input + 10) : 0;
    size_t used = (size_t)(end + 4 - c->input);
    memmove(c->input, c->input + used, c->held - used);
    c->held -= used;
    if (ms)
        uv_timer_start(&c->timer, pause_over, (uint64_t)ms, 0);
    else
        answer(c, is_large ? large : "hello world\n", is_large ? LARGE : 12);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (status < 0)
        abort();
    c->tcp.data = c->timer.data = c->write.data = c;
    uv_tcp_init(listener->loop, &c->tcp);
    uv_timer_init(listener->loop, &c->timer);
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) < 0)
        drop(c);
    else
        uv_read_start((uv_stream_t *)&c->tcp, allocate, on_read);
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    uv_tcp_t listener;
    if (argc != 2 || uv_ip4_addr("127.0.0.1", atoi(argv[1]), &address) < 0)
        return 2;
    uv_tcp_init(uv_default_loop(), &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) < 0 ||
        uv_listen((uv_stream_t *)&listener, 128, on_connection) < 0)
        return 1;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
