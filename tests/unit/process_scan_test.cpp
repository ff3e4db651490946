// SPDX-License-Identifier: Apache-2.0
// Who is selected, in a /proc made for it.
#include "src/workload/process_scan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "bpf/types.h"

namespace epaudit {
namespace {

namespace fs = std::filesystem;

const std::string kId = "3f4a0c1d9be87b2f6a5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0f9e";
const std::string kOther = "3f4b0c1d9be87b2f6a5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0f9e";

struct Process {
    uint32_t pid;
    std::string comm;
    std::string exe;
    std::string cgroup = "0::/\n";
    uint32_t uid = 0;
    std::vector<std::string> descriptors = {"anon_inode:[eventpoll]"};
    uint64_t started = 100;
    uint64_t program = 0x1000;
    uint64_t flags = 0;
    char state = 'S';
};

class ProcessScanTest : public testing::Test {
protected:
    void SetUp() override
    {
        std::string pattern = fs::temp_directory_path() / "epaudit-proc-XXXXXX";
        root_ = mkdtemp(pattern.data());
        fs::create_directories(proc());
    }
    void TearDown() override { fs::remove_all(root_); }

    std::string proc() const { return root_ + "/proc"; }

    void write(const std::string& path, const std::string& text) const
    {
        fs::create_directories(fs::path(path).parent_path());
        std::ofstream(path) << text;
    }

    void put(const Process& one) const
    {
        const std::string dir = fmt::format("{}/{}", proc(), one.pid);
        fs::remove_all(dir);
        write(dir + "/stat",
              fmt::format("{} ({}) {} 1 {} 1 0 -1 {} 0 0 0 0 5 6 0 0 20 0 1 0 {} 0 0 0 {} 0 {} 0\n", one.pid, one.comm,
                          one.state, one.pid, one.flags, one.started, one.program, one.program));
        write(dir + "/status", fmt::format("Name:\t{0}\nUid:\t0\t{1}\t{1}\t{1}\n", one.comm, one.uid));
        write(dir + "/cgroup", one.cgroup);
        fs::create_directories(dir + "/fd");
        fs::create_directories(dir + "/ns");
        if (!one.exe.empty())
            fs::create_symlink(one.exe, dir + "/exe");
        fs::create_symlink("net:[1]", dir + "/ns/net");
        int fd = 3;
        for (const std::string& target : one.descriptors)
            fs::create_symlink(target, fmt::format("{}/fd/{}", dir, fd++));
    }

    ProcessScan scan(Selection selection, uint32_t self = 1) const
    {
        return {std::move(selection), proc(), root_, self};
    }

    static std::vector<uint32_t> pids(const std::vector<SelectedProcess>& found)
    {
        std::vector<uint32_t> out;
        for (const SelectedProcess& one : found)
            out.push_back(one.process->pid);
        return out;
    }

    std::vector<uint32_t> found(const std::vector<Selector>& wanted, const std::vector<Selector>& excluded = {}) const
    {
        Selection selection;
        selection.wanted = wanted;
        selection.excluded = excluded;
        return pids(scan(selection).look(kStart));
    }

