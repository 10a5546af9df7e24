//! What is seen of entries: their kinds, which bytes they hold, and the lines by which records remember that.

use std::io;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symlink, whatever it leads to.
    Symlink,
    /// A directory.
    Directory,
    /// A device, a pipe, a socket.
    Other,
}

/// Which bytes a regular file held at one moment, as far as the system can tell without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    /// Which disk it is on; 0 where the system does not tell.
    pub device: u64,
    /// Which file it is: its inode, or whatever the system tells instead.
    pub file: u128,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// When its content was changed, in nanoseconds since 1970; 0 where the system does not tell.
    pub modified_ns: i128,
    /// When anything about it was changed, such as its number of names, in the same way.
    pub changed_ns: i128,
}

/// What stands for the disk of the record itself.
const HERE: &str = ".";

impl Identity {
    /// Writes an identity down, for a record that is on the disk `here`. A disk has a number for as long as it is mounted,
    /// and another one on another host, so of files on the same disk as the record no number is written.
    #[must_use]
    pub fn to_line(&self, here: u64) -> String {
        let Self { device, file, len_bytes, modified_ns, changed_ns } = self;
        let device = if *device == here { HERE.to_owned() } else { device.to_string() };
        format!("{device} {file} {len_bytes} {modified_ns} {changed_ns}")
    }

    /// Reads what [`to_line`](Self::to_line) has written into a record that is on the disk `here`.
    #[must_use]
    pub fn of_line(line: &str, here: u64) -> Option<Self> {
        let mut words = line.split(' ');
        let identity = Self {
            device: match words.next()? {
                HERE => here,
                number => number.parse().ok()?,
            },
            file: words.next()?.parse().ok()?,
            len_bytes: words.next()?.parse().ok()?,
            modified_ns: words.next()?.parse().ok()?,
            changed_ns: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(identity)
    }

    /// Tells whether the content is the same although the file may have got or lost a name.
    #[must_use]
    pub fn same_content(&self, other: &Self) -> bool {
        let changed_ns = other.changed_ns;
        Self { changed_ns, ..*self } == *other
    }
}

/// One entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub len_bytes: u64,
    /// How much of the disk it takes, reserved space included; where the system does not tell, its length.
    pub allocated_bytes: u64,
    /// Which bytes it holds.
    pub identity: Identity,
    /// How many names the file has; 1 where the system does not tell.
    pub names: u64,
    /// When its content was last read, in nanoseconds since 1970; 0 where the system does not tell.
    pub accessed_ns: i128,
    /// Whether its mode alone says that everybody can read it; where it does not, only opening tells.
    pub readable_by_all: bool,
}

impl Entry {
    /// Tells whether the file has no other name, as far as the system tells.
    #[must_use]
    pub fn has_only_name(&self) -> bool {
        self.names <= 1
    }
}

/// A name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderName {
    /// The name.
    pub name: String,
    /// What it is the name of.
    pub kind: Kind,
}

/// A name in a folder, and what was seen there.
#[derive(Debug)]
pub struct Looked {
    /// The name.
    pub name: String,
    /// What it is the name of.
    pub kind: Kind,
    /// What the system says of it; of a symlink its text, as far as it can be had.
    pub found: io::Result<Found>,
}

/// What was seen of an entry itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A file, a folder or something else.
    Entry(Entry),
    /// A symlink, by its text; empty where that can't be had.
    Link(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_read_as_it_was_written_wherever_the_disk_of_its_record_is_mounted() {
        let of =
            |device| Identity { device, file: 7, len_bytes: 9, modified_ns: -1, changed_ns: 2 };
        for (device, written_on, line, read_on, read) in
            [(5, 5, ". 7 9 -1 2", 5, 5), (5, 5, ". 7 9 -1 2", 8, 8), (6, 5, "6 7 9 -1 2", 5, 6)]
        {
            assert_eq!(of(device).to_line(written_on), line);
            assert_eq!(Identity::of_line(line, read_on), Some(of(read)));
        }
        for line in ["", "7 9 -1 2", ". 7 9 -1", ". 7 9 -1 2 3", "x 7 9 -1 2", ". 7 9  2"] {
            assert_eq!(Identity::of_line(line, 5), None, "{line}");
        }
    }
}
