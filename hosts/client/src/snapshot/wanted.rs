//! Which files of a commit are wanted.

use hubstow_cache::Target;
use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, FileName, Revision},
};

use crate::{
    api::{event::Event, pattern::Patterns},
    lookup::listing::{Listed, Listing, Unusable},
};

/// What is wanted of a snapshot.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) files: Vec<WantedFile>,
    /// Files of which the listing says too little: each takes a HEAD.
    pub(crate) unknown: Vec<FileName>,
    /// Files that would change what belongs to the clients of a local folder.
    pub(crate) left_out: Vec<FileName>,
    /// Entries that no file can be made of.
    pub(crate) unusable: Vec<Unusable>,
}

/// A file of which the listing says all.
pub(crate) struct WantedFile {
    pub(crate) target: Target,
    /// What the Xet store knows its content by.
    pub(crate) xet_hash: Option<String>,
}

impl AsRef<Target> for WantedFile {
    fn as_ref(&self) -> &Target {
        &self.target
    }
}

impl Wanted {
    /// Takes what the patterns want of a listing. `Err` names the patterns that want nothing of it, or none where nothing
    /// is wanted at all.
    pub(crate) fn of(
        listing: Listing,
        patterns: &Patterns,
        layout: &RepoLayout,
        commit: &Commit,
    ) -> Result<Self, Vec<String>> {
        let Listing { files, unusable } = listing;
        let names = || {
            let files = files.iter().map(|listed| listed.file.as_str());
            files.chain(unusable.iter().map(|entry| entry.name.as_str()))
        };
        let patterns = patterns.among(names());
        let unmatched: Vec<_> =
            patterns.unmatched(names()).into_iter().map(str::to_owned).collect();
        let is_empty = files.is_empty() && unusable.is_empty();
        let mut wanted = Self::default();
        for Listed { file, content, xet_hash } in files {
            match content {
                _ if !patterns.wants(&file) => {}
                _ if layout.is_reserved(&file) => wanted.left_out.push(file),
                Some((etag, size)) => {
                    let target = Target {
                        layout: layout.clone(),
                        // The ref is written once, when everything is in its place.
                        revision: Revision::from(commit),
                        commit: commit.clone(),
                        file,
                        etag,
                        size: Some(size),
                    };
                    wanted.files.push(WantedFile { target, xet_hash });
                }
                None => wanted.unknown.push(file),
            }
        }
        wanted.unusable = unusable;
        wanted.unusable.retain(|entry| patterns.wants(&entry.name));
        let nothing = wanted.files.is_empty()
            && wanted.unknown.is_empty()
            && wanted.left_out.is_empty()
            && wanted.unusable.is_empty();
        if !unmatched.is_empty() || (nothing && !is_empty) { Err(unmatched) } else { Ok(wanted) }
    }

    /// Tells how many files there are, and how many bytes where that is known.
    pub(crate) fn listed(&self) -> Event {
        let mut sizes = self.files.iter().map(|wanted| wanted.target.size);
        let bytes = sizes.try_fold(0_u64, |sum, size| Some(sum.saturating_add(size?)));
        Event::Listed {
            files: self.files.len() + self.unknown.len(),
            bytes: bytes.filter(|_| self.unknown.is_empty()),
        }
    }
}
