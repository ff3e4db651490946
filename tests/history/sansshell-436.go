// SPDX-License-Identifier: Apache-2.0
// sansshell, `file tail`. A goroutine waits with epoll for inotify to say that the file grew, but never reads the inotify events: after the first
// change each wait returns at once, and tail reads the file in a busy loop. EPOLLIN of an inotify fd each turn, never read.
// Report: https://github.com/Snowflake-Labs/sansshell/pull/436
// Fix: read the events.
// Expect all: unread-spin likely
// Expect excerpt: none: two lines per turn, and 100 turns are asked for
// Also: unread-spin excerpt: where its lines happen to hold 100 turns
// Log: 4
package main

import (
	"fmt"
	"os"
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
	fixed := os.Getenv("FIXED") == "1"
	file, err := os.CreateTemp("", "tail")
	check(err)
	check(os.Remove(file.Name()))
	name := fmt.Sprintf("/proc/self/fd/%d", file.Fd())
	watch, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	check(err)
	_, err = syscall.InotifyAddWatch(watch, name, syscall.IN_MODIFY)
	check(err)
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	check(err)
	check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, watch, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(watch)}))
	go func() { // whoever writes the log that is watched
		for {
			file.WriteString("x\n")
			time.Sleep(500 * time.Millisecond)
		}
	}()
	offset := int64(0)
	chunk := make([]byte, 4096)
	events := make([]syscall.EpollEvent, 1)
	for {
		n, _ := file.ReadAt(chunk, offset)
		offset += int64(n)
		if n > 0 {
			continue
		}
		syscall.EpollWait(ep, events, -1)
		if fixed {
			syscall.Read(watch, make([]byte, 4096))
		}
	}
}
