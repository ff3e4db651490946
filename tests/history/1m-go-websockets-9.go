// SPDX-License-Identifier: Apache-2.0
// The "million websockets" example. When a read fails, the connection is taken off the epoll and forgotten, but
// never closed: lsof showed ever more sockets of clients that had gone.
// Report: https://github.com/eranyanay/1m-go-websockets/issues/9
// Expect: EP302 close-wait-leak, likely: end of stream read, socket never closed, CLOSE_WAIT grows.
// Fix: close it.
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

func main() {
	fixed := os.Getenv("FIXED") == "1"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	check(err)
	go func() { // visitors
		for {
			c, err := net.Dial("tcp", listener.Addr().String())
			check(err)
			c.Write([]byte("hello"))
			c.Close()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	connections := make([]net.Conn, 65536)
	var keep []net.Conn // whoever still refers to them; in the report: the garbage collector came late
	go func() {
		for {
			c, err := listener.Accept()
			check(err)
			raw, _ := c.(*net.TCPConn).SyscallConn()
			raw.Control(func(fd uintptr) {
				connections[fd] = c
				check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLHUP, Fd: int32(fd)}))
			})
		}
	}()
	events := make([]syscall.EpollEvent, 64)
	for {
		n, _ := syscall.EpollWait(ep, events, -1)
		for _, e := range events[:max(n)] {
			c := connections[e.Fd]
			if _, err := c.Read(make([]byte, 512)); err != nil {
				syscall.EpollCtl(ep, syscall.EPOLL_CTL_DEL, int(e.Fd), nil)
				keep = append(keep, c)
				if fixed {
					c.Close()
				}
			}
		}
	}
}

func max(n int) int {
	if n < 0 {
		return 0
	}
	return n
}
