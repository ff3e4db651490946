// SPDX-License-Identifier: Apache-2.0
// As lines.go, in Rust, with nothing but what its standard library links anyway.
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::io::AsRawFd;
use std::time::{Duration, Instant};

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Event {
    events: u32,
    data: u64,
}

extern "C" {
    fn epoll_create1(flags: i32) -> i32;
    fn epoll_ctl(epoll: i32, operation: i32, fd: i32, event: *mut Event) -> i32;
    fn epoll_wait(epoll: i32, events: *mut Event, most: i32, timeout: i32) -> i32;
    fn read(fd: i32, into: *mut u8, size: usize) -> isize;
}

mod server {
    pub struct Loop {
        pub epoll: i32,
    }

    impl Loop {
        #[inline(never)]
        pub fn arm_for_output(&self, fd: i32) -> i32 {
            let mut want = crate::Event { events: 4, data: fd as u64 };
            let answer = unsafe { crate::epoll_ctl(self.epoll, 1, fd, &mut want) }; // expect: EP201
            std::hint::black_box(answer)
        }

        pub fn arm_for_input(&self, fd: i32) -> i32 {
            let mut want = crate::Event { events: 1, data: fd as u64 };
            unsafe { crate::epoll_ctl(self.epoll, 1, fd, &mut want) }
        }

        #[inline(never)]
        pub fn handle(&self, fd: i32) -> isize {
            let mut buffer = [0u8; 64];
            let got = unsafe { crate::read(fd, buffer.as_mut_ptr(), 64) };
            std::thread::sleep(std::time::Duration::from_millis(1200)); // expect: EP404
            std::hint::black_box(got)
        }
    }
}

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let one = server::Loop { epoll: unsafe { epoll_create1(0) } };
    let sleeps = std::env::args().nth(1).as_deref() == Some("sleep");
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut talk = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (served, _) = listener.accept().unwrap();
        served.set_nonblocking(true).unwrap();
        if sleeps {
            one.arm_for_input(served.as_raw_fd());
            std::thread::spawn(move || loop {
                talk.write_all(b"x").ok();
                std::thread::sleep(Duration::from_millis(50));
            });
        } else {
            one.arm_for_output(served.as_raw_fd());
            std::mem::forget(talk);
        }
        kept.push(served);
    }
    let mut got = [Event { events: 0, data: 0 }; 8];
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(20) {
        unsafe { epoll_wait(one.epoll, got.as_mut_ptr(), 8, -1) };
        if sleeps {
            let event = got[0];
            one.handle(event.data as i32);
        }
    }
}
