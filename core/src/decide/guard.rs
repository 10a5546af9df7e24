//! What is refused, whoever asks: which answers are possible for which facts. Pure.
//!
//! INVARIANT (I25): a wrong or hostile decider can waste time but can't break I1–I3. Every decision is compared with the
//! facts it was made of before anything is touched; the linked core passes always, a component must earn it.

use crate::{
    action::{Action, Decision, Lookup, Source},
    facts::{
        Answer, Blob, Cached, Demand, Force, Marker, PlaceFacts, Pointer, Reach, RefFile,
        ResolveFacts, RevisionKind, Staged, Stale, Twin,
    },
    hub::{Headers, Hop, Metadata, Redirect, Reply, redirect},
    learn::{Failure, Lesson},
    model::{DiskKind, End, Model, Round},
    name::{Commit, Etag, NameError, Revision},
    policy::{Method, Methods, Support},
    resolve::{Resolution, Served},
};

/// Tells whether a decision is possible for the facts it was made of. Whatever passes is progress: it asks for something
/// that is not known, not here or not served yet, so that no decider can keep a host busy without end.
pub(crate) fn possible(facts: &PlaceFacts, decision: &Decision) -> bool {
    match *decision {
        Decision::Refuse(_) => true,
        Decision::Reuse(_) => serves(facts),
        Decision::Act(Action::Point, _) => serves(facts) && facts.ref_file == RefFile::Behind,
        Decision::Act(action, _) => !serves(facts) && makes_progress(facts, action),
    }
}

fn makes_progress(facts: &PlaceFacts, action: Action) -> bool {
    match action {
        Action::Lookup(_) | Action::Mark | Action::Point => false,
        Action::Probe(method) => {
            link(method)
                && facts.policy.ladder().contains(&method)
                && facts.methods.support(method) == Support::Untried
        }
        Action::Fetch => !facts.staged.is_complete() && !blob_counts(facts),
        Action::Seal { from, over } => {
            over == facts.blob
                && over != Blob::Directory
                && !blob_counts(facts)
                && match from {
                    Source::Staged => facts.staged.is_complete(),
                    Source::Twin => facts.twin == Twin::Present && facts.demand != Demand::Fresh,
                    Source::Blob => false,
                }
        }
        Action::Place { by, from, over } => {
            over == facts.pointer
                && !matches!(over, Pointer::Directory | Pointer::Alias)
                && facts.policy.ladder().contains(&by)
                && facts.methods.support(by) != Support::Refused
                && source_allows(facts, by, from)
        }
    }
}

/// Tells whether the blob may be used: it holds the content, and this run has made it where only fresh content counts.
fn blob_counts(facts: &PlaceFacts) -> bool {
    matches!(facts.blob, Blob::Existing | Blob::Borrowed) && facts.demand != Demand::Fresh
}

/// Tells whether a lesson is possible: a refused method is known as refused, and of other methods nothing changes. The
/// method may have been known as refused before, where two files were placed at once.
pub(crate) fn possible_lesson(
    methods: Methods,
    action: Action,
    failure: Failure,
    lesson: Lesson,
) -> bool {
    match (lesson, failure, action) {
        (Lesson::GiveUp, _, _) => true,
        (Lesson::Again(known), Failure::Raced, _) => known == methods,
        (
            Lesson::Again(known),
            Failure::Unsupported,
            Action::Probe(by) | Action::Place { by, .. },
        ) => link(by) && known == methods.with(by, Support::Refused),
        (Lesson::Again(_), _, _) => false,
    }
}

/// Tells whether a resolution is possible for the facts it was made of.
pub(crate) fn possible_resolution(facts: &ResolveFacts, resolution: &Resolution) -> bool {
    match *resolution {
        Resolution::Refuse(_) => true,
        Resolution::Serve(served, _) => {
            facts.force == Force::Off
                && matches!(facts.cached, Cached::Linked | Cached::Holds)
                && may_be_served(facts, served)
        }
        Resolution::Proceed(_) => matches!(facts.answer, Answer::Found | Answer::NotModified),
        Resolution::Act(Action::Lookup(Lookup::Plain), _) => {
            facts.reach == Reach::Online
                && matches!(facts.answer, Answer::Pending | Answer::NotModifiedBare)
        }
        Resolution::Act(Action::Lookup(Lookup::Conditional), _) => {
            facts.reach == Reach::Online
                && facts.answer == Answer::Pending
                && facts.cached == Cached::Linked
        }
        Resolution::Act(Action::Mark, _) => {
            facts.answer == Answer::EntryMissing && facts.marker == Marker::Absent
        }
        Resolution::Act(
            Action::Probe(_)
            | Action::Fetch
            | Action::Seal { .. }
            | Action::Place { .. }
            | Action::Point,
            _,
        ) => false,
    }
}

/// Tells whether a cached pointer may be served for this cause, so that nobody gets an old file for a new one in silence.
fn may_be_served(facts: &ResolveFacts, served: Served) -> bool {
    match (served, facts.answer) {
        (Served::Pinned, _) => facts.revision == RevisionKind::Commit,
        (Served::Offline, _) => facts.reach == Reach::Offline,
        (
            Served::Stale,
            Answer::Incomplete | Answer::Failing | Answer::Unreachable | Answer::Unexpected,
        ) => facts.stale != Stale::Never,
        (
            Served::Stale,
            Answer::RepoMissing | Answer::Unauthorized | Answer::Forbidden | Answer::Throttled,
        ) => facts.stale == Stale::Always,
        (
            Served::Stale,
            Answer::Pending
            | Answer::Found
            | Answer::NotModified
            | Answer::NotModifiedBare
            | Answer::Hostile
            | Answer::OtherCommit
            | Answer::EntryMissing
            | Answer::EntryMissingBare
            | Answer::RevisionMissing,
        ) => false,
    }
}

