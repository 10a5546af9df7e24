//! Downloads without async.

use hubstow_native::blocking::Hub;

fn main() -> Result<(), hubstow_native::Error> {
    let hub = Hub::from_env()?;

    let config = hub.model("acme/tiny").file("config.json").download()?;
    println!("{}", config.path.display());

    let snapshot = hub.model("acme/tiny").snapshot().include(["*.json", "*.txt"]).download()?;
    for file in &snapshot.files {
        println!("{}: {}", file.file, file.reason.sentence());
    }
    Ok(())
}
