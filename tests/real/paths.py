# SPDX-License-Identifier: Apache-2.0
"""The live tests' harness and server helpers serve here too."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "live"))

from harness import BUILD, ROOT  # noqa: E402,F401
