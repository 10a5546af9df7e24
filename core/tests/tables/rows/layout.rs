//! Rows about where things are in the cache.

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Nonce, RepoId, RepoKind, Revision},
};
use serde::Deserialize;

use super::row::{Checked, Row, same};
use crate::subject;

/// What paths are made of.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Given {
    pub(crate) local: bool,
    pub(crate) kind: RepoKind,
    pub(crate) repo: RepoId,
    pub(crate) revision: Revision,
    pub(crate) commit: Commit,
    pub(crate) file: FileName,
    pub(crate) etag: Etag,
    pub(crate) nonce: Nonce,
    pub(crate) link: String,
    pub(crate) base: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Expected {
    #[serde(flatten)]
    paths: toml::Table,
    link_text: Option<String>,
    reserved: Option<bool>,
    /// The etag that the given link leads to; empty where it leads to none.
    etag_of_link: Option<String>,
    /// The names that are looked for, folder by folder, on the way to the pointer.
    pointer_steps: Option<Vec<[String; 2]>>,
    /// The commit of the given record of a snapshot; empty where it is none.
    snapshot_proofs_of_base: Option<String>,
    /// Etag and nonce of the given staged file; empty where it is none of ours.
    staged_of_base: Option<Vec<String>>,
}

/// One row of `layout.toml`.
pub(crate) fn one_set_of_paths(row: &Row) -> Checked {
    let given: Given = row.given()?;
    let expected: Expected = row.expect()?;
    for (what, path) in &expected.paths {
        let came = subject::path(what, &given)?;
        same(&format!("`{what}`"), &path.as_str(), &Some(came.as_str()))?;
    }
    if let Some(reserved) = expected.reserved {
        same("whether the name is reserved", &reserved, &subject::is_reserved(&given))?;
    }
    if let Some(text) = &expected.link_text {
        same("the link's text", text, &subject::link_text(&given.file, &given.etag))?;
    }
    if let Some(etag) = &expected.etag_of_link {
        let came = subject::etag_of_link(&given.file, &given.link);
        same("the link's etag", etag, &came.unwrap_or_default())?;
    }
    if let Some(steps) = &expected.pointer_steps {
        same("the steps", steps, &subject::pointer_steps(&given))?;
    }
    if let Some(commit) = &expected.snapshot_proofs_of_base {
        let came = RepoLayout::parse_snapshot_proofs(&given.base);
        same("the record's commit", commit, &came.map_or_else(String::new, |c| c.to_string()))?;
    }
    if let Some(parts) = &expected.staged_of_base {
        let came = subject::staged_of_base(&given.base).map_or_else(Vec::new, Vec::from);
        same("the staged file's parts", parts, &came)?;
    }
    Ok(())
}
