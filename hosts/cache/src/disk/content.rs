//! Proving that bytes are what their etag says: sha256 for LFS and Xet files, git's blob sha1 for the others.

use std::io::{self, Read};

use hubstow_core::name::{ContentHash, Etag};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::disk::cancel::Cancel;

/// The size of the buffers that content is read and copied with.
pub const BUFFER_BYTES: usize = 1 << 20;

/// Computes the hash that an etag names, while bytes pass by in order.
pub struct Hasher {
    etag: Etag,
    state: State,
    passed_bytes: u64,
}

enum State {
    Sha256(Sha256),
    /// Git's hash begins with the size, which may not be known before the first byte.
    GitBlobSha1(Sha1),
    Opaque,
}

impl Hasher {
    /// Starts a hash for content of this etag and size. Where the size is not known, git's hash can't be computed and
    /// the content counts as opaque.
    #[must_use]
    pub fn new(etag: &Etag, size_bytes: Option<u64>) -> Self {
        let state = match (etag.content_hash(), size_bytes) {
            (ContentHash::Sha256, _) => State::Sha256(Sha256::new()),
            (ContentHash::GitBlobSha1, Some(size)) => {
                State::GitBlobSha1(Sha1::new_with_prefix(format!("blob {size}\0")))
            }
            (ContentHash::GitBlobSha1, None) | (ContentHash::Opaque, _) => State::Opaque,
        };
        Self { etag: etag.clone(), state, passed_bytes: 0 }
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.passed_bytes += bytes.len() as u64;
        match &mut self.state {
            State::Sha256(hash) => hash.update(bytes),
            State::GitBlobSha1(hash) => hash.update(bytes),
            State::Opaque => {}
        }
    }

    /// Returns how many bytes have passed.
    #[must_use]
    pub fn passed_bytes(&self) -> u64 {
        self.passed_bytes
    }

    /// Returns the hash of what has passed, and of which kind it is; of an opaque etag there is none.
    pub(crate) fn into_hash(self) -> (ContentHash, String) {
        match self.state {
            State::Sha256(hash) => (ContentHash::Sha256, hex(&hash.finalize())),
            State::GitBlobSha1(hash) => (ContentHash::GitBlobSha1, hex(&hash.finalize())),
            State::Opaque => (ContentHash::Opaque, String::new()),
        }
    }

    /// Compares what has passed with the etag. `Err` holds the hash that was found.
    ///
    /// # Errors
    /// Content that is not what the etag says.
    pub fn finish(self) -> Result<(), String> {
        let etag = self.etag.clone();
        match self.into_hash() {
            (ContentHash::Opaque, _) => Ok(()),
            (_, found) if found == etag.as_str() => Ok(()),
            (_, found) => Err(found),
        }
    }
}

/// Writes bytes as two digits each.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads all that is left of `from`, passing it through `hasher` and on to `to` by pieces; returns the number of bytes.
///
/// # Errors
/// Whatever reading or `to` says; that it was cancelled, which is asked before each piece.
pub fn pass_through(
    from: &mut dyn Read,
    hasher: &mut Hasher,
    cancel: &Cancel,
    mut to: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut passed = 0;
    loop {
        cancel.check()?;
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(passed),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        hasher.update(bytes);
        to(bytes)?;
        passed += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(etag: &str, content: &[u8], size: Option<u64>) -> bool {
        let mut hasher = Hasher::new(&Etag::parse(etag).unwrap(), size);
        hasher.update(content);
        hasher.finish().is_ok()
    }

    #[test]
    fn each_kind_of_etag_is_proved_its_own_way() {
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let git = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
        assert!(check(sha256, b"hello", None));
        assert!(!check(sha256, b"hellO", None));
        assert!(check(git, b"hello", Some(5)));
        assert!(!check(git, b"hellO", Some(5)));
        assert!(check("some-opaque-etag", b"anything", Some(3)));
    }

    #[test]
    fn what_is_cancelled_ends_within_a_piece() {
        let etag = Etag::parse("some-opaque-etag").unwrap();
        let (mut hasher, cancel, mut copied) = (Hasher::new(&etag, None), Cancel::default(), 0);
        let content = vec![0; 8 * BUFFER_BYTES];
        let result = pass_through(&mut &*content, &mut hasher, &cancel, |bytes| {
            copied += bytes.len();
            if copied > 2 * BUFFER_BYTES {
                cancel.cancel();
            }
            Ok(())
        });
        assert!(crate::disk::cancel::Cancelled::caused(&result.unwrap_err()));
        assert_eq!(copied, 3 * BUFFER_BYTES);
    }
}
