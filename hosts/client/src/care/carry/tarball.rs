//! The entries of a tar, by their headers alone: nothing of it is unpacked, and whatever is no regular file below the top is left out
//! by name.

use std::{
    borrow::Cow,
    io::{self, Read, Seek, SeekFrom},
};

use hubstow_cache::disk::{DiskFile, cancel::Cancel};
use tar::{EntryType, Header, PaxExtensions};

use super::{
    LeftOut,
    source::{ENTRY_LIMIT, Entry, Place, Source},
};

/// The unit of a tar.
pub(super) const BLOCK: usize = 512;
/// The longest name, and the longest list of further facts, that are read.
const NAME_LIMIT_BYTES: u64 = 1 << 16;

/// Tells whether a file begins as a tar does: with a header whose sum is right, or with the end.
pub(super) fn is_tar(start: &[u8]) -> bool {
    let block = <[u8; BLOCK]>::try_from(start);
    block.is_ok_and(|block| is_sound(&block) || is_end(&block))
}

fn is_end(block: &[u8; BLOCK]) -> bool {
    block.iter().all(|byte| *byte == 0)
}

/// Tells whether the sum of a header is the one that it states.
fn is_sound(block: &[u8; BLOCK]) -> bool {
    const SUM: std::ops::Range<usize> = 148..156;
    let byte = |(at, byte): (usize, &u8)| if SUM.contains(&at) { 32 } else { u32::from(*byte) };
    let sum: u32 = block.iter().enumerate().map(byte).sum();
    !is_end(block) && header(block).cksum().is_ok_and(|stated| stated == sum)
}

fn header(block: &[u8; BLOCK]) -> &Header {
    Header::from_byte_slice(block)
}

/// What headers before an entry say of it.
#[derive(Default)]
struct Facts {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

/// Lists the entries of a tar.
///
/// # Errors
/// Whatever reading says. Where the tar itself breaks off is told in the source.
pub(super) fn list(
    file: &mut dyn DiskFile,
    len_bytes: u64,
    cancel: &Cancel,
    source: &mut Source,
) -> io::Result<()> {
    let (mut at, mut facts) = (0_u64, Facts::default());
    let mut last = String::new();
    let mut block = [0; BLOCK];
    loop {
        cancel.check()?;
        if at.saturating_add(BLOCK as u64) > len_bytes {
            source.broken = Some(broken(&last, "it ends without the mark of its end"));
            return Ok(());
        }
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut block)?;
        if is_end(&block) {
            return Ok(());
        }
        if !is_sound(&block) {
            source.broken = Some(broken(&last, "what follows is no entry of a tar"));
            return Ok(());
        }
        let header = header(&block);
        let said = header.entry_size().ok();
        let size = facts.size.or(said);
        let name = facts.path.clone().unwrap_or_else(|| header.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&name).into_owned();
        let start = at + BLOCK as u64;
        let end = size.and_then(|size| start.checked_add(size)).filter(|end| *end <= len_bytes);
        let (Some(size), Some(end)) = (size, end) else {
            source.broken = Some(format!("`{shown}` is cut off"));
            return Ok(());
        };
        match header.entry_type() {
            kind if is_about_next(kind) => {
                if size > NAME_LIMIT_BYTES {
                    source.broken = Some(broken(&last, "what is said of the next is too long"));
                    return Ok(());
                }
                let mut said = vec![0; usize::try_from(size).unwrap_or(0)];
                file.read_exact(&mut said)?;
                facts.take(kind, &said);
            }
            kind => {
                let of_link = facts.link.clone();
                let link = of_link.or_else(|| header.link_name_bytes().map(Cow::into_owned));
                let is_sparse = facts.is_sparse || kind == EntryType::GNUSparse;
                let kind = if is_sparse { EntryType::GNUSparse } else { kind };
                add(
                    source,
                    &name,
                    kind,
                    link,
                    Entry::File { at: Place::Within(start), len_bytes: size },
                );
                (facts, last) = (Facts::default(), shown);
            }
        }
        if source.entries.len() > ENTRY_LIMIT {
            source.broken = Some(broken(&last, "it has more entries than any cache"));
            return Ok(());
        }
        // What is between entries is filled up to whole blocks.
        at = end.div_ceil(BLOCK as u64) * BLOCK as u64;
    }
}

