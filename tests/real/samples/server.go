// SPDX-License-Identifier: Apache-2.0
// Go's net/http. While a handler sleeps nothing but one byte is read ahead, and request bodies lie unread.
package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	large := make([]byte, 2<<20)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("hello world\n"))
	})
	http.HandleFunc("/large", func(w http.ResponseWriter, r *http.Request) {
		w.Write(large)
	})
	http.HandleFunc("/slow/", func(w http.ResponseWriter, r *http.Request) {
		ms, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/slow/"))
		time.Sleep(time.Duration(ms) * time.Millisecond)
		w.Write([]byte("hello world\n"))
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Args[1], nil); err != nil {
		os.Exit(1)
	}
}
