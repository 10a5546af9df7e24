//! Downloads one file of a model; a component decides, inside bounds that this program sets.
//!
//! ```sh
//! cargo run -p hubstow-wasmtime --features compile --example embed -- openai-community/gpt2 config.json
//! cargo run -p hubstow-wasmtime --features compile --example embed -- openai-community/gpt2 config.json core.wasm
//! ```

use std::{error::Error, fs, sync::Arc, time::Duration};

use hubstow_native::{Config, FileRequest, Hub};
use hubstow_wasmtime::{Bounds, COMPONENT, ComponentCore, Options, Pool};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(model), Some(file)) = (args.next(), args.next()) else {
        eprintln!("usage: embed MODEL FILE [COMPONENT]");
        std::process::exit(2);
    };

    // A component is hostile until proven otherwise: a tenth of a second and 16 MiB are more than a decision needs.
    let bounds =
        Bounds { deadline: Duration::from_millis(100), memory_bytes: 16 << 20, ..Bounds::DEFAULT };
    let options = Options { bounds, pool: Pool::Of(4) };
    let core = match args.next() {
        Some(component) => ComponentCore::compile(&fs::read(component)?, options)?,
        None => ComponentCore::compile(COMPONENT, options)?,
    };

    let hub = Hub::with_decider(Config::from_env()?, Arc::new(core))?;
    let report = hub.download(&FileRequest::parse(&model, &file)?).await?;
    println!("{}", report.path.display());
    eprintln!("{:?}, because {}", report.action, report.reason.sentence());
    Ok(())
}
