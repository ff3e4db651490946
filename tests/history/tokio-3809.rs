// SPDX-License-Identifier: Apache-2.0
// tokio: the epoll of the runtime leaks into programs that are started with fork and exec: the copy that mio makes of it was made without FD_CLOEXEC.
// Found as an extra descriptor in a container's processes.
// Report: https://github.com/tokio-rs/tokio/issues/3809
// Fix: duplicate with F_DUPFD_CLOEXEC.
// Expect all: epoll-fd-leaked risk
// Expect excerpt: none: the start of the program is not in these lines
// Expect attach: none: the program was started before
// Load: idle
use std::process::Command;
use std::{env, os::raw::c_int};

extern "C" {
    fn alarm(seconds: u32) -> u32;
    fn epoll_create1(flags: c_int) -> c_int;
    fn epoll_ctl(ep: c_int, operation: c_int, fd: c_int, event: *mut [u8; 12]) -> c_int;
    fn epoll_wait(ep: c_int, events: *mut [u8; 12], size: c_int, timeout_ms: c_int) -> c_int;
    fn eventfd(value: u32, flags: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, lowest: c_int) -> c_int;
}

fn main() {
    unsafe { alarm(60) };
    let fixed = env::var("FIXED").map_or(false, |v| v == "1");
    let mut event = [0u8; 12];
    event[0] = 1; // EPOLLIN
    unsafe {
        let ep = epoll_create1(0o2000000);
        let waker = eventfd(0, 0o2000000);
        epoll_ctl(ep, 1, waker, &mut event);
        let registry = fcntl(ep, if fixed { 1030 } else { 0 }, 3); // F_DUPFD_CLOEXEC, F_DUPFD
        assert!(registry >= 0);
        Command::new("sleep").arg("60").spawn().unwrap();
        loop {
            epoll_wait(ep, &mut event, 1, 1000);
        }
    }
}
