//! The command `hubstow` inside a sandbox: files by wasi:filesystem, requests by wasi:http, and nothing else.
//!
//! The program sees what the host has opened for it: one folder with the cache is enough. What a sandbox lacks, such as
//! locks, modes and reflinks, the library learns as it does on any disk that lacks them.

#[cfg(all(target_os = "wasi", target_env = "p2"))]
mod disk;
#[cfg(all(target_os = "wasi", target_env = "p2"))]
mod file;
#[cfg(any(test, all(target_os = "wasi", target_env = "p2")))]
mod folders;
#[cfg(all(target_os = "wasi", target_env = "p2"))]
mod transport;
#[cfg(any(test, all(target_os = "wasi", target_env = "p2")))]
mod words;
#[cfg(all(target_os = "wasi", target_env = "p2"))]
mod workers;

#[cfg(all(target_os = "wasi", target_env = "p2"))]
fn main() -> std::process::ExitCode {
    use std::{path::Path, sync::Arc};

    use hubstow_cache::Disk;
    use hubstow_client::{Config, Parts};

    use crate::{disk::WasiDisk, transport::WasiTransport, workers::InLine};

    hubstow_command::main_with(|config: &Config| {
        let transport = WasiTransport::new(&config.user_agent, config.stall_timeout);
        let disk =
            Box::new(|directory: &Path| Ok(Arc::new(WasiDisk::new(directory)?) as Arc<dyn Disk>));
        let mut parts = Parts::new(Arc::new(transport), disk, Arc::new(InLine));
        // A sandbox does not tell; this is what the smallest of the systems below it give.
        parts.descriptors = Some(256);
        parts
    })
}

#[cfg(not(all(target_os = "wasi", target_env = "p2")))]
fn main() -> std::process::ExitCode {
    eprintln!("this program runs inside a sandbox: build it with --target wasm32-wasip2");
    std::process::ExitCode::from(2)
}
