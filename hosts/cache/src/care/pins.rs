//! Pins: what no cleaning takes, as users have said it. One line for each: `*` for the whole repo, or a revision.

use std::collections::BTreeSet;

use hubstow_core::{layout::RepoLayout, name::Revision};

use crate::{disk::failure::FsError, observe::view::View};

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
    fn parse(content: &[u8]) -> Self {
        let mut pins = Self::default();
        // What is no text is no revision either.
        let lines =
            content.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
        for line in lines {
            match line.trim() {
                WHOLE => pins.whole = true,
                line if Revision::parse(line).is_ok() => {
                    pins.revisions.insert(line.to_owned());
                }
                _ => {}
            }
        }
        pins
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
    /// Reads what is pinned of a repo.
    #[must_use]
    pub fn pins(&self, layout: &RepoLayout) -> Pins {
        Pins::parse(&self.read(&layout.pins(), LIMIT_BYTES).unwrap_or_default())
    }

    /// Writes down what is pinned of a repo.
    ///
    /// # Errors
    /// Whatever the system says; what was there before is still there then.
    pub fn set_pins(&self, layout: &RepoLayout, pins: &Pins) -> Result<(), FsError> {
        self.write_whole(layout, &layout.pins(), pins.to_text().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_as_they_were_written_and_lines_that_are_none_pin_nothing() {
        let mut pins = Pins::default();
        let main = Revision::parse("main").unwrap();
        assert!(pins.pin(None) && pins.pin(Some(&main)) && !pins.pin(Some(&main)));
        assert_eq!(Pins::parse(pins.to_text().as_bytes()), pins);
        assert!(pins.unpin(None) && pins.unpin(Some(&main)) && !pins.unpin(None));
        assert!(pins.is_empty() && pins.to_text().is_empty());
        assert!(Pins::parse(b"\n../x\n\xff\n* *\n").is_empty());
    }
}
