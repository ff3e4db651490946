// SPDX-License-Identifier: Apache-2.0
#include "src/cli/options.h"

int main(int argc, char** argv) { return epaudit::epaudit_main(argc, argv); }
