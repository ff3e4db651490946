// SPDX-License-Identifier: Apache-2.0
// One maker per rule folder; catalogue.cpp lists them all.
#pragma once

#include <memory>
#include <vector>

#include "src/audit/rule.h"

namespace epaudit {

// Fresh ones, with no memory, in the order of their ids. Their explain pages: src/finding/explain.h.
std::vector<std::unique_ptr<Rule>> make_rules();
std::vector<RuleInfo> catalogue();  // of all rules

std::unique_ptr<Rule> make_et_read_not_drained();
std::unique_ptr<Rule> make_et_accept_not_drained();
std::unique_ptr<Rule> make_et_blocking_fd();
std::unique_ptr<Rule> make_oneshot_not_rearmed();
std::unique_ptr<Rule> make_write_stalled();
std::unique_ptr<Rule> make_deaf_registration();
std::unique_ptr<Rule> make_busy_epollout();
std::unique_ptr<Rule> make_unread_spin();
std::unique_ptr<Rule> make_eof_spin();
std::unique_ptr<Rule> make_hup_err_spin();
std::unique_ptr<Rule> make_accept_spin();
std::unique_ptr<Rule> make_zero_timeout_spin();
std::unique_ptr<Rule> make_half_close_missed();
std::unique_ptr<Rule> make_close_wait_leak();
std::unique_ptr<Rule> make_ghost_registration();
std::unique_ptr<Rule> make_thundering_herd();
std::unique_ptr<Rule> make_duplicate_delivery();
std::unique_ptr<Rule> make_exclusive_misuse();
std::unique_ptr<Rule> make_loop_stall();
std::unique_ptr<Rule> make_small_maxevents();
std::unique_ptr<Rule> make_concurrent_handlers();
std::unique_ptr<Rule> make_interleaved_writes();
std::unique_ptr<Rule> make_epoll_shared_across_fork();
std::unique_ptr<Rule> make_stale_event();
std::unique_ptr<Rule> make_failed_epoll_ctl();
std::unique_ptr<Rule> make_mixed_trigger_modes();
std::unique_ptr<Rule> make_epoll_fd_leaked();
std::unique_ptr<Rule> make_self_pipe_wakeup();
std::unique_ptr<Rule> make_polling_timeout();

}  // namespace epaudit
