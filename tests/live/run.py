#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live tests: epaudit against real processes under this kernel. `run.py [WORD...]` runs those whose name
holds a WORD. Needs root, or CAP_BPF and CAP_PERFMON."""
import sys

import answers
import containers
import budget
import costs
import demos
import differential
import interest
import languages
import left
import pythons
import lives
import loading
import manners
import noticed
import places
import readers
import reports
import rings
import room
import safety
import scale
import selected
import servers
import sources
import stops
import streams
import trouble
import unregistered
import waiting
import whose
from harness import Suite

suite = Suite(sys.argv[1:])
containers.register(suite)
costs.register(suite)
budget.register(suite)
demos.register(suite)
answers.register(suite)
differential.register(suite)
manners.register(suite)
noticed.register(suite)
lives.register(suite)
loading.register(suite)
places.register(suite)
readers.register(suite)
reports.register(suite)
rings.register(suite)
room.register(suite)
safety.register(suite)
scale.register(suite)
selected.register(suite)
servers.register(suite)
sources.register(suite)
trouble.register(suite)
interest.register(suite)
streams.register(suite)
whose.register(suite)
languages.register(suite)
left.register(suite)
pythons.register(suite)
waiting.register(suite)
unregistered.register(suite)
stops.register(suite)
suite.close()
