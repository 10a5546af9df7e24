//! Ending work on the disk soon after nobody wants it any more.
//!
//! Whoever waits for work that copies or hashes may go away. The work itself runs on another thread and can't be stopped
//! from outside: it asks between two files, and between two pieces of one.

use std::{
    error::Error as StdError,
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether work is still wanted. Clones speak of the same work.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Says that the work is not wanted any more. It can't be taken back.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Tells whether the work is not wanted any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends work that is not wanted any more.
    ///
    /// # Errors
    /// One of kind `Other` that holds [`Cancelled`].
    pub fn check(&self) -> io::Result<()> {
        if self.is_cancelled() { Err(io::Error::other(Cancelled)) } else { Ok(()) }
    }
}

/// The work was not wanted any more, so it was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

impl Cancelled {
    /// Tells whether this is why something failed.
    #[must_use]
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn StdError + Send + Sync>::is::<Self>)
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not wanted any more")
    }
}

impl StdError for Cancelled {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_who_ask_are_told_and_the_error_says_why() {
        let cancel = Cancel::default();
        let asked = cancel.clone();
        asked.check().unwrap();
        cancel.cancel();
        let error = asked.check().unwrap_err();
        assert!(asked.is_cancelled() && Cancelled::caused(&error));
        assert_eq!(error.kind(), io::ErrorKind::Other);
        assert!(!Cancelled::caused(&io::Error::other("something else")));
    }
}
