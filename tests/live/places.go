// SPDX-License-Identifier: Apache-2.0

// As places.cpp, in Go: deep stacks, on goroutines, and system calls without libc.
package main

import (
	"os"
	"syscall"
	"time"
)

var epoll int

//go:noinline
func arm(fd int) {
	want := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &want); err != nil {
		os.Exit(3)
	}
}

//go:noinline
func armSomehow(fd int) { arm(fd) }

//go:noinline
func openCounter() {
	fd, _, _ := syscall.RawSyscall(syscall.SYS_EVENTFD2, 1, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	armSomehow(int(fd))
}

//go:noinline
func openPipe() {
	var ends [2]int
	syscall.Pipe2(ends[:], syscall.O_CLOEXEC)
	syscall.Write(ends[1], []byte("x"))
	armSomehow(ends[0])
}

//go:noinline
func openSocket() {
	ends, _ := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	syscall.Write(ends[1], []byte("x"))
	armSomehow(ends[0])
}

func main() {
	epoll, _ = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	done := make(chan bool)
	for _, open := range []func(){openCounter, openPipe, openSocket} {
		go func(open func()) { open(); done <- true }(open)
		<-done
	}
	got := make([]syscall.EpollEvent, 8)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		syscall.EpollWait(epoll, got, -1)
	}
}