    static constexpr uint64_t kStart = 1000 * NSEC_PER_SEC;
    std::string root_;
};

using Pids = std::vector<uint32_t>;

TEST_F(ProcessScanTest, ByName)
{
    put({10, "nginx", "/usr/sbin/nginx"});
    put({11, "worker", "/usr/sbin/nginx"});
    put({12, "nginx-debug", "/usr/sbin/nginx-debug"});
    put({13, "redis-server", "/usr/bin/redis-check-rdb"});
    put({14, "containerd-shim", "/usr/bin/containerd-shim-runc-v2"});
    put({15, "averyveryverylo", "/opt/x"});
    EXPECT_EQ(found({{By::kComm, "nginx"}}), (Pids{10, 11}));
    EXPECT_EQ(found({{By::kComm, "nginx*"}}), (Pids{10, 11, 12}));
    EXPECT_EQ(found({{By::kComm, "nginx"}, {By::kComm, "redis-server"}}), (Pids{10, 11, 13}));
    EXPECT_EQ(found({{By::kComm, "containerd-shim-runc-v2"}}), (Pids{14}));
    EXPECT_EQ(found({{By::kComm, "averyveryverylong"}}), (Pids{15}));
    EXPECT_EQ(found({{By::kComm, "averyveryveryLONG"}}), Pids{});
    EXPECT_EQ(found({{By::kComm, "ngin"}}), Pids{});
}

TEST_F(ProcessScanTest, ByExecutable)
{
    put({10, "a", "/usr/sbin/nginx (deleted)"});
    put({11, "b", "/opt/app/bin/server"});
    put({12, "c", ""});
    EXPECT_EQ(found({{By::kExe, "/opt/*"}}), (Pids{11}));
    EXPECT_EQ(found({{By::kExe, "/usr/sbin/nginx"}}), (Pids{10}));
    EXPECT_EQ(found({{By::kExe, "serv?r"}}), (Pids{11}));
    EXPECT_EQ(found({{By::kExe, "*"}}), (Pids{10, 11}));
}

TEST_F(ProcessScanTest, ByUnitCgroupUserAndNumber)
{
    put({10, "a", "/a", "0::/system.slice/web.service\n", 33});
    put({11, "b", "/b", "0::/system.slice/web.service/workers\n", 0});
    put({12, "c", "/c", "0::/system.slice/website.service\n", 33});
    EXPECT_EQ(found({{By::kUnit, "web"}}), (Pids{10, 11}));
    EXPECT_EQ(found({{By::kUnit, "web*.service"}}), (Pids{10, 11, 12}));
    EXPECT_EQ(found({{By::kUser, "www-data", 33}}), (Pids{10, 12}));
    EXPECT_EQ(found({{By::kUnit, "web"}, {By::kUser, "www-data", 33}}), (Pids{10}));
    EXPECT_EQ(found({{By::kCgroup, "system.slice/web.service"}}), (Pids{10, 11}));
    EXPECT_EQ(found({{By::kCgroup, "/sys/fs/cgroup/system.slice/web.service/workers"}}), (Pids{11}));
    EXPECT_EQ(found({{By::kPid, "12", 12}}), (Pids{12}));
    EXPECT_EQ(found({{By::kPid, "12", 12}, {By::kUnit, "web"}}), (Pids{10, 11, 12}));
    EXPECT_EQ(found({{By::kPid, "12", 12, 99}}), Pids{});  // it has another start: somebody else
    EXPECT_EQ(found({{By::kUnit, "we*"}}, {{By::kUser, "www-data", 33}}), (Pids{11}));
}

TEST_F(ProcessScanTest, ByContainerAndPod)
{
    const std::string slice =
        "0::/kubepods.slice/kubepods-pod0f3ab1c2_1d2e_4f5a_8b9c_0a1b2c3d4e5f.slice/cri-containerd-";
    put({10, "a", "/a", "0::/system.slice/docker-" + kId + ".scope\n"});
    put({11, "b", "/b", slice + kOther + ".scope\n"});
    put({12, "c", "/c"});
    write(root_ + "/var/lib/docker/containers/" + kId + "/config.v2.json",
          R"({"ID": "x", "Name": "/web", "Config": {"Image": "nginx:1.25"}})");
    write(root_ + "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" + kOther + "/config.json",
          R"({"annotations": {"io.kubernetes.cri.container-name": "api", "io.kubernetes.cri.image-name": "acme/api:7",
              "io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.sandbox-name": "api-0"}})");
    EXPECT_EQ(found({{By::kContainer, "web"}}), (Pids{10}));
    EXPECT_EQ(found({{By::kContainer, kId}}), (Pids{10}));
    EXPECT_EQ(found({{By::kContainer, "3f4b"}}), (Pids{11}));
    EXPECT_EQ(found({{By::kContainer, "3f4"}}), Pids{});  // too short for an id
    EXPECT_EQ(found({{By::kContainer, "*"}}), (Pids{10, 11}));
    EXPECT_EQ(found({{By::kPod, "shop/api-0"}}), (Pids{11}));
    EXPECT_EQ(found({{By::kPod, "api-*"}}), (Pids{11}));
    EXPECT_EQ(found({{By::kPod, "other/*"}}), Pids{});

