//! `hubstow serve`: a hub-compatible endpoint over a folder, until Ctrl-C.

use std::{fs, io, net::SocketAddr, path::PathBuf};

use clap::Args;
use hubstow_client::{Error, ErrorKind};
use hubstow_serve::Server;
use tokio::net::TcpListener;

use crate::{
    global::{Format, Global},
    output, runtime,
};

/// Serve a folder as a hub; its URL is the first line on stdout
///
/// DIR/org/name is a model at main, DIR/org/name@v1 the same model at v1, DIR/datasets/org/name a dataset. Every tool
/// that takes HF_ENDPOINT can download from it. Ctrl-C stops it.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  hubstow serve ~/models --bind 127.0.0.1:8080
  HF_ENDPOINT=http://127.0.0.1:8080 hubstow download org/name
  HF_ENDPOINT=http://127.0.0.1:8080 hf download org/name")]
pub(crate) struct ServeArgs {
    /// The folder
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    bind: SocketAddr,
    /// Answer only requests that carry this token
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The size from which a file is an LFS file
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    lfs_threshold: u64,
}

/// Serves until Ctrl-C.
pub(crate) fn run(args: &ServeArgs, global: &Global) -> Result<(), Error> {
    fs::read_dir(&args.dir).map_err(|error| {
        let message = format!("`{}` can't be served", args.dir.display());
        Error::new(ErrorKind::Usage, message)
            .hint("DIR is an existing folder that holds org/name folders")
            .caused_by(error)
    })?;
    let mut server = Server::builder(&args.dir).lfs_from_bytes(args.lfs_threshold);
    if let Some(token) = &args.token {
        server = server.token(token);
    }
    let format = global.format();
    server = server.on_left_out(move |left_out| {
        output::say(output::warning(format, &format!("it is not served: {}", left_out.why)));
    });
    runtime::block_on(async {
        let listener = TcpListener::bind(args.bind).await.map_err(|e| bind_error(args.bind, e))?;
        let address = listener.local_addr().map_err(|e| bind_error(args.bind, e))?;
        announce(args, address, format)?;
        let stop = async move {
            if let Err(error) = tokio::signal::ctrl_c().await {
                let text = format!("Ctrl-C can't be heard, so the process must be ended: {error}");
                output::say(output::warning(format, &text));
                std::future::pending::<()>().await;
            }
        };
        server.build().serve(listener, stop).await.map_err(|error| {
            Error::new(ErrorKind::Other, "nothing is served any more").caused_by(error)
        })
    })
}

fn announce(args: &ServeArgs, address: SocketAddr, format: Format) -> Result<(), Error> {
    let url = format!("http://{address}");
    match format {
        Format::Json => output::json(&serde_json::json!({ "url": url }))?,
        Format::Human | Format::Quiet => output::line(&url)?,
    }
    if format == Format::Human {
        output::say(format_args!(
            "serving {}; other tools find it with HF_ENDPOINT={url}; Ctrl-C stops it",
            args.dir.display()
        ));
    }
    if !address.ip().is_loopback() && args.token.is_none() {
        output::say(output::warning(
            format,
            "everybody who can reach this address can read the folder; --token asks for a token",
        ));
    }
    Ok(())
}

fn bind_error(address: SocketAddr, error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::PermissionDenied {
        ErrorKind::NotPermitted
    } else {
        ErrorKind::Other
    };
    Error::new(kind, format!("{address} can't be listened on"))
        .hint("--bind 127.0.0.1:0 takes a free port")
        .caused_by(error)
}
