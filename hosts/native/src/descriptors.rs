//! How many files and connections this process may have open.

#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Returns how many files and connections this process may have open together; `None` where no limit could be told.
///
/// ```
/// if hubstow_native::descriptor_limit().is_some_and(|limit| limit < 64) {
///     eprintln!("few files can be open at once here; downloads will be slow");
/// }
/// ```
#[must_use]
#[cfg(unix)]
pub fn descriptor_limit() -> Option<usize> {
    usize::try_from(given(getrlimit(Resource::Nofile).current)?).ok()
}

/// Returns how many files and connections this process may have open together; `None` where no limit could be told.
///
/// ```
/// assert!(hubstow_native::descriptor_limit().is_none());
/// ```
#[must_use]
#[cfg(not(unix))]
pub fn descriptor_limit() -> Option<usize> {
    None
}

/// Raises the number of files and connections that this process may have open to what it is allowed to raise it to. It
/// belongs to the program, so the library never does it: one that calls this does so before it makes a hub.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_native::{Config, Hub, raise_descriptor_limit};
///
/// raise_descriptor_limit();
/// let hub = Hub::new(Config::new("/models"))?;
/// # Ok(())
/// # }
/// ```
pub fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = given(maximum);
        if current.is_some_and(|current| wanted.is_none_or(|wanted| current < wanted)) {
            // Where it can't be raised, the present one is kept to.
            let _ = setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum });
        }
    }
}

/// Returns how many there are under a limit, whatever that says: Apple's systems never give more.
#[cfg(unix)]
fn given(limit: Option<u64>) -> Option<u64> {
    const APPLE: u64 = 10_240;
    if cfg!(target_vendor = "apple") {
        Some(limit.map_or(APPLE, |limit| limit.min(APPLE)))
    } else {
        limit
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_can_be_told_and_raising_never_lowers_it() {
        let before = descriptor_limit();
        raise_descriptor_limit();
        assert!(descriptor_limit().unwrap_or(usize::MAX) >= before.unwrap_or(usize::MAX));
    }
}
