# SPDX-License-Identifier: Apache-2.0
"""Twisted's HTTP server on its epoll reactor."""
import sys

from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import reactor  # noqa: E402 it is what was installed
from twisted.web import resource, server  # noqa: E402

LARGE = bytes(4 << 20)


class Site(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        body = LARGE if request.path == b"/large" else b"hello world\n"
        request.setHeader(b"Content-Length", str(len(body)).encode())
        if not request.path.startswith(b"/slow/"):
            return body
        answered = reactor.callLater(int(request.path[6:]) / 1000, lambda: (request.write(body), request.finish()))
        request.notifyFinish().addErrback(lambda _: answered.active() and answered.cancel())
        return server.NOT_DONE_YET


reactor.listenTCP(int(sys.argv[1]), server.Site(Site()), interface="127.0.0.1")
reactor.run()
