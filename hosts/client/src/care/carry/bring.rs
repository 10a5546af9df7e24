//! Bringing content that is on this machine to its place in a cache, by the same table of placing as a download: through a
//! staged file, proved by its hash, and never over what somebody else's content stands at.
//!
//! It blocks. Small files share one flush of the disk; several threads bring what is many.

use std::{
    collections::BTreeMap,
    io::{self, Read, Seek, SeekFrom},
    path::PathBuf,
};

use hubstow_cache::{
    Cache, Target,
    care::beside::{each_with, processors},
    disk::{
        cancel::Cancel,
        content::{BUFFER_BYTES, Hasher},
    },
    drive::{Next, Outcome, Placing},
    staged::{Keep, StagedFile},
};
use hubstow_core::{
    facts::Force,
    name::{Etag, FileName, Repo},
};

use super::{Existing, guard::stands_in_the_way};
use crate::{
    api::{
        error::{Error, ErrorKind, FailedFile, from_io},
        event::Event,
        report::FileReport,
    },
    engine::Engine,
    file::place::{Origin, check_name, report},
};

/// Files up to this size are brought in lots, with one flush for all of them.
const SMALL_BYTES: u64 = 1 << 20;
/// How many small files are a lot.
const LOT: usize = 64;
/// How many threads bring files: more do not help one disk.
const THREAD_LIMIT: usize = 4;

/// Content that is read from its beginning.
pub(super) trait Content: Read + Seek + Send {}

impl<T: Read + Seek + Send> Content for T {}

/// Where the content of a file is to be had.
pub(super) struct Found {
    pub(super) content: Box<dyn Content>,
    /// The regular file that it is, where it is one by itself: its blocks can be shared.
    pub(super) file: Option<PathBuf>,
}

/// One file that is to be brought.
pub(super) struct Piece {
    pub(super) repo: Repo,
    pub(super) target: Target,
    /// The hash of the content, where the etag is none.
    pub(super) sha256: Option<Etag>,
}

impl Piece {
    /// Returns the name under which its progress is told.
    pub(super) fn shown(&self) -> FileName {
        let name = format!("{}/{}", self.repo.id, self.target.file);
        FileName::parse(&name).unwrap_or_else(|_| self.target.file.clone())
    }
}

/// Gives the content of a piece, by its number and how often it was asked for before; `None` where there is no other.
pub(super) type Source<'a> = dyn Fn(usize, usize) -> Option<io::Result<Found>> + Sync + 'a;

/// Who is told of what happens.
pub(super) type Tell<'a> = &'a (dyn Fn(&Event) + Sync);

/// What came of bringing a file.
pub(super) type Brought = Result<FileReport, Box<FailedFile>>;

/// Brings files to a cache.
#[derive(Clone, Copy)]
pub(super) struct Bringer<'a> {
    pub(super) engine: &'a Engine,
    pub(super) cache: &'a Cache,
    pub(super) cancel: &'a Cancel,
    pub(super) tell: Tell<'a>,
    /// What becomes of other content that stands where a file is to be placed.
    pub(super) existing: Existing,
}

/// A small file that is complete, and waits for the flush.
struct Waiting<'p> {
    number: usize,
    piece: &'p Piece,
    placing: Placing,
    staged: Option<StagedFile>,
}

