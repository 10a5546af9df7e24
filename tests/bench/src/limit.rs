//! The fair limits: receive and write on one thread, hash on another, and nothing else, or bring it all to the disk as well; and
//! read and hash on two threads.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    num::NonZeroU64,
    path::PathBuf,
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use anyhow::{Context as _, Result, ensure};
use axum::http::Uri;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use rustix::fs::Advice;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use crate::content::hex;

/// How many received pieces may wait to be hashed; they are 400 KiB at most.
const QUEUE_PIECES: usize = 16;

/// After so many bytes the disk is told to begin with them.
const START_WRITING_BYTES: u64 = 8 << 20;

/// A piece of the file that is received, or its end.
enum Received {
    Piece(Bytes),
    End,
}

/// Receives files one after the other over one connection, each from an address to a path, and prints their sha256.
pub(crate) fn receive(files: &[(String, PathBuf)], sync: bool) -> Result<()> {
    let (to_hasher, received) = sync_channel(QUEUE_PIECES);
    let hasher = thread::spawn(move || hash_pieces(received));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let uri: Uri = files.first().context("no file is named")?.0.parse()?;
        let authority = uri.authority().context("the address names no host")?;
        let stream = TcpStream::connect(authority.as_str()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        runtime.spawn(connection);
        for (url, path) in files {
            sender.ready().await?;
            let (uri, mut file) = (url.parse::<Uri>()?, File::create(path)?);
            let request = Request::get(uri.path()).header(HOST, authority.as_str());
            let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
            ensure!(answer.status() == StatusCode::OK, "the hub answers {}", answer.status());
            let mut body = answer.into_body();
            let (mut written, mut started) = (0, 0);
            while let Some(frame) = body.frame().await {
                if let Ok(piece) = frame?.into_data() {
                    file.write_all(&piece)?;
                    written += piece.len() as u64;
                    if let Some(len) = NonZeroU64::new(written - started)
                        && sync
                        && len.get() >= START_WRITING_BYTES
                    {
                        rustix::fs::fadvise(&file, started, Some(len), Advice::DontNeed)?;
                        started = written;
                    }
                    to_hasher.send(Received::Piece(piece))?;
                }
            }
            to_hasher.send(Received::End)?;
            if sync {
                file.sync_data()?;
            }
        }
        anyhow::Ok(())
    })?;
    drop(to_hasher);
    let hashes = hasher.join().map_err(|_| anyhow::anyhow!("the hashing thread panicked"))?;
    hashes.iter().for_each(|hash| println!("{hash}"));
    Ok(())
}

fn hash_pieces(received: Receiver<Received>) -> Vec<String> {
    let (mut hasher, mut hashes) = (Sha256::new(), Vec::new());
    for it in received {
        match it {
            Received::Piece(piece) => hasher.update(&piece),
            Received::End => hashes.push(hex(&hasher.finalize_reset())),
        }
    }
    hashes
}

/// Reads and hashes files, two at a time, and prints their sha256.
pub(crate) fn hash(files: &[PathBuf]) -> Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut buffer = vec![0; 1 << 20];
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
            loop {
                match file.read(&mut buffer)? {
                    0 => break,
                    len => hasher.update(buffer.get(..len).unwrap_or_default()),
                }
            }
            println!("{}", hex(&hasher.finalize()));
        }
        anyhow::Ok(())
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        work()?;
        other.join().map_err(|_| anyhow::anyhow!("the other thread panicked"))?
    })
}
