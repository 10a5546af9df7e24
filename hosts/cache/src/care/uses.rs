//! When files of snapshots were used, as whoever serves them to others says.
//!
//! What the system says of reading tells little here: disks are mounted without times of reading, and setting such a time
//! would make the proof of the file worthless. So the uses of each repo are kept in a file of their own, a line for each
//! pointer: `<seconds since 1970> <commit>/<file name>`. What is lost of them costs that something goes too early.

use std::collections::{BTreeMap, HashMap};

use hubstow_core::{
    care::{Id, Role},
    layout::{CachePath, RepoLayout},
    name::{Commit, FileName},
};

use crate::{care::inventory::Inventory, disk::failure::FsError, observe::view::View};

/// The most bytes of a file of uses that are read: a million files of a repo.
const LIMIT_BYTES: u64 = 128 << 20;

/// When the files of one repo were last used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses(BTreeMap<String, u64>);

impl Uses {
    fn parse(content: &[u8]) -> Self {
        let mut uses = Self::default();
        let lines = content.split(|byte| *byte == b'\n');
        for line in lines.filter_map(|line| str::from_utf8(line).ok()) {
            if let Some((seconds, pointer)) = line.split_once(' ')
                && let Ok(seconds) = seconds.parse()
            {
                uses.take(pointer.to_owned(), seconds);
            }
        }
        uses
    }

    fn to_text(&self) -> String {
        self.0.iter().map(|(pointer, seconds)| format!("{seconds} {pointer}\n")).collect()
    }

    fn take(&mut self, pointer: String, seconds: u64) {
        let known = self.0.entry(pointer).or_default();
        *known = seconds.max(*known);
    }

    /// Takes note of a use, in seconds since 1970.
    pub fn note(&mut self, commit: &Commit, file: &FileName, seconds: u64) {
        self.take(format!("{commit}/{file}"), seconds);
    }

    /// Takes note of all uses that another has noted.
    pub fn note_all(&mut self, other: Self) {
        other.0.into_iter().for_each(|(pointer, seconds)| self.take(pointer, seconds));
    }

    /// Tells whether nothing is noted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl View {
    /// Reads when files of a repo were used.
    #[must_use]
    pub fn uses(&self, layout: &RepoLayout) -> Uses {
        Uses::parse(&self.read(&layout.uses(), LIMIT_BYTES).unwrap_or_default())
    }

    /// Writes down these uses besides what others have noted, of those files that are still here. A repo that is not here gets
    /// no folder for it.
    ///
    /// # Errors
    /// Whatever the system says; what was noted before is still there then.
    pub fn note_uses(&self, layout: &RepoLayout, uses: Uses) -> Result<(), FsError> {
        let is_here = |at: &CachePath| matches!(self.cache.disk.entry(at), Ok(Some(_)));
        if uses.is_empty() || !is_here(&layout.snapshots()) {
            return Ok(());
        }
        let mut all = self.uses(layout);
        all.note_all(uses);
        all.0.retain(|pointer, _| pointer_of(layout, pointer).is_some_and(|at| is_here(&at)));
        self.write_whole(layout, &layout.uses(), all.to_text().as_bytes())
    }
}

/// Reads where a pointer is from a line, which anybody may have written.
fn pointer_of(layout: &RepoLayout, pointer: &str) -> Option<CachePath> {
    let (commit, file) = pointer.split_once('/')?;
    Some(layout.pointer(&Commit::parse(commit).ok()?, &FileName::parse(file).ok()?))
}

/// Finds out when pointers were used, where that is noted.
pub(crate) fn take_uses(view: &View, inventory: &mut Inventory) {
    let mut uses: HashMap<Id, u64> = HashMap::new();
    for held in &inventory.repos {
        let Some(repo) = held.repo() else { continue };
        let noted = view.uses(&RepoLayout::new(&repo));
        if noted.is_empty() {
            continue;
        }
        let prefix = format!("{}/snapshots/", repo.folder());
        let pointers = inventory.iter().filter(|(_, item)| item.role == Role::Pointer);
        uses.extend(pointers.filter_map(|(id, item)| {
            Some((id, *noted.0.get(item.at.as_str().strip_prefix(&prefix)?)?))
        }));
    }
    inventory.uses = uses;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_read_as_they_were_written_and_the_latest_counts() {
        let commit = Commit::parse(&"a".repeat(40)).unwrap();
        let [one, other] = ["a b/c.txt", "d"].map(|name| FileName::parse(name).unwrap());
        let mut uses = Uses::default();
        for (file, seconds) in [(&one, 5), (&other, 7), (&one, 3), (&one, 9)] {
            uses.note(&commit, file, seconds);
        }
        assert_eq!(uses.to_text(), format!("9 {commit}/a b/c.txt\n7 {commit}/d\n"));
        assert_eq!(Uses::parse(uses.to_text().as_bytes()), uses);
        assert!(Uses::parse(b"\n7\nx y\n-1 z\n\xff\n").is_empty());
    }
}
