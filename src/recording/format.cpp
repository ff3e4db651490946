// SPDX-License-Identifier: Apache-2.0
#include "src/recording/format.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "src/support/utf8.h"

namespace epaudit {
namespace {

using Json = nlohmann::json;

// What programs choose is bytes; JSON is UTF-8.
std::string dumped(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json parsed(std::string_view text) { return Json::parse(text, nullptr, false); }

std::string string_of(const Json& json, const char* name)
{
    auto at = json.find(name);
    return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

uint64_t number_of(const Json& json, const char* name)
{
    auto at = json.find(name);
    return at != json.end() && at->is_number_unsigned() ? at->get<uint64_t>() : 0;
}

bool flag_of(const Json& json, const char* name)
{
    auto at = json.find(name);
    return at != json.end() && at->is_boolean() && at->get<bool>();
}

Json sight_json(const Sight& sight)
{
    return {{"hooks", sight.hooks},
            {"readiness", sight.readiness},
            {"wakeups", sight.wakeups},
            {"why", sight.why},
            {"choice", sight.choice}};
}

Sight sight_of(const Json& json)
{
    Sight sight;
    sight.hooks = string_of(json, "hooks");
    sight.readiness = flag_of(json, "readiness");
    sight.wakeups = flag_of(json, "wakeups");
    sight.why = string_of(json, "why");
    sight.choice = string_of(json, "choice");
    return sight;
}

Json frame_json(const Frame& frame)
{
    return {{"function", frame.function}, {"file", frame.file},        {"line", frame.line},
            {"module", frame.module},     {"offset", frame.offset},    {"inlined", frame.inlined},
            {"guessed", frame.guessed},   {"at_start", frame.at_start}};
}

Frame frame_of(const Json& json)
{
    Frame frame;
    frame.function = string_of(json, "function");
    frame.file = string_of(json, "file");
    const uint64_t line = number_of(json, "line");
    frame.line = line < (1 << 30) ? static_cast<int>(line) : 0;
    frame.module = string_of(json, "module");
    frame.offset = number_of(json, "offset");
    frame.inlined = flag_of(json, "inlined");
    frame.guessed = flag_of(json, "guessed");
    frame.at_start = flag_of(json, "at_start");
    return frame;
}

template <typename Take>
void each(const Json& json, const char* name, Take take)
{
    auto at = json.find(name);
    if (at == json.end() || !at->is_array())
        return;
    for (const Json& one : *at)
        take(one);
}

}  // namespace

std::string header_text(const RecordingHeader& header)
{
    Json json{{"tool", header.tool},
              {"kernel", header.kernel},
              {"sight", sight_json(header.sight)},
              {"profile", header.profile},
              {"command", header.command},
              {"pids", header.pids},
              {"programs", Json::array()},
              {"clock", {{"monotonic_ns", header.began}, {"unix_ns", header.began_unix}}}};
    for (const RecordedProgram& program : header.programs)
        json["programs"].push_back(
            {{"pid", program.pid}, {"comm", program.comm}, {"exe", program.exe}, {"build_id", program.build_id}});
    return dumped(json);
}

Result<RecordingHeader> parse_header(std::string_view text)
{
    const Json json = parsed(text);
    if (!json.is_object() || !json.contains("sight") || !json["sight"].is_object())
        return usage_error("the header of the recording is not what it should be", "record again");
    RecordingHeader header;
    header.tool = string_of(json, "tool");
    header.kernel = string_of(json, "kernel");
    header.sight = sight_of(json["sight"]);
    header.profile = string_of(json, "profile");
    each(json, "command", [&](const Json& word) {
        if (word.is_string())
            header.command.push_back(word.get<std::string>());
    });
    each(json, "pids", [&](const Json& pid) {
        if (pid.is_number_unsigned())
            header.pids.push_back(static_cast<uint32_t>(pid.get<uint64_t>()));
    });
    each(json, "programs", [&](const Json& one) {
        if (one.is_object())
            header.programs.push_back({static_cast<uint32_t>(number_of(one, "pid")), string_of(one, "comm"),
                                       string_of(one, "exe"), string_of(one, "build_id")});
    });
    if (json.contains("clock") && json["clock"].is_object()) {
        header.began = number_of(json["clock"], "monotonic_ns");
        header.began_unix = number_of(json["clock"], "unix_ns");
    }
    return header;
}

std::string process_text(const ProcessInfo& process, const std::string& build_id)
{
    Json json{{"pid", process.pid},
              {"comm", as_text(process.comm)},
              {"exe", as_text(process.exe)},
              {"build_id", build_id},
              {"state", static_cast<unsigned>(process.state)},
              {"cpu_ns", process.cpu_ns}};
    const Workload& workload = process.workload;
    const Container& container = workload.container;
    const std::pair<const char*, const std::string*> more[] = {{"directory", &process.directory},
                                                               {"unit", &workload.unit},
                                                               {"pod", &workload.pod},
                                                               {"container_id", &container.id},
                                                               {"container_name", &container.name},
                                                               {"container_image", &container.image},
                                                               {"container_runtime", &container.runtime}};
    for (const auto& [key, value] : more)
        if (!value->empty())
            json[key] = *value;
    return dumped(json);
}

bool parse_process(std::string_view text, ProcessInfo& out)
{
    const Json json = parsed(text);
    if (!json.is_object())
        return false;
    const uint64_t state = number_of(json, "state");
    out.pid = static_cast<uint32_t>(number_of(json, "pid"));
    out.comm = string_of(json, "comm");
    out.exe = string_of(json, "exe");
    out.state = state <= static_cast<uint64_t>(RunState::kGone) ? static_cast<RunState>(state) : RunState::kUnknown;
    out.cpu_ns = number_of(json, "cpu_ns");
    out.directory = string_of(json, "directory");
    out.workload = {string_of(json, "unit"),
                    {string_of(json, "container_id"), string_of(json, "container_name"),
                     string_of(json, "container_image"), string_of(json, "container_runtime")},
                    string_of(json, "pod")};
    return true;
}

std::string stack_text(const RecordedStack& stack)
{
    Json json{{"role", static_cast<unsigned>(stack.role)},
              {"id", stack.id},
              {"time", stack.time},
              {"what", stack.stack.what},
              {"hint", stack.stack.hint},
              {"frames", Json::array()}};
    if (stack.pid)
        json["pid"] = stack.pid;
    for (const Frame& frame : stack.stack.frames)
        json["frames"].push_back(frame_json(frame));
    return dumped(json);
}

bool parse_stack(std::string_view text, RecordedStack& out)
{
    const Json json = parsed(text);
    if (!json.is_object() || number_of(json, "role") > static_cast<uint64_t>(kLastRole))
        return false;
    out.role = static_cast<StackRole>(number_of(json, "role"));
    out.id = number_of(json, "id");
    out.time = number_of(json, "time");
    out.pid = static_cast<uint32_t>(number_of(json, "pid"));
    out.stack.what = string_of(json, "what");
    out.stack.hint = string_of(json, "hint");
    out.stack.frames.clear();
    each(json, "frames", [&](const Json& frame) {
        if (frame.is_object())
            out.stack.frames.push_back(frame_of(frame));
    });
    return true;
}

}  // namespace epaudit
