//! What is here: the cache's own answer at a commit, without asking anybody.

use std::{fs::File, io::Read as _};

use hubstow_client::{FileReport, FileRequest, Hub, with_causes};
use hubstow_core::{
    layout::RepoLayout,
    name::{Etag, FileName, Repo, Revision},
};
use hubstow_serve::{PulledContent, Wanted};
use tokio::task::spawn_blocking;

use crate::limits::READ_BYTES;

/// A file that is here.
#[derive(Debug)]
pub(crate) struct Here {
    pub(crate) etag: Etag,
    pub(crate) len_bytes: u64,
    pub(crate) content: PulledContent,
}

/// Looks for a file of a revision; whatever is wrong with it, it is as good as not here.
pub(crate) async fn look(
    hub: &Hub,
    (repo, revision, file): (&Repo, &Revision, &FileName),
    wanted: Wanted,
) -> Option<Here> {
    let request = FileRequest::new(repo.clone(), file.clone()).ok()?.at(revision.clone());
    let hub = hub.clone();
    let looked = spawn_blocking(move || match hub.download_cached(&request) {
        Ok(Some(report)) => opened(&report, wanted),
        Ok(None) => None,
        Err(error) => {
            tracing::debug!(error = %with_causes(&error), "what is here can't be served");
            None
        }
    });
    looked.await.ok().flatten()
}

/// Tells whether an earlier run has left files of a repo that are not complete.
pub(crate) async fn has_parts(hub: &Hub, repo: &Repo) -> bool {
    let blobs = RepoLayout::new(repo).blobs();
    let folder = hub.config().cache_dir.join(blobs.as_str());
    let looked = spawn_blocking(move || {
        let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.any(|entry| {
            entry.file_name().to_str().is_some_and(|it| blobs.incomplete(it).is_some())
        })
    });
    looked.await.unwrap_or(false)
}

fn opened(report: &FileReport, wanted: Wanted) -> Option<Here> {
    let etag = report.etag.clone()?;
    let file = File::open(&report.path).ok()?;
    let len_bytes = file.metadata().ok()?.len();
    if report.size.is_some_and(|size| size != len_bytes) {
        return None;
    }
    let content = match wanted {
        Wanted::Facts => PulledContent::Unasked,
        Wanted::Content => content_of(file, len_bytes)?,
    };
    Some(Here { etag, len_bytes, content })
}

/// Reads a small file at once; a larger one is read as it is sent.
pub(crate) fn content_of(mut file: File, len_bytes: u64) -> Option<PulledContent> {
    if len_bytes > READ_BYTES {
        return Some(PulledContent::File(file));
    }
    let mut content = Vec::with_capacity(usize::try_from(len_bytes).ok()?);
    file.by_ref().take(len_bytes).read_to_end(&mut content).ok()?;
    (content.len() as u64 == len_bytes).then(|| PulledContent::Read(content.into()))
}
