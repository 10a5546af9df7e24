//! Who asks: clients that throw away what they get, in a process of their own, the same for every server.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write as _},
    net::TcpStream,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::content::hex;

/// The size of the buffer that is read into: small enough to stay in the processor's cache.
const BUFFER_BYTES: usize = 256 << 10;
/// A server that is silent for so long fails.
const PATIENCE: Duration = Duration::from_secs(300);
/// The longest head of an answer.
const HEAD_BYTES: usize = 16 << 10;

/// What the clients are to do.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ask {
    /// The server, such as `127.0.0.1:8080`
    pub(crate) server: String,
    /// What is asked for
    #[arg(required = true)]
    pub(crate) paths: Vec<String>,
    /// How many clients there are, each on a connection of its own
    #[arg(long, default_value_t = 1)]
    pub(crate) clients: usize,
    /// Each client asks for everything, instead of its share
    #[arg(long)]
    pub(crate) each: bool,
    /// Ask by HEAD before each GET, as clients of a hub do
    #[arg(long)]
    pub(crate) head: bool,
    /// Hash everything, and tell the hashes
    #[arg(long)]
    pub(crate) hash: bool,
    /// Hold the connections open until stdin ends, and tell then how many are still open
    #[arg(long)]
    pub(crate) hold: bool,
}

/// What the clients got.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Got {
    /// From the start to the first byte of a body that any client got.
    pub(crate) first_byte_s: f64,
    pub(crate) wall_s: f64,
    pub(crate) bytes: u64,
    pub(crate) answers: u64,
    /// Of each path.
    pub(crate) sha256: BTreeMap<String, String>,
}

/// Does what is asked for, and tells what came of it on a line of stdout.
pub(crate) fn run(ask: &Ask) -> Result<()> {
    let (next, got) = (AtomicUsize::new(0), Mutex::new(Got::default()));
    let begin = Instant::now();
    let client = || {
        let mut client = Client { stream: TcpStream::connect(&ask.server)?, begin, ask };
        client.stream.set_nodelay(true)?;
        client.stream.set_read_timeout(Some(PATIENCE))?;
        let own = AtomicUsize::new(0);
        let next = if ask.each { &own } else { &next };
        let mut buffer = vec![0; BUFFER_BYTES];
        while let Some(path) = ask.paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = client.get(path, &mut buffer).with_context(|| path.clone())?;
            got.lock().unwrap_or_else(PoisonError::into_inner).add(path, answer);
        }
        anyhow::Ok(client.stream)
    };
    let connections = thread::scope(|scope| {
        let clients: Vec<_> = (0..ask.clients).map(|_| scope.spawn(client)).collect();
        let joined = clients
            .into_iter()
            .map(|client| client.join().map_err(|_| anyhow::anyhow!("a client has panicked"))?);
        joined.collect::<Result<Vec<_>>>()
    })?;
    let mut got = got.into_inner().unwrap_or_else(PoisonError::into_inner);
    got.wall_s = begin.elapsed().as_secs_f64();
    tell(&serde_json::to_string(&got)?)?;
    if ask.hold {
        io::stdin().read_to_end(&mut Vec::new())?;
        tell(&connections.iter().filter(|stream| is_open(stream)).count().to_string())?;
    }
    Ok(())
}

fn tell(line: &str) -> Result<()> {
    println!("{line}");
    Ok(io::stdout().flush()?)
}

fn is_open(stream: &TcpStream) -> bool {
    let peeked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    peeked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

impl Got {
    fn add(&mut self, path: &str, answer: Answer) {
        let Answer { first_byte_s, bytes, sha256 } = answer;
        let is_first = self.answers == 0 || first_byte_s < self.first_byte_s;
        self.first_byte_s = if is_first { first_byte_s } else { self.first_byte_s };
        self.bytes += bytes;
        self.answers += 1;
        self.sha256.extend(sha256.map(|sha256| (path.to_owned(), sha256)));
    }
}

/// One answer, read to its end.
struct Answer {
    first_byte_s: f64,
    bytes: u64,
    sha256: Option<String>,
}

/// One client.
struct Client<'a> {
    stream: TcpStream,
    begin: Instant,
    ask: &'a Ask,
}

impl Client<'_> {
    fn get(&mut self, path: &str, buffer: &mut [u8]) -> Result<Answer> {
        if self.ask.head {
            self.answer("HEAD", path, buffer)?;
        }
        let (len_bytes, body_at, mut here) = self.answer("GET", path, buffer)?;
        let mut hasher = self.ask.hash.then(Sha256::new);
        let (mut from, mut bytes, mut first_byte_s) = (body_at, 0, None);
        while bytes < len_bytes {
            if from == here {
                (from, here) = (0, self.stream.read(buffer)?);
                ensure!(here > 0, "it is broken off after {bytes} of {len_bytes} bytes");
            }
            first_byte_s.get_or_insert_with(|| self.begin.elapsed().as_secs_f64());
            let piece = buffer.get(from..here).unwrap_or_default();
            if let Some(hasher) = &mut hasher {
                hasher.update(piece);
            }
            bytes += piece.len() as u64;
            from = here;
        }
        ensure!(bytes == len_bytes, "{bytes} bytes came where {len_bytes} were announced");
        let first_byte_s = first_byte_s.unwrap_or_else(|| self.begin.elapsed().as_secs_f64());
        let sha256 = hasher.map(|hasher| hex(&hasher.finalize()));
        Ok(Answer { first_byte_s, bytes, sha256 })
    }

    /// Sends a request, and reads the head of its answer: the length that it announces, where it ends, and what has been read.
    fn answer(
        &mut self,
        method: &str,
        path: &str,
        buffer: &mut [u8],
    ) -> Result<(u64, usize, usize)> {
        let server = &self.ask.server;
        let request = format!("{method} {path} HTTP/1.1\r\nhost: {server}\r\naccept: */*\r\n\r\n");
        self.stream.write_all(request.as_bytes())?;
        let (body_at, here) = self.head(buffer)?;
        let head = str::from_utf8(buffer.get(..body_at).unwrap_or_default())?;
        Ok((length(head)?, body_at, here))
    }

    /// Reads until a head is whole, and says where it ends and what has been read.
    fn head(&mut self, buffer: &mut [u8]) -> Result<(usize, usize)> {
        let mut here = 0;
        loop {
            let read = self.stream.read(buffer.get_mut(here..).unwrap_or_default())?;
            ensure!(read > 0, "it is broken off before an answer");
            here += read;
            let so_far = buffer.get(..here.min(HEAD_BYTES)).unwrap_or_default();
            if let Some(at) = so_far.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok((at + 4, here));
            }
            ensure!(here < HEAD_BYTES, "the head of the answer has no end");
        }
    }
}

/// Returns the length that an answer announces.
fn length(head: &str) -> Result<u64> {
    let status = head.lines().next().unwrap_or_default();
    ensure!(status.split(' ').nth(1) == Some("200"), "the answer is {status}");
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let length = fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Ok(length.context("the answer tells no length")?.1.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_long_as_it_says() {
        let head = "HTTP/1.1 200 OK\r\nServer: it\r\nContent-Length: 42\r\n\r\n";
        assert_eq!(length(head).unwrap(), 42);
        assert!(length("HTTP/1.1 206 Partial\r\ncontent-length: 1\r\n\r\n").is_err());
        assert!(length("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
