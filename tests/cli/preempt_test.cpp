// SPDX-License-Identifier: Apache-2.0
// What a kernel says of itself, and what may be done on it.
#include "src/capture/live_preempt.h"

#include <gtest/gtest.h>

#include <memory>

namespace epaudit {
namespace {

constexpr const char* kVoluntary = "#1 SMP Debian 5.10.262-1";
constexpr const char* kFull = "#1 SMP PREEMPT Tue";
constexpr const char* kDynamic = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.48-1";
constexpr const char* kRealtime = "#1 SMP PREEMPT_RT Debian 5.10.218-1";

bool preemptible(std::string version, std::string line = "", std::string now = "", std::string config = "")
{
    return is_preemptible({"6.1.0", std::move(version), std::move(line), std::move(now), std::move(config)});
}

TEST(Preempt, WhatTheKernelWasBuiltFor)
{
    EXPECT_FALSE(preemptible(kVoluntary));
    EXPECT_TRUE(preemptible(kFull));
    EXPECT_TRUE(preemptible(kRealtime));
    EXPECT_TRUE(is_realtime({"", kRealtime, "", "", ""}));
    EXPECT_FALSE(is_realtime({"", kDynamic, "", "", ""}));
}

TEST(Preempt, WhatWasDecidedAtBoot)
{
    EXPECT_FALSE(preemptible(kDynamic, "quiet preempt=none", "", "\nCONFIG_PREEMPT=y\n"));
    EXPECT_TRUE(preemptible(kDynamic, "preempt=full"));
    EXPECT_TRUE(preemptible(kDynamic, "preempt=lazy"));
    EXPECT_TRUE(preemptible(kDynamic, "quiet", "none voluntary (full)", "\nCONFIG_PREEMPT_VOLUNTARY=y\n"));
    EXPECT_FALSE(preemptible(kDynamic, "quiet", "none (voluntary) full lazy"));
    EXPECT_TRUE(preemptible(kDynamic, "quiet", "", "\nCONFIG_PREEMPT=y\n"));
    EXPECT_TRUE(preemptible(kDynamic, "quiet", "", "\nCONFIG_PREEMPT_LAZY=y\n"));
    EXPECT_FALSE(preemptible(kDynamic, "quiet", "", "\nCONFIG_PREEMPT_VOLUNTARY=y\n"));
}

TEST(Preempt, WhereNothingTellsTheAnswerIsYes)
{
    EXPECT_TRUE(preemptible(kDynamic, "quiet"));
    EXPECT_TRUE(preemptible(""));
}

struct BtfDeleter {
    void operator()(btf* b) const { btf__free(b); }
};
using Types = std::unique_ptr<btf, BtfDeleter>;

// A kernel's types: "struct member", ...
Types types(std::initializer_list<std::pair<const char*, const char*>> members)
{
    Types out(btf__new_empty());
    const int number = btf__add_int(out.get(), "int", 4, BTF_INT_SIGNED);
    for (const auto& [type, member] : members) {
        btf__add_struct(out.get(), type, 8);
        btf__add_field(out.get(), "first", number, 0, 0);
        btf__add_field(out.get(), member, number, 32, 0);
    }
    return out;
}

TEST(Preempt, ProbesThatMayRunTwiceAtOnce)
{
    const KernelWords full{"5.11.0", kFull, "", "", ""}, calm{"5.11.0", kVoluntary, "", "", ""};
    const Types v5_10 = types({{"bpf_prog", "len"}, {"task_struct", "pid"}});
    const Types v5_11 = types({{"bpf_prog", "len"}, {"task_struct", "migration_disabled"}});
    const Types v5_12 = types({{"bpf_prog", "active"}, {"task_struct", "migration_disabled"}});
    EXPECT_FALSE(trampolines_are_preempted(full, v5_10.get()));
    EXPECT_TRUE(trampolines_are_preempted(full, v5_11.get()));
    EXPECT_FALSE(trampolines_are_preempted(calm, v5_11.get()));
    EXPECT_FALSE(protects_from_recursion(v5_10.get()));
    EXPECT_FALSE(protects_from_recursion(v5_11.get()));
    EXPECT_TRUE(protects_from_recursion(v5_12.get()));
    EXPECT_TRUE(protects_from_recursion(types({{"bpf_prog_stats", "misses"}}).get()));
    EXPECT_TRUE(probes_are_preempted(full, v5_12.get(), true));
    EXPECT_FALSE(probes_are_preempted(full, v5_12.get(), false));
    EXPECT_TRUE(probes_are_preempted({"7.0.0", kDynamic, "preempt=none", "", ""}, v5_12.get(), false));
    EXPECT_FALSE(rows_come_from_own_memory(v5_12.get()));
    EXPECT_TRUE(rows_come_from_own_memory(types({{"bpf_mem_alloc", "caches"}}).get()));
}

TEST(Preempt, TrampolinesThatAreRefused)
{
    const KernelWords full{"5.11.0", kFull, "", "", ""}, calm{"5.11.0", kVoluntary, "", "", ""};
    const KernelWords unknown{"5.11.0", kDynamic, "quiet", "", ""}, realtime{"6.1.0", kRealtime, "", "", ""};
    const Types v5_11 = types({{"bpf_prog", "len"}, {"task_struct", "migration_disabled"}});
    const Types v6_1 = types({{"bpf_prog", "active"}, {"task_struct", "migration_disabled"}});
    const Types v6_4 = types(
        {{"bpf_prog", "active"}, {"task_struct", "migration_disabled"}, {"bpf_local_storage_map", "bpf_ma"}});
    EXPECT_NE(danger_of_trampolines(full, v5_11.get()).find("running twice at once"), std::string::npos);
    EXPECT_NE(danger_of_trampolines(unknown, v5_11.get()).find("running twice at once"), std::string::npos);
    EXPECT_EQ(danger_of_trampolines(calm, v5_11.get()), "");
    EXPECT_EQ(danger_of_trampolines(full, types({{"bpf_prog", "len"}}).get()), "");  // 5.10: not preempted
    EXPECT_NE(danger_of_trampolines(realtime, v6_1.get()).find("asks for memory"), std::string::npos);
    EXPECT_EQ(danger_of_trampolines(full, v6_1.get()), "");
    EXPECT_EQ(danger_of_trampolines(realtime, v6_4.get()), "");
}

Types ring_locked_by(const char* lock)
{
    Types out(btf__new_empty());
    const int number = btf__add_int(out.get(), "int", 4, BTF_INT_SIGNED);
    const int type = btf__add_typedef(out.get(), lock, number);
    btf__add_struct(out.get(), "bpf_ringbuf", 8);
    btf__add_field(out.get(), "first", number, 0, 0);
    btf__add_field(out.get(), "spinlock", type, 32, 0);
    return out;
}

TEST(Preempt, RingsWhoseLockSleeps)
{
    const KernelWords realtime{"5.10.0-32-rt-amd64", kRealtime, "", "", ""}, full{"5.10.0", kFull, "", "", ""};
    EXPECT_TRUE(rings_may_sleep(realtime, ring_locked_by("spinlock_t").get()));
    EXPECT_FALSE(rings_may_sleep(realtime, ring_locked_by("raw_spinlock_t").get()));
    EXPECT_FALSE(rings_may_sleep(realtime, ring_locked_by("rqspinlock_t").get()));
    EXPECT_FALSE(rings_may_sleep(full, ring_locked_by("spinlock_t").get()));
    EXPECT_FALSE(rings_may_sleep(realtime, types({{"bpf_prog", "len"}}).get()));
}

TEST(Preempt, MarksWhoseMemorySleeps)
{
    const KernelWords realtime{"6.1.0-56-rt-amd64", kRealtime, "", "", ""}, full{"6.1.0", kFull, "", "", ""};
    const Types v6_1 = types({{"bpf_local_storage_map", "cache_idx"}});
    EXPECT_TRUE(marks_may_sleep(realtime, v6_1.get()));
    EXPECT_FALSE(marks_may_sleep(full, v6_1.get()));
    EXPECT_FALSE(marks_may_sleep(realtime, types({{"bpf_local_storage_map", "bpf_ma"}}).get()));
    EXPECT_FALSE(marks_may_sleep(realtime, types({{"bpf_local_storage_map", "use_kmalloc_nolock"}}).get()));
}

}  // namespace
}  // namespace epaudit
