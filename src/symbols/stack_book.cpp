// SPDX-License-Identifier: Apache-2.0
#include "src/symbols/stack_book.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "bpf/types.h"
#include "src/support/proc.h"
#include "src/symbols/symbols_child.h"

namespace epaudit {
namespace {

constexpr size_t kMostStacks = 4096;
// Beyond as many, those of processes that have ended are forgotten: a server that forks for weeks has one more each time,
// and each is megabytes of unwinding tables.
constexpr size_t kMostImages = 64;
// So long a rule may still ask for a stack of a process that has ended.
constexpr uint64_t kEndedNs = 60 * NSEC_PER_SEC;

}  // namespace

std::shared_ptr<ProcessImage> StackBook::image_of(uint32_t pid)
{
    auto at = images_.find(pid);
    if (at != images_.end() && at->second->current())
        return at->second;
    int why = 0;
    std::shared_ptr<ProcessImage> image = ProcessImage::open(pid, why);
    if (image) {
        images_[pid] = image;
        return image;
    }
    const bool refused = why == EACCES || why == EPERM;
    const bool known = at != images_.end();
    const auto stat = refused && known ? read_proc_stat(pid) : std::nullopt;
    // While it lives, the map that is known may be that of the program before. Who has ended may be refused, too.
    if (refused && (!known || (stat && stat->running())))
        refused_++;
    if (known)  // it has ended, but we have read its map in time
        return at->second;
    if (refused)
        return nullptr;
    if (why == ENOENT || why == ESRCH)
        gone_++;
    else
        failed_++;
    return nullptr;
}

void StackBook::learn_process(uint32_t pid)
{
    int why = 0;
    if (std::shared_ptr<ProcessImage> image = ProcessImage::open(pid, why))
        images_[pid] = std::move(image);
}

void StackBook::became_another(uint32_t pid)
{
    if (images_.erase(pid))
        learn_process(pid);
}

const python_offsets* StackBook::python(uint32_t pid)
{
    const std::shared_ptr<ProcessImage> image = image_of(pid);
    return image ? image->python() : nullptr;
}

void StackBook::expect(uint32_t pid)
{
    const ProcessUser user = user_of_process(pid);
    expected_ = SymbolsChild::of_user(user.uid, user.gid);
}

void StackBook::add(const StackOwner& owner, const StackSlice& slice)
{
    std::shared_ptr<ProcessImage> image = image_of(slice.pid);
    if (!image)
        return;
    StackKey key{owner.role, owner.id};
    auto [at, fresh] = kept_.try_emplace(key);
    at->second = Kept{owner.time, slice.pid, image, image->unwind(slice), nullptr};
    changed_ = true;
    if (owner.role == StackRole::kArmed)
        places_[slice.pid] += 1;
    if (keep_fresh_)
        fresh_.push_back(owner);
    if (fresh)
        order_.push_back(key);
    make_room(owner.time);
}

// Once a second at most: it asks /proc for every process. The stacks of a server that lives are worth more than those of
// its children that came later and have ended.
void StackBook::make_room(uint64_t now)
{
    const bool many = images_.size() > kMostImages || order_.size() > kMostStacks;
    if (many && now >= made_room_at_ + NSEC_PER_SEC) {
        made_room_at_ = now;
        std::map<const ProcessImage*, bool> ended;  // asked once each
        auto has_ended = [&](const std::shared_ptr<ProcessImage>& image) {
            auto [at, fresh] = ended.try_emplace(image.get(), false);
            if (fresh)
                at->second = !image->current();
            return at->second;
        };
        std::erase_if(kept_, [&](const auto& known) {
            return known.second.time + kEndedNs < now && has_ended(known.second.image);
        });
        std::erase_if(images_, [&](const auto& known) { return has_ended(known.second); });
        std::erase_if(places_, [&](const auto& known) { return !images_.count(known.first); });
    }
    if (kept_.size() != order_.size())
        std::erase_if(order_, [&](const StackKey& key) { return !kept_.count(key); });
    while (order_.size() > kMostStacks) {
        kept_.erase(order_.front());
        order_.pop_front();
    }
}

Stack StackBook::symbolised(StackRole role, const Kept& kept)
{
    Stack stack{stack_role_text(role), kept.image->symbolise(kept.addresses)};
    stack.hint = kept.image->hint(stack.frames);
    if (const int why = kept.image->not_that_user()) {
        userless_++;
        userless_why_ = why;
    } else {
        nameless_ += kept.image->given_up();
    }
    return stack;
}

const Stack* StackBook::stack_of(StackRole role, Kept& kept)
{
    if (!kept.stack || (!kept.stack->hint.empty() && kept.image->name_late(kept.addresses)))
        kept.stack = std::make_unique<Stack>(symbolised(role, kept));
    return kept.stack.get();
}

const Stack* StackBook::find(StackRole role, const sweep_record& entry)
{
    auto at = find_stack(kept_, role, entry);
    return at == kept_.end() ? nullptr : stack_of(role, at->second);
}

std::vector<const Stack*> StackBook::armed_in(uint32_t pid)
{
    std::vector<const Stack*> stacks;
    for (auto& [key, kept] : kept_)
        if (key.first == StackRole::kArmed && kept.pid == pid && stacks.size() < kMostOfProcess)
            stacks.push_back(stack_of(key.first, kept));
    return stacks;
}

uint64_t StackBook::places_in(uint32_t pid) const
{
    auto at = places_.find(pid);
    return at == places_.end() ? 0 : at->second;
}

bool StackBook::changed()
{
    bool answer = changed_;
    changed_ = false;
    return answer;
}

std::vector<std::pair<StackOwner, Stack>> StackBook::take_fresh()
{
    keep_fresh_ = true;
    std::vector<std::pair<StackOwner, Stack>> taken;
    for (const StackOwner& owner : fresh_) {
        auto at = kept_.find({owner.role, owner.id});
        if (at != kept_.end())
            taken.emplace_back(owner, symbolised(owner.role, at->second));
    }
    fresh_.clear();
    return taken;
}

std::vector<std::string> StackBook::notes() const
{
    std::vector<std::string> notes;
    auto stacks = [](uint64_t n) { return fmt::format("{} call stack{} not known", n, n == 1 ? " is" : "s are"); };
    if (gone_)
        notes.push_back(stacks(gone_) + ": the process had ended before its map could be read");
    if (refused_)
        notes.push_back(
            stacks(refused_) +
            ": reading the map of another user's process, or of one with more privileges, takes CAP_SYS_PTRACE");
    if (failed_)
        notes.push_back(stacks(failed_) + ": the map of the process could not be read");
    auto nameless = [](uint64_t n) {
        return fmt::format("{} call stack{} without functions and lines: ", n, n == 1 ? " is" : "s are");
    };
    if (userless_)
        notes.push_back(nameless(userless_) +
                        fmt::format("root does not read the symbols of a program, and the child that reads them could "
                                    "not change its user ({}): that takes CAP_SETUID and CAP_SETGID",
                                    strerror(userless_why_)));
    if (nameless_)
        notes.push_back(nameless(nameless_) +
                        "whoever read the symbols of the program crashed, took too long or needed too much memory");
    return notes;
}

}  // namespace epaudit
