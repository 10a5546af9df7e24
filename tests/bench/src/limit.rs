//! The fair limit: receive and write on one thread, hash on another, and nothing else.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use anyhow::{Context as _, Result, ensure};
use axum::http::Uri;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, StatusCode, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;

use crate::content::hex;

/// How many received pieces may wait to be hashed; they are 400 KiB at most.
const QUEUE_PIECES: usize = 16;

/// Receives a file, and prints its sha256.
pub(crate) fn receive(url: &str, path: &Path, sync: bool) -> Result<()> {
    let (to_hasher, pieces) = sync_channel::<Bytes>(QUEUE_PIECES);
    let hasher = thread::spawn(move || hash(pieces));
    let mut file = File::create(path)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let uri: Uri = url.parse()?;
        let authority = uri.authority().context("the address names no host")?;
        let stream = TcpStream::connect(authority.as_str()).await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        runtime.spawn(connection);
        let request = Request::get(uri.path()).header(HOST, authority.as_str());
        let answer = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
        ensure!(answer.status() == StatusCode::OK, "the hub answers {}", answer.status());
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                file.write_all(&piece)?;
                to_hasher.send(piece)?;
            }
        }
        Ok(())
    })?;
    drop(to_hasher);
    if sync {
        file.sync_data()?;
    }
    let hash = hasher.join().map_err(|_| anyhow::anyhow!("the hashing thread panicked"))?;
    println!("{hash}");
    Ok(())
}

fn hash(pieces: Receiver<Bytes>) -> String {
    let mut hasher = Sha256::new();
    for piece in pieces {
        hasher.update(&piece);
    }
    hex(&hasher.finalize())
}
