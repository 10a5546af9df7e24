//! One hub, asked from several runtimes and from none.

use std::thread;

use hubstow_native::{Error, Hub, blocking};
use tokio::runtime::Builder;

fn main() -> Result<(), Error> {
    let hub = Hub::from_env()?;

    let one = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let many = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let config = hub.model("acme/tiny").file("config.json");
    let words = hub.model("acme/tiny").file("words.txt");
    let (config, words) = thread::scope(|threads| {
        let other = threads.spawn(move || many.block_on(words.download()));
        (one.block_on(config.download()), other.join().expect("no panic"))
    });
    println!("{} and {}", config?.file, words?.file);

    // Without async, on a thread that drives a runtime of its own.
    let weights = one.block_on(async {
        blocking::Hub::from(hub).model("acme/tiny").file("model.bin").download()
    })?;
    println!("{} bytes", weights.size.unwrap_or(0));
    Ok(())
}
