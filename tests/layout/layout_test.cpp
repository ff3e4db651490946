// SPDX-License-Identifier: Apache-2.0
// The rows as clang laid them out for BPF against the rows as g++ lays them out for us: every size, every
// offset, read from the BTF of the built object. A stray `long` or implicit padding shows up here.
#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "bpf/inspect.h"
#include "bpf/probes.h"
#include "bpf/recorded.h"
#include "bpf/unregistered.h"

namespace {

struct Layout {
    size_t size;
    std::map<std::string, size_t> offsets;
};

struct BtfDeleter {
    void operator()(btf* b) const { btf__free(b); }
};

Layout layout_of(const btf* object, const char* name)
{
    Layout layout{};
    int id = btf__find_by_name_kind(object, name, BTF_KIND_STRUCT);
    if (id < 0)
        return layout;
    const btf_type* type = btf__type_by_id(object, static_cast<__u32>(id));
    layout.size = type->size;
    const btf_member* member = btf_members(type);
    for (int i = 0; i < btf_vlen(type); i++, member++)
        layout.offsets[btf__name_by_offset(object, member->name_off)] =
            btf_member_bit_offset(type, static_cast<__u32>(i)) / 8;
    return layout;
}

class LayoutTest : public testing::Test {
protected:
    void SetUp() override
    {
        object_.reset(btf__parse(EPAUDIT_BPF_OBJECT, nullptr));
        ASSERT_TRUE(object_) << "no BTF in " << EPAUDIT_BPF_OBJECT;
    }
    std::unique_ptr<btf, BtfDeleter> object_;
};

#define EXPECT_FIELD(type, field)                                                           \
    EXPECT_EQ(layout.offsets.at(#field), offsetof(struct type, field)) << #type "." #field; \
    seen++

#define EXPECT_SIZE(type)                                 \
    Layout layout = layout_of(object_.get(), #type);      \
    ASSERT_EQ(layout.size, sizeof(struct type)) << #type; \
    size_t seen = 0

TEST_F(LayoutTest, FileState)
{
    EXPECT_SIZE(file_state);
    EXPECT_FIELD(file_state, io);
    EXPECT_FIELD(file_state, aux);
    EXPECT_FIELD(file_state, unread);
    EXPECT_FIELD(file_state, backlog);
    EXPECT_FIELD(file_state, unsent);
    EXPECT_FIELD(file_state, sk_state);
    EXPECT_FIELD(file_state, flags);
    EXPECT_FIELD(file_state, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, RecordedRow)
{
    EXPECT_SIZE(recorded_row);
    EXPECT_FIELD(recorded_row, kind);
    EXPECT_FIELD(recorded_row, pad);
    EXPECT_FIELD(recorded_row, record);
    EXPECT_FIELD(recorded_row, live_mask);
    EXPECT_FIELD(recorded_row, time);
    EXPECT_FIELD(recorded_row, file);
    EXPECT_FIELD(recorded_row, epoll);
    EXPECT_FIELD(recorded_row, fd);
    EXPECT_FIELD(recorded_row, chain);
    EXPECT_FIELD(recorded_row, ready);
    EXPECT_FIELD(recorded_row, pad2);
    EXPECT_FIELD(recorded_row, state);
    EXPECT_FIELD(recorded_row, name);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, FileTotals)
{
    EXPECT_SIZE(file_totals);
    EXPECT_FIELD(file_totals, kind);
    EXPECT_FIELD(file_totals, file_kind);
    EXPECT_FIELD(file_totals, pad);
    EXPECT_FIELD(file_totals, record);
    EXPECT_FIELD(file_totals, tgid);
    EXPECT_FIELD(file_totals, time);
    EXPECT_FIELD(file_totals, file);
    EXPECT_FIELD(file_totals, armed_at);
    EXPECT_FIELD(file_totals, bytes_in);
    EXPECT_FIELD(file_totals, bytes_out);
    EXPECT_FIELD(file_totals, fd);
    EXPECT_FIELD(file_totals, reads);
    EXPECT_FIELD(file_totals, read_eagain);
    EXPECT_FIELD(file_totals, eofs);
    EXPECT_FIELD(file_totals, writes);
    EXPECT_FIELD(file_totals, write_eagain);
    EXPECT_FIELD(file_totals, accepts);
    EXPECT_FIELD(file_totals, accept_eagain);
    EXPECT_FIELD(file_totals, accept_errors);
    EXPECT_FIELD(file_totals, wakes);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, RegistrationTotals)
{
    EXPECT_SIZE(registration_totals);
    EXPECT_FIELD(registration_totals, kind);
    EXPECT_FIELD(registration_totals, pad);
    EXPECT_FIELD(registration_totals, record);
    EXPECT_FIELD(registration_totals, tgid);
    EXPECT_FIELD(registration_totals, time);
    EXPECT_FIELD(registration_totals, epoll);
    EXPECT_FIELD(registration_totals, file);
    EXPECT_FIELD(registration_totals, added_at);
    EXPECT_FIELD(registration_totals, fd);
    EXPECT_FIELD(registration_totals, deliveries);
    EXPECT_FIELD(registration_totals, delivered_in);
    EXPECT_FIELD(registration_totals, delivered_out);
    EXPECT_FIELD(registration_totals, delivered_hup);
    EXPECT_FIELD(registration_totals, mods);
    EXPECT_FIELD(registration_totals, readies);
    EXPECT_FIELD(registration_totals, futile);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, Posting)
{
    EXPECT_SIZE(posting);
    EXPECT_FIELD(posting, time);
    EXPECT_FIELD(posting, file);
    EXPECT_FIELD(posting, epoll);
    EXPECT_FIELD(posting, data);
    EXPECT_FIELD(posting, ino);
    EXPECT_FIELD(posting, cpu);
    EXPECT_FIELD(posting, delay);
    EXPECT_FIELD(posting, amount);
    EXPECT_FIELD(posting, result);
    EXPECT_FIELD(posting, state);
    EXPECT_FIELD(posting, mask);
    EXPECT_FIELD(posting, fd);
    EXPECT_FIELD(posting, epfd);
    EXPECT_FIELD(posting, tgid);
    EXPECT_FIELD(posting, tid);
    EXPECT_FIELD(posting, kind);
    EXPECT_FIELD(posting, file_kind);
    EXPECT_FIELD(posting, flags);
    EXPECT_FIELD(posting, record);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, FileRow)
{
    EXPECT_SIZE(file_row);
    EXPECT_FIELD(file_row, ino);
    EXPECT_FIELD(file_row, last_at);
    EXPECT_FIELD(file_row, consumed_at);
    EXPECT_FIELD(file_row, attempt_at);
    EXPECT_FIELD(file_row, left_at);
    EXPECT_FIELD(file_row, edge_at);
    EXPECT_FIELD(file_row, pass_at);
    EXPECT_FIELD(file_row, armed_at);
    EXPECT_FIELD(file_row, out_cut_at);
    EXPECT_FIELD(file_row, wrote_at);
    EXPECT_FIELD(file_row, eof_at);
    EXPECT_FIELD(file_row, peer_closed_at);
    EXPECT_FIELD(file_row, closed_at);
    EXPECT_FIELD(file_row, stuck_at);
    EXPECT_FIELD(file_row, backlog_at);
    EXPECT_FIELD(file_row, wasted_cpu);
    EXPECT_FIELD(file_row, bytes_in);
    EXPECT_FIELD(file_row, bytes_out);
    EXPECT_FIELD(file_row, home);
    EXPECT_FIELD(file_row, moves);
    EXPECT_FIELD(file_row, reads);
    EXPECT_FIELD(file_row, read_eagain);
    EXPECT_FIELD(file_row, eofs);
    EXPECT_FIELD(file_row, writes);
    EXPECT_FIELD(file_row, write_eagain);
    EXPECT_FIELD(file_row, accepts);
    EXPECT_FIELD(file_row, accept_eagain);
    EXPECT_FIELD(file_row, accept_errors);
    EXPECT_FIELD(file_row, eventless_io);
    EXPECT_FIELD(file_row, rescues);
    EXPECT_FIELD(file_row, left_passes);
    EXPECT_FIELD(file_row, pass_accepts);
    EXPECT_FIELD(file_row, ignored_edges);
    EXPECT_FIELD(file_row, wakes);
    EXPECT_FIELD(file_row, wasted_wakes);
    EXPECT_FIELD(file_row, last_read_tid);
    EXPECT_FIELD(file_row, last_write_tid);
    EXPECT_FIELD(file_row, last_asked);
    EXPECT_FIELD(file_row, last_read);
    EXPECT_FIELD(file_row, unread);
    EXPECT_FIELD(file_row, backlog);
    EXPECT_FIELD(file_row, backlog_then);
    EXPECT_FIELD(file_row, accepts_then);
    EXPECT_FIELD(file_row, stuck_moves);
    EXPECT_FIELD(file_row, stuck_token);
    EXPECT_FIELD(file_row, rearm_errno);
    EXPECT_FIELD(file_row, tgid);
    EXPECT_FIELD(file_row, fd);
    EXPECT_FIELD(file_row, home_fd);
    EXPECT_FIELD(file_row, between);
    EXPECT_FIELD(file_row, flags);
    EXPECT_FIELD(file_row, flight_next);
    EXPECT_FIELD(file_row, kind);
    EXPECT_FIELD(file_row, stacks_wanted);
    EXPECT_FIELD(file_row, stacks_taken);
    EXPECT_FIELD(file_row, faulty);
    EXPECT_FIELD(file_row, duplicates);
    EXPECT_FIELD(file_row, flight);
    EXPECT_FIELD(file_row, out_told_at);
    EXPECT_FIELD(file_row, ghost_at);
    EXPECT_FIELD(file_row, refused_at);
    EXPECT_FIELD(file_row, cut_tid);
    EXPECT_FIELD(file_row, clash_a);
    EXPECT_FIELD(file_row, clash_b);
    EXPECT_FIELD(file_row, clash_got);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, FaultRow)
{
    EXPECT_SIZE(fault_row);
    EXPECT_FIELD(fault_row, writable_at);
    EXPECT_FIELD(fault_row, out_token);
    EXPECT_FIELD(fault_row, late_writes);
    EXPECT_FIELD(fault_row, ghost_epoll);
    EXPECT_FIELD(fault_row, ghost_fd);
    EXPECT_FIELD(fault_row, ghost_told);
    EXPECT_FIELD(fault_row, ghost_used);
    EXPECT_FIELD(fault_row, ghost_errors);
    EXPECT_FIELD(fault_row, slept_at);
    EXPECT_FIELD(fault_row, slept_ns);
    EXPECT_FIELD(fault_row, sleep_calls);
    EXPECT_FIELD(fault_row, sleeps);
    EXPECT_FIELD(fault_row, exclusive_at);
    EXPECT_FIELD(fault_row, exclusive_epoll);
    EXPECT_FIELD(fault_row, exclusive_mask);
    EXPECT_FIELD(fault_row, exclusive_mod);
    EXPECT_FIELD(fault_row, exclusive_errors);
    EXPECT_FIELD(fault_row, fail_turns);
    EXPECT_FIELD(fault_row, fail_errno);
    EXPECT_FIELD(fault_row, duplicates_wasted);
    EXPECT_FIELD(fault_row, cut_left);
    EXPECT_FIELD(fault_row, cut_done);
    EXPECT_FIELD(fault_row, mixed);
    EXPECT_FIELD(fault_row, mixed_bytes);
    EXPECT_FIELD(fault_row, mixed_tid);
    EXPECT_FIELD(fault_row, mixed_victim);
    EXPECT_FIELD(fault_row, clashes);
    EXPECT_FIELD(fault_row, clash_misses);
    EXPECT_FIELD(fault_row, refusals);
    EXPECT_FIELD(fault_row, refused_mask);
    EXPECT_FIELD(fault_row, refused_errno);
    EXPECT_FIELD(fault_row, refused_kind);
    EXPECT_FIELD(fault_row, refused_epoll);
    EXPECT_FIELD(fault_row, cut_next);
    EXPECT_FIELD(fault_row, lost_rests);
    EXPECT_FIELD(fault_row, lost_bytes);
    EXPECT_FIELD(fault_row, cut_mark);
    EXPECT_FIELD(fault_row, cut_pad);
    EXPECT_FIELD(fault_row, cut_by);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, FailedCalls)
{
    EXPECT_SIZE(failed_calls);
    EXPECT_FIELD(failed_calls, count);
    EXPECT_FIELD(failed_calls, error);
    EXPECT_FIELD(failed_calls, kind);
    EXPECT_FIELD(failed_calls, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, RunCalls)
{
    EXPECT_SIZE(run_calls);
    EXPECT_FIELD(run_calls, returns);
    EXPECT_FIELD(run_calls, after);
    EXPECT_FIELD(run_calls, pad);
    EXPECT_FIELD(run_calls, failed);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, RegistrationKey)
{
    EXPECT_SIZE(registration_key);
    EXPECT_FIELD(registration_key, epoll);
    EXPECT_FIELD(registration_key, file);
    EXPECT_FIELD(registration_key, fd);
    EXPECT_FIELD(registration_key, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, RegistrationRow)
{
    EXPECT_SIZE(registration_row);
    EXPECT_FIELD(registration_row, item);
    EXPECT_FIELD(registration_row, data);
    EXPECT_FIELD(registration_row, added_at);
    EXPECT_FIELD(registration_row, armed_at);
    EXPECT_FIELD(registration_row, delivered_at);
    EXPECT_FIELD(registration_row, ready_at);
    EXPECT_FIELD(registration_row, fired_at);
    EXPECT_FIELD(registration_row, token_io);
    EXPECT_FIELD(registration_row, token_aux);
    EXPECT_FIELD(registration_row, armed_site);
    EXPECT_FIELD(registration_row, left_site);
    EXPECT_FIELD(registration_row, token_moves);
    EXPECT_FIELD(registration_row, token_backlog);
    EXPECT_FIELD(registration_row, run);
    EXPECT_FIELD(registration_row, best_run);
    EXPECT_FIELD(registration_row, mask);
    EXPECT_FIELD(registration_row, deliveries);
    EXPECT_FIELD(registration_row, delivered_in);
    EXPECT_FIELD(registration_row, delivered_out);
    EXPECT_FIELD(registration_row, delivered_hup);
    EXPECT_FIELD(registration_row, readies);
    EXPECT_FIELD(registration_row, mods);
    EXPECT_FIELD(registration_row, delivered_events);
    EXPECT_FIELD(registration_row, delivered_tid);
    EXPECT_FIELD(registration_row, ctl_tid);
    EXPECT_FIELD(registration_row, flips);
    EXPECT_FIELD(registration_row, delivered_unread);
    EXPECT_FIELD(registration_row, tgid);
    EXPECT_FIELD(registration_row, self_readies);
    EXPECT_FIELD(registration_row, flags);
    EXPECT_FIELD(registration_row, ran);
    EXPECT_FIELD(registration_row, open);
    EXPECT_FIELD(registration_row, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, RunRow)
{
    EXPECT_SIZE(run_row);
    EXPECT_FIELD(run_row, at);
    EXPECT_FIELD(run_row, cpu);
    EXPECT_FIELD(run_row, last_at);
    EXPECT_FIELD(run_row, spent);
    EXPECT_FIELD(run_row, best_ns);
    EXPECT_FIELD(run_row, best_at);
    EXPECT_FIELD(run_row, futile_ns);
    EXPECT_FIELD(run_row, futile_cpu);
    EXPECT_FIELD(run_row, futile);
    EXPECT_FIELD(run_row, events);
    EXPECT_FIELD(run_row, best_events);
    EXPECT_FIELD(run_row, best_mask);
    EXPECT_FIELD(run_row, calls);
    EXPECT_FIELD(run_row, best_calls);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, IndexKey)
{
    EXPECT_SIZE(index_key);
    EXPECT_FIELD(index_key, epoll);
    EXPECT_FIELD(index_key, data);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, IndexRow)
{
    EXPECT_SIZE(index_row);
    EXPECT_FIELD(index_row, file_sum);
    EXPECT_FIELD(index_row, fd_sum);
    EXPECT_FIELD(index_row, count);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, EpollRow)
{
    EXPECT_SIZE(epoll_row);
    EXPECT_FIELD(epoll_row, file);
    EXPECT_FIELD(epoll_row, created_at);
    EXPECT_FIELD(epoll_row, last_return_at);
    EXPECT_FIELD(epoll_row, last_fired_at);
    EXPECT_FIELD(epoll_row, waits);
    EXPECT_FIELD(epoll_row, returns);
    EXPECT_FIELD(epoll_row, events);
    EXPECT_FIELD(epoll_row, futile_returns);
    EXPECT_FIELD(epoll_row, timeouts);
    EXPECT_FIELD(epoll_row, interrupts);
    EXPECT_FIELD(epoll_row, zero_timeouts);
    EXPECT_FIELD(epoll_row, full_batches);
    EXPECT_FIELD(epoll_row, unattributed);
    EXPECT_FIELD(epoll_row, eventless_at);
    EXPECT_FIELD(epoll_row, eventless_io);
    EXPECT_FIELD(epoll_row, eventless_writes);
    EXPECT_FIELD(epoll_row, rescues);
    EXPECT_FIELD(epoll_row, registrations);
    EXPECT_FIELD(epoll_row, fired);
    EXPECT_FIELD(epoll_row, rearms);
    EXPECT_FIELD(epoll_row, rearms_fast);
    EXPECT_FIELD(epoll_row, unarmed_closes);
    EXPECT_FIELD(epoll_row, ctl_errors);
    EXPECT_FIELD(epoll_row, tgid);
    EXPECT_FIELD(epoll_row, fd);
    EXPECT_FIELD(epoll_row, max_events);
    EXPECT_FIELD(epoll_row, batch);
    EXPECT_FIELD(epoll_row, latency);
    EXPECT_FIELD(epoll_row, handling);
    EXPECT_FIELD(epoll_row, ghost_file);
    EXPECT_FIELD(epoll_row, ghost_fd);
    EXPECT_FIELD(epoll_row, max_asked);
    EXPECT_FIELD(epoll_row, ready_looks);
    EXPECT_FIELD(epoll_row, ready_crowded);
    EXPECT_FIELD(epoll_row, polled_at);
    EXPECT_FIELD(epoll_row, away_from);
    EXPECT_FIELD(epoll_row, away_until);
    EXPECT_FIELD(epoll_row, away_ns);
    EXPECT_FIELD(epoll_row, away_nap_ns);
    EXPECT_FIELD(epoll_row, away_cpu_ns);
    EXPECT_FIELD(epoll_row, stall_from);
    EXPECT_FIELD(epoll_row, stall_until);
    EXPECT_FIELD(epoll_row, stall_ns);
    EXPECT_FIELD(epoll_row, stall_nap_ns);
    EXPECT_FIELD(epoll_row, stall_cpu_ns);
    EXPECT_FIELD(epoll_row, stalled_ns);
    EXPECT_FIELD(epoll_row, away_call);
    EXPECT_FIELD(epoll_row, away_tid);
    EXPECT_FIELD(epoll_row, away_batch);
    EXPECT_FIELD(epoll_row, away_kept);
    EXPECT_FIELD(epoll_row, stall_call);
    EXPECT_FIELD(epoll_row, stall_tid);
    EXPECT_FIELD(epoll_row, stall_batch);
    EXPECT_FIELD(epoll_row, stall_kept);
    EXPECT_FIELD(epoll_row, stalls);
    EXPECT_FIELD(epoll_row, stalls_asleep);
    EXPECT_FIELD(epoll_row, foreign_returns);
    EXPECT_FIELD(epoll_row, foreign_ctls);
    EXPECT_FIELD(epoll_row, strangers);
    EXPECT_FIELD(epoll_row, foreign_tgid);
    EXPECT_FIELD(epoll_row, foreign_owner);
    EXPECT_FIELD(epoll_row, foreign_fd);
    EXPECT_FIELD(epoll_row, foreign_file);
    EXPECT_FIELD(epoll_row, foreign_at);
    EXPECT_FIELD(epoll_row, foreign_result);
    EXPECT_FIELD(epoll_row, foreign_kind);
    EXPECT_FIELD(epoll_row, foreign_file_kind);
    EXPECT_FIELD(epoll_row, stale_kind);
    EXPECT_FIELD(epoll_row, stale_pad);
    EXPECT_FIELD(epoll_row, stale_told_at);
    EXPECT_FIELD(epoll_row, stale_closed_at);
    EXPECT_FIELD(epoll_row, stale_at);
    EXPECT_FIELD(epoll_row, stale_ios);
    EXPECT_FIELD(epoll_row, stale_tid);
    EXPECT_FIELD(epoll_row, stale_fd);
    EXPECT_FIELD(epoll_row, stale_errno);
    EXPECT_FIELD(epoll_row, leaked_at);
    EXPECT_FIELD(epoll_row, leaks);
    EXPECT_FIELD(epoll_row, leaked_tgid);
    EXPECT_FIELD(epoll_row, leaked_fd);
    EXPECT_FIELD(epoll_row, tick_ms);
    EXPECT_FIELD(epoll_row, short_timeouts);
    EXPECT_FIELD(epoll_row, ticks);
    EXPECT_FIELD(epoll_row, stacks_wanted);
    EXPECT_FIELD(epoll_row, stacks_taken);
    EXPECT_FIELD(epoll_row, resumes);
    EXPECT_FIELD(epoll_row, resumes_fast);
    EXPECT_FIELD(epoll_row, exclusive_drops);
    EXPECT_FIELD(epoll_row, exclusive_mask);
    EXPECT_FIELD(epoll_row, away_turn);
    EXPECT_FIELD(epoll_row, away_nap_until);
    EXPECT_FIELD(epoll_row, away_delay_ns);
    EXPECT_FIELD(epoll_row, starve_until);
    EXPECT_FIELD(epoll_row, starve_ns);
    EXPECT_FIELD(epoll_row, starve_tid);
    EXPECT_FIELD(epoll_row, starve_kept);
    EXPECT_FIELD(epoll_row, starves);
    EXPECT_FIELD(epoll_row, clients);
    EXPECT_FIELD(epoll_row, polled_other_at);
    EXPECT_FIELD(epoll_row, polled_tid);
    EXPECT_FIELD(epoll_row, flags);
    EXPECT_FIELD(epoll_row, away_counted);
    EXPECT_FIELD(epoll_row, pad);
    EXPECT_FIELD(epoll_row, removed_at);
    EXPECT_FIELD(epoll_row, unknown);
    EXPECT_FIELD(epoll_row, given_up);
    EXPECT_FIELD(epoll_row, gone_on);
    EXPECT_FIELD(epoll_row, polled_timed_ns);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, ThreadRow)
{
    EXPECT_SIZE(thread_row);
    EXPECT_FIELD(thread_row, epoll);
    EXPECT_FIELD(thread_row, wait_at);
    EXPECT_FIELD(thread_row, return_at);
    EXPECT_FIELD(thread_row, woken_file);
    EXPECT_FIELD(thread_row, woken_cpu);
    EXPECT_FIELD(thread_row, trying_file);
    EXPECT_FIELD(thread_row, waste_file);
    EXPECT_FIELD(thread_row, wrote_at);
    EXPECT_FIELD(thread_row, wrote_file);
    EXPECT_FIELD(thread_row, handoff_at);
    EXPECT_FIELD(thread_row, tgid);
    EXPECT_FIELD(thread_row, timeout_ms);
    EXPECT_FIELD(thread_row, returns);
    EXPECT_FIELD(thread_row, waiting);
    EXPECT_FIELD(thread_row, trying_sole);
    EXPECT_FIELD(thread_row, seeded);
    EXPECT_FIELD(thread_row, nap_wanted);
    EXPECT_FIELD(thread_row, call_file);
    EXPECT_FIELD(thread_row, call_at);
    EXPECT_FIELD(thread_row, duplicate_file);
    EXPECT_FIELD(thread_row, uring_at);
    EXPECT_FIELD(thread_row, zero_at);
    EXPECT_FIELD(thread_row, zero_cpu);
    EXPECT_FIELD(thread_row, zeros);
    EXPECT_FIELD(thread_row, zero_run);
    EXPECT_FIELD(thread_row, zero_bursts);
    EXPECT_FIELD(thread_row, call_switches);
    EXPECT_FIELD(thread_row, zero_since);
    EXPECT_FIELD(thread_row, timed_ns);
    EXPECT_FIELD(thread_row, timed_waits);
    EXPECT_FIELD(thread_row, accepted);
    EXPECT_FIELD(thread_row, base_at);
    EXPECT_FIELD(thread_row, base_cpu);
    EXPECT_FIELD(thread_row, base_delay);
    EXPECT_FIELD(thread_row, naps_ns);
    EXPECT_FIELD(thread_row, nap_ns);
    EXPECT_FIELD(thread_row, nap_call);
    EXPECT_FIELD(thread_row, batch);
    EXPECT_FIELD(thread_row, stale_pass);
    EXPECT_FIELD(thread_row, stale_closed_at);
    EXPECT_FIELD(thread_row, stale_fds);
    EXPECT_FIELD(thread_row, stale_next);
    EXPECT_FIELD(thread_row, stopped);
    EXPECT_FIELD(thread_row, stale_pad);
    EXPECT_FIELD(thread_row, nap_until);
    EXPECT_FIELD(thread_row, stopped_ns);
    EXPECT_FIELD(thread_row, stopped_at);
    EXPECT_FIELD(thread_row, task);
    EXPECT_FIELD(thread_row, outer);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, ProcessRow)
{
    EXPECT_SIZE(process_row);
    EXPECT_FIELD(process_row, seen_at);
    EXPECT_FIELD(process_row, leaked);
    EXPECT_FIELD(process_row, leaked_task);
    EXPECT_FIELD(process_row, leaked_fd);
    EXPECT_FIELD(process_row, parent);
    EXPECT_FIELD(process_row, flags);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, ProbeFacts)
{
    EXPECT_SIZE(probe_facts);
    EXPECT_FIELD(probe_facts, poll);
    EXPECT_FIELD(probe_facts, ep_poll_callback);
    EXPECT_FIELD(probe_facts, timerfd_tmrproc);
    EXPECT_FIELD(probe_facts, pid_level);
    EXPECT_FIELD(probe_facts, tgid_32bit);
    EXPECT_FIELD(probe_facts, suspicious);
    EXPECT_FIELD(probe_facts, processes_changed);
    EXPECT_FIELD(probe_facts, timeout_in_ms);
    EXPECT_FIELD(probe_facts, blocking_edges);
    EXPECT_FIELD(probe_facts, stacks_left);
    EXPECT_FIELD(probe_facts, wake_files);
    EXPECT_FIELD(probe_facts, pipe_wakers);
    EXPECT_FIELD(probe_facts, pid_namespace);
    EXPECT_FIELD(probe_facts, comm_32bit);
    EXPECT_FIELD(probe_facts, naps_until);
    EXPECT_FIELD(probe_facts, seeded);
    EXPECT_FIELD(probe_facts, mptcp);
    EXPECT_FIELD(probe_facts, pythons);
    EXPECT_EQ(offsetof(probe_facts, suspicious) % 64, 0U)
        << "what is written often shares a line with what all calls read";
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, SocketName)
{
    EXPECT_SIZE(socket_name);
    EXPECT_FIELD(socket_name, local);
    EXPECT_FIELD(socket_name, peer);
    EXPECT_FIELD(socket_name, local_port);
    EXPECT_FIELD(socket_name, peer_port);
    EXPECT_FIELD(socket_name, family);
    EXPECT_FIELD(socket_name, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, SweepRecord)
{
    EXPECT_SIZE(sweep_record);
    EXPECT_FIELD(sweep_record, file_id);
    EXPECT_FIELD(sweep_record, file);
    EXPECT_FIELD(sweep_record, state);
    EXPECT_FIELD(sweep_record, name);
    EXPECT_FIELD(sweep_record, key);
    EXPECT_FIELD(sweep_record, registration);
    EXPECT_FIELD(sweep_record, time);
    EXPECT_FIELD(sweep_record, live_mask);
    EXPECT_FIELD(sweep_record, chain);
    EXPECT_FIELD(sweep_record, ready);
    EXPECT_FIELD(sweep_record, buried);
    EXPECT_FIELD(sweep_record, fault);
    EXPECT_FIELD(sweep_record, runs);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, StackRecord)
{
    EXPECT_SIZE(stack_record);
    EXPECT_FIELD(stack_record, time);
    EXPECT_FIELD(stack_record, site);
    EXPECT_FIELD(stack_record, file);
    EXPECT_FIELD(stack_record, epoll);
    EXPECT_FIELD(stack_record, start);
    EXPECT_FIELD(stack_record, tgid);
    EXPECT_FIELD(stack_record, tid);
    EXPECT_FIELD(stack_record, fd);
    EXPECT_FIELD(stack_record, role);
    EXPECT_FIELD(stack_record, bytes);
    EXPECT_FIELD(stack_record, pythons);
    EXPECT_FIELD(stack_record, registers);
    EXPECT_FIELD(stack_record, python);
    EXPECT_FIELD(stack_record, slice);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, PythonOffsets)
{
    EXPECT_SIZE(python_offsets);
    EXPECT_FIELD(python_offsets, runtime);
    EXPECT_FIELD(python_offsets, interpreters);
    EXPECT_FIELD(python_offsets, interpreter_next);
    EXPECT_FIELD(python_offsets, threads);
    EXPECT_FIELD(python_offsets, thread_next);
    EXPECT_FIELD(python_offsets, native_id);
    EXPECT_FIELD(python_offsets, frame);
    EXPECT_FIELD(python_offsets, of_cframe);
    EXPECT_FIELD(python_offsets, code);
    EXPECT_FIELD(python_offsets, previous);
    EXPECT_FIELD(python_offsets, instr);
    EXPECT_FIELD(python_offsets, end);
    EXPECT_FIELD(python_offsets, end_value);
    EXPECT_FIELD(python_offsets, end_is_frame);
    EXPECT_FIELD(python_offsets, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, PythonFrame)
{
    EXPECT_SIZE(python_frame);
    EXPECT_FIELD(python_frame, code);
    EXPECT_FIELD(python_frame, instr);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, ExecRecord)
{
    EXPECT_SIZE(exec_record);
    EXPECT_FIELD(exec_record, time);
    EXPECT_FIELD(exec_record, tgid);
    EXPECT_FIELD(exec_record, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, LearnRecord)
{
    EXPECT_SIZE(learn_record);
    EXPECT_FIELD(learn_record, fd);
    EXPECT_FIELD(learn_record, pad);
    EXPECT_FIELD(learn_record, poll);
    EXPECT_FIELD(learn_record, callback);
    EXPECT_FIELD(learn_record, function);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, UnregisteredSocket)
{
    EXPECT_SIZE(unregistered_socket);
    EXPECT_FIELD(unregistered_socket, file);
    EXPECT_FIELD(unregistered_socket, ino);
    EXPECT_FIELD(unregistered_socket, state);
    EXPECT_FIELD(unregistered_socket, name);
    EXPECT_FIELD(unregistered_socket, tgid);
    EXPECT_FIELD(unregistered_socket, fd);
    EXPECT_FIELD(unregistered_socket, kind);
    EXPECT_FIELD(unregistered_socket, flags);
    EXPECT_FIELD(unregistered_socket, pad);
    EXPECT_FIELD(unregistered_socket, served);
    EXPECT_FIELD(unregistered_socket, connecting);
    EXPECT_FIELD(unregistered_socket, holders);
    EXPECT_FIELD(unregistered_socket, waiting);
    EXPECT_FIELD(unregistered_socket, awake);
    EXPECT_FIELD(unregistered_socket, awake_call);
    EXPECT_FIELD(unregistered_socket, pad2);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, InspectEpoll)
{
    EXPECT_SIZE(inspect_epoll);
    EXPECT_FIELD(inspect_epoll, kind);
    EXPECT_FIELD(inspect_epoll, tgid);
    EXPECT_FIELD(inspect_epoll, epoll);
    EXPECT_FIELD(inspect_epoll, ran_at);
    EXPECT_FIELD(inspect_epoll, fd);
    EXPECT_FIELD(inspect_epoll, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, InspectWaiter)
{
    EXPECT_SIZE(inspect_waiter);
    EXPECT_FIELD(inspect_waiter, kind);
    EXPECT_FIELD(inspect_waiter, tgid);
    EXPECT_FIELD(inspect_waiter, epoll);
    EXPECT_FIELD(inspect_waiter, ran_at);
    EXPECT_FIELD(inspect_waiter, tid);
    EXPECT_FIELD(inspect_waiter, pad);
    EXPECT_FIELD(inspect_waiter, comm);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, InspectFile)
{
    EXPECT_SIZE(inspect_file);
    EXPECT_FIELD(inspect_file, kind);
    EXPECT_FIELD(inspect_file, tgid);
    EXPECT_FIELD(inspect_file, file);
    EXPECT_FIELD(inspect_file, inner);
    EXPECT_FIELD(inspect_file, ino);
    EXPECT_FIELD(inspect_file, bytes);
    EXPECT_FIELD(inspect_file, state);
    EXPECT_FIELD(inspect_file, name);
    EXPECT_FIELD(inspect_file, fd);
    EXPECT_FIELD(inspect_file, unsent);
    EXPECT_FIELD(inspect_file, limit);
    EXPECT_FIELD(inspect_file, peer_pid);
    EXPECT_FIELD(inspect_file, protocol);
    EXPECT_FIELD(inspect_file, text_length);
    EXPECT_FIELD(inspect_file, file_kind);
    EXPECT_FIELD(inspect_file, text_kind);
    EXPECT_FIELD(inspect_file, type);
    EXPECT_FIELD(inspect_file, nonblock);
    EXPECT_FIELD(inspect_file, text);
    EXPECT_FIELD(inspect_file, pad);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, InspectItem)
{
    EXPECT_SIZE(inspect_item);
    EXPECT_FIELD(inspect_item, kind);
    EXPECT_FIELD(inspect_item, mask);
    EXPECT_FIELD(inspect_item, epoll);
    EXPECT_FIELD(inspect_item, file);
    EXPECT_FIELD(inspect_item, item);
    EXPECT_FIELD(inspect_item, data);
    EXPECT_FIELD(inspect_item, fd);
    EXPECT_FIELD(inspect_item, ready);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

TEST_F(LayoutTest, WalkPiece)
{
    EXPECT_SIZE(walk_piece);
    EXPECT_FIELD(walk_piece, first);
    EXPECT_FIELD(walk_piece, end);
    EXPECT_FIELD(walk_piece, bytes);
    EXPECT_FIELD(walk_piece, next);
    EXPECT_EQ(seen, layout.offsets.size()) << "a field is missing from this test";
}

// arm64 overwrites regs[0] with the result before sys_exit; the first argument is in orig_x0, the number in
// syscallno, and epoll_event is not packed. The rows are the same on both.
TEST_F(LayoutTest, Arm64)
{
    std::unique_ptr<btf, BtfDeleter> arm(btf__parse(EPAUDIT_BPF_ARM64, nullptr));
    ASSERT_TRUE(arm) << "no BTF in " << EPAUDIT_BPF_ARM64;
    Layout call = layout_of(arm.get(), "pt_regs___call");
    EXPECT_TRUE(call.offsets.count("orig_x0") && call.offsets.count("syscallno") && call.offsets.count("regs"));
    for (const char* name : {"posting", "file_row", "fault_row", "registration_row", "run_row", "epoll_row",
                             "thread_row", "sweep_record"}) {
        Layout here = layout_of(object_.get(), name), there = layout_of(arm.get(), name);
        EXPECT_EQ(here.size, there.size) << name;
        EXPECT_EQ(here.offsets, there.offsets) << name;
    }
    EXPECT_EQ(layout_of(object_.get(), "pt_regs___call").size, 0u) << "x86-64 has no such struct";
}

}  // namespace
