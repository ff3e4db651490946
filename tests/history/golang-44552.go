// SPDX-License-Identifier: Apache-2.0
// Go tries to put each file it opens into its epoll, and gets EPERM for every regular file. The reporter saw two failing epoll_ctl per os.Open and
// feared a fault; the runtime handles it: such files are read directly. EPERM is answered by reading without epoll.
// Report: https://github.com/golang/go/issues/44552
// Fix: none was needed; the fixed form opens the file once.
// Expect all: silent
// Log: 4
// Load: idle
package main

import (
	"net"
	"os"
	"time"
)

func main() {
	time.AfterFunc(time.Minute, func() { os.Exit(0) })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go listener.Accept()
	data := make([]byte, 64)
	file, _ := os.Open("/etc/passwd")
	for {
		if os.Getenv("FIXED") != "1" {
			file.Close()
			file, _ = os.Open("/etc/passwd")
		}
		file.ReadAt(data, 0)
		time.Sleep(10 * time.Millisecond)
	}
}
