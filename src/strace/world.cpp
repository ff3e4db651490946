// SPDX-License-Identifier: Apache-2.0
#include "src/strace/world.h"

#include <algorithm>

#include "src/books/describe.h"

namespace epaudit {

LogProcess* World::make_process(uint32_t pid)
{
    auto& slot = processes_[pid];
    if (!slot) {
        slot = std::make_unique<LogProcess>();
        slot->pid = pid;
        slot->group = group_;
        auto known = comms.find(pid);
        slot->comm = known == comms.end() ? name_ : known->second;
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
    if (forking && forking->tid != tid &&
        forking->process->group == group_) {  // a child is faster than its parent's return
        born(*forking, tid, forking->text.find("CLONE_FILES") != std::string::npos);
        LogThread* child = known_thread(tid);
        if (child)
            child->kin = tid;  // until the parent's return says that it is its child
        return child;
    }
    LogProcess* process = home(tid);
    return last_ = make_thread(tid, process,
                               process->pid == attached && attached && !attached_several ? attached : tid);
}

// Threads and processes that were there before look alike. Taken for one process: then whatever any of them does about
// a number counts as progress, and nobody is blamed for another's.
LogProcess* World::home(uint32_t tid)
{
    if (per_thread_ || apart_)
        return make_process(tid);
    if (group_ == 0 && attached)
        return make_process(attached != tid ? attached : tid);
    for (const auto& [pid, process] : processes_)
        if (process->group == group_)
            return process.get();
    return make_process(tid);
}

void World::source(uint32_t group, bool per_thread, const std::string& name)
{
    several_ |= group != group_;
    group_ = group;
    per_thread_ = per_thread;
    name_ = per_thread ? "" : name;
}

bool World::taken(uint32_t tid)
{
    if (const LogThread* thread = known_thread(tid))
        return thread->process->group != group_;
    auto process = processes_.find(tid);
    return process != processes_.end() && process->second->group != group_;
}

uint32_t World::own(uint32_t tid)
{
    if (!several_)
        return tid;
    auto [name, fresh] = names_.try_emplace({group_, tid}, tid);
    if (fresh && taken(tid))
        name->second = kNoPidFrom + unnamed_++;
    return name->second;
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
    process.opened++;
    if (const LogFile* there = known_file(process, fd); there && there->seen_born)
        process.opened_twice++;
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

bool World::split(LogProcess& process, std::vector<LogFile*>& dead)
{
    std::set<uint32_t> kins;
    for (const auto& [tid, thread] : threads_)
        if (thread->process == &process)
            kins.insert(thread->kin);
    if (kins.size() < 2)
        return false;
    apart_ = true;
    for (auto& [fd, slot] : process.fds)
        if (release(slot.file))
            dead.push_back(slot.file);
    process.fds.clear();
    for (auto& [tid, thread] : threads_) {
        if (thread->process != &process)
            continue;
        thread->waits_on = thread->told_by = thread->turn_epoll = thread->slept_from = thread->more_from = 0;
        thread->told.clear();
        thread->naps.clear();
        if (thread->kin == process.pid)
            continue;
        thread->process = make_process(thread->kin);
        thread->process->threads++;
        process.threads--;
    }
    return true;
}

void World::share_unseen(LogProcess& process)
{
    for (auto& [fd, slot] : process.fds)
        slot.file->shared_unseen = true;
}

}  // namespace epaudit
