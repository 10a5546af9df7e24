//! Hashing what is served in the background, and where digests are kept between runs.

use std::{
    cell::Cell,
    env,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use hubstow_client::{Error, ErrorKind};
use hubstow_serve::{HashProgress, Server};

use crate::{global::Format, output};

/// How long it may take before anything is said of it, and how often then.
const SILENT_FOR: Duration = Duration::from_secs(2);
const SAID_EVERY: Duration = Duration::from_secs(10);

/// Returns the folder for digests.
pub(super) fn folder_of_digests() -> Option<PathBuf> {
    Some(folder_of_caches()?.join("serve"))
}

/// Returns our folder below the user's caches, wherever the system has those; `None` where there is no such place.
pub(super) fn folder_of_caches() -> Option<PathBuf> {
    let named = |name: &str| {
        let value = env::var_os(name).map(PathBuf::from);
        value.filter(|path| path.is_absolute())
    };
    let of_system = || {
        if cfg!(windows) {
            named("LOCALAPPDATA")
        } else {
            let caches = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
            env::home_dir().filter(|home| home.is_absolute()).map(|home| home.join(caches))
        }
    };
    let caches = named("XDG_CACHE_HOME").or_else(of_system)?;
    Some(caches.join("hubstow"))
}

/// Starts to hash. It goes on until all is hashed or the process ends.
///
/// # Errors
/// No thread is to be had.
pub(super) fn start(server: &Server, format: Format) -> Result<(), Error> {
    let server = server.clone();
    let hash = move || {
        let said = Cell::new(None);
        let started = Instant::now();
        let hashed = server.hash_ahead(|progress| tell(progress, format, started, &said));
        if let Err(error) = hashed {
            let text = format!("what is served can't be hashed ahead: {error}");
            output::say(output::warning(format, &text));
        }
    };
    let thread = thread::Builder::new().name("hubstow-hash-ahead".to_owned()).spawn(hash);
    thread.map(drop).map_err(|error| {
        Error::new(ErrorKind::Other, "hashing ahead can't be started").caused_by(error)
    })
}

/// Says how far it has come, where it takes long enough to be of interest.
fn tell(progress: HashProgress, format: Format, started: Instant, said: &Cell<Option<Instant>>) {
    if format != Format::Human {
        return;
    }
    let HashProgress { files, of_files, len_bytes, of_len_bytes, .. } = progress;
    let is_done = files == of_files;
    let is_time = match said.get() {
        None => !is_done && started.elapsed() >= SILENT_FOR,
        Some(at) => is_done || at.elapsed() >= SAID_EVERY,
    };
    if is_time {
        said.set(Some(Instant::now()));
        let (done, all) = (output::size(len_bytes), output::size(of_len_bytes));
        output::say(format_args!("hashed {files} of {of_files} files ({done} of {all})"));
    }
}
