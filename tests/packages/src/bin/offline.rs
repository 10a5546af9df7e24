//! Looks for a file in the cache: no request, no runtime.

use hubstow_native::{Error, ErrorKind, Hub, blocking};

fn main() -> Result<(), Error> {
    let hub = Hub::from_env()?;
    let words = hub.model("acme/tiny").file("words.txt");
    match words.clone().cached()? {
        Some(words) => println!("here: {}", words.path.display()),
        None => println!("words.txt is not here"),
    }

    let hub = blocking::Hub::from_env()?;
    match hub.model("acme/tiny").file("words.txt").offline().download() {
        Ok(words) => println!("served: {:?}", words.size),
        Err(error) if error.kind() == ErrorKind::NotCached => println!("offline: {error}"),
        Err(error) => return Err(error),
    }
    Ok(())
}
