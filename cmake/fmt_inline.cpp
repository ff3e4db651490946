// SPDX-License-Identifier: Apache-2.0
// libfmt for the static binary. Debian 12 has no archive of it, but its headers hold all of the text (FMT_HEADER_ONLY).
// Compiled so that nothing is inlined or cloned away, it is emitted here, once, for objects that expect a library.
#include <fmt/chrono.h>
#include <fmt/format.h>
