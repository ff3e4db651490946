// SPDX-License-Identifier: Apache-2.0
// A Go TCP server with an epoll of its own. A change made connections edge-triggered, while the worker still does one read per event: what is left of
// a longer message waits for an event that does not come. The author kept level-triggered mode for exactly that ("otherwise it hangs"). Bytes unread,
// registered with EPOLLET, nobody reads.
// Report: https://github.com/smallnest/1m-go-tcp-server/pull/1
// Fix: level-triggered.
// Expect all: et-read-not-drained likely
// Changed: reading when told of room is no memory of input any more
// Expect attach: missed et-read-not-drained likely: what the runtime's epoll was told of before epaudit came is not known
// Expect log: none: a log shows nothing that is unread
// Expect excerpt: none: the same
// Attach: 6 --set et-read-not-drained.stall_s=2 --set et-read-not-drained.from_start_s=2
// Load: idle
package main

import (
	"io"
	"net"
	"os"
	"syscall"
	"time"
)

func client(address string) {
	c, _ := net.Dial("tcp", address)
	for { // one message of 4,000 bytes, then wait until all of it came back
		c.Write(make([]byte, 4000))
		io.ReadFull(c, make([]byte, 4000))
		time.Sleep(50 * time.Millisecond)
	}
}

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	mode := uint32(1 << 31) // EPOLLET
	if os.Getenv("FIXED") == "1" {
		mode = 0
	}
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	ep, _ := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	for i := 0; i < 3; i++ {
		go client(listener.Addr().String())
		c, _ := listener.Accept()
		raw, _ := c.(*net.TCPConn).File()
		c.Close()
		fd := int(raw.Fd())
		syscall.SetNonblock(fd, true)
		syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN | mode, Fd: int32(fd)})
		defer raw.Close()
	}
	events := make([]syscall.EpollEvent, 8)
	buffer := make([]byte, 1024)
	for {
		n, _ := syscall.EpollWait(ep, events, -1)
		for i := 0; i < n; i++ {
			got, _ := syscall.Read(int(events[i].Fd), buffer)
			syscall.Write(int(events[i].Fd), buffer[:got])
		}
	}
}
