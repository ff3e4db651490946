// SPDX-License-Identifier: Apache-2.0

// Two mistakes, in Go, by calls of the kernel's own interface: "output": EPOLLOUT that nobody needs; "sleep": a handler
// that sleeps while its client has more to say.
package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

//go:noinline
func armForOutput(epoll, fd int) {
	want := syscall.EpollEvent{Events: syscall.EPOLLOUT, Fd: int32(fd)}
	syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &want) // expect: EP201
}

func armForInput(epoll, fd int) {
	want := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)}
	syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, fd, &want)
}

//go:noinline
func handle(fd int) {
	var buffer [64]byte
	if n, _ := syscall.Read(fd, buffer[:]); n > 0 {
		nap := syscall.Timespec{Sec: 1, Nsec: 200e6}
		syscall.Nanosleep(&nap, nil) // expect: EP404
	}
}

func main() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	epoll, _ := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	sleeps := os.Args[1] == "sleep"
	var kept []*os.File
	for client := 0; client < 3; client++ {
		talk, _ := net.Dial("tcp", listener.Addr().String())
		served, _ := listener.Accept()
		file, _ := served.(*net.TCPConn).File()
		kept = append(kept, file)
		syscall.SetNonblock(int(file.Fd()), true)
		if !sleeps {
			armForOutput(epoll, int(file.Fd()))
			continue
		}
		armForInput(epoll, int(file.Fd()))
		go func() {
			for range time.Tick(50 * time.Millisecond) {
				talk.Write([]byte("x"))
			}
		}()
	}
	got := make([]syscall.EpollEvent, 8)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && len(kept) > 0; {
		syscall.EpollWait(epoll, got, -1)
		if sleeps {
			handle(int(got[0].Fd))
		}
	}
}
