// SPDX-License-Identifier: Apache-2.0
// tokio: the epoll of the runtime leaks into programs that are started with fork and exec: the copy that mio makes of it
// was made without FD_CLOEXEC. Found as an extra descriptor in a container's processes.
// Report: https://github.com/tokio-rs/tokio/issues/3809
// Expect: EP603 epoll-fd-leaked, risk.
// Fix: duplicate with F_DUPFD_CLOEXEC.
use std::process::Command;
use std::{env, os::raw::c_int};

extern "C" {
    fn epoll_create1(flags: c_int) -> c_int;
    fn epoll_ctl(ep: c_int, operation: c_int, fd: c_int, event: *mut [u8; 12]) -> c_int;
    fn epoll_wait(ep: c_int, events: *mut [u8; 12], size: c_int, timeout_ms: c_int) -> c_int;
    fn eventfd(value: u32, flags: c_int) -> c_int;
    fn fcntl(fd: c_int, command: c_int, lowest: c_int) -> c_int;
}

fn main() {
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
