#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Live tests: epaudit against real processes under this kernel. `run.py [WORD...]` runs those whose name
holds a WORD (`differential`: only then). Needs root, or CAP_BPF and CAP_PERFMON."""
import sys

import demos
import differential
import interest
import manners
import reports
import servers
import trouble
import source_lines
from harness import Suite

suite = Suite(sys.argv[1:])
demos.register(suite)
if any("differential" in word for word in sys.argv[1:]):
    # Only when asked for: when a run is cut off, its last posting may have reached one source and not yet another.
    differential.register(suite)
manners.register(suite)
reports.register(suite)
servers.register(suite)
trouble.register(suite)
source_lines.register(suite)
interest.register(suite)
suite.close()
