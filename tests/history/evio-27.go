// SPDX-License-Identifier: Apache-2.0
// evio listens with net.Listen and takes a copy of the descriptor for an epoll of its own; the Go runtime's poller
// keeps the original. Each connection is told to both, and only evio accepts. The reporter asked what it costs;
// the author saw no difference.
// Report: https://github.com/tidwall/evio/issues/27
// Expect: silent. The runtime's edge-triggered registration has nobody who waits on it, and nothing is left undone.
// Fix: a socket the runtime does not know (here: in the fixed form).
package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func listen(fixed bool) int {
	if !fixed {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		f, err := l.(*net.TCPListener).File()
		check(err)
		fd := int(f.Fd())
		check(syscall.SetNonblock(fd, true))
		keep = append(keep, l, f)
		return fd
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	check(err)
	check(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(syscall.Listen(fd, 64))
	return fd
}

var keep []any

func main() {
	fd := listen(os.Getenv("FIXED") == "1")
	at, err := syscall.Getsockname(fd)
	check(err)
	go func() {
		for {
			c, err := net.DialTCP("tcp", nil, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: at.(*syscall.SockaddrInet4).Port})
			check(err)
			c.Close()
			time.Sleep(5 * time.Millisecond)
		}
	}()
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	check(err)
	check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}))
	for events := make([]syscall.EpollEvent, 8); ; {
		syscall.EpollWait(ep, events, -1)
		if c, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC); err == nil {
			syscall.Close(c)
		}
	}
}
