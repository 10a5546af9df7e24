//! A client that sees each byte when it comes, and says whether the whole came.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// An answer that is being read.
pub(crate) struct Reading {
    stream: TcpStream,
    /// 0 where nothing came.
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    /// Whether the server has closed the connection.
    pub(crate) is_over: bool,
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Sends a request and reads the head of its answer.
#[track_caller]
pub(crate) fn begin(to: SocketAddr, method: &str, path: &str, headers: &[&str]) -> Reading {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for header in headers {
        text += &format!("{header}\r\n");
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    let mut received = Vec::new();
    let end = loop {
        if let Some(end) = received.windows(4).position(|at| at == b"\r\n\r\n") {
            break end;
        }
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).unwrap_or(0);
        if count == 0 {
            // It was broken off before any of it was sent.
            let (status, headers, body) = (0, Vec::new(), Vec::new());
            return Reading { stream, status, headers, body, is_over: true };
        }
        received.extend_from_slice(&piece[..count]);
    };
    let head = std::str::from_utf8(&received[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    let headers = lines.map(header).collect();
    Reading { stream, status, headers, body: received[end + 4..].to_vec(), is_over: false }
}

#[track_caller]
pub(crate) fn get(to: SocketAddr, path: &str, headers: &[&str]) -> Answer {
    begin(to, "GET", path, headers).rest()
}

impl Reading {
    /// Reads on until so many bytes of the body are here, the answer is over, or nothing comes for the span.
    pub(crate) fn until(&mut self, len: usize, span: Duration) {
        let begin = Instant::now();
        let mut piece = vec![0; 64 << 10];
        while self.body.len() < len && !self.is_over && begin.elapsed() < span {
            self.stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
            match self.stream.read(&mut piece) {
                Ok(0) => self.is_over = true,
                Ok(count) => self.body.extend_from_slice(&piece[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => self.is_over = true,
            }
        }
    }

    pub(crate) fn rest(mut self) -> Answer {
        self.until(usize::MAX, Duration::from_secs(60));
        assert!(self.is_over, "the answer does not end");
        let Self { status, headers, body, .. } = self;
        Answer { status, headers, body }
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(at, _)| at == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether a client takes it for whole.
    pub(crate) fn is_whole(&self) -> bool {
        let len = self.header("content-length").map(|len| len.parse().unwrap());
        self.status != 0 && len.is_none_or(|len: usize| len == self.body.len())
    }
}
