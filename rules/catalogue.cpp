// SPDX-License-Identifier: Apache-2.0
// The one list of rules, in the order of their ids.
#include "rules/catalogue.h"

namespace epaudit {

std::vector<std::unique_ptr<Rule>> make_rules()
{
    std::vector<std::unique_ptr<Rule>> rules;
    rules.push_back(make_et_read_not_drained());
    rules.push_back(make_et_accept_not_drained());
    rules.push_back(make_oneshot_not_rearmed());
    rules.push_back(make_busy_epollout());
    rules.push_back(make_unread_spin());
    rules.push_back(make_eof_spin());
    rules.push_back(make_hup_err_spin());
    rules.push_back(make_half_close_missed());
    rules.push_back(make_close_wait_leak());
    rules.push_back(make_thundering_herd());
    return rules;
}

}  // namespace epaudit
