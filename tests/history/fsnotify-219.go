// SPDX-License-Identifier: Apache-2.0
// fsnotify made its epoll without EPOLL_CLOEXEC. A program that watches files and starts others hands each of them the epoll; after a self-upgrade
// with exec the old epoll stays open in the new program, once per upgrade.
// Report: https://github.com/fsnotify/fsnotify/pull/219
// Fix: EPOLL_CLOEXEC.
// Expect all: epoll-fd-leaked risk
// Expect excerpt: none: the start of the program is not in these lines
// Expect attach: none: the program was started before
// Log: 4
// Load: idle
package main

import (
	"os"
	"os/exec"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	flags := 0
	if os.Getenv("FIXED") == "1" {
		flags = syscall.EPOLL_CLOEXEC
	}
	ep, err := syscall.EpollCreate1(flags)
	check(err)
	watch, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	check(err)
	_, err = syscall.InotifyAddWatch(watch, "/tmp", syscall.IN_DELETE_SELF)
	check(err)
	check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, watch, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(watch)}))
	check(exec.Command("sleep", "60").Start())
	for events := make([]syscall.EpollEvent, 4); ; {
		syscall.EpollWait(ep, events, 1000)
		syscall.Read(watch, make([]byte, 4096))
	}
}
