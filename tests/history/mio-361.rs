// SPDX-License-Identifier: Apache-2.0
// mio: drop() is promised to deregister, and relies on close(2). A stream made with try_clone() keeps the open file: the dropped stream's token is
// notified on and on, and its owner is gone. Events of a descriptor that is closed.
// Report: https://github.com/tokio-rs/mio/issues/361
// Fix: deregister before drop (mio 0.7 made that the user's duty).
// Expect all: ghost-registration likely
// Expect run: missed ghost-registration likely: the file is used on under its other number, which is taken for intent
// Expect attach: missed ghost-registration likely: the same
// Expect log: missed ghost-registration likely: the file is used on under its other number, which is taken for intent
// Expect excerpt: none: the close is not in these lines
// Load: idle
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::io::AsRawFd;
use std::{env, thread, time::Duration};

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct EpollEvent {
    events: u32,
    token: u64,
}

extern "C" {
    fn alarm(seconds: u32) -> u32;
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(ep: i32, operation: i32, fd: i32, event: *mut EpollEvent) -> i32;
    fn epoll_wait(ep: i32, events: *mut EpollEvent, size: i32, timeout_ms: i32) -> i32;
}

fn main() {
    unsafe { alarm(60) };
    let fixed = env::var("FIXED").map_or(false, |v| v == "1");
    let ep = unsafe { epoll_create1(0o2000000) };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut peer = TcpStream::connect(address).unwrap();
        loop {
            peer.write_all(b"x").unwrap();
            thread::sleep(Duration::from_millis(20));
        }
    });
    let stream1 = listener.accept().unwrap().0;
    let mut stream2 = stream1.try_clone().unwrap();
    let mut event = EpollEvent { events: 1 | 1 << 31, token: 2 };
    unsafe { epoll_ctl(ep, 1, stream1.as_raw_fd(), &mut event) };
    if fixed {
        unsafe { epoll_ctl(ep, 2, stream1.as_raw_fd(), &mut event) };
    }
    drop(stream1);
    thread::spawn(move || {
        let mut buffer = [0; 64];
        while stream2.read(&mut buffer).unwrap() > 0 {}
    });
    loop {
        unsafe { epoll_wait(ep, &mut event, 1, 1000) };
    }
}
