//! Names of one listing that a disk may take for one: found out before a byte is fetched.
//!
//! Which disk folds what can't be known beforehand, so only names that some disk takes for one are tried, on this one.

use std::{collections::HashMap, sync::Arc};

use hubstow_cache::Cache;
use hubstow_core::{layout::RepoLayout, name::FileName};
use icu_normalizer::DecomposingNormalizerBorrowed;

use super::batch::Batch;
use crate::api::error::{Detail, Error, ErrorKind};

/// Two names of a listing.
type Pair = (FileName, FileName);

impl Batch {
    /// Makes sure that the disk tells all files apart, and those of which only a HEAD tells more.
    pub(crate) async fn check_names(self: &Arc<Self>, unknown: &[FileName]) -> Result<(), Error> {
        let known = self.files.iter().map(|wanted| &wanted.target.file);
        let suspects = suspects(known.chain(unknown));
        if suspects.is_empty() {
            return Ok(());
        }
        let layout = self.engine.layout(&self.repo);
        let clash = self.cache.run(move |cache, _| first_clash(cache, &layout, suspects));
        match clash.await? {
            None => Ok(()),
            Some((one, other)) => {
                let what = format!(
                    "`{one}` and `{other}` of {} are one name on this filesystem",
                    self.repo
                );
                Err(Error::new(ErrorKind::CacheObstructed, what).with_detail(Detail::NamesClash))
            }
        }
    }
}

/// Finds the first pair that this disk takes for one. It blocks.
fn first_clash(cache: &Cache, layout: &RepoLayout, suspects: Vec<Pair>) -> Option<Pair> {
    // A disk that tells two names apart by case tells all by it.
    let mut tells_case = false;
    suspects.into_iter().find(|(one, other)| {
        let mut differing = one.parts().zip(other.parts()).filter(|(one, other)| one != other);
        differing.all(|(one, other)| {
            let by_case = one.eq_ignore_ascii_case(other);
            if by_case && tells_case {
                return false;
            }
            let are_one = cache.are_one(layout, one, other);
            tells_case |= by_case && !are_one;
            are_one
        })
    })
}

/// Finds the names that some disk takes for one, or of which one would be a folder on the way to the other there.
fn suspects<'f>(files: impl Iterator<Item = &'f FileName>) -> Vec<Pair> {
    let files: Vec<_> = files.map(|file| (folded(file.as_str()), file)).collect();
    let mut known = HashMap::<&str, &FileName>::with_capacity(files.len());
    let mut found = Vec::new();
    for (key, file) in &files {
        if let Some(other) = known.insert(key, file) {
            found.push((other.clone(), (*file).clone()));
        }
    }
    for (key, file) in &files {
        let folders = key.match_indices('/').filter_map(|(end, _)| key.get(..end));
        found.extend(folders.filter_map(|folder| {
            let other = *known.get(folder)?;
            Some((other.clone(), (*file).clone()))
        }));
    }
    found
}

/// Writes a name as a disk would that knows neither case nor how letters are composed.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let nfd = DecomposingNormalizerBorrowed::new_nfd();
    let capitals = nfd.normalize_iter(name.chars()).flat_map(char::to_uppercase);
    nfd.normalize_iter(capitals.flat_map(char::to_lowercase)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_some_disk_takes_for_one_are_tried() {
        for (names, expected) in [
            (&["a.txt", "b.txt", "sub/a.txt"][..], &[][..]),
            (&["README.md", "readme.md"], &[("README.md", "readme.md")]),
            (&["Data/x", "data/y"], &[]),
            (&["Data/x", "data/X"], &[("Data/x", "data/X")]),
            (&["caf\u{e9}.txt", "cafe\u{301}.txt"], &[("caf\u{e9}.txt", "cafe\u{301}.txt")]),
            (&["CAF\u{c9}.txt", "cafe\u{301}.txt"], &[("CAF\u{c9}.txt", "cafe\u{301}.txt")]),
            (&["stra\u{df}e", "STRASSE"], &[("stra\u{df}e", "STRASSE")]),
            (&["Model", "model/a.bin"], &[("Model", "model/a.bin")]),
            (&["model/a.bin", "MODEL"], &[("MODEL", "model/a.bin")]),
        ] {
            let files: Vec<_> = names.iter().map(|name| FileName::parse(name).unwrap()).collect();
            let found = suspects(files.iter());
            let found: Vec<_> =
                found.iter().map(|(one, other)| (one.as_str(), other.as_str())).collect();
            assert_eq!(found, expected, "{names:?}");
        }
    }
}
