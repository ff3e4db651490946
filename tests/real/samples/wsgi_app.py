# SPDX-License-Identifier: Apache-2.0
"""A WSGI application. In gunicorn's gevent workers sleep() is gevent's."""
import time

LARGE = bytes(4 << 20)
SMALL = b"hello world\n"


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path.startswith("/slow/"):
        time.sleep(int(path[6:]) / 1000)
    body = LARGE if path == "/large" else SMALL
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
