// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/sample_recording.h"

#include <cstring>

namespace epaudit {
namespace {

constexpr uint64_t kEpoll = 0x1000;
constexpr uint64_t kFile = 0x2000;
constexpr uint64_t kSite = 0xabcdef0123456789;
constexpr uint32_t kPid = 100;
constexpr int kFd = 7;

class Story {
public:
    explicit Story(RecordingWriter& out) : out_(out), now_(sample_header().began) {}

    void begin()
    {
        out_.begin(sample_header());
        out_.add(RECORD_PROCESS, process_text({kPid, "server", "/usr/bin/server", RunState::kAlive, 0}));
        posting p = blank(POSTING_CREATE);
        p.result = p.epfd;
        out_.add(p);
        p = blank(POSTING_ADD);
        about_file(p);
        p.mask = EV_IN;
        p.data = kFd;
        p.ino = 77;
        p.file_kind = FILE_TCP;
        p.flags = POSTING_NONBLOCK;
        out_.add(p);
        p = blank(POSTING_NONE);
        about_file(p);
        p.record = RECORD_SITE;
        p.data = kSite;
        out_.add(p);
        Stack stack{"armed here", {{"watch_client", "server.cpp", 42, "/usr/bin/server", 0x1234, false}}};
        out_.add(RECORD_STACK, stack_text({StackRole::kArmed, kSite, now_, stack}));
    }

    void turn()
    {
        out_.add(blank(POSTING_WAIT, -1));
        now_ += NSEC_PER_MSEC;
        posting p = blank(POSTING_DELIVERED);
        about_file(p);
        p.mask = EV_IN;
        p.data = kFd;
        p.file_kind = FILE_TCP;
        p.flags = POSTING_STATE | POSTING_SOLE;
        p.state = state();
        out_.add(p);
        p = blank(POSTING_RETURN, 64);
        p.result = 1;
        p.cpu = now_ - sample_header().began;
        out_.add(p);
    }

    void sweep()
    {
        posting p = blank(POSTING_NONE);
        about_file(p);
        p.record = RECORD_SWEPT;
        p.flags = POSTING_STATE;
        p.state = state();
        out_.add(p);
        p = blank(POSTING_NONE);
        p.record = RECORD_EPOLL_ROW;
        out_.add(p);
        p.record = RECORD_THREAD_ROW;
        p.fd = kPid;
        out_.add(p);
        recorded_row row{};
        row.record = RECORD_ROW;
        row.live_mask = EV_IN | EV_ERR | EV_HUP;
        row.time = now_;
        row.file = kFile;
        row.epoll = kEpoll;
        row.fd = kFd;
        row.chain = 1;
        row.ready = 1;
        row.state = state();
        out_.add(RECORD_ROW, &row, sizeof(row));
        p = blank(POSTING_NONE);
        p.record = RECORD_SWEEP_END;
        out_.add(p);
        const uint32_t slot[2] = {STAT_POSTINGS, 0};
        std::string stats(reinterpret_cast<const char*>(slot), sizeof(slot));
        const uint64_t records = out_.records();
        stats.append(reinterpret_cast<const char*>(&records), sizeof(records));
        out_.add(RECORD_STATS, stats);
        out_.add(RECORD_LOOK, &now_, sizeof(now_));
    }

private:
    posting blank(u8 kind, s64 amount = 0) const
    {
        posting p{};
        p.kind = kind;
        p.time = now_;
        p.tgid = kPid;
        p.tid = kPid;
        p.epoll = kEpoll;
        p.epfd = 4;
        p.fd = -1;
        p.amount = amount;
        return p;
    }

    static void about_file(posting& p)
    {
        p.file = kFile;
        p.fd = kFd;
    }

    static file_state state()
    {
        file_state s{};
        s.io = 1ULL << 32 | 1;
        s.unread = 12;
        s.flags = STATE_STREAM | STATE_WRITABLE;
        s.sk_state = 1;
        return s;
    }

    RecordingWriter& out_;
    uint64_t now_;
};

}  // namespace

RecordingHeader sample_header()
{
    RecordingHeader header;
    header.tool = "0.1.0";
    header.kernel = "6.1.0 x86_64";
    header.sight.hooks = "tracepoint";
    header.profile = "test";
    header.command = {"server", "--port=80"};
    header.pids = {kPid};
    header.programs = {{kPid, "server", "/usr/bin/server", "00ff"}};
    header.began = 1000 * NSEC_PER_SEC;
    header.began_unix = 1'700'000'000 * NSEC_PER_SEC;
    return header;
}

RecordingWriter::Sink into(std::string& out)
{
    return [&out](const char* bytes, size_t size) {
        out.append(bytes, size);
        return true;
    };
}

std::string sample_recording(unsigned returns, size_t block_bytes)
{
    std::string file;
    RecordingWriter writer(into(file), block_bytes);
    Story story(writer);
    story.begin();
    for (unsigned i = 1; i <= returns; i++) {
        story.turn();
        if (i % 100 == 0)
            story.sweep();
    }
    writer.end();
    return file;
}

}  // namespace epaudit
