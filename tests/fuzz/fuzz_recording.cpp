// SPDX-License-Identifier: Apache-2.0
// A recording from anyone, audited by all rules. Checksums would keep the fuzzer out of everything behind the header:
// an input that does not begin as a recording does is taken for unpacked records.
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "rules/catalogue.h"
#include "src/recording/replay.h"

using namespace epaudit;

namespace {

void check(const Replay& replay, uint64_t bytes)
{
    if (replay.looks() > bytes + 1 || replay.postings() > bytes)
        abort();
    replay.lost();
}

void whole_file(std::string_view text)
{
    auto reader = RecordingReader::open(source_of(text), "input");
    if (!reader) {
        if (reader.error().message.empty())
            abort();
        return;
    }
    Auditor auditor(Profile::kTest, make_rules());
    Replay replay(auditor, (*reader)->header());
    replay.run(**reader);
}

void records(std::string_view text)
{
    const uint64_t bytes = text.size();
    Auditor auditor(Profile::kTest, make_rules());
    RecordingHeader header;
    header.began = 1000 * NSEC_PER_SEC;
    Replay replay(auditor, header);
    replay.keep_totals();
    while (text.size() >= 4) {
        uint32_t head = 0;
        memcpy(&head, text.data(), sizeof(head));
        text.remove_prefix(4);
        const std::string_view record = text.substr(0, head >> 8);
        text.remove_prefix(record.size());
        replay.apply({head & 255, record});
    }
    auditor.findings();
    replay.tables().file_account();
    check(replay, bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    if (text.starts_with("epau"))
        whole_file(text);
    else
        records(text);
    return 0;
}
