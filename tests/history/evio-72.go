// SPDX-License-Identifier: Apache-2.0
// evio handles one thing per event: while output is pending it only writes. A client that sends without reading
// keeps the output blocked; its input is reported each turn, write() fails with EAGAIN, and nothing is ever read.
// Report: https://github.com/tidwall/evio/issues/72
// Expect: EP202 unread-spin, likely: EPOLLIN each turn, never read (what follows it is write = EAGAIN).
// Fix: handle both directions of an event, and stop asking for input while output is blocked.
package main

import (
	"net"
	"os"
	"syscall"
)

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	fixed := os.Getenv("FIXED") == "1"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	go func() { // a client that only sends
		c, err := net.Dial("tcp", listener.Addr().String())
		check(err)
		for {
			c.Write(make([]byte, 4096))
		}
	}()
	c, err := listener.Accept()
	check(err)
	f, err := c.(*net.TCPConn).File()
	check(err)
	c.Close()
	fd := int(f.Fd())
	check(syscall.SetNonblock(fd, true))
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	check(err)
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &event))
	var out []byte
	buffer := make([]byte, 65536)
	for events := make([]syscall.EpollEvent, 4); ; {
		if n, _ := syscall.EpollWait(ep, events, -1); n < 1 {
			continue
		}
		if len(out) > 0 {
			if n, err := syscall.Write(fd, out); err == nil {
				out = out[n:]
			}
		} else if n, _ := syscall.Read(fd, buffer); n > 0 {
			out = append(out, buffer[:n]...)
		}
		event.Events = syscall.EPOLLIN
		if len(out) > 0 {
			event.Events |= syscall.EPOLLOUT
			if fixed {
				event.Events = syscall.EPOLLOUT
			}
		}
		syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, fd, &event)
	}
}
