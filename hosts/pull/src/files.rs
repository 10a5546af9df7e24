//! Answering for a file: may whoever asks have it, is it here, and if not, how it comes.

use std::{fs::File, io, sync::Arc};

use bytes::Bytes;
use hubstow_client::{ErrorKind, FileRequest, FoundFile, Hub, Unfound};
use hubstow_core::name::{Commit, FileName, Repo, Revision};
use hubstow_serve::{
    FileAsked, Freshness, PulledContent, PulledFile, Ranges, Refusal, Via, Wanted,
};
use tokio::task::spawn_blocking;

use crate::{
    away::says_away,
    callers::KnownCaller,
    counting::count,
    feed::{Attendance, Begun, Reading, Source, read},
    fills::Part,
    here::{self, Here},
    limits::{ALLOWED_FOR, JOINS, READ_BYTES, SMALL_BYTES, STALE_FOR},
    node::Inner,
    refusals::{come_again, is_about_whoever_asked, refusal_of_unfound},
};

/// What a revision leads to, for somebody who may read it.
struct Admitted {
    commit: Commit,
    freshness: Freshness,
    /// What upstream has just said of the file.
    said: Option<Said>,
}

impl Admitted {
    /// What was said before.
    fn recalled(commit: Commit, freshness: Freshness) -> Self {
        Self { commit, freshness, said: None }
    }
}

/// What upstream says of a file, and the part in its fetch of whoever has asked, where that has begun with the question.
struct Said {
    found: FoundFile,
    begun: Option<(Attendance, Part)>,
}

impl From<FoundFile> for Said {
    fn from(found: FoundFile) -> Self {
        Self { found, begun: None }
    }
}

impl Inner {
    /// Says what a file is, and where its content is.
    pub(crate) async fn file(&self, asked: FileAsked) -> Result<PulledFile, Refusal> {
        let caller = self.callers.known(&asked.caller)?;
        let admitted = self.admit(&caller, &asked).await?;
        let (commit, freshness) = (admitted.commit.clone(), admitted.freshness);
        if freshness == Freshness::Stale {
            count(&self.counts.stale);
        }
        let FileAsked { repo, file, wanted, .. } = &asked;
        let (local, at) = (&self.callers.anonymous().hub, Revision::from(&commit));
        if let Some(here) = here::look(local, (repo, &at, file), *wanted).await {
            let Here { etag, len_bytes, content } = here;
            self.rooms.touch(repo, &commit, file);
            let key = (repo.clone(), etag.clone());
            let (ranges, via) = (self.fills.ranges_of_here(&key), Via::Hit);
            return Ok(PulledFile { commit, etag, len_bytes, content, ranges, via, freshness });
        }
        let within = match freshness {
            Freshness::Confirmed => ALLOWED_FOR,
            Freshness::Stale => STALE_FOR,
        };
        if self.memory.is_missing(caller.key, (repo, &commit, file), within) {
            return Err(missing(commit));
        }
        match freshness {
            Freshness::Confirmed => self.fetched(&caller, &asked, admitted).await,
            Freshness::Stale => self.fetched_without_upstream(&caller, &asked, admitted).await,
        }
    }

    /// Has a file brought that is not here, while upstream can't be reached: from the tier, if from anywhere.
    async fn fetched_without_upstream(
        &self,
        caller: &KnownCaller,
        asked: &FileAsked,
        admitted: Admitted,
    ) -> Result<PulledFile, Refusal> {
        let FileAsked { repo, file, .. } = asked;
        let at = (repo, &admitted.commit, file);
        if let Some(found) = self.memory.file_within(caller.key, at, STALE_FOR)
            && self.tiers.has(&found).await
        {
            let brought = self.brought(caller, asked, &admitted, found.into()).await;
            return brought.map_err(|(refusal, _)| refusal);
        }
        Err(come_again(504, "Upstream can't be reached, and this file is not here"))
    }