fn serves(facts: &PlaceFacts) -> bool {
    match facts.pointer {
        Pointer::Holds => facts.demand == Demand::Any,
        Pointer::Linked => {
            matches!(facts.blob, Blob::Existing | Blob::Borrowed) && facts.demand != Demand::Fresh
        }
        Pointer::Absent | Pointer::Stray | Pointer::Torn | Pointer::Directory | Pointer::Alias => {
            false
        }
    }
}

fn link(method: Method) -> bool {
    match method {
        Method::Symlink | Method::Hardlink | Method::Reflink => true,
        Method::Move | Method::Copy => false,
    }
}

fn source_allows(facts: &PlaceFacts, by: Method, from: Source) -> bool {
    match from {
        Source::Staged => match facts.staged {
            Staged::Complete => by == Method::Move,
            Staged::Elsewhere => by == Method::Copy,
            Staged::Absent | Staged::Partial => false,
        },
        Source::Blob => by != Method::Move && blob_counts(facts),
        Source::Twin => {
            !matches!(by, Method::Move | Method::Symlink)
                && facts.twin == Twin::Present
                && facts.demand == Demand::Any
        }
    }
}

/// Tells whether a forecast is possible: each round is, for the facts it would be decided on, and so is its end.
pub(crate) fn possible_forecast(
    facts: &PlaceFacts,
    disk: DiskKind,
    rounds: &[Round],
    end: End,
) -> bool {
    let mut model = Model::foreseen(facts, disk);
    for round in rounds {
        if !possible(&model.facts, &Decision::Act(round.action, round.reason)) {
            return false;
        }
        model.go_on(round.action);
    }
    match end {
        End::Reuse(reason) => possible(&model.facts, &Decision::Reuse(reason)),
        End::Refuse(_) => true,
        End::Unfinished => false,
    }
}

/// Tells whether a reading of a HEAD's answer is possible for what was received: its names are those of the headers, and
/// only a status that can mean so makes content found or
/// unchanged; a commit that was asked for is answered by that commit.
pub(crate) fn possible_reply(
    status: u16,
    headers: &Headers<'_>,
    asked: &Revision,
    lookup: Lookup,
    reply: &Reply,
) -> bool {
    let named = |commit: &Commit| headers.repo_commit == Some(commit.as_str());
    let commit_is_named = reply.commit.as_ref().is_none_or(named);
    let found = match &reply.metadata {
        None => reply.answer != Answer::Found,
        Some(metadata) => {
            reply.answer == Answer::Found
                && matches!(status, 200..=399)
                && status != 304
                && reply.commit.as_ref() == Some(&metadata.commit)
                && states(headers, metadata)
        }
    };
    let unchanged = match reply.answer {
        Answer::NotModified => {
            status == 304 && lookup == Lookup::Conditional && reply.commit.is_some()
        }
        Answer::NotModifiedBare => status == 304 && lookup == Lookup::Conditional,
        Answer::EntryMissing => status >= 400 && reply.commit.is_some(),
        Answer::Pending => false,
        Answer::Found
        | Answer::Incomplete
        | Answer::Hostile
        | Answer::OtherCommit
        | Answer::EntryMissingBare
        | Answer::RevisionMissing
        | Answer::RepoMissing
        | Answer::Unauthorized
        | Answer::Forbidden
        | Answer::Throttled
        | Answer::Failing
        | Answer::Unreachable
        | Answer::Unexpected => true,
    };
    let speaks_of_it = asked.as_commit().is_none_or(|pinned| {
        reply.commit.is_none()
            || reply.commit.as_ref() == Some(&pinned)
            || !matches!(reply.answer, Answer::Found | Answer::NotModified | Answer::EntryMissing)
    });
    commit_is_named && found && unchanged && speaks_of_it
}

/// Finds the name in an answer's headers that is none: what makes an answer hostile.
#[must_use]
pub fn broken_name(headers: &Headers<'_>) -> Option<NameError> {
    let commit = headers.repo_commit.and_then(|text| Commit::parse(text).err());
    let etag = || Etag::from_header(headers.linked_etag.or(headers.etag)?).err();
    let size = || {
        let text = headers.linked_size.or(headers.content_length)?.trim();
        let digits = text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u64>().is_ok();
        (!digits).then(|| NameError::size(text))
    };
    commit.or_else(etag).or_else(size)
}

/// Tells whether headers state this etag and size.
fn states(headers: &Headers<'_>, metadata: &Metadata) -> bool {
    let etag = headers.linked_etag.or(headers.etag).map(Etag::from_header);
    let size = |size: u64| {
        let stated = [headers.linked_size, headers.content_length];
        stated.into_iter().flatten().any(|text| text.trim().parse() == Ok(size))
    };
    etag.and_then(Result::ok).as_ref() == Some(&metadata.etag) && metadata.size.is_none_or(size)
}

/// Tells whether a rule for a redirect is possible: the token stays at the endpoint's origin, nothing goes from https to
/// http, and no chain is without end (invariants I22, I23).
pub(crate) fn possible_redirect(hop: &Hop<'_>, rule: Redirect) -> bool {
    match rule {
        Redirect::WrongScheme | Redirect::Downgrade | Redirect::TooMany => true,
        Redirect::FollowWithoutToken | Redirect::FollowWithToken => {
            let allowed = redirect(hop);
            allowed == Redirect::FollowWithToken
                || allowed == Redirect::FollowWithoutToken && rule == allowed
        }
    }
}

#[cfg(test)]
mod tests;
