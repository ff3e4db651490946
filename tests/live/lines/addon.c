// SPDX-License-Identifier: Apache-2.0
// What the package `epoll` is to programs of Node: an epoll of its own, whose epoll_ctl() is called by the line that adds, and
// a thread that waits. The interface of Node is declared here, so that its headers are not needed.
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
extern int napi_create_function(napi_env, const char *, size_t, napi_value (*)(napi_env, napi_callback_info), void *, napi_value *);

static void *wait_for_events(void *epoll)
{
    struct epoll_event got[8];
    while (epoll_wait((int)(intptr_t)epoll, got, 8, -1) >= 0) {
    }
    return NULL;
}

static napi_value add_for_output(napi_env env, napi_callback_info info)
{
    (void)env, (void)info;
    const int epoll = epoll_create1(EPOLL_CLOEXEC), fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event want = {.events = EPOLLOUT, .data.fd = fd};
    pthread_t waiter;
    if (!epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &want))
        pthread_create(&waiter, NULL, wait_for_events, (void *)(intptr_t)epoll);
    return NULL;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports)
{
    napi_value function = NULL;
    return napi_create_function(env, "addForOutput", SIZE_MAX, add_for_output, NULL, &function) ? exports : function;
}
