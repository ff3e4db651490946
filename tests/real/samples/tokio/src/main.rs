// SPDX-License-Identifier: Apache-2.0
// tokio on two worker threads: one task per connection, which does not read while it sleeps.
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SMALL: &[u8] = b"hello world\n";
static LARGE: [u8; 2 << 20] = [0; 2 << 20];

async fn answer(socket: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    socket.write_all(&[head.as_bytes(), if body.len() < 4096 { body } else { &[] }].concat()).await?;
    if body.len() >= 4096 {
        socket.write_all(body).await?;
    }
    Ok(())
}

async fn serve(mut socket: TcpStream) -> std::io::Result<()> {
    let mut input: Vec<u8> = Vec::new();
    let mut chunk = [0u8; 1024];
    loop {
        let end = match input.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(at) => at + 4,
            None => {
                let n = socket.read(&mut chunk).await?;
                if n == 0 || input.len() > 65536 {
                    return Ok(());
                }
                input.extend_from_slice(&chunk[..n]);
                continue;
            }
        };
        let request = String::from_utf8_lossy(&input[..end]).into_owned();
        input.drain(..end);
        if let Some(rest) = request.strip_prefix("GET /slow/") {
            let ms = rest.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let large = request.starts_with("GET /large");
        answer(&mut socket, if large { &LARGE } else { SMALL }).await?;
    }
}

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).expect("PORT");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(serve(socket));
        }
    })
}
