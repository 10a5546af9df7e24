//! What can be served: something that holds repos.

use std::{fmt, io, path::Path, sync::Arc};

use hubstow_core::name::{Commit, Repo, Revision};

use crate::{
    fault::Fault,
    listing::{Entry, Listing},
    repos::Held,
};

/// Something that holds repos. Everything blocks.
pub(crate) trait Source: fmt::Debug + Send + Sync {
    /// Returns the folder that it is.
    fn root(&self) -> &Path;

    /// Checks that it can be read.
    ///
    /// # Errors
    /// What the system says.
    fn check(&self) -> io::Result<()>;

    /// Tells whether it has the repo.
    ///
    /// # Errors
    /// It has not, or can't be read.
    fn contains(&self, repo: &Repo) -> Result<(), Fault>;

    /// Returns the commit of a revision, where that is known without looking at any file.
    ///
    /// # Errors
    /// There is no such repo or revision, or it can't be read.
    fn commit(&self, repo: &Repo, revision: &Revision) -> Result<Option<Commit>, Fault>;

    /// Returns what a revision holds.
    ///
    /// # Errors
    /// There is no such repo or revision, it can't be read, or only hashing all of it would tell.
    fn listing(&self, repo: &Repo, revision: &Revision) -> Result<Arc<Listing>, Fault>;

    /// Returns the revisions of a repo that have names, each with its commit; `main` first.
    ///
    /// # Errors
    /// There is no such repo, or it can't be read.
    fn revisions(&self, repo: &Repo) -> Result<Vec<(Revision, Commit)>, Fault>;

    /// Returns all repos, by kind and id.
    ///
    /// # Errors
    /// A folder can't be read.
    fn repos(&self) -> io::Result<Vec<Held>>;

    /// Returns the files that are not hashed yet. What can't be read is passed over.
    ///
    /// # Errors
    /// The root can't be read.
    fn unhashed(&self) -> io::Result<Vec<Entry>>;
}
