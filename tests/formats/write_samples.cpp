// SPDX-License-Identifier: Apache-2.0
// write_samples DIRECTORY: each made-up report in each format, as DIRECTORY/<report>.<format>, for check.py.
#include <fstream>
#include <iostream>
#include <utility>

#include "src/report/formats.h"
#include "tests/unit/sample_recording.h"
#include "tests/unit/sample_report.h"

int main(int argc, char** argv)
{
    using namespace epaudit;
    if (argc != 2) {
        std::cerr << "usage: write_samples DIRECTORY\n";
        return 2;
    }
    const std::pair<const char*, Report> reports[] = {
        {"clean", clean_report()},           {"spinning", spinning_report()}, {"stalled", stalled_report()},
        {"incomplete", incomplete_report()}, {"hostile", hostile_report()},   {"suppressed", suppressed_report()}};
    for (const auto& [name, report] : reports) {
        for (const Format& format : formats()) {
            std::ofstream out(std::string(argv[1]) + "/" + name + "." + format.name, std::ios::binary);
            format.write(report, out);
            if (!out.flush()) {
                std::cerr << "cannot write to " << argv[1] << "\n";
                return 1;
            }
        }
    }
    std::ofstream recording(std::string(argv[1]) + "/sample.rec", std::ios::binary);
    recording << sample_recording(2500, 64 << 10);
    return recording.flush() ? 0 : 1;
}
