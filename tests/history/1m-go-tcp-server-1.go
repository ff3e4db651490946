// SPDX-License-Identifier: Apache-2.0
// A Go TCP server with an epoll of its own. A change made connections edge-triggered, while the worker still does
// one read per event: what is left of a longer message waits for an event that does not come. The author kept
// level-triggered mode for exactly that ("otherwise it hangs").
// Report: https://github.com/smallnest/1m-go-tcp-server/pull/1
// Expect: EP101 et-read-not-drained, likely: bytes unread, registered with EPOLLET, nobody reads.
// Fix: level-triggered.
package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

const edge = 1 << 31

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func client(address string) {
	c, err := net.Dial("tcp", address)
	check(err)
	for { // one message of 4,000 bytes, then wait until all of it came back
		c.Write(make([]byte, 4000))
		answer := make([]byte, 4000)
		for got := 0; got < len(answer); {
			n, err := c.Read(answer[got:])
			check(err)
			got += n
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func main() {
	mode := uint32(edge)
	if os.Getenv("FIXED") == "1" {
		mode = 0
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	ep, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	check(err)
	for i := 0; i < 3; i++ {
		go client(listener.Addr().String())
		c, err := listener.Accept()
		check(err)
		raw, err := c.(*net.TCPConn).File()
		check(err)
		c.Close() // the copy is ours alone
		fd := int(raw.Fd())
		check(syscall.SetNonblock(fd, true))
		check(syscall.EpollCtl(ep, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN | mode, Fd: int32(fd)}))
		defer raw.Close()
	}
	events := make([]syscall.EpollEvent, 8)
	buffer := make([]byte, 1024)
	for {
		n, _ := syscall.EpollWait(ep, events, -1)
		for i := 0; i < n; i++ {
			if got, _ := syscall.Read(int(events[i].Fd), buffer); got > 0 {
				syscall.Write(int(events[i].Fd), buffer[:got])
			}
		}
	}
}
