// SPDX-License-Identifier: Apache-2.0
// One maker per rule folder; catalogue.cpp lists them all.
#pragma once

#include <memory>

#include "src/audit/rule.h"

namespace epaudit {

std::unique_ptr<Rule> make_et_read_not_drained();
std::unique_ptr<Rule> make_et_accept_not_drained();
std::unique_ptr<Rule> make_oneshot_not_rearmed();
std::unique_ptr<Rule> make_busy_epollout();
std::unique_ptr<Rule> make_unread_spin();
std::unique_ptr<Rule> make_eof_spin();
std::unique_ptr<Rule> make_hup_err_spin();
std::unique_ptr<Rule> make_half_close_missed();
std::unique_ptr<Rule> make_close_wait_leak();
std::unique_ptr<Rule> make_thundering_herd();

}  // namespace epaudit