    /// Finds out what a revision is, and that whoever asks may read it.
    async fn admit(&self, caller: &KnownCaller, asked: &FileAsked) -> Result<Admitted, Refusal> {
        let FileAsked { repo, revision, file, .. } = asked;
        // Whoever was told that there is no such file may be told so again.
        let may_have = |commit: &Commit, within| {
            let at = (repo, commit, file);
            self.memory.may_have(caller.key, at, within)
                || self.memory.is_missing(caller.key, at, within)
        };
        if let Some(commit) = self.memory.recent_commit(caller.key, repo, revision)
            && may_have(&commit, ALLOWED_FOR)
        {
            return Ok(Admitted::recalled(commit, Freshness::Confirmed));
        }
        let last_known = || {
            let commit = self.memory.commit(caller.key, repo, revision, STALE_FOR);
            commit.filter(|commit| may_have(commit, STALE_FOR))
        };
        if self.away.is_recent()
            && let Some(commit) = last_known()
        {
            return Ok(Admitted::recalled(commit, Freshness::Stale));
        }
        match self.find(caller, asked, revision).await {
            Ok(said) => {
                let (commit, freshness) = (said.found.commit().clone(), Freshness::Confirmed);
                Ok(Admitted { commit, freshness, said: Some(said) })
            }
            Err(unfound) if says_away(&unfound.error) => match last_known() {
                Some(commit) => Ok(Admitted::recalled(commit, Freshness::Stale)),
                None => Err(refusal_of_unfound(&unfound)),
            },
            Err(unfound) => Err(refusal_of_unfound(&unfound)),
        }
    }

    /// Asks upstream what a file is, once at a time, and remembers what it says. Where it will be fetched, that has begun before
    /// anybody else is told of it.
    async fn find(
        &self,
        caller: &KnownCaller,
        asked: &FileAsked,
        revision: &Revision,
    ) -> Result<Said, Unfound> {
        let FileAsked { repo, file, .. } = asked;
        let _turn = self.turns.of(&(caller.key, repo, revision, file)).await;
        if let Some(commit) = self.memory.recent_commit(caller.key, repo, revision)
            && let Some(found) = self.memory.file(caller.key, repo, &commit, file)
        {
            return Ok(found.into());
        }
        let request = FileRequest::new(repo.clone(), file.clone())
            .map_err(hubstow_client::Error::from)?
            .at(revision.clone());
        let will_be_fetched = self.will_be_fetched(asked, revision).await;
        let found = match will_be_fetched {
            true => caller.hub.find_to_download(&request).await,
            false => caller.hub.find(&request).await,
        };
        match found {
            Ok(found) => {
                self.away.is_back();
                let told = found.clone();
                let begun = will_be_fetched.then(|| self.fetch(repo, file, found, &caller.hub));
                self.memory.found(caller.key, (repo, revision, file), &told);
                self.rooms.means(repo, revision, told.commit());
                self.tiers.learned(&caller.hub, (repo, revision, told.commit()));
                Ok(Said { found: told, begun: begun.and_then(Result::ok) })
            }
            Err(unfound) => {
                self.not_found(caller, asked, &unfound);
                Err(unfound)
            }
        }
    }

    /// Remembers what it means that upstream does not give a file.
    fn not_found(&self, caller: &KnownCaller, asked: &FileAsked, unfound: &Unfound) {
        let (FileAsked { repo, file, .. }, Unfound { error, commit, .. }) = (asked, unfound);
        if says_away(error) {
            return self.away.noticed();
        }
        self.away.is_back();
        // A hub says of a private repo to whom it is closed that there is none.
        let is_closed = matches!(error.status(), Some(401 | 403));
        if is_closed || error.kind() == ErrorKind::RepoNotFound {
            self.memory.refused(caller.key, repo);
        }
        if let (ErrorKind::EntryNotFound, Some(commit)) = (error.kind(), commit) {
            self.memory.missed(caller.key, repo, commit, file);
        }
    }

    /// Joins the fetch of a file, or begins it.
    fn fetch(
        &self,
        repo: &Repo,
        file: &FileName,
        found: FoundFile,
        hub: &Hub,
    ) -> Result<(Attendance, Part), Refusal> {
        self.rooms.touch(repo, found.commit(), file);
        self.fills.join(repo, found, hub)
    }

    /// Tells whether all of a file will be fetched from upstream for whoever asks for it, whatever upstream says of it. Content that
    /// is asked for in vain is worse than a question more.
    async fn will_be_fetched(&self, asked: &FileAsked, revision: &Revision) -> bool {
        let FileAsked { repo, file, wanted, .. } = asked;
        if *wanted != Wanted::Content
            || self.tiers.member().is_some()
            || !self.rooms.is_ample()
            || !self.memory.is_first_to_want(repo, file)
        {
            return false;
        }
        let local = self.callers.offline();
        let has_parts = !self.fills.is_of(repo) && here::has_parts(local, repo).await;
        !has_parts && here::look(local, (repo, revision, file), Wanted::Facts).await.is_none()
    }

