//! Rows about where things are in the cache.

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{Commit, Etag, FileName, Nonce, Repo, RepoId, RepoKind, Revision},
};
use serde::Deserialize;

use crate::row::{Checked, Row, same};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Given {
    local: bool,
    kind: RepoKind,
    repo: RepoId,
    revision: Revision,
    commit: Commit,
    file: FileName,
    etag: Etag,
    nonce: Nonce,
    link: String,
    base: String,
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
    let layout = if given.local {
        RepoLayout::local()
    } else {
        RepoLayout::new(&Repo::new(given.kind, given.repo.clone()))
    };
    for (what, path) in &expected.paths {
        let came = path_of(what, &layout, &given)?;
        same(&format!("`{what}`"), &path.as_str(), &Some(came.as_str()))?;
        let joined = format!("{}/{}", came.parent(), came.base());
        let whole = joined.strip_prefix('/').unwrap_or(&joined);
        same("parent and base together", &came.as_str(), &whole)?;
    }
    if let Some(reserved) = expected.reserved {
        same("whether the name is reserved", &reserved, &layout.is_reserved(&given.file))?;
    }
    if let Some(text) = &expected.link_text {
        same("the link's text", text, &RepoLayout::link_text(&given.file, &given.etag))?;
    }
    if let Some(etag) = &expected.etag_of_link {
        let came = RepoLayout::etag_of_link(&given.file, &given.link);
        same("the link's etag", etag, &came.map_or_else(String::new, |etag| etag.to_string()))?;
    }
    if let Some(steps) = &expected.pointer_steps {
        let came: Vec<_> = layout
            .pointer_steps(&given.commit, &given.file)
            .map(|(folder, name)| [folder.to_string(), name.to_owned()])
            .collect();
        same("the steps", steps, &came)?;
    }
    if let Some(commit) = &expected.snapshot_proofs_of_base {
        let came = RepoLayout::parse_snapshot_proofs(&given.base);
        same("the record's commit", commit, &came.map_or_else(String::new, |c| c.to_string()))?;
    }
    if let Some(parts) = &expected.staged_of_base {
        let came = RepoLayout::parse_staged(&given.base)
            .map_or_else(Vec::new, |(etag, nonce)| vec![etag.to_string(), nonce.to_string()]);
        same("the staged file's parts", parts, &came)?;
    }
    Ok(())
}

fn path_of(what: &str, layout: &RepoLayout, given: &Given) -> Result<CachePath, String> {
    let Given { revision, commit, file, etag, nonce, .. } = given;
    Ok(match what {
        "repo" => layout.repo(),
        "blobs" => layout.blobs(),
        "blob" => layout.blob(etag),
        "staged" => layout.staged(etag, nonce),
        "snapshots" => layout.snapshots(),
        "snapshot" => layout.snapshot(commit),
        "pointer" => layout.pointer(commit, file),
        "ref-file" => layout.ref_file(revision),
        "link-scratch" => layout.link_scratch(file, nonce),
        "name-trial" => {
            let first = layout.name_trial(file, nonce).next();
            first.map(|(folder, _)| folder).ok_or("  a file name has no parts")?
        }
        "folded-snapshots" => layout.folded_snapshots(),
        "probe-folder" => RepoLayout::probe_folder(),
        "probe-file" => RepoLayout::probe_file(nonce),
        "no-exist" => layout.no_exist(commit, file),
        "tree" => layout.tree(commit),
        "lock" => layout.lock(etag),
        "private" => layout.private(),
        "scratch" => layout.scratch(nonce),
        "proof" => layout.proof(etag),
        "proofs" => layout.proofs(),
        "snapshot-proofs" => layout.snapshot_proofs(commit),
        "local-metadata" => RepoLayout::local_metadata(file),
        "cache-tag" => CachePath::cache_tag(),
        "root" => CachePath::root(),
        other => return Err(format!("  no such path: {other}")),
    })
}
