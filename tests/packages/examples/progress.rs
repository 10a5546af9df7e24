//! Downloads a snapshot and shows how far it is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use hubstow_native::{Error, Event, Hub};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let hub = Hub::from_env()?;
    let received = Arc::new(AtomicU64::new(0));

    let sum = Arc::clone(&received);
    let question = hub.model("acme/tiny").snapshot().on_event(move |event| match event {
        Event::Listed { files, bytes } => println!("{files} files, {} bytes", bytes.unwrap_or(0)),
        Event::Received { bytes, .. } => drop(sum.fetch_add(*bytes, Ordering::Relaxed)),
        Event::Finished { report } => println!("{} is here", report.file),
        _ => {}
    });
    let snapshot = question.await?;
    println!("{} bytes received", received.load(Ordering::Relaxed));
    println!("{}", snapshot.path.display());
    Ok(())
}
