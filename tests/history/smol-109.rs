// SPDX-License-Identifier: Apache-2.0
// smol: a timer of 900 microseconds. as_millis() is 0, epoll_wait polls, nothing has expired, and so on: a busy loop for as long as there are short
// timers.
// Report: https://github.com/smol-rs/smol/pull/109
// Fix: round up to 1 ms.
// Expect all: zero-timeout-spin info
// Run: 5
// Attach: 8 --set zero-timeout-spin.cpu=0.1
use std::env;
use std::time::{Duration, Instant};

extern "C" {
    fn alarm(seconds: u32) -> u32;
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_wait(ep: i32, events: *mut [u8; 12], size: i32, timeout_ms: i32) -> i32;
}

fn main() {
    unsafe { alarm(60) };
    let fixed = env::var("FIXED").map_or(false, |v| v == "1");
    let ep = unsafe { epoll_create1(0o2000000) };
    let mut event = [0u8; 12];
    loop {
        let due = Instant::now() + Duration::from_micros(900);
        while let Some(left) = due.checked_duration_since(Instant::now()) {
            let mut timeout = left.as_millis() as i32;
            if fixed && timeout == 0 {
                timeout = 1;
            }
            unsafe { epoll_wait(ep, &mut event, 1, timeout) };
        }
    }
}