impl Bringer<'_> {
    /// Brings all of these, and says in their order what came of each.
    pub(super) fn bring_all(&self, pieces: &[Piece], source: &Source<'_>) -> Vec<Brought> {
        let (threads, lot) = bounds(processors().min(THREAD_LIMIT), self.engine.budget.files());
        let lots = lots(pieces, lot);
        let brought =
            each_with(&lots, threads, || (), |(), lot| self.bring_lot(lot, pieces, source));
        let mut done: Vec<(usize, Brought)> = brought.into_iter().flatten().collect();
        done.sort_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, brought)| brought).collect()
    }

    fn bring_lot(
        &self,
        lot: &[usize],
        pieces: &[Piece],
        source: &Source<'_>,
    ) -> Vec<(usize, Brought)> {
        let (mut done, mut waiting) = (Vec::new(), Vec::new());
        let mut last = None;
        for number in lot {
            let Some(piece) = pieces.get(*number) else { continue };
            // What has the same content as the one before waits for that.
            let is_first = last.replace(&piece.target.etag) != Some(&piece.target.etag);
            match self.begin(*number, piece, source, is_first) {
                Ok(begun) => waiting.push(begun),
                Err(error) => done.push((*number, Err(failed(piece, error)))),
            }
        }
        let mut staged: Vec<&mut StagedFile> =
            waiting.iter_mut().filter_map(|waiting| waiting.staged.as_mut()).collect();
        self.cache.sync_group(&mut staged);
        for Waiting { number, piece, placing, staged } in waiting {
            let brought = self.finish(number, piece, placing, staged, source);
            done.push((number, brought.map_err(|error| failed(piece, error))));
        }
        done
    }

    /// Looks, and stages the content where it is wanted.
    fn begin<'p>(
        &self,
        number: usize,
        piece: &'p Piece,
        source: &Source<'_>,
        is_first: bool,
    ) -> Result<Waiting<'p>, Error> {
        self.check_wanted(piece)?;
        self.check_free(piece)?;
        let Piece { target, .. } = piece;
        let mut placing = self.engine.placing(self.cache, target, Force::Off);
        if !is_first {
            return Ok(Waiting { number, piece, placing, staged: None });
        }
        let staged = match self.advance(piece, &mut placing)? {
            Next::Done(_) => None,
            Next::Fetch => {
                check_name(self.cache, target)?;
                Some(self.stage(number, piece, &mut placing, source)?)
            }
        };
        Ok(Waiting { number, piece, placing, staged })
    }

    /// Gives what is staged its place.
    fn finish(
        &self,
        number: usize,
        piece: &Piece,
        mut placing: Placing,
        staged: Option<StagedFile>,
        source: &Source<'_>,
    ) -> Result<FileReport, Error> {
        if let Some(staged) = staged {
            placing.fetched(staged);
        }
        let mut again = false;
        loop {
            match self.advance(piece, &mut placing)? {
                Next::Done(outcome) => return Ok(self.done(piece, &outcome)),
                Next::Fetch if again => {
                    let what = format!("`{}` changed at every turn", piece.shown());
                    return Err(Error::new(ErrorKind::Other, what));
                }
                // Somebody has removed or changed what was staged.
                Next::Fetch => {
                    again = true;
                    let staged = self.stage(number, piece, &mut placing, source)?;
                    placing.fetched(staged);
                }
            }
        }
    }

    fn advance(&self, piece: &Piece, placing: &mut Placing) -> Result<Next, Error> {
        let Piece { repo, target, .. } = piece;
        let next = placing.advance();
        next.map_err(|error| self.engine.place_error(repo, &target.revision, target, error))
    }

    fn done(&self, piece: &Piece, outcome: &Outcome) -> FileReport {
        let done = report(self.cache, &piece.target, outcome, Origin::Here);
        let told = FileReport { file: piece.shown(), ..done.clone() };
        (self.tell)(&Event::Finished { report: told });
        done
    }

    /// Stages the content from the first place that has it.
    fn stage(
        &self,
        number: usize,
        piece: &Piece,
        placing: &mut Placing,
        source: &Source<'_>,
    ) -> Result<StagedFile, Error> {
        let mut last = None;
        for tried in 0.. {
            let Some(found) = source(number, tried) else { break };
            let unread = |error| {
                from_io(&format!("the content of `{}` can't be read", piece.shown()), error)
            };
            let staged =
                found.map_err(unread).and_then(|found| self.stage_from(piece, placing, found));
            match staged {
                Ok(staged) => return Ok(staged),
                // Where the content is no other, or the disk is full, another copy is of no help.
                Err(error) if error.kind() != ErrorKind::ContentMismatch => return Err(error),
                Err(error) => {
                    self.check_wanted(piece)?;
                    last = Some(error);
                }
            }
        }
        Err(last.unwrap_or_else(|| {
            let what = format!("nothing holds the content of `{}`", piece.shown());
            Error::new(ErrorKind::ContentMismatch, what)
        }))
    }

    fn stage_from(
        &self,
        piece: &Piece,
        placing: &mut Placing,
        mut found: Found,
    ) -> Result<StagedFile, Error> {
        let (target, shown) = (&piece.target, piece.shown());
        let size = target.size;
        let shared = found.file.as_deref().filter(|_| piece.sha256.is_none());
        if let Some(mut staged) = shared.and_then(|file| self.cache.stage_shared(target, file)) {
            staged.stopped_by(self.cancel.clone());
            (self.tell)(&Event::Started { file: shown.clone(), size, already: 0 });
            return self.verified(&shown, staged, None);
        }
        let mut staged = placing.take_staged()?;
        staged.stopped_by(self.cancel.clone());
        let filled = self.fill(&shown, size, &mut staged, &mut *found.content, piece);
        match filled {
            Ok(other) => self.verified(&shown, staged, other),
            Err(error) => {
                placing.fetched(staged);
                Err(from_io(&format!("`{shown}` can't be copied"), error))
            }
        }
    }

    /// Copies what is missing of the content; returns its hash where that is another than is proved of itself, if it is wrong.
    fn fill(
        &self,
        shown: &FileName,
        size: Option<u64>,
        staged: &mut StagedFile,
        content: &mut dyn Content,
        piece: &Piece,
    ) -> io::Result<Option<String>> {
        let mut already = staged.prefix_bytes();
        if already != staged.received_bytes() || piece.sha256.is_some() {
            staged.start_over()?;
            already = 0;
        }
        content.seek(SeekFrom::Start(already))?;
        (self.tell)(&Event::Started { file: shown.clone(), size, already });
        let mut proof = piece.sha256.as_ref().map(|hash| Hasher::new(hash, None));
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            self.cancel.check()?;
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            if let Some(proof) = &mut proof {
                proof.update(bytes);
            }
            match staged.append(bytes) {
                // It is longer than it may be: what there is says so when it is verified.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Ok(Some(error.to_string()));
                }
                appended => appended?,
            }
            (self.tell)(&Event::Received { file: shown.clone(), bytes: count as u64 });
        }
        Ok(proof
            .and_then(|proof| proof.finish().err())
            .map(|found| format!("the content's hash is {found}, not what the manifest says")))
    }

    /// Proves what is staged; what is wrong is removed.
    fn verified(
        &self,
        shown: &FileName,
        mut staged: StagedFile,
        wrong: Option<String>,
    ) -> Result<StagedFile, Error> {
        let wrong = match wrong {
            Some(wrong) => Some(wrong),
            None => match staged.verify() {
                Ok(verified) => verified.err().map(|mismatch| mismatch.to_string()),
                Err(error) => {
                    self.cache.abandon(staged, Keep::IfWorth);
                    return Err(from_io(&format!("`{shown}` can't be verified"), error));
                }
            },
        };
        match wrong {
            None => Ok(staged),
            Some(wrong) => {
                self.cache.abandon(staged, Keep::Nothing);
                let what = format!("`{shown}` is damaged: {wrong}");
                Err(Error::new(ErrorKind::ContentMismatch, what))
            }
        }
    }

    fn check_wanted(&self, piece: &Piece) -> Result<(), Error> {
        self.cancel.check().map_err(|error| from_io(&format!("`{}` is left", piece.shown()), error))
    }

    /// Makes sure that nothing else that serves stands where a file is to be placed.
    fn check_free(&self, piece: &Piece) -> Result<(), Error> {
        if self.existing == Existing::Keep && stands_in_the_way(self.cache, &piece.target)? {
            let what = format!("`{}` is here with other content, which stays", piece.shown());
            return Err(Error::new(ErrorKind::CacheObstructed, what)
                .hint("remove it first if the other is wanted: `hubstow cache rm`"));
        }
        Ok(())
    }
}

