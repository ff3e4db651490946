// SPDX-License-Identifier: Apache-2.0
// The "million websockets" example. When a read fails, the connection is taken off the epoll and forgotten, but never closed: lsof showed ever more
// sockets of clients that had gone. End of stream read, socket never closed, CLOSE_WAIT grows.
// Report: https://github.com/eranyanay/1m-go-websockets/issues/9
// Fix: close it.
// Expect all: close-wait-leak likely
// Expect log: none: a log does not show the state of a socket
// Expect excerpt: none: a log does not show the state of a socket
// Run: 7
// Attach: 8 --set close-wait-leak.leak_s=2 --set close-wait-leak.window_s=1
// Load: idle
package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	fixed := os.Getenv("FIXED") == "1"
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	ep, _ := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	go func() { // visitors
		for {
			c, _ := net.Dial("tcp", listener.Addr().String())
			c.Write([]byte("hello"))
			c.Close()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	connections := make([]net.Conn, 65536)
	var keep []net.Conn // whoever still refers to them; in the report: the garbage collector came late
	go func() {
		for {
			c, _ := listener.Accept()
			raw, _ := c.(*net.TCPConn).SyscallConn()
			raw.Control(func(fd uintptr) {
				connections[fd] = c
				syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLHUP, Fd: int32(fd)})
			})
		}
	}()
	events := make([]syscall.EpollEvent, 64)
	for {
		n, _ := syscall.EpollWait(ep, events, -1)
		for i := 0; i < n; i++ {
			c := connections[events[i].Fd]
			if _, err := c.Read(make([]byte, 512)); err != nil {
				syscall.EpollCtl(ep, syscall.EPOLL_CTL_DEL, int(events[i].Fd), nil)
				keep = append(keep, c)
				if fixed {
					c.Close()
				}
			}
		}
	}
}