fn broken(last: &str, why: &str) -> String {
    if last.is_empty() { why.to_owned() } else { format!("after `{last}`, {why}") }
}

fn is_about_next(kind: EntryType) -> bool {
    kind.is_gnu_longname()
        || kind.is_gnu_longlink()
        || kind.is_pax_local_extensions()
        || kind.is_pax_global_extensions()
}

impl Facts {
    fn take(&mut self, kind: EntryType, said: &[u8]) {
        let text = || said.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        if kind.is_gnu_longname() {
            self.path = Some(text());
        } else if kind.is_gnu_longlink() {
            self.link = Some(text());
        } else if kind.is_pax_local_extensions() {
            for pax in PaxExtensions::new(said).flatten() {
                match pax.key() {
                    Ok("path") => self.path = Some(pax.value_bytes().to_vec()),
                    Ok("linkpath") => self.link = Some(pax.value_bytes().to_vec()),
                    Ok("size") => self.size = pax.value().ok().and_then(|size| size.parse().ok()),
                    Ok(key) if key.starts_with("GNU.sparse") => self.is_sparse = true,
                    Ok(_) | Err(_) => {}
                }
            }
        }
    }
}

/// Takes an entry, if it is one that can be part of a cache.
fn add(source: &mut Source, name: &[u8], kind: EntryType, link: Option<Vec<u8>>, file: Entry) {
    let shown = String::from_utf8_lossy(name).into_owned();
    let link = link.and_then(|link| String::from_utf8(link).ok());
    let is_folder = kind.is_dir();
    let entry = match (plain_name(name), kind) {
        (Ok(_), _) if is_folder => return,
        (Err(why), _) => Err(why),
        (Ok(name), EntryType::Regular | EntryType::Continuous) => Ok((name, file)),
        (Ok(name), EntryType::Symlink) => match link {
            Some(text) => Ok((name, Entry::Link(text))),
            None => Err("the link's text is not Unicode"),
        },
        (Ok(name), EntryType::Link) => {
            // Another name of an entry before it.
            let target = link.and_then(|link| plain_name(link.as_bytes()).ok());
            let target = target.and_then(|target| source.entries.get(&target));
            let known = target.map(|entry| (name, entry.clone()));
            known.ok_or("it is another name of what is not before it")
        }
        (Ok(_), EntryType::GNUSparse) => Err("it is sparse, and its holes are not read here"),
        (Ok(_), _) => Err("it is no regular file"),
    };
    let why = match entry {
        Ok((name, entry)) if !source.entries.contains_key(&name) => {
            source.entries.insert(name, entry);
            return;
        }
        Ok(_) => "an entry before it has the same name",
        Err(why) => why,
    };
    source.left_out.push(LeftOut::new(shown, why));
}

/// Returns a name with nothing in it that leads elsewhere.
fn plain_name(name: &[u8]) -> Result<String, &'static str> {
    let name = str::from_utf8(name).map_err(|_| "its name is not Unicode")?;
    if name.starts_with('/') || name.contains(':') && name.as_bytes().get(1) == Some(&b':') {
        return Err("its name is absolute");
    }
    if name.contains(['\\', '\0']) {
        return Err("its name is not that of a file everywhere");
    }
    let parts: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    match parts.as_slice() {
        parts if parts.contains(&"..") => Err("its name leads out of the tar"),
        parts => Ok(parts.join("/")),
    }
}

/// A stretch of a file, read as if it were one.
pub(super) struct Slice {
    file: Box<dyn DiskFile>,
    start: u64,
    len_bytes: u64,
    at: u64,
}

impl Slice {
    /// Begins to read a stretch.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn new(mut file: Box<dyn DiskFile>, start: u64, len_bytes: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start))?;
        Ok(Self { file, start, len_bytes, at: 0 })
    }
}

impl Read for Slice {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.len_bytes.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = left.min(into.len());
        let count = self.file.read(into.get_mut(..most).unwrap_or_default())?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Slice {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len_bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let at = at.filter(|at| *at <= self.len_bytes).ok_or(io::ErrorKind::InvalidInput)?;
        self.file.seek(SeekFrom::Start(self.start + at))?;
        self.at = at;
        Ok(at)
    }
}
