//! An exporter that gets its lines from `linemux`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};

use super::line;

static REPLIES: [AtomicU64; line::CELLS] = [const { AtomicU64::new(0) }; line::CELLS];
static MALFORMED: AtomicU64 = AtomicU64::new(0);

/// Follows the log and serves the counts, for ever.
pub fn serve(log: &str, port: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut lines = linemux::MuxedLines::new().unwrap();
        lines.add_file(log).await.unwrap();
        let listener = TcpListener::bind(format!("127.0.0.1:{port}")).unwrap();
        std::thread::spawn(move || answer(&listener));
        loop {
            match lines.next_line().await {
                Ok(Some(found)) => match line::read(found.line().as_bytes()) {
                    Some(cell) => REPLIES[cell].fetch_add(1, Ordering::Relaxed),
                    None => MALFORMED.fetch_add(1, Ordering::Relaxed),
                },
                Ok(None) | Err(_) => MALFORMED.fetch_add(1, Ordering::Relaxed),
            };
        }
    });
}

fn answer(listener: &TcpListener) {
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        drop(stream.read(&mut [0; 1024]));
        let mut body = format!("malformed {}\n", MALFORMED.load(Ordering::Relaxed));
        for (cell, count) in REPLIES.iter().enumerate() {
            body += &format!("replies{{cell=\"{cell}\"}} {}\n", count.load(Ordering::Relaxed));
        }
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        drop(stream.write_all((head + &body).as_bytes()));
    }
}
