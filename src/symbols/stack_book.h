// SPDX-License-Identifier: Apache-2.0
// The user stacks of an observation, by what they show. Unwound when they arrive, while their process lives, and
// symbolised only when a finding asks: reading the line tables of a big program takes seconds.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "src/books/call_sites.h"
#include "src/books/stack_owner.h"
#include "src/symbols/process_image.h"

namespace epaudit {

// What a captured stack belongs to.
struct StackOwner {
    StackRole role = StackRole::kArmed;
    uint64_t id = 0;    // as stack_owners() in src/books/stack_owner.h
    uint64_t time = 0;  // CLOCK_MONOTONIC ns
    uint32_t tid = 0;
    uint32_t pid = 0;
};

class SymbolsChild;

class StackBook : public CallSites {
public:
    // Reads the map of a process now: it may be gone when its first stack arrives.
    void learn_process(uint32_t pid);
    // Makes who reads the symbols of such a process (some 10 ms): when its first stack arrives, that is in haste.
    void expect(uint32_t pid);
    // The same process, but another program: what is known of it holds no more, even if it is the same file again.
    void became_another(uint32_t pid);
    void add(const StackOwner& owner, const StackSlice& slice);
    // As the probe wants it; nullptr: no interpreter of Python is there that we know.
    const python_offsets* python(uint32_t pid);

    const Stack* find(StackRole role, const sweep_record& entry) override;
    std::vector<const Stack*> armed_in(uint32_t pid) override;
    uint64_t places_in(uint32_t pid) const override;
    bool changed();  // since the last call: a finding may now get what it lacked
    // Those that came since the last call, symbolised at once; none before the first call asked for them.
    std::vector<std::pair<StackOwner, Stack>> take_fresh();

    size_t size() const { return kept_.size(); }  // stacks that are kept

    // What could not be done, one sentence each.
    std::vector<std::string> notes() const;

private:
    struct Kept {
        uint64_t time = 0;
        uint32_t pid = 0;
        std::shared_ptr<ProcessImage> image;
        std::vector<CodeAddress> addresses;
        std::unique_ptr<Stack> stack;  // once somebody asked
    };

    std::shared_ptr<ProcessImage> image_of(uint32_t pid);
    Stack symbolised(StackRole role, const Kept& kept);
    const Stack* stack_of(StackRole role, Kept& kept);
    void make_room(uint64_t now);

    std::shared_ptr<SymbolsChild> expected_;
    std::map<uint32_t, std::shared_ptr<ProcessImage>> images_;
    std::map<StackKey, Kept> kept_;
    std::deque<StackKey> order_;  // oldest first
    std::vector<StackOwner> fresh_;
    bool keep_fresh_ = false;
    bool changed_ = false;
    std::map<uint32_t, uint64_t> places_;  // that armed something, seen of each process
    uint64_t made_room_at_ = 0;
    uint64_t gone_ = 0;     // stacks of processes that had ended
    uint64_t refused_ = 0;  // stacks of processes that we may not look at
    uint64_t failed_ = 0;
    uint64_t nameless_ = 0;  // stacks of programs whose symbols could not be read without harm
    uint64_t userless_ = 0;  // stacks of programs whose user the reader could not become
    int userless_why_ = 0;   // errno
};

}  // namespace epaudit
