# SPDX-License-Identifier: Apache-2.0
"""asyncio_server.py on the loop of uvloop (libuv)."""
import uvloop

uvloop.install()

import asyncio_server  # noqa: E402,F401 it serves as it is imported
