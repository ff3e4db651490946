# SPDX-License-Identifier: Apache-2.0
"""One process, two interpreters: becomes what its other words say once its own is known."""
import os
import sys
import time

time.sleep(1)
os.execv(sys.argv[1], sys.argv[1:])
