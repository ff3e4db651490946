// SPDX-License-Identifier: Apache-2.0
#include "src/support/proc.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <vector>

#include "src/support/descriptor.h"

namespace epaudit {
namespace {

std::vector<std::string_view> words_of(std::string_view text)
{
    std::vector<std::string_view> words;
    for (size_t at = 0; at < text.size();) {
        const size_t begin = text.find_first_not_of(" \n", at);
        if (begin == std::string_view::npos)
            break;
        const size_t end = std::min(text.find_first_of(" \n", begin), text.size());
        words.push_back(text.substr(begin, end - begin));
        at = end;
    }
    return words;
}

template <typename Number>
bool number(std::string_view text, Number& value)
{
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string read_proc_file(const std::string& path)
{
    Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    char part[4096];
    while (file) {
        const ssize_t got = read(file.get(), part, sizeof(part));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text.append(part, static_cast<size_t>(got));
    }
    return text;
}

std::optional<ProcStat> parse_proc_stat(std::string_view text)
{
    const size_t open = text.find('('), close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open)
        return std::nullopt;
    // Behind the name comes field 3 of proc(5).
    const std::vector<std::string_view> fields = words_of(text.substr(close + 1));
    auto field = [&](size_t n) { return fields[n - 3]; };
    ProcStat stat;
    if (fields.size() < 20 || field(3).size() != 1 || !number(field(4), stat.parent) ||
        !number(field(14), stat.user_ticks) || !number(field(15), stat.system_ticks) ||
        !number(field(20), stat.threads) || !number(field(22), stat.started_ticks))
        return std::nullopt;
    constexpr uint64_t kKernelThread = 0x00200000;  // PF_KTHREAD
    uint64_t flags = 0, code = 0, stack = 0;
    stat.kernel = number(field(9), flags) && (flags & kKernelThread);
    if (fields.size() > 25 && number(field(26), code) && number(field(28), stack))
        stat.program = code ^ (stack << 1);
    stat.comm = text.substr(open + 1, close - open - 1);
    stat.state = field(3)[0];
    return stat;
}

std::optional<ProcStat> read_proc_stat(uint32_t pid)
{
    return parse_proc_stat(read_proc_file(fmt::format("/proc/{}/stat", pid)));
}

std::string read_comm(uint32_t pid)
{
    std::string comm = read_proc_file(fmt::format("/proc/{}/comm", pid));
    if (!comm.empty() && comm.back() == '\n')
        comm.pop_back();
    return comm;
}

std::vector<uint32_t> numbers_in(const std::string& directory)
{
    // Not std::filesystem: /proc has thousands of entries, is asked for all the time, and each would make a path of its own.
    std::vector<uint32_t> out;
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), closedir);
    while (const dirent* entry = listing ? readdir(listing.get()) : nullptr) {
        uint32_t value = 0;
        if (number(std::string_view(entry->d_name), value))
            out.push_back(value);
    }
    return out;
}

uint32_t living_thread(uint32_t pid)
{
    const auto stat = read_proc_stat(pid);
    if (!stat || !stat->first_thread_ended())
        return pid;
    for (uint32_t tid : numbers_in(fmt::format("/proc/{}/task", pid))) {
        const auto thread = tid == pid ? std::nullopt : read_proc_stat(tid);
        if (thread && thread->state != 'Z' && thread->state != 'X')
            return tid;
    }
    return pid;
}

bool is_32bit_program(uint32_t pid)
{
    Descriptor file(open(fmt::format("/proc/{}/exe", living_thread(pid)).c_str(), O_RDONLY | O_CLOEXEC));
    unsigned char head[EI_CLASS + 1] = {};
    return file && read(file.get(), head, sizeof(head)) == sizeof(head) && memcmp(head, ELFMAG, SELFMAG) == 0 &&
           head[EI_CLASS] == ELFCLASS32;
}

PidNamespace own_pid_namespace()
{
    constexpr ino_t kFirst = 0xEFFFFFFC;  // PROC_PID_INIT_INO; those of all others are counted up from 0xF0000000
    char self[16] = "";
    const ssize_t length = readlink("/proc/self", self, sizeof(self));
    struct stat own {};
    if (length < 0 || stat("/proc/self/ns/pid", &own))
        return PidNamespace::kNoProc;
    if (std::string_view(self, static_cast<size_t>(length)) != std::to_string(getpid()))
        return PidNamespace::kOtherProc;
    return own.st_ino == kFirst ? PidNamespace::kFirst : PidNamespace::kContainer;
}

bool in_user_namespace()
{
    constexpr ino_t kFirst = 0xEFFFFFFD;  // PROC_USER_INIT_INO
    struct stat own {};
    return stat("/proc/self/ns/user", &own) == 0 && own.st_ino != kFirst;
}

uint32_t process_of(uint32_t tid)
{
    // A name is escaped in this file, so that a line is a line.
    const std::string text = read_proc_file(fmt::format("/proc/{}/status", tid));
    constexpr std::string_view kKey = "\nTgid:\t";
    const size_t at = text.find(kKey);
    uint32_t pid = 0;
    if (at == std::string::npos)
        return 0;
    const size_t begin = at + kKey.size();
    return number(std::string_view(text).substr(begin, text.find('\n', begin) - begin), pid) ? pid : 0;
}

}  // namespace epaudit
