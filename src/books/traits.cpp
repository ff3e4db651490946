// SPDX-License-Identifier: Apache-2.0
#include "src/books/traits.h"

namespace epaudit {
namespace {

uint32_t if_any(bool has, Trait trait) { return has ? uint32_t{trait} : 0; }

uint32_t of_file(const file_row& f)
{
    return if_any(f.kind == FILE_LISTENER, kTraitListens) | if_any(f.kind == FILE_PIPE, kTraitPipe) |
           if_any(f.kind == FILE_OTHER, kTraitOther) | if_any(f.kind == FILE_EPOLL, kTraitEpoll) |
           if_any(f.ghost_at, kTraitGhost) | if_any(f.eof_at, kTraitEnded) | if_any(f.wasted_wakes, kTraitWakesWasted) |
           if_any(f.refused_at, kTraitRefused) | if_any(f.out_cut_at, kTraitCut) |
           if_any(f.duplicates, kTraitDuplicates);
}

uint32_t of_state(const file_state& s)
{
    return if_any(s.sk_state == SK_CLOSE, kTraitEnded) |
           if_any(s.sk_state == SK_CLOSE_WAIT || (s.flags & STATE_RCV_SHUTDOWN), kTraitPeerClosed);
}

uint32_t of_registration(const registration_row& r)
{
    return if_any(r.ran, kTraitRuns) | if_any(r.flips, kTraitFlips) |
           if_any(r.flags & REGISTRATION_FIRED, kTraitDisarmed);
}

// As the kernel has it.
uint32_t of_mask(uint32_t mask)
{
    return if_any(mask & EV_EXCLUSIVE, kTraitExclusive) | if_any(mask & EV_OUT, kTraitAsksForRoom) |
           if_any(!(mask & ~EV_PRIVATE), kTraitDisarmed);
}

uint32_t of_faults(const fault_row& x)
{
    return if_any(x.exclusive_at, kTraitExclusive) | if_any(x.sleep_calls, kTraitSlept) |
           if_any(x.clashes || x.clash_misses, kTraitClashes) | if_any(x.mixed, kTraitMixed) |
           if_any(x.late_writes || x.lost_rests, kTraitCut);
}

}  // namespace

uint32_t traits_of(const sweep_record& entry)
{
    return of_file(entry.file) | of_state(entry.state) | of_registration(entry.registration) |
           of_mask(entry.live_mask) | of_faults(entry.fault);
}

}  // namespace epaudit
