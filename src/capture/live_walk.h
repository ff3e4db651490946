// SPDX-License-Identifier: Apache-2.0
// The seam of the sweep: who walks the tables. An iterator where the kernel takes one, else programs that user space
// runs piece by piece (bpf/sweep.bpf.c). Both hand over the same records; of those that come one by one the zeros at the
// end are left out.
#pragma once

#include <string>

#include "src/capture/live_impl.h"

namespace epaudit {

// Before loading: which of the two, by trying; the others are not loaded. `in_pieces`: do not even try iterators.
void choose_walks(LiveCapture::Impl& impl, const btf* kernel, bool in_pieces);

// Once they are loaded.
Result<> attach_walks(LiveCapture::Impl& impl);

// Walks a table, and leaves in `out` all that was handed over. False with errno set.
bool walk(LiveCapture::Impl& impl, Table table, Sink& out);

}  // namespace epaudit
