// SPDX-License-Identifier: Apache-2.0
// The one list of rules, in the order of their ids.
#include "rules/catalogue.h"

namespace epaudit {

std::vector<std::unique_ptr<Rule>> make_rules()
{
    std::vector<std::unique_ptr<Rule>> rules;
    rules.push_back(et_read_not_drained::make());
    rules.push_back(et_accept_not_drained::make());
    rules.push_back(et_blocking_fd::make());
    rules.push_back(oneshot_not_rearmed::make());
    rules.push_back(write_stalled::make());
    rules.push_back(deaf_registration::make());
    rules.push_back(busy_epollout::make());
    rules.push_back(unread_spin::make());
    rules.push_back(eof_spin::make());
    rules.push_back(hup_err_spin::make());
    rules.push_back(accept_spin::make());
    rules.push_back(zero_timeout_spin::make());
    rules.push_back(half_close_missed::make());
    rules.push_back(close_wait_leak::make());
    rules.push_back(ghost_registration::make());
    rules.push_back(thundering_herd::make());
    rules.push_back(duplicate_delivery::make());
    rules.push_back(exclusive_misuse::make());
    rules.push_back(loop_stall::make());
    rules.push_back(small_maxevents::make());
    rules.push_back(concurrent_handlers::make());
    rules.push_back(interleaved_writes::make());
    rules.push_back(epoll_shared_across_fork::make());
    rules.push_back(stale_event::make());
    rules.push_back(failed_epoll_ctl::make());
    rules.push_back(mixed_trigger_modes::make());
    rules.push_back(epoll_fd_leaked::make());
    rules.push_back(self_pipe_wakeup::make());
    rules.push_back(polling_timeout::make());
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
