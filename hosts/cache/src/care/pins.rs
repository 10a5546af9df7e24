//! Pins: what no cleaning takes, as users have said it. One line for each: `*` for the whole repo, or a revision.

use std::{collections::BTreeSet, io};

use hubstow_core::{layout::RepoLayout, name::Revision};

use crate::{
    care::damage::{Damage, Flaw},
    disk::failure::FsError,
    observe::view::View,
};

/// The most bytes of a file of pins that are read.
const LIMIT_BYTES: u64 = 1 << 20;
const WHOLE: &str = "*";

/// What is pinned of a repo.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// Whether all of it is.
    pub whole: bool,
    /// The revisions that are: branches, tags or commits, as they were said.
    pub revisions: BTreeSet<String>,
}

impl Pins {
    /// Understands a list of pins; `None` where a line says nothing that can be pinned: what it was meant to keep, nobody knows.
    fn parse(content: &[u8]) -> Option<Self> {
        let mut pins = Self::default();
        for line in str::from_utf8(content).ok()?.lines() {
            match line.trim() {
                "" => {}
                WHOLE => pins.whole = true,
                line => {
                    pins.revisions.insert(Revision::parse(line).ok()?.as_str().to_owned());
                }
            }
        }
        Some(pins)
    }

    fn to_text(&self) -> String {
        let whole = self.whole.then_some(WHOLE).into_iter();
        let lines = whole.chain(self.revisions.iter().map(String::as_str));
        lines.map(|line| format!("{line}\n")).collect()
    }

    /// Tells whether nothing is pinned.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.whole && self.revisions.is_empty()
    }

    /// Pins a revision, or all of the repo; tells whether that is new.
    pub fn pin(&mut self, revision: Option<&Revision>) -> bool {
        match revision {
            Some(revision) => self.revisions.insert(revision.as_str().to_owned()),
            None => !std::mem::replace(&mut self.whole, true),
        }
    }

    /// Takes a pin away; tells whether it was there.
    pub fn unpin(&mut self, revision: Option<&Revision>) -> bool {
        match revision {
            Some(revision) => self.revisions.remove(revision.as_str()),
            None => std::mem::replace(&mut self.whole, false),
        }
    }
}

impl View {
    /// Reads what is pinned of a repo. Where there is no list, nothing is.
    ///
    /// # Errors
    /// A list that can't be read or understood: what it keeps, nobody knows.
    pub fn pins(&self, layout: &RepoLayout) -> Result<Pins, FsError> {
        let at = layout.pins();
        let unread = |error| FsError::io("read", &at, error);
        let content = match self.cache.try_read(&at, LIMIT_BYTES) {
            Ok(content) => content,
            Err(error) => {
                // A link to nothing is no list either, and was one.
                let is_absent = error.kind() == io::ErrorKind::NotFound
                    && matches!(self.cache.disk.entry(&at), Ok(None));
                return if is_absent { Ok(Pins::default()) } else { Err(unread(error)) };
            }
        };
        let pins = content.and_then(|content| Pins::parse(&content));
        pins.ok_or_else(|| {
            let why = "a line of it names nothing that can be pinned";
            unread(io::Error::new(io::ErrorKind::InvalidData, why))
        })
    }

    /// Writes down what is pinned of a repo.
    ///
    /// # Errors
    /// Whatever the system says; what was there before is still there then.
    pub fn set_pins(&self, layout: &RepoLayout, pins: &Pins) -> Result<(), FsError> {
        self.write_whole(layout, &layout.pins(), pins.to_text().as_bytes())
    }
}

/// Returns what is wrong where a list of pins can't be used.
pub(crate) fn damage_of(layout: &RepoLayout, error: &FsError) -> Damage {
    let source = if let FsError::Io { source, .. } = error { Some(source) } else { None };
    let is_read = source.is_some_and(|source| source.kind() == io::ErrorKind::InvalidData);
    let flaw = if is_read { Flaw::PinsDamaged } else { Flaw::Unreadable };
    let said = source.filter(|_| !is_read).map(ToString::to_string);
    Damage { said, ..Damage::new(&layout.pins(), flaw) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_they_were_written_and_what_can_not_be_understood_is_none() {
        let mut pins = Pins::default();
        let main = Revision::parse("main").unwrap();
        assert!(pins.pin(None) && pins.pin(Some(&main)) && !pins.pin(Some(&main)));
        assert_eq!(Pins::parse(pins.to_text().as_bytes()), Some(pins.clone()));
        assert!(pins.unpin(None) && pins.unpin(Some(&main)) && !pins.unpin(None));
        assert!(pins.is_empty() && pins.to_text().is_empty());
        assert_eq!(Pins::parse(b"\n \r\n"), Some(Pins::default()));
        for damaged in [&b"main\n../x\n"[..], b"\xff", b"* *\n", b"main\n\0\0\0"] {
            assert_eq!(Pins::parse(damaged), None, "{damaged:?}");
        }
    }
}
