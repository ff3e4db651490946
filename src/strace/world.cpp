// SPDX-License-Identifier: Apache-2.0
#include "src/strace/world.h"

#include <algorithm>

namespace epaudit {

LogProcess* World::make_process(uint32_t pid)
{
    auto& slot = processes_[pid];
    if (!slot) {
        slot = std::make_unique<LogProcess>();
        slot->pid = pid;
    }
    return slot.get();
}

LogThread* World::make_thread(uint32_t tid, LogProcess* process, uint32_t kin)
{
    auto thread = std::make_unique<LogThread>();
    thread->tid = tid;
    thread->process = process;
    thread->kin = kin;
    process->threads++;
    LogThread* made = thread.get();
    threads_[tid] = std::move(thread);
    return made;
}

LogThread* World::known_thread(uint32_t tid)
{
    if (last_ && last_->tid == tid)
        return last_;
    auto at = threads_.find(tid);
    if (at == threads_.end())
        return nullptr;
    return last_ = at->second.get();
}

LogThread* World::thread(uint32_t tid)
{
    if (LogThread* known = known_thread(tid))
        return known;
    if (threads_.size() >= kMaxThreads) {
        refused++;
        return nullptr;
    }
    if (forking && forking->tid != tid) {  // a child is faster than its parent's return
        born(*forking, tid, forking->text.find("CLONE_FILES") != std::string::npos);
        LogThread* child = known_thread(tid);
        if (child)
            child->kin = tid;  // until the parent's return says that it is its child
        return child;
    }
    // Threads and processes that were there before look alike. Taken for one process: then whatever any of them
    // does about a number counts as progress, and nobody is blamed for another's.
    LogProcess* home = attached && attached != tid ? make_process(attached)
                       : processes_.empty()        ? make_process(tid)
                       : attached                  ? make_process(tid)
                                                   : processes_.begin()->second.get();
    return last_ = make_thread(tid, home, home->pid == attached && !attached_several ? attached : tid);
}

void World::born(LogThread& parent, uint32_t tid, bool shares)
{
    LogProcess* from = parent.process;
    if (LogThread* known = known_thread(tid)) {  // it was faster
        if (shares && known->process == from)
            known->kin = parent.kin;
        return;
    }
    if (!tid || threads_.size() >= kMaxThreads)
        return;
    if (shares) {
        make_thread(tid, from, parent.kin);
        return;
    }
    LogProcess* child = make_process(tid);
    if (!child->fds.empty() || child == from)
        return;
    child->fds = from->fds;
    child->comm = from->comm;
    child->exe = from->exe;
    for (auto& [fd, slot] : child->fds)
        slot.file->references++;
    make_thread(tid, child, tid);
}

bool World::release(LogFile* file)
{
    if (file->references)
        file->references--;
    return !file->references;
}

void World::exits(uint32_t tid, std::vector<LogFile*>& dead)
{
    auto at = threads_.find(tid);
    if (at == threads_.end())
        return;
    LogProcess* process = at->second->process;
    if (forking == at->second.get())
        forking = nullptr;
    last_ = nullptr;
    threads_.erase(at);
    if (--process->threads)
        return;
    for (auto& [fd, slot] : process->fds)
        if (release(slot.file))
            dead.push_back(slot.file);
    processes_.erase(process->pid);
}

void World::execs(LogThread& thread, std::vector<LogFile*>& dead)
{
    LogProcess& process = *thread.process;
    if (process.threads > 1) {
        for (auto at = threads_.begin(); at != threads_.end();) {
            bool ends = at->second->process == &process && at->second.get() != &thread;
            if (ends && forking == at->second.get())
                forking = nullptr;
            at = ends ? threads_.erase(at) : std::next(at);
        }
        process.threads = 1;
        last_ = &thread;
    }
    for (auto at = process.fds.begin(); at != process.fds.end();) {
        if (!at->second.cloexec) {
            ++at;
            continue;
        }
        if (release(at->second.file))
            dead.push_back(at->second.file);
        at = process.fds.erase(at);
    }
    process.uses_uring = false;
}

LogFile* World::make_file()
{
    if (files_.size() >= max_files_) {
        refused++;
        return nullptr;
    }
    uint64_t id = next_id_++;
    LogFile& file = files_[id];
    file.id = id;
    return &file;
}

LogFile* World::known_file(const LogProcess& process, int fd) const
{
    auto at = process.fds.find(fd);
    return at == process.fds.end() ? nullptr : at->second.file;
}

LogFile* World::file_by_id(uint64_t id)
{
    auto at = files_.find(id);
    return at == files_.end() ? nullptr : &at->second;
}

LogFile* World::file(LogProcess& process, int fd)
{
    if (LogFile* known = known_file(process, fd))
        return known;
    LogFile* file = make_file();
    if (!file)
        return nullptr;
    file->references = 1;
    process.fds[fd] = {file, false};
    return file;
}

LogFile* World::open(LogProcess& process, int fd, uint8_t kind, bool cloexec, std::vector<LogFile*>& dead)
{
    if (LogFile* gone = close(process, fd))
        dead.push_back(gone);
    LogFile* file = make_file();
    if (!file)
        return nullptr;
    file->kind = kind;
    file->seen_born = true;
    file->references = 1;
    process.fds[fd] = {file, cloexec};
    return file;
}

bool World::dup(LogProcess& process, int from, int to, bool cloexec, std::vector<LogFile*>& dead)
{
    LogFile* source = file(process, from);
    if (!source || from == to)
        return false;
    source->references++;
    if (LogFile* gone = close(process, to))
        dead.push_back(gone);
    process.fds[to] = {source, cloexec};
    return true;
}

LogFile* World::close(LogProcess& process, int fd)
{
    auto at = process.fds.find(fd);
    if (at == process.fds.end())
        return nullptr;
    LogFile* file = at->second.file;
    process.fds.erase(at);
    return release(file) ? file : nullptr;
}

void World::share_unseen(LogProcess& process)
{
    for (auto& [fd, slot] : process.fds)
        slot.file->shared_unseen = true;
}

}  // namespace epaudit
