//! Downloads one file of a model and prints where it is.
//!
//! ```sh
//! cargo run -p hubstow-native --example download -- openai-community/gpt2 config.json
//! ```

use hubstow_native::{Error, Event, Hub};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(file)) = (args.next(), args.next()) else {
        eprintln!("usage: download MODEL FILE");
        std::process::exit(2);
    };
    let hub = Hub::from_env()?.on_event(|event| {
        if let Event::Finished { report } = event {
            eprintln!("{:?}, because {}", report.action, report.reason.sentence());
        }
    });
    let report = hub.model(model).file(file).await?;
    println!("{}", report.path.display());
    Ok(())
}
