//! Answering for a file: may whoever asks have it, is it here, and if not, how it comes.

use std::{fs::File, io, sync::Arc};

use bytes::Bytes;
use hubstow_client::{ErrorKind, FileRequest, FoundFile, Unfound};
use hubstow_core::name::{Commit, Revision};
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
#[derive(Clone)]
struct Admitted {
    commit: Commit,
    freshness: Freshness,
}

impl Inner {
    /// Says what a file is, and where its content is.
    pub(crate) async fn file(&self, asked: FileAsked) -> Result<PulledFile, Refusal> {
        let caller = self.callers.known(&asked.caller)?;
        let Admitted { commit, freshness } = self.admit(&caller, &asked).await?;
        if freshness == Freshness::Stale {
            count(&self.counts.stale);
        }
        let FileAsked { repo, file, wanted, .. } = &asked;
        let local = &self.callers.anonymous().hub;
        if let Some(here) = here::look(local, (repo, &commit, file), *wanted).await {
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
        let admitted = Admitted { commit, freshness };
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
            let brought = self.brought(caller, asked, &admitted, &found).await;
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
            return Ok(Admitted { commit, freshness: Freshness::Confirmed });
        }
        let last_known = || {
            let commit = self.memory.commit(caller.key, repo, revision, STALE_FOR);
            commit.filter(|commit| may_have(commit, STALE_FOR))
        };
        if self.away.is_recent()
            && let Some(commit) = last_known()
        {
            return Ok(Admitted { commit, freshness: Freshness::Stale });
        }
        match self.find(caller, asked, revision).await {
            Ok(found) => {
                let commit = found.commit().clone();
                Ok(Admitted { commit, freshness: Freshness::Confirmed })
            }
            Err(unfound) if says_away(&unfound.error) => match last_known() {
                Some(commit) => Ok(Admitted { commit, freshness: Freshness::Stale }),
                None => Err(refusal_of_unfound(&unfound)),
            },
            Err(unfound) => Err(refusal_of_unfound(&unfound)),
        }
    }

    /// Asks upstream what a file is, once at a time, and remembers what it says.
    async fn find(
        &self,
        caller: &KnownCaller,
        asked: &FileAsked,
        revision: &Revision,
    ) -> Result<FoundFile, Unfound> {
        let FileAsked { repo, file, .. } = asked;
        let _turn = self.turns.of(&(caller.key, repo, revision, file)).await;
        if let Some(commit) = self.memory.recent_commit(caller.key, repo, revision)
            && let Some(found) = self.memory.file(caller.key, repo, &commit, file)
        {
            return Ok(found);
        }
        let request = FileRequest::new(repo.clone(), file.clone())
            .map_err(hubstow_client::Error::from)?
            .at(revision.clone());
        let found = caller.hub.find(&request).await;
        match &found {
            Ok(found) => {
                self.away.is_back();
                self.memory.found(caller.key, (repo, revision, file), found);
                self.rooms.means(repo, revision, found.commit());
                self.tiers.learned(&caller.hub, (repo, revision, found.commit()));
            }
            Err(unfound) if says_away(&unfound.error) => self.away.noticed(),
            Err(unfound) => {
                self.away.is_back();
                // A hub says of a private repo to whom it is closed that there is none.
                if matches!(unfound.error.status(), Some(401 | 403))
                    || unfound.error.kind() == ErrorKind::RepoNotFound
                {
                    self.memory.refused(caller.key, repo);
                }
                if let (ErrorKind::EntryNotFound, Some(commit)) =
                    (unfound.error.kind(), &unfound.commit)
                {
                    self.memory.missed(caller.key, repo, commit, file);
                }
            }
        }
        found
    }

    /// Has a file fetched that is not here.
    async fn fetched(
        &self,
        caller: &KnownCaller,
        asked: &FileAsked,
        admitted: Admitted,
    ) -> Result<PulledFile, Refusal> {
        let FileAsked { repo, file, .. } = asked;
        let commit = &admitted.commit;
        let mut remembered = self.memory.file(caller.key, repo, commit, file);
        for _ in 0..JOINS {
            let found = match remembered.take() {
                Some(found) => found,
                None => {
                    let found = self.find(caller, asked, &Revision::from(commit)).await;
                    found.map_err(|unfound| refusal_of_unfound(&unfound))?
                }
            };
            match self.brought(caller, asked, &admitted, &found).await {
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
        found: &FoundFile,
    ) -> Result<PulledFile, (Refusal, Part)> {
        let FileAsked { repo, file, wanted, .. } = asked;
        let Admitted { commit, freshness } = admitted.clone();
        if let (Wanted::Facts, Some(len_bytes)) = (wanted, found.size()) {
            let (content, via) = (PulledContent::Unasked, Via::Miss);
            let (etag, ranges) = (found.etag().clone(), Ranges::Given);
            return Ok(PulledFile { commit, etag, len_bytes, content, ranges, via, freshness });
        }
        self.rooms.touch(repo, &commit, file);
        let joined = self.fills.join(repo, found, &caller.hub);
        let (attendance, part) = joined.map_err(|refusal| (refusal, Part::Began))?;
        count(&self.counts.waits);
        let large = found.size().filter(|size| *size > SMALL_BYTES);
        let begun = match large {
            Some(_) => attendance.feed().first().await,
            None => attendance.feed().whole().await,
        };
        let begun = begun.map_err(|refusal| {
            // It may have been fetched from an address that has expired, or be something else by now.
            self.memory.forget_file(caller.key, repo, &commit, file);
            (refusal, part)
        })?;
        let coming = self.coming(found, admitted, begun, attendance).await;
        coming.map_err(|refusal| (refusal, Part::Began))
    }

    /// Says how what has begun to come is read.
    async fn coming(
        &self,
        found: &FoundFile,
        admitted: &Admitted,
        begun: Begun,
        attendance: Attendance,
    ) -> Result<PulledFile, Refusal> {
        let key = attendance.feed().key().clone();
        let (len_bytes, content, via) = match (begun, found.size()) {
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
        let (Admitted { commit, freshness }, (_, etag)) = (admitted.clone(), key);
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