    /// Has a file fetched that is not here.
    async fn fetched(
        &self,
        caller: &KnownCaller,
        asked: &FileAsked,
        mut admitted: Admitted,
    ) -> Result<PulledFile, Refusal> {
        let FileAsked { repo, file, .. } = asked;
        let commit = &admitted.commit;
        let recall = || self.memory.file(caller.key, repo, commit, file).map(Said::from);
        let mut known = admitted.said.take().or_else(recall);
        for _ in 0..JOINS {
            let said = match known.take() {
                Some(said) => said,
                None => {
                    let said = self.find(caller, asked, &Revision::from(commit)).await;
                    said.map_err(|unfound| refusal_of_unfound(&unfound))?
                }
            };
            match self.brought(caller, asked, &admitted, said).await {
                // What was said to somebody else may not be what is said to this one.
                Err((refusal, Part::Joined)) if is_about_whoever_asked(&refusal) => {}
                brought => return brought.map_err(|(refusal, _)| refusal),
            }
        }
        Err(come_again(503, "Nobody who may have this file has fetched it yet"))
    }

    /// Has a content brought to its place, and says what of it can be had by now.
    ///
    /// # Errors
    /// The refusal, and whose request it is an answer to.
    async fn brought(
        &self,
        caller: &KnownCaller,
        asked: &FileAsked,
        admitted: &Admitted,
        said: Said,
    ) -> Result<PulledFile, (Refusal, Part)> {
        let (FileAsked { repo, file, wanted, .. }, Said { found, begun }) = (asked, said);
        let (commit, freshness, size) = (admitted.commit.clone(), admitted.freshness, found.size());
        if let (Wanted::Facts, Some(len_bytes)) = (wanted, size) {
            let (content, via) = (PulledContent::Unasked, Via::Miss);
            let (etag, ranges) = (found.etag().clone(), Ranges::Given);
            return Ok(PulledFile { commit, etag, len_bytes, content, ranges, via, freshness });
        }
        let joined = begun.map_or_else(|| self.fetch(repo, file, found, &caller.hub), Ok);
        let (attendance, part) = joined.map_err(|refusal| (refusal, Part::Began))?;
        count(&self.counts.waits);
        let large = size.filter(|size| *size > SMALL_BYTES);
        let begun = match large {
            Some(_) => attendance.feed().first().await,
            None => attendance.feed().whole().await,
        };
        let begun = begun.map_err(|refusal| {
            // It may have been fetched from an address that has expired, or be something else by now.
            self.memory.forget_file(caller.key, repo, &commit, file);
            (refusal, part)
        })?;
        let coming = self.coming(size, admitted, begun, attendance).await;
        coming.map_err(|refusal| (refusal, Part::Began))
    }

    /// Says how what has begun to come is read.
    async fn coming(
        &self,
        size: Option<u64>,
        admitted: &Admitted,
        begun: Begun,
        attendance: Attendance,
    ) -> Result<PulledFile, Refusal> {
        let key = attendance.feed().key().clone();
        let (len_bytes, content, via) = match (begun, size) {
            (Begun::Some, Some(len_bytes)) => {
                (len_bytes, PulledContent::Arriving(Reading::of(attendance)), Via::Filling)
            }
            (Begun::Placed(file), _) => {
                let (len_bytes, content) = placed(file, attendance).await?;
                (len_bytes, content, Via::Miss)
            }
            (Begun::Some, None) => {
                return Err(Refusal::new(500, "The size of the file is not known"));
            }
        };
        // Only now: what is sent is of what is arriving at this moment, and was anything else sent, it was before.
        let ranges = self.fills.ranges(&key);
        let (commit, freshness, (_, etag)) = (admitted.commit.clone(), admitted.freshness, key);
        Ok(PulledFile { commit, etag, len_bytes, content, ranges, via, freshness })
    }
}

/// As the hub says it.
fn missing(commit: Commit) -> Refusal {
    let mut refusal = Refusal::new(404, "Entry not found");
    refusal.code = Some("EntryNotFound".to_owned());
    refusal.commit = Some(commit);
    refusal
}

/// Says how what has come to its place is read: a small file at once, a larger one as it is sent.
async fn placed(file: Arc<File>, attendance: Attendance) -> Result<(u64, PulledContent), Refusal> {
    let read = spawn_blocking(move || {
        let len_bytes = file.metadata()?.len();
        let is_small = len_bytes <= READ_BYTES;
        Ok((len_bytes, is_small.then(|| read(&Source::Placed(file), 0, len_bytes)).transpose()?))
    });
    let read: io::Result<(u64, Option<Bytes>)> = read.await.map_err(io::Error::other).flatten();
    match read {
        Ok((len_bytes, Some(content))) => Ok((len_bytes, PulledContent::Read(content))),
        Ok((len_bytes, None)) => Ok((len_bytes, PulledContent::Arriving(Reading::of(attendance)))),
        Err(error) => {
            tracing::error!(%error, "what was just fetched can't be read");
            Err(Refusal::new(500, "The cache directory of this server can't be read"))
        }
    }
}
