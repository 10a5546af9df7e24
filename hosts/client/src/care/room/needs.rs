//! What bringing a file that was found to its place takes of the disk, and what of it is here already.

use hubstow_cache::{Cache, disk::failure::with_causes};
use hubstow_core::{
    action::{Action, Source},
    facts::Force,
    layout::CachePath,
    name::Etag,
    policy::Method,
};

use crate::{
    api::error::Error,
    care::CacheDir,
    file::{content::Content, explain::Foreseen, found::FoundFile},
};

/// What a file takes, and what is here of it.
#[derive(Debug)]
pub(super) struct Needs {
    /// Where it is staged: the folder of the blobs, and the etag.
    pub(super) staged: (CachePath, Etag),
    /// How many bytes come to the disk.
    pub(super) to_come: u64,
    /// How many of its bytes are staged now, by somebody who has left them.
    pub(super) left_bytes: u64,
    /// What it is made of.
    pub(super) here: Vec<CachePath>,
}

impl Needs {
    /// Looks. Where that can't be told, all of it comes, and nothing is here.
    pub(super) fn of(dir: &CacheDir, found: &FoundFile) -> Self {
        let content = found.content();
        Self::seen(dir, content).unwrap_or_else(|error| {
            let file = &content.target.file;
            tracing::debug!(%file, error = %with_causes(&error), "nobody knows what is here of it");
            let size = content.target.size.unwrap_or(0);
            Self { to_come: size, ..Self::nothing(content) }
        })
    }

    fn nothing(content: &Content) -> Self {
        let target = &content.target;
        let staged = (target.layout.blobs(), target.etag.clone());
        Self { staged, to_come: 0, left_bytes: 0, here: Vec::new() }
    }

    fn seen(dir: &CacheDir, content: &Content) -> Result<Self, Error> {
        let (cache, target) = (dir.cache(), &content.target);
        let Foreseen { rounds, .. } = dir.engine.foresee(cache, content, Force::Off)?;
        let mut needs = Self::nothing(content);
        let size = target.size.unwrap_or(0);
        for round in &rounds {
            match round.action {
                Action::Fetch => needs.fetch(cache, content, size),
                Action::Seal { from: Source::Twin, .. }
                | Action::Place { by: Method::Copy, from: Source::Blob | Source::Twin, .. } => {
                    needs.to_come += size;
                }
                Action::Place { .. }
                | Action::Lookup(_)
                | Action::Mark
                | Action::Probe(_)
                | Action::Seal { .. }
                | Action::Point => {}
            }
        }
        if needs.here.is_empty() {
            needs.here.extend(cache.content_of(target));
        }
        Ok(needs)
    }

    fn fetch(&mut self, cache: &Cache, content: &Content, size: u64) {
        let Some(left) = cache.continuable(&content.target) else {
            self.to_come += size;
            return;
        };
        let rest = size.saturating_sub(left.len_bytes);
        // While a copy is made, both are there.
        self.to_come += if left.is_copied { rest.max(left.len_bytes) } else { rest };
        self.left_bytes = left.len_bytes;
        self.here.push(left.at);
    }
}
