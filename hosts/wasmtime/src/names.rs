//! Names and headers on their way to the component and back. What comes back is parsed again.

use hubstow_core::{
    hub::Endpoint,
    name::{Commit, Etag, FileName, NameError, Nonce, RepoId, RepoKind, Revision},
};

use crate::{ComponentCore, CoreError, wit};

impl ComponentCore {
    /// Parses a name and returns it as it is used from then on. The inner error is the component's refusal.
    ///
    /// # Errors
    /// A component that fails, or returns something that is no such name.
    pub fn parse_name(
        &self,
        kind: wit::NameKind,
        text: &str,
    ) -> Result<Result<String, wit::NameError>, CoreError> {
        let answered = self.ask(1, |core, store| core.call_parse_name(store, kind, text))?;
        match answered {
            Ok(name) => Ok(Ok(again(kind, name)?)),
            Err(refused) => Ok(Err(refused)),
        }
    }
}

/// Parses what came back, as the kind of name that it must be by now.
fn again(kind: wit::NameKind, name: String) -> Result<String, NameError> {
    match kind {
        wit::NameKind::RepoId => RepoId::parse(&name).map(drop)?,
        wit::NameKind::RepoKind => RepoKind::parse(&name).map(drop)?,
        wit::NameKind::Revision => Revision::parse(&name).map(drop)?,
        wit::NameKind::Commit | wit::NameKind::RefFile => Commit::parse(&name).map(drop)?,
        wit::NameKind::Etag | wit::NameKind::EtagHeader => Etag::parse(&name).map(drop)?,
        wit::NameKind::FileName => FileName::parse(&name).map(drop)?,
        wit::NameKind::Nonce => Nonce::parse(&name).map(drop)?,
        wit::NameKind::Endpoint => Endpoint::parse(&name).map(drop)?,
    }
    Ok(name)
}

/// Takes an answer to a question whose names were parsed here before they were sent: that one of them is none can't be.
pub(crate) fn parsed<T>(answered: Result<T, wit::NameError>) -> Result<T, CoreError> {
    answered.map_err(|refused| CoreError::Impossible { what: refused.message })
}
