// SPDX-License-Identifier: Apache-2.0
// evio handles one thing per event: while output is pending it only writes. A client that sends without reading keeps the output blocked; its input
// is reported each turn, write() fails with EAGAIN, and nothing is ever read. EPOLLIN each turn, never read (what follows it is write = EAGAIN).
// Report: https://github.com/tidwall/evio/issues/72
// Fix: handle both directions of an event, and stop asking for input while output is blocked.
// Expect all: unread-spin likely
// Expect excerpt: none: three lines per turn, and 100 turns are asked for
// Log: 4
package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go func() { // a client that only sends
		c, err := net.Dial("tcp", listener.Addr().String())
		c.(*net.TCPConn).SetReadBuffer(4096)
		for err == nil {
			_, err = c.Write(make([]byte, 4096))
		}
	}()
	c, _ := listener.Accept()
	c.(*net.TCPConn).SetWriteBuffer(4096)
	f, _ := c.(*net.TCPConn).File()
	defer f.Close()
	c.Close()
	fd := int(f.Fd())
	syscall.SetNonblock(fd, true)
	ep, _ := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &event)
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
			if os.Getenv("FIXED") == "1" {
				event.Events = syscall.EPOLLOUT
			}
		}
		syscall.EpollCtl(ep, syscall.EPOLL_CTL_MOD, fd, &event)
	}
}
