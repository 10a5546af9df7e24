//! A local folder: whether its files are what was downloaded.

use std::ops::ControlFlow;

use hubstow_cache::{
    Cache,
    care::{
        local::FOLDER,
        verify::{
            Reading, Scope, Verified,
            listed::{Kept, Listed, Listings, Word},
        },
    },
    observe::cached::Promised,
};
use hubstow_core::{
    care::Role,
    layout::RepoLayout,
    name::{Commit, FileName, Repo, Revision},
};

use super::{CacheDir, Inventory, verify::files_of};
use crate::{
    api::error::Error,
    handle::CallerBlocks,
    lookup::{listing::Listing, patience::Patience},
};

impl CacheDir {
    fn folder(&self) -> &Cache {
        self.engine.cache.blocking(&CallerBlocks::its_thread())
    }

    /// Looks at the files of the local folder of these settings: those that can be a repo's.
    ///
    /// # Errors
    /// That the work was cancelled.
    pub fn local_inventory(&self) -> Result<Inventory, Error> {
        Ok(self.folder().local_inventory()?)
    }

    /// Returns what is known here of the files of the local folder: the records of their downloads, and the listing that is
    /// kept of their commit.
    #[must_use]
    pub fn kept_local_listing(&self, inventory: &Inventory) -> Listings {
        let cache = self.folder();
        let pointers = inventory.iter().filter(|(_, item)| item.role == Role::Pointer);
        let names = pointers.filter_map(|(_, item)| FileName::parse(item.at.as_str()).ok());
        let records: Vec<_> =
            names.filter_map(|file| Some((cache.last_local_record(&file)?, file))).collect();
        let mut commits: Vec<&Commit> = records.iter().map(|(record, _)| &record.commit).collect();
        commits.sort();
        commits.dedup();
        // Files of several commits have no listing in common.
        let listing = match commits[..] {
            [commit] => Listing::of_cache(cache, &RepoLayout::local(), commit),
            _ => None,
        };
        let mut listed = Listed {
            files: listing.as_ref().map(files_of).unwrap_or_default(),
            word: Word::Kept,
            kept: Kept::None,
        };
        for (record, file) in records {
            let promised = Promised { etag: record.etag, size: None };
            listed.files.entry(file.as_str().to_owned()).or_insert(Some(promised));
        }
        Listings::from([(FOLDER, listed)])
    }

    /// Asks the hub what the files of the local folder should be at a revision.
    ///
    /// # Errors
    /// What the hub, or the way to it, says.
    pub async fn ask_local_listing(
        &self,
        repo: &Repo,
        revision: &Revision,
    ) -> Result<Listings, Error> {
        self.engine.check()?;
        let patience = Patience::lasting(&self.engine.config);
        let commit = match revision.as_commit() {
            Some(commit) => commit,
            None => {
                let tell = |event| self.engine.tell(event);
                let asked = self.engine.http.commit_of(repo, revision, patience, &tell).await;
                asked.map_err(|unlisted| self.engine.unlisted(repo, revision, unlisted))?
            }
        };
        let (listing, _) = self.ask_listing(repo, &commit, patience).await?;
        let listed = Listed { files: files_of(&listing), word: Word::Hub, kept: Kept::None };
        Ok(Listings::from([(FOLDER, listed)]))
    }

    /// Reads every byte of the files of the local folder, as [`verify`](Self::verify) does those of the cache.
    ///
    /// # Errors
    /// That the work was cancelled.
    pub fn verify_local(
        &self,
        inventory: &Inventory,
        listings: &Listings,
        tell: impl Fn(Reading) -> ControlFlow<()> + Sync,
    ) -> Result<Verified, Error> {
        Ok(self.folder().verify(inventory, &Scope::All, listings, None, &tell)?)
    }
}
