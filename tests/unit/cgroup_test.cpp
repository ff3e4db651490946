// SPDX-License-Identifier: Apache-2.0
// Cgroup paths as real machines have them, of each runtime and each hierarchy.
#include "src/workload/cgroup.h"

#include <gtest/gtest.h>

#include <string>

namespace epaudit {
namespace {

const std::string kId = "3f4a0c1d9be87b2f6a5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0f9e";
const std::string kOther = "aa11bb22cc33dd44ee55ff66778899001122334455667788990011223344aabb";

struct Case {
    std::string text;
    std::string unit;
    std::string runtime;
    std::string container;
    std::string pod;
};

void expect(const Case& one)
{
    const CgroupPlace place = parse_cgroups(one.text);
    EXPECT_EQ(place.unit, one.unit) << one.text;
    EXPECT_EQ(place.runtime, one.runtime) << one.text;
    EXPECT_EQ(place.container, one.container) << one.text;
    EXPECT_EQ(place.pod_uid, one.pod) << one.text;
}

TEST(Cgroup, UnitsOfTheSystemAndOfUsers)
{
    expect({"0::/system.slice/nginx.service\n", "nginx.service", "", "", ""});
    expect({"0::/system.slice/system-getty.slice/getty@tty1.service\n", "getty@tty1.service", "", "", ""});
    expect({"0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "web.service", "", "", ""});
    expect({"0::/user.slice/user-1000.slice/session-3.scope\n", "session-3.scope", "", "", ""});
    expect({"0::/init.scope\n", "init.scope", "", "", ""});
    expect({"0::/system.slice/postgresql.service/worker\n", "postgresql.service", "", "", ""});
    expect({"0::/system.slice/_cpu.service\n", "cpu.service", "", "", ""});
    expect({"0::/\n", "", "", "", ""});
    expect({"", "", "", "", ""});
}

TEST(Cgroup, Docker)
{
    expect({"0::/system.slice/docker-" + kId + ".scope\n", "", "docker", kId, ""});
    expect({"12:pids:/docker/" + kId + "\n1:name=systemd:/docker/" + kId + "\n0::/system.slice/docker.service\n", "",
            "docker", kId, ""});
    // systemd in the container
    expect(
        {"0::/system.slice/docker-" + kId + ".scope/system.slice/sshd.service\n", "sshd.service", "docker", kId, ""});
    // kind: Kubernetes in Docker
    expect({"0::/docker/" + kOther + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" +
                "0f3ab1c2_1d2e_4f5a_8b9c_0a1b2c3d4e5f.slice/cri-containerd-" + kId + ".scope\n",
            "", "containerd", kId, "0f3ab1c2-1d2e-4f5a-8b9c-0a1b2c3d4e5f"});
}

TEST(Cgroup, Kubernetes)
{
    const std::string pod = "0f3ab1c2-1d2e-4f5a-8b9c-0a1b2c3d4e5f";
    const std::string escaped = "0f3ab1c2_1d2e_4f5a_8b9c_0a1b2c3d4e5f";
    const std::string slice = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + escaped +
                              ".slice/";
    expect({slice + "cri-containerd-" + kId + ".scope\n", "", "containerd", kId, pod});
    expect({slice + "crio-" + kId + ".scope\n", "", "cri-o", kId, pod});
    expect({slice + "crio-" + kId + ".scope/container\n", "", "cri-o", kId, pod});
    expect({slice + "docker-" + kId + ".scope\n", "", "docker", kId, pod});
    expect({"5:memory:/kubepods/besteffort/pod" + pod + "/" + kId + "\n", "", "", kId, pod});
    expect({"0::/kubepods/pod" + pod + "/crio-" + kId + "\n", "", "cri-o", kId, pod});
    expect(
        {"0::/system.slice/containerd.service/kubepods-burstable-pod" + escaped + ".slice:cri-containerd:" + kId + "\n",
         "", "containerd", kId, pod});
    // Pods of files have a hash for a uid.
    expect({"0::/kubepods/burstable/pod4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e/" + kId + "\n", "", "", kId,
            "4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e"});
    // Monitors are not in their container.
    expect({slice + "crio-conmon-" + kId + ".scope\n", "crio-conmon-" + kId + ".scope", "", "", pod});
}

TEST(Cgroup, PodmanOfRootAndOfAUser)
{
    expect({"0::/machine.slice/libpod-" + kId + ".scope/container\n", "", "podman", kId, ""});
    expect({"0::/machine.slice/libpod-conmon-" + kId + ".scope\n", "libpod-conmon-" + kId + ".scope", "", "", ""});
    expect({"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + kId + ".scope/container\n",
            "user@1000.service", "podman", kId, ""});
    expect({"0::/system.slice/web.service/libpod-payload-" + kId + "\n", "web.service", "podman", kId, ""});
    expect({"3:cpuset:/libpod_parent/libpod-" + kId + "\n", "", "podman", kId, ""});
}

TEST(Cgroup, LxcAndMachines)
{
    expect({"0::/lxc.payload.web1/system.slice/nginx.service\n", "nginx.service", "lxc", "web1", ""});
    expect({"9:cpu,cpuacct:/lxc/web1\n0::/\n", "", "lxc", "web1", ""});
    expect({"0::/lxc.monitor.web1\n", "", "", "", ""});
    expect({"0::/machine.slice/systemd-nspawn@web.service/payload\n", "", "systemd-nspawn", "web", ""});
    expect({"0::/machine.slice/machine-web\\x2d1.scope/payload/system.slice/a.service\n", "a.service", "systemd-nspawn",
            "web-1", ""});
    expect({"0::/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator\n", "machine-qemu\\x2d1\\x2dvm.scope",
            "", "", ""});
}

TEST(Cgroup, RuntimesByThemselves)
{
    expect({"0::/system.slice/crun-web.scope/container\n", "", "crun", "web", ""});
    expect({"0::/user.slice/runc-job-7.scope\n", "", "runc", "job-7", ""});
    expect({"0::/user.slice:runc:job-7\n", "", "runc", "job-7", ""});
    expect({"0::/default/" + kId + "\n", "", "containerd", kId, ""});
    expect({"0::/ecs/0123456789abcdef0123456789abcdef/" + kId + "\n", "", "", kId, ""});
}

// Whichever hierarchy names them.
TEST(Cgroup, EveryLineOfAHybridSystemCounts)
{
    expect(
        {"11:memory:/system.slice/nginx.service\n10:pids:/system.slice/nginx.service\n1:name=systemd:/system.slice/"
         "nginx.service\n0::/system.slice/nginx.service\n",
         "nginx.service", "", "", ""});
    expect({"4:memory:/docker/" + kId + "\n1:name=systemd:/system.slice/app.service\n0::/\n", "app.service", "docker",
            kId, ""});
    // The one that systemd keeps itself is believed before controllers that others have moved things in.
    expect(
        {"4:memory:/system.slice/old.service\n1:name=systemd:/system.slice/app.service\n", "app.service", "", "", ""});
    // The parent tells the runtime in one line, and not in another.
    expect({"4:memory:/kubepods/" + kId + "\n3:pids:/docker/" + kId + "\n", "", "docker", kId, ""});
}

TEST(Cgroup, WhatIsNoContainer)
{
    expect({"0::/docker/buildkit\n", "", "", "", ""});
    expect({"0::/foo/" + kId.substr(0, 63) + "\n", "", "", "", ""});
    expect({"0::/system.slice/docker-short.scope\n", "docker-short.scope", "", "", ""});
    expect({"0::/podcast.slice/podium.service\n", "podium.service", "", "", ""});
    expect({"no line\n::\n0:\n:::::\n", "", "", "", ""});
}

TEST(Cgroup, OneInsideAnother)
{
    EXPECT_TRUE(is_below("/system.slice/a.service", "/system.slice"));
    EXPECT_TRUE(is_below("/system.slice", "/system.slice"));
    EXPECT_FALSE(is_below("/system.slice2", "/system.slice"));
    EXPECT_FALSE(is_below("/", "/system.slice"));
    EXPECT_FALSE(is_below("/a", "/"));
    EXPECT_TRUE(is_below("/job/7", "/sys/fs/cgroup/job"));
    EXPECT_TRUE(is_below("/job/7", "/sys/fs/cgroup/memory/job"));
    EXPECT_FALSE(is_below("/other", "/sys/fs/cgroup/memory/job"));
}

}  // namespace
}  // namespace epaudit
