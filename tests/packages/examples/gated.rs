//! Says to a person what to do where a model is not for everybody.

use hubstow_native::{ErrorKind, Hub};

#[tokio::main]
async fn main() -> Result<(), hubstow_native::Error> {
    let hub = Hub::from_env()?;
    let error = match hub.model("acme/tiny").file("config.json").await {
        Ok(config) => {
            println!("welcome: {}", config.path.display());
            return Ok(());
        }
        Err(error) => error,
    };
    match error.kind() {
        ErrorKind::Unauthorized => println!("log in: set HF_TOKEN"),
        ErrorKind::Gated => println!("ask to be let in, on the page of acme/tiny"),
        ErrorKind::Throttled { retry_after } => println!("come back later: {retry_after:?}"),
        _ if error.is_transient() => println!("try again: {error}"),
        _ => return Err(error),
    }
    println!("the hub said {:?}", error.status());
    Ok(())
}
