//! The record of which bytes a staged file holds, as text. It is pure.
//!
//! ```text
//! hubstow-map 1 <etag> <nonce> <size> <boot> <ranges> <checksum>
//! held <ranges> <checksum>
//! synced <ranges> <checksum>
//! ```
//!
//! Ranges are `<start>-<end>`, with commas between them, or `-` where there are none; the end is not in the range. Each
//! checksum is of its line and of the one before it, so a line counts only after the very lines that it was written after,
//! and only in the record of its own file.
//!
//! Lines are appended after their bytes were written, so what they say is true until the power is cut: then only what was
//! synced still is. `boot` tells that time from this one; where the system has no such name, whatever is recorded counts,
//! as a file's length does where there is no record. A record that is wrong costs a fetch: what is continued by it is
//! proved by the hash of the whole, as ever.
//!
//! The first line is written before the first byte behind a missing one. Without a whole first line there are no such bytes
//! yet, and the file's length tells what it holds.

use std::{fmt::Write as _, ops::Range};

use hubstow_core::name::{Etag, Nonce};
use sha2::{Digest, Sha256};

use crate::staged::intervals::Intervals;

/// What a record without a name for its boot says, and one without ranges.
const NONE: &str = "-";

/// Which file a record is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    /// The etag of the content.
    pub(crate) etag: Etag,
    /// The nonce in the name of the staged file.
    pub(crate) nonce: Nonce,
    /// The size of the whole.
    pub(crate) size: u64,
}

/// What a line says of its ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// They are written.
    Held,
    /// They are written, and have reached the disk.
    Synced,
}

impl Word {
    const ALL: [Self; 2] = [Self::Held, Self::Synced];

    fn text(self) -> &'static str {
        match self {
            Self::Held => "held ",
            Self::Synced => "synced ",
        }
    }
}

/// Stands for all lines so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain(u64);

impl Chain {
    /// Returns what stands for these lines and one more, of which this is the text.
    fn and(self, text: &str) -> Self {
        let digest = Sha256::new_with_prefix(self.0.to_be_bytes()).chain_update(text).finalize();
        Self(digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
    }

    /// Makes a line of a text.
    fn line(self, text: &str) -> Line {
        let chain = self.and(text);
        Line { text: format!("{text} {:016x}\n", chain.0), chain }
    }

    /// Reads the text of a line that was written after these.
    fn text_of(self, line: &str) -> Option<(&str, Self)> {
        let (text, checksum) = line.rsplit_once(' ')?;
        let chain = self.and(text);
        (checksum == format!("{:016x}", chain.0)).then_some((text, chain))
    }
}

/// A line to be written, and what stands for all lines once it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) chain: Chain,
}

impl Line {
    /// Begins a record of a file that holds these ranges.
    pub(crate) fn first(of: &Subject, boot: Option<&str>, held: &Intervals) -> Self {
        let boot = boot.unwrap_or(NONE);
        Chain::default().line(&format!("{}{boot} {}", head(of), ranges(held)))
    }

    /// Says something more, after the lines that `chain` stands for.
    pub(crate) fn after(chain: Chain, word: Word, said_of: &Intervals) -> Self {
        chain.line(&format!("{}{}", word.text(), ranges(said_of)))
    }
}

fn head(of: &Subject) -> String {
    let Subject { etag, nonce, size } = of;
    format!("hubstow-map 1 {etag} {nonce} {size} ")
}

fn ranges(of: &Intervals) -> String {
    let mut text = String::new();
    for Range { start, end } in of.iter() {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a string can't fail.
        let _ = write!(text, "{comma}{start}-{end}");
    }
    if text.is_empty() { NONE.to_owned() } else { text }
}

/// Reads ranges of a file of this size.
fn parse_ranges(text: &str, size: u64) -> Option<Intervals> {
    if text == NONE {
        return Some(Intervals::default());
    }
    let range = |text: &str| {
        let (start, end) = text.split_once('-')?;
        let range = start.parse().ok()?..end.parse().ok()?;
        (!range.is_empty() && range.end <= size).then_some(range)
    };
    text.split(',').map(range).collect()
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Nothing yet: the file holds its length.
    Unbegun,
    /// The file holds this, as far as it is so long.
    Begun(Held),
}

/// What a file holds by its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// All of it.
    pub(crate) all: Intervals,
    /// What of it is on the disk.
    pub(crate) synced: Intervals,
}

impl Record {
    /// Reads a record of a file in the time that is named `boot`, up to the first line that is not as it was written.
    pub(crate) fn read(content: &[u8], of: &Subject, boot: Option<&str>) -> Self {
        let mut lines = content.split_inclusive(|byte| *byte == b'\n').map_while(whole_line);
        match lines.next() {
            None if !content.contains(&b'\n') => Self::Unbegun,
            None => Self::Begun(Held::default()),
            Some(first) => Self::Begun(held(first, lines, of, boot).unwrap_or_default()),
        }
    }
}

fn whole_line(line: &[u8]) -> Option<&str> {
    str::from_utf8(line.strip_suffix(b"\n")?).ok()
}

fn held<'a>(
    first: &str,
    lines: impl Iterator<Item = &'a str>,
    of: &Subject,
    boot: Option<&str>,
) -> Option<Held> {
    let (text, mut chain) = Chain::default().text_of(first)?;
    let (named, first) = text.strip_prefix(&head(of))?.split_once(' ')?;
    let mut all = parse_ranges(first, of.size)?;
    let mut synced = Intervals::default();
    let records = lines.map_while(|line| {
        let (text, next) = chain.text_of(line)?;
        let word = Word::ALL.into_iter().find(|word| text.starts_with(word.text()))?;
        let said_of = parse_ranges(text.strip_prefix(word.text())?, of.size)?;
        chain = next;
        Some((word, said_of))
    });
    for (word, said_of) in records {
        all.extend(said_of.iter());
        if word == Word::Synced {
            synced.extend(said_of.iter());
        }
    }
    if named != boot.unwrap_or(NONE) {
        all = synced.clone();
    }
    Some(Held { all, synced })
}

#[cfg(test)]
mod tests;
