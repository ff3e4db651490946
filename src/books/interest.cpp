// SPDX-License-Identifier: Apache-2.0
#include "src/books/interest.h"

#include <algorithm>

namespace epaudit {
namespace {

bool same_place(const Registration& a, const Registration& b)
{
    return a.file == b.file && a.fd == b.fd && a.item == b.item;
}

bool same_shape(const Registration& a, const Registration& b)
{
    const file_state &s = a.open.state, &t = b.open.state;
    return a.mask == b.mask && a.data == b.data && a.ready == b.ready && a.closed == b.closed &&
           a.open.bytes == b.open.bytes && a.open.unsent == b.open.unsent && s.unread == t.unread &&
           s.backlog == t.backlog && s.sk_state == t.sk_state && s.aux == t.aux &&
           (s.flags & ~STATE_WRITABLE) == (t.flags & ~STATE_WRITABLE);
}

const Registration* find(const InterestList& list, const Registration& wanted)
{
    // By fd, as the lists are.
    auto at = std::lower_bound(list.registrations.begin(), list.registrations.end(), wanted.fd,
                               [](const Registration& r, int fd) { return r.fd < fd; });
    for (; at != list.registrations.end() && at->fd == wanted.fd; ++at)
        if (same_place(*at, wanted))
            return &*at;
    return nullptr;
}

void compare_lists(const InterestList& then, InterestList& now, uint64_t between)
{
    for (Registration& r : now.registrations) {
        const Registration* before = find(then, r);
        if (!before) {
            r.change = Change::kNew;
            r.age_ns = between;
            continue;
        }
        r.change = same_shape(*before, r) ? Change::kNone : Change::kChanged;
        if (before->age_ns)
            r.age_ns = *before->age_ns + between;
    }
    for (const Registration& r : then.registrations)
        if (!find(now, r))
            now.gone.push_back(r);
}

}  // namespace

bool Registration::disarmed() const { return (mask & ~EV_PRIVATE) == 0; }

const InterestList* InterestLook::list(uint64_t id) const
{
    auto at = std::find_if(lists.begin(), lists.end(), [id](const InterestList& l) { return l.id == id; });
    return at == lists.end() ? nullptr : &*at;
}

void compare_looks(const InterestLook& then, InterestLook& now)
{
    uint64_t between = now.time - then.time;
    for (InterestList& list : now.lists) {
        const InterestList* before = then.list(list.id);
        if (before) {
            compare_lists(*before, list, between);
            continue;
        }
        compare_lists(InterestList{}, list, between);
        list.change = Change::kNew;
    }
}

}  // namespace epaudit
