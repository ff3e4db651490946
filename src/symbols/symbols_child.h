// SPDX-License-Identifier: Apache-2.0
// ELF and DWARF of watched programs are read in a child without privileges: no capability, a user of no account or the
// program's own, a filter of system calls, limits of memory and time. Programs may be made to harm whoever reads them:
// when the child crashes, hangs or has no memory, its source lines are missing, and nothing else.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "src/support/channel.h"
#include "src/symbols/module_files.h"
#include "src/symbols/process_image.h"
#include "src/symbols/python_layout.h"

namespace epaudit {

struct SymbolLimits {
    int seconds = 20;           // of one question
    uint64_t memory_bytes = 0;  // of address space, beyond what it has at first; 0: a quarter of the machine's memory
};
// Of children that are made from now on.
void set_symbol_limits(const SymbolLimits& limits);

class SymbolsChild {
public:
    // The one of this user, a new one when it has ended. Nothing: it cannot be made.
    static std::shared_ptr<SymbolsChild> of_user(uid_t uid, gid_t gid);

    bool alive() const { return static_cast<bool>(channel_); }
    // It ended because it could not become its user: errno; else 0.
    int not_that_user() const { return not_that_user_; }
    // Each false when it ended over it. `files`: of the process in question; it gets nothing else.
    bool set_map(uint64_t image, uint32_t pid, const std::string& maps);
    bool unwind(uint64_t image, const StackSlice& slice, ModuleFiles& files, std::vector<CodeAddress>& addresses);
    bool symbolise(uint64_t image, const CodeAddress& address, ModuleFiles& files, std::vector<Frame>& frames);
    // Those without a name, of code made at run time. `more`: there is one more.
    bool name_late(uint64_t image, ModuleFiles& files, std::vector<CodeAddress>& addresses, bool& more);
    // `python`: nothing, if there is no interpreter of it.
    bool python(uint64_t image, ModuleFiles& files, std::optional<PythonInterpreter>& python);
    bool build_id(int file, std::string& hex);
    void forget(uint64_t image);

    explicit SymbolsChild(Descriptor socket);
    ~SymbolsChild();
    SymbolsChild(const SymbolsChild&) = delete;
    SymbolsChild& operator=(const SymbolsChild&) = delete;

private:
    bool ask(const Packer& question, int file, ModuleFiles* files, std::string& answer);

    Channel channel_;
    uint64_t cpu_ns_ = 0;  // that it has used
    int not_that_user_ = 0;
};

// Of all of them so far.
uint64_t symbols_cpu_ns();

}  // namespace epaudit