    const Workload docker = Workloads(proc(), root_).of(10);
    EXPECT_EQ(docker.container, (Container{kId, "web", "nginx:1.25", "docker"}));
    EXPECT_EQ(container_text(docker.container), "web (nginx:1.25, docker)");
    const Workload pod = Workloads(proc(), root_).of(11);
    EXPECT_EQ(pod.container, (Container{kOther, "api", "acme/api:7", "containerd"}));
    EXPECT_EQ(pod.pod, "shop/api-0");
}

TEST_F(ProcessScanTest, NamesThatPodmanCriOAndCrunKeep)
{
    put({10, "a", "/a", "0::/machine.slice/libpod-" + kId + ".scope/container\n"});
    put({11, "b", "/b", "0::/kubepods/pod0f3ab1c2-1d2e-4f5a-8b9c-0a1b2c3d4e5f/crio-" + kOther + "\n"});
    put({12, "c", "/c", "0::/jobs/seven\n"});
    write(
        root_ + "/var/lib/containers/storage/overlay-containers/containers.json",
        R"([{"id": "other"}, {"id": ")" + kId +
            R"(", "names": ["db"], "metadata": "{\"image-name\": \"docker.io/library/postgres:16\", \"name\": \"db\"}"}, 7])");
    write(root_ + "/run/containers/storage/overlay-containers/" + kOther + "/userdata/config.json",
          R"({"annotations": {"io.kubernetes.container.name": "app", "io.kubernetes.cri-o.ImageName": "acme/app:1",
              "io.kubernetes.pod.namespace": "default", "io.kubernetes.pod.name": "app-7d4b9"}})");
    write(root_ + "/run/crun/seven/status", R"({"pid": 12, "bundle": "/bundles/seven", "cgroup-path": "/jobs/seven"})");
    write(root_ + "/bundles/seven/config.json", R"({"annotations": {"org.opencontainers.image.ref.name": "job:2"}})");
    Workloads workloads(proc(), root_);
    EXPECT_EQ(workloads.of(10).container, (Container{kId, "db", "docker.io/library/postgres:16", "podman"}));
    EXPECT_EQ(workloads.of(11).container, (Container{kOther, "app", "acme/app:1", "cri-o"}));
    EXPECT_EQ(workloads.of(11).pod, "default/app-7d4b9");
    EXPECT_EQ(workloads.of(12).container, (Container{"seven", "seven", "job:2", "crun"}));
}

TEST_F(ProcessScanTest, BrokenFilesOfRuntimesTellNothing)
{
    put({10, "a", "/a", "0::/system.slice/docker-" + kId + ".scope\n"});
    const std::string bundle = root_ + "/run/containerd/io.containerd.runtime.v2.task/moby/" + kId + "/config.json";
    const std::string docker = root_ + "/var/lib/docker/containers/" + kId + "/config.v2.json";
    const std::string list = root_ + "/var/lib/containers/storage/overlay-containers/containers.json";
    for (const char* text :
         {"", "{", "[]", "7", "null", R"({"annotations": 7, "Name": 7, "Config": []})",
          R"({"annotations": {"io.kubernetes.cri.sandbox-name": {}}})", R"([{"id": 7}, {"names": 7}])"}) {
        for (const std::string& path : {bundle, docker, list})
            write(path, text);
        const Workload workload = Workloads(proc(), root_).of(10);
        EXPECT_EQ(workload.container.name, "") << text;
        EXPECT_EQ(workload.container.runtime, "docker") << text;
    }
}

