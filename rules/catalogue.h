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

// clang-format off
namespace et_read_not_drained { std::unique_ptr<Rule> make(); }
namespace et_accept_not_drained { std::unique_ptr<Rule> make(); }
namespace et_blocking_fd { std::unique_ptr<Rule> make(); }
namespace oneshot_not_rearmed { std::unique_ptr<Rule> make(); }
namespace write_stalled { std::unique_ptr<Rule> make(); }
namespace deaf_registration { std::unique_ptr<Rule> make(); }
namespace busy_epollout { std::unique_ptr<Rule> make(); }
namespace unread_spin { std::unique_ptr<Rule> make(); }
namespace eof_spin { std::unique_ptr<Rule> make(); }
namespace hup_err_spin { std::unique_ptr<Rule> make(); }
namespace accept_spin { std::unique_ptr<Rule> make(); }
namespace zero_timeout_spin { std::unique_ptr<Rule> make(); }
namespace half_close_missed { std::unique_ptr<Rule> make(); }
namespace close_wait_leak { std::unique_ptr<Rule> make(); }
namespace ghost_registration { std::unique_ptr<Rule> make(); }
namespace thundering_herd { std::unique_ptr<Rule> make(); }
namespace duplicate_delivery { std::unique_ptr<Rule> make(); }
namespace exclusive_misuse { std::unique_ptr<Rule> make(); }
namespace loop_stall { std::unique_ptr<Rule> make(); }
namespace small_maxevents { std::unique_ptr<Rule> make(); }
namespace concurrent_handlers { std::unique_ptr<Rule> make(); }
namespace interleaved_writes { std::unique_ptr<Rule> make(); }
namespace epoll_shared_across_fork { std::unique_ptr<Rule> make(); }
namespace stale_event { std::unique_ptr<Rule> make(); }
namespace failed_epoll_ctl { std::unique_ptr<Rule> make(); }
namespace mixed_trigger_modes { std::unique_ptr<Rule> make(); }
namespace epoll_fd_leaked { std::unique_ptr<Rule> make(); }
namespace self_pipe_wakeup { std::unique_ptr<Rule> make(); }
namespace polling_timeout { std::unique_ptr<Rule> make(); }
// clang-format on

}  // namespace epaudit
