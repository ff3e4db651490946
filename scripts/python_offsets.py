#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the rows of kTable in src/symbols/python_layout.cpp: where the structures of a CPython without _Py_DebugOffsets have what
we need, by its own headers.  Usage: python_offsets.py INCLUDE_DIRECTORY...   (of 3.11 and 3.12, such as /usr/include/python3.11)"""
import pathlib
import subprocess
import sys
import tempfile

SOURCE = r"""
#define Py_BUILD_CORE 1
#include <Python.h>
#include "internal/pycore_runtime.h"
#include "internal/pycore_interp.h"
#include "internal/pycore_frame.h"
#include <stddef.h>
#include <stdio.h>
#if PY_VERSION_HEX < 0x030c0000
#define END offsetof(_PyInterpreterFrame, is_entry)
#define END_VALUE 1
#else
#define END offsetof(_PyInterpreterFrame, owner)
#define END_VALUE FRAME_OWNED_BY_CSTACK
#endif
int main(void)
{
    printf("    {%d, {0, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %d, %d, 0}, %zu, %zu, %zu, %zu, %zu, %zu, %zu},\n",
           PY_MINOR_VERSION, offsetof(_PyRuntimeState, interpreters.head), offsetof(PyInterpreterState, next),
           offsetof(PyInterpreterState, threads.head), offsetof(PyThreadState, next), offsetof(PyThreadState, native_thread_id),
           offsetof(PyThreadState, cframe), offsetof(_PyCFrame, current_frame), offsetof(_PyInterpreterFrame, f_code),
           offsetof(_PyInterpreterFrame, previous), offsetof(_PyInterpreterFrame, prev_instr), END,
           END_VALUE, PY_VERSION_HEX < 0x030c0000,
           offsetof(PyCodeObject, co_filename), offsetof(PyCodeObject, co_qualname), offsetof(PyCodeObject, co_linetable),
           offsetof(PyCodeObject, co_firstlineno), offsetof(PyCodeObject, co_code_adaptive), sizeof(PyASCIIObject),
           sizeof(PyCompactUnicodeObject));
    return 0;
}
"""

for include in sys.argv[1:] or sys.exit(__doc__):
    with tempfile.TemporaryDirectory() as directory:
        source, program = pathlib.Path(directory, "offsets.c"), pathlib.Path(directory, "offsets")
        source.write_text(SOURCE)
        subprocess.run(["cc", "-w", "-I", include, "-I", include + "/internal", "-o", program, source], check=True)
        print(subprocess.run([program], check=True, capture_output=True, text=True).stdout, end="")
