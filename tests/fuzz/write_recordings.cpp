// SPDX-License-Identifier: Apache-2.0
// Seeds for fuzz_recording: a small recording as a file, and its records unpacked. write_recordings FOLDER
#include <cstdio>
#include <fstream>
#include <string>

#include "src/recording/reader.h"
#include "tests/unit/sample_recording.h"

using namespace epaudit;

int main(int count, char** words)
{
    if (count != 2)
        return 2;
    const std::string folder = words[1];
    const std::string file = sample_recording(20, 1024);
    std::ofstream(folder + "/file", std::ios::binary) << file;
    const std::string longer = sample_recording(200);
    auto reader = RecordingReader::open(source_of(longer), "sample");
    if (!reader)
        return 1;
    std::ofstream records(folder + "/records", std::ios::binary);
    RecordingReader::Record record;
    while ((*reader)->next(record)) {
        const uint32_t head = record.type | static_cast<uint32_t>(record.bytes.size()) << 8;
        records.write(reinterpret_cast<const char*>(&head), sizeof(head));
        records << record.bytes;
    }
    return records.flush() ? 0 : 1;
}
