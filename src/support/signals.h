// SPDX-License-Identifier: Apache-2.0
// Signals that are read instead of handled.
#pragma once

#include <initializer_list>

#include "src/support/descriptor.h"

namespace epaudit {

// From now on they do nothing but make this descriptor readable (signalfd(2), non-blocking).
Descriptor take_signals(std::initializer_list<int> signals);

}  // namespace epaudit