fn failed(piece: &Piece, error: Error) -> Box<FailedFile> {
    Box::new(FailedFile::new(piece.shown().as_str(), error))
}

/// Says how many threads bring files, and how many small ones are a lot, where so many files may have open what they need.
fn bounds(threads: usize, files: usize) -> (usize, usize) {
    let threads = threads.min(files).max(1);
    // Each of a lot has its staged file open, and one at a time also what it is read from.
    (threads, (files / threads).saturating_sub(1).clamp(1, LOT))
}

/// Says which files are brought together: large ones first and small ones by the lot. Files with the same content are in one
/// lot, which stages it once.
fn lots(pieces: &[Piece], most: usize) -> Vec<Vec<usize>> {
    let mut same: BTreeMap<(&Etag, &Repo), Vec<usize>> = BTreeMap::new();
    for (number, piece) in pieces.iter().enumerate() {
        same.entry((&piece.target.etag, &piece.repo)).or_default().push(number);
    }
    let is_small = |numbers: &Vec<usize>| {
        let first = numbers.first().and_then(|number| pieces.get(*number));
        first.and_then(|piece| piece.target.size).is_some_and(|size| size <= SMALL_BYTES)
    };
    let (small, mut lots): (Vec<_>, Vec<_>) = same.into_values().partition(is_small);
    let mut lot = Vec::new();
    for numbers in small {
        lot.extend(numbers);
        if lot.len() >= most {
            lots.push(std::mem::take(&mut lot));
        }
    }
    lots.extend(Some(lot).filter(|lot| !lot.is_empty()));
    lots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_open_than_may_be() {
        for (threads, files, expected) in
            [(4, 352, (4, 64)), (4, 69, (4, 16)), (2, 14, (2, 6)), (4, 1, (1, 1)), (1, 3, (1, 2))]
        {
            let (threads, lot) = bounds(threads, files);
            assert_eq!((threads, lot), expected, "{files} files");
            assert!(threads * (lot + 1) <= files.max(2));
        }
    }
}