TEST_F(ProcessScanTest, ByPort)
{
    put({10, "web", "/a", "0::/\n", 0, {"socket:[77]", "anon_inode:[eventpoll]"}});
    put({11, "client", "/b", "0::/\n", 0, {"socket:[78]", "anon_inode:[eventpoll]"}});
    put({12, "dns", "/c", "0::/\n", 0, {"socket:[79]"}});
    const std::string head =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    const std::string rest = " 00000000:00000000 00:00000000 00000000     0        0 ";
    for (uint32_t pid : {10, 11, 12}) {
        const std::string net = fmt::format("{}/{}/net/", proc(), pid);
        write(net + "tcp", head + "   0: 0100007F:1F90 00000000:0000 0A" + rest + "77 1 0\n" +
                               "   1: 0100007F:1F90 0100007F:9C40 01" + rest + "78 1 0\n");
        write(net + "udp", head + "  12: 00000000:0035 00000000:0000 07" + rest + "79 2 0\n");
    }
    EXPECT_EQ(found({{By::kPort, "8080", 8080}}), (Pids{10}));
    EXPECT_EQ(found({{By::kPort, "53", 53}}), (Pids{12}));
    EXPECT_EQ(found({{By::kPort, "8080", 8080}, {By::kPort, "53", 53}}), (Pids{10, 12}));
    EXPECT_EQ(found({{By::kPort, "81", 81}}), Pids{});
}

TEST_F(ProcessScanTest, NeitherItselfNorTheDeadNorTheKernel)
{
    put({1, "self", "/a"});
    put({2, "kthreadd", "", "0::/\n", 0, {}, 1, 0, 0x00200000});
    put({3, "dead", "", "0::/\n", 0, {}, 1, 0, 0, 'Z'});
    put({4, "alive", "/a"});
    put({5, "epaudit", fs::read_symlink("/proc/self/exe")});  // another one
    Selection everybody;
    everybody.all = true;
    EXPECT_EQ(pids(scan(everybody).look(kStart)), (Pids{4}));
}

TEST_F(ProcessScanTest, ThoseThatComeAndGo)
{
    Selection selection;
    selection.wanted = {{By::kComm, "nginx"}};
    ProcessScan scan = this->scan(selection);
    put({10, "bash", "/bin/bash"});
    EXPECT_EQ(pids(scan.look(kStart)), Pids{});
    put({10, "nginx", "/usr/sbin/nginx", "0::/\n", 0, {}, 100, 0x2000});  // exec
    put({11, "nginx", "/usr/sbin/nginx"});                                // a new one
    auto found = scan.look(kStart + NSEC_PER_SEC);
    ASSERT_EQ(pids(found), (Pids{10, 11}));
    EXPECT_EQ(found[0].use.epolls, 0u);
    EXPECT_EQ(found[1].use.epolls, 1u);
    fs::create_symlink("anon_inode:[eventpoll]", proc() + "/10/fd/9");  // and now it makes one
    found = scan.look(kStart + 2 * NSEC_PER_SEC);
    ASSERT_EQ(pids(found), (Pids{10, 11}));
    EXPECT_EQ(found[0].use.epolls, 1u);
    fs::remove_all(proc() + "/11");
    put({10, "sh", "/bin/sh", "0::/\n", 0, {}, 700});  // its number is another's
    EXPECT_EQ(pids(scan.look(kStart + 3 * NSEC_PER_SEC)), Pids{});
    put({12, "nginx", "/usr/sbin/nginx"});  // started anew
    EXPECT_EQ(pids(scan.look(kStart + 4 * NSEC_PER_SEC)), (Pids{12}));
}

