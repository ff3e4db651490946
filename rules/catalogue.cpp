// SPDX-License-Identifier: Apache-2.0
// The one list of rules, in the order of their ids.
#include "rules/catalogue.h"

namespace epaudit {

std::vector<std::unique_ptr<Rule>> make_rules()
{
    std::vector<std::unique_ptr<Rule>> rules;
    rules.push_back(make_et_read_not_drained());
    rules.push_back(make_et_accept_not_drained());
    rules.push_back(make_et_blocking_fd());
    rules.push_back(make_oneshot_not_rearmed());
    rules.push_back(make_write_stalled());
    rules.push_back(make_deaf_registration());
    rules.push_back(make_busy_epollout());
    rules.push_back(make_unread_spin());
    rules.push_back(make_eof_spin());
    rules.push_back(make_hup_err_spin());
    rules.push_back(make_accept_spin());
    rules.push_back(make_zero_timeout_spin());
    rules.push_back(make_half_close_missed());
    rules.push_back(make_close_wait_leak());
    rules.push_back(make_ghost_registration());
    rules.push_back(make_thundering_herd());
    rules.push_back(make_duplicate_delivery());
    rules.push_back(make_exclusive_misuse());
    rules.push_back(make_loop_stall());
    rules.push_back(make_small_maxevents());
    rules.push_back(make_concurrent_handlers());
    rules.push_back(make_interleaved_writes());
    rules.push_back(make_epoll_shared_across_fork());
    rules.push_back(make_stale_event());
    rules.push_back(make_failed_epoll_ctl());
    rules.push_back(make_mixed_trigger_modes());
    rules.push_back(make_epoll_fd_leaked());
    rules.push_back(make_self_pipe_wakeup());
    rules.push_back(make_polling_timeout());
    return rules;
}

std::vector<RuleInfo> catalogue()
{
    std::vector<RuleInfo> infos;
    for (const auto& rule : make_rules())
        infos.push_back(rule->info());
    return infos;
}

}  // namespace epaudit
