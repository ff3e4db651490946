// SPDX-License-Identifier: Apache-2.0
// A recording audited again: its records keep the same books with the same ledger (Tables::apply_recorded), the
// rules look when they looked then, and nothing is asked of the machine on which this runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/audit/auditor.h"
#include "src/books/stack_owner.h"
#include "src/books/tables.h"
#include "src/recording/reader.h"

namespace epaudit {

// The stacks of a recording; they come in its order, as they came then.
class RecordedSites : public CallSites {
public:
    void add(RecordedStack&& stack);
    const Stack* find(StackRole role, const sweep_record& entry) override;
    std::vector<const Stack*> armed_in(uint32_t pid) override;
    uint64_t places_in(uint32_t pid) const override;

private:
    std::map<uint32_t, uint64_t> places_;
    std::map<StackKey, RecordedStack> kept_;
};

class Replay {
public:
    using Looked = std::function<void(const Snapshot&)>;

    Replay(Auditor& auditor, const RecordingHeader& header, Looked looked = {});

    void apply(const RecordingReader::Record& record);
    // Everything that is left of it, and a look at the end when there was none at all.
    void run(RecordingReader& reader, const volatile int* stop = nullptr);

    Tables& tables() { return tables_; }
    // From now on, for whoever compares the kernel's counts with those of this replay.
    void keep_totals()
    {
        keep_totals_ = true;
        tables_.keep_totals();
    }
    uint64_t postings() const { return postings_; }
    uint64_t looks() const { return looks_; }
    const std::vector<std::string>& notes() const { return notes_; }
    // What of the recording is missing or could not be used, by name (loss_text()); only what is not zero.
    std::vector<std::pair<std::string, uint64_t>> lost() const;
    // Why it ended before its end; empty: it did not.
    const std::string& trouble() const { return trouble_; }
    // The kernel's own counts of rows that ended, or were left.
    const std::vector<file_totals>& kernel_files() const { return kernel_files_; }
    const std::vector<registration_totals>& kernel_registrations() const { return kernel_registrations_; }

private:
    void book(const RecordingReader::Record& record);
    void show_row(const RecordingReader::Record& record);
    void take_stats(std::string_view bytes);
    void take_away(std::string_view bytes);
    void take_unregistered(std::string_view bytes);
    void look(uint64_t now);

    Auditor& auditor_;
    Looked looked_;
    Tables tables_;
    std::shared_ptr<RecordedSites> sites_ = std::make_shared<RecordedSites>();
    Shown shown_;  // by the walk now going on, or by the one that is over
    bool walking_ = false;
    std::map<uint32_t, AwayThread> away_;
    std::optional<std::vector<unregistered_socket>> unregistered_;
    std::array<uint64_t, STAT_SLOTS> stats_{};
    uint64_t began_ = 0;
    uint64_t time_ = 0;       // of the newest posting
    uint64_t looked_at_ = 0;  // of the newest look
    uint64_t postings_ = 0;
    uint64_t looks_ = 0;
    uint64_t unusable_ = 0;
    bool keep_totals_ = false;
    std::vector<std::string> notes_;
    std::string trouble_;
    std::vector<file_totals> kernel_files_;
    std::vector<registration_totals> kernel_registrations_;
};

}  // namespace epaudit