// A service is put into its unit, and gets its user, about when it is executed.
TEST_F(ProcessScanTest, AYoungProcessThatMovesIsFound)
{
    Selection selection;
    selection.wanted = {{By::kUnit, "web"}};
    ProcessScan scan = this->scan(selection);
    put({9, "other", "/o"});
    scan.look(kStart);
    put({10, "web", "/a", "0::/init.scope\n"});
    EXPECT_EQ(pids(scan.look(kStart + NSEC_PER_SEC)), Pids{});
    write(proc() + "/10/cgroup", "0::/system.slice/web.service\n");
    EXPECT_EQ(pids(scan.look(kStart + 2 * NSEC_PER_SEC)), (Pids{10}));
}

TEST_F(ProcessScanTest, WhatIsWatchedIsNotLookedThrough)
{
    Selection selection;
    selection.wanted = {{By::kComm, "nginx"}};
    ProcessScan scan = this->scan(selection);
    put({10, "nginx", "/usr/sbin/nginx"});
    const auto found = scan.look(kStart, {10});
    ASSERT_EQ(pids(found), (Pids{10}));
    EXPECT_EQ(found[0].use.descriptors, 0u);
}

TEST(Selection, SaysItself)
{
    Selection selection;
    selection.wanted = {{By::kComm, "nginx"}, {By::kUser, "www-data", 33}};
    selection.excluded = {{By::kPid, "4711", 4711}};
    EXPECT_EQ(selection.text(), "--comm nginx --user www-data --exclude pid=4711");
    EXPECT_TRUE(selection.is_open());
    selection.wanted = {{By::kPid, "1", 1}};
    EXPECT_FALSE(selection.is_open());
}

// Of those about whom nothing is told not even their small file is opened, until all are looked at again.
TEST_F(ProcessScanTest, ToldOfChanges)
{
    put({10, "old", "/bin/old"});
    put({11, "kworker", "", "0::/\n", 0, {}, 1, 0, 0x200000});
    Selection selection;
    selection.wanted = {{By::kComm, "new"}};
    ProcessScan watcher = scan(selection);
    std::map<uint32_t, uint32_t> changes;
    watcher.told_by([&](uint32_t pid) { return changes[pid]; });
    EXPECT_EQ(pids(watcher.look(kStart)), Pids{});
    put({10, "new", "/bin/new", "0::/\n", 0, {"anon_inode:[eventpoll]"}, 100, 0x2000});  // exec
    put({11, "new", "/bin/new"});                                                        // its number is used again
    EXPECT_EQ(pids(watcher.look(kStart + NSEC_PER_SEC)), Pids{});
    changes[10]++;
    EXPECT_EQ(pids(watcher.look(kStart + 2 * NSEC_PER_SEC)), Pids{10});
    EXPECT_EQ(pids(watcher.look(kStart + 6 * NSEC_PER_SEC)), (Pids{10, 11})) << "nobody told of 11, and yet";
}

TEST_F(ProcessScanTest, ToldThatItEnded)
{
    put({10, "web", "/bin/web"});
    Selection selection;
    selection.wanted = {{By::kComm, "web"}};
    ProcessScan watcher = scan(selection);
    std::map<uint32_t, uint32_t> changes;
    watcher.told_by([&](uint32_t pid) { return changes[pid]; });
    EXPECT_EQ(pids(watcher.look(kStart)), Pids{10});
    Process ended{10, "web", ""};
    ended.state = 'Z';
    put(ended);
    changes[10]++;
    EXPECT_EQ(pids(watcher.look(kStart + NSEC_PER_SEC)), Pids{});
    put({10, "web", "/bin/web", "0::/\n", 0, {"anon_inode:[eventpoll]"}, 200});
    changes[10]++;
    EXPECT_EQ(pids(watcher.look(kStart + 2 * NSEC_PER_SEC)), Pids{10}) << "another one, with its number";
}
}  // namespace
}  // namespace epaudit
