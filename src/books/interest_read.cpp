// SPDX-License-Identifier: Apache-2.0
#include "src/books/interest_read.h"

#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "bpf/inspect.h"
#include "src/books/describe.h"

namespace epaudit {
namespace {

// Sockets that the books do not know, by their family.
const char* family_name(uint16_t family)
{
    switch (family) {
    case AF_UNIX: return "unix";
    case AF_INET:
    case AF_INET6: return "inet";
    case AF_NETLINK: return "netlink";
    case AF_PACKET: return "packet";
    case AF_VSOCK: return "vsock";
    case AF_BLUETOOTH: return "bluetooth";
    case AF_CAN: return "can";
    case AF_ALG: return "alg";
    case AF_XDP: return "xdp";
    default: return "socket";
    }
}

std::string text_of(const inspect_file& file)
{
    size_t length = file.text_length ? std::min<size_t>(file.text_length, INSPECT_TEXT)
                                     : strnlen(file.text, INSPECT_TEXT);
    std::string text(file.text, length);
    if (file.text_kind == INSPECT_ANON)
        std::erase_if(text, [](char c) { return c == '[' || c == ']'; });
    if (file.text_kind != INSPECT_PATH && file.text_kind != INSPECT_PEER_PATH)
        return text;
    if (!text.empty() && text[0] == '\0')  // abstract
        text[0] = '@';
    else
        text.resize(strnlen(text.data(), text.size()));
    return text;
}

std::string kind_text(const inspect_file& file, const std::string& text)
{
    if (file.file_kind != FILE_OTHER)
        return kind_name(file.file_kind);
    if (file.name.family)
        return family_name(file.name.family);
    return file.text_kind == INSPECT_ANON && !text.empty() ? text : "other";
}

OpenFile open_file(const inspect_file& file)
{
    OpenFile out;
    std::string text = text_of(file);
    out.kind = kind_text(file, text);
    out.file_kind = file.file_kind;
    out.state = file.state;
    out.bytes = file.file_kind == FILE_TCP ? file.state.unread : file.bytes;
    out.unsent = file.unsent;
    out.limit = file.limit;
    out.peer_pid = file.peer_pid;
    out.type = file.type;
    out.nonblock = file.nonblock;
    out.inner = file.inner;
    out.local = local_address(file.name);
    if (file.file_kind != FILE_LISTENER)
        out.peer = peer_address(file.name);
    if (file.text_kind == INSPECT_PATH)
        out.local = text;
    else if (file.text_kind == INSPECT_PEER_PATH)
        out.peer = text;
    else if (file.text_kind == INSPECT_NAME)
        out.details.emplace_back("name", text);
    return out;
}

// The records one after the other; each kind has its size.
class Records {
public:
    explicit Records(const std::string& raw) : raw_(raw) {}

    uint32_t kind() const
    {
        uint32_t kind = 0;
        if (at_ + sizeof(kind) <= raw_.size())
            memcpy(&kind, raw_.data() + at_, sizeof(kind));
        return kind;
    }

    template <typename Record>
    bool take(Record& out)
    {
        if (at_ + sizeof(out) > raw_.size())
            return false;
        memcpy(&out, raw_.data() + at_, sizeof(out));
        at_ += sizeof(out);
        return true;
    }

private:
    const std::string& raw_;
    size_t at_ = 0;
};

class Reader {
public:
    explicit Reader(const std::vector<uint32_t>& pids) : pids_(pids.begin(), pids.end()) {}

    void epolls(Records records)
    {
        inspect_epoll epoll{};
        inspect_waiter waiter{};
        for (;;) {
            if (records.kind() == INSPECT_EPOLL && records.take(epoll))
                lists_[epoll.epoll].holders.push_back({epoll.tgid, epoll.fd});
            else if (records.kind() == INSPECT_WAITER && records.take(waiter))
                waiters_[waiter.epoll][waiter.tid] = read(waiter, epoll.ran_at);
            else
                return;
        }
    }

    void files(Records records)
    {
        inspect_file file{};
        inspect_item item{};
        for (;;) {
            if (records.kind() == INSPECT_FILE && records.take(file))
                files_[file.file].push_back({file.tgid, file.fd});
            else if (records.kind() == INSPECT_ITEM && records.take(item))
                add(file, item);
            else
                return;
        }
    }

    InterestLook finish()
    {
        InterestLook look;
        std::set<uint32_t> with;
        for (auto& [id, list] : lists_) {
            list.id = id;
            std::sort(list.holders.begin(), list.holders.end());
            for (const Holder& holder : list.holders)
                with.insert(holder.pid);
            for (auto& [tid, waiter] : waiters_[id])
                list.waiters.push_back(waiter);
            for (auto& [key, registration] : registrations_[id])
                list.registrations.push_back(finished(std::move(registration), list));
            look.lists.push_back(std::move(list));
        }
        std::sort(look.lists.begin(), look.lists.end(),
                  [](const InterestList& a, const InterestList& b) { return a.holders < b.holders; });
        for (uint32_t pid : pids_)
            if (!with.count(pid))
                look.without.push_back(pid);
        return look;
    }

private:
    static Waiter read(const inspect_waiter& waiter, uint64_t now)
    {
        Waiter out;
        out.pid = waiter.tgid;
        out.tid = waiter.tid;
        out.comm.assign(waiter.comm, strnlen(waiter.comm, sizeof(waiter.comm)));
        if (now && waiter.ran_at)
            out.ran_ago_ns = now > waiter.ran_at ? now - waiter.ran_at : 0;
        return out;
    }

    void add(const inspect_file& file, const inspect_item& item)
    {
        Registration& r = registrations_[item.epoll][{item.fd, item.file}];
        r.fd = item.fd;
        r.file = item.file;
        r.item = item.item;
        r.mask = item.mask;
        r.data = item.data;
        r.ready = item.ready;
        r.open = open_file(file);
    }

    Registration finished(Registration r, const InterestList& list) const
    {
        r.holders = files_.at(r.file);
        std::sort(r.holders.begin(), r.holders.end(), [this](const Holder& a, const Holder& b) {
            return std::pair(!pids_.count(a.pid), a) < std::pair(!pids_.count(b.pid), b);
        });
        r.holders.erase(std::unique(r.holders.begin(), r.holders.end()), r.holders.end());
        // Who has the epoll may have registered it; one of them is enough.
        r.closed = std::none_of(r.holders.begin(), r.holders.end(), [&](const Holder& holder) {
            return holder.fd == r.fd && std::any_of(list.holders.begin(), list.holders.end(),
                                                    [&](const Holder& epoll) { return epoll.pid == holder.pid; });
        });
        return r;
    }

    std::set<uint32_t> pids_;
    std::map<uint64_t, InterestList> lists_;
    std::map<uint64_t, std::map<uint32_t, Waiter>> waiters_;
    std::map<uint64_t, std::map<std::pair<int, uint64_t>, Registration>> registrations_;
    std::map<uint64_t, std::vector<Holder>> files_;
};

}  // namespace

InterestLook read_interest(const std::string& epolls, const std::string& files, const std::vector<uint32_t>& pids)
{
    Reader reader(pids);
    reader.epolls(Records(epolls));
    reader.files(Records(files));
    return reader.finish();
}

}  // namespace epaudit
