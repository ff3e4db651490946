// SPDX-License-Identifier: Apache-2.0
// evio listens with net.Listen and takes a copy of the descriptor for an epoll of its own; the Go runtime's poller keeps the original. Each
// connection is told to both, and only evio accepts. The reporter asked what it costs; the author saw no difference. The runtime's edge-triggered
// registration has nobody who waits on it, and nothing is left undone.
// Report: https://github.com/tidwall/evio/issues/27
// Fix: a socket the runtime does not know (here: in the fixed form).
// Expect all: silent
// Log: 4
// Load: idle
package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

func listen(fixed bool) int {
	if !fixed {
		l, _ := net.Listen("tcp", "127.0.0.1:0")
		f, _ := l.(*net.TCPListener).File()
		fd := int(f.Fd())
		syscall.SetNonblock(fd, true)
		keep = append(keep, l, f)
		return fd
	}
	fd, _ := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	syscall.Listen(fd, 64)
	return fd
}

var keep []any

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	fd := listen(os.Getenv("FIXED") == "1")
	at, _ := syscall.Getsockname(fd)
	go func() {
		for {
			c, _ := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.(*syscall.SockaddrInet4).Port})
			c.Close()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	ep, _ := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
	for events := make([]syscall.EpollEvent, 8); ; {
		syscall.EpollWait(ep, events, -1)
		if c, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC); err == nil {
			syscall.Close(c)
		}
	}
}
