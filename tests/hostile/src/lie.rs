//! Answers that fit the interface and are not true.

use hubstow_core::{
    hub::{self, Hop, Origin, read_head},
    name::Revision,
};

use crate::wit;

fn act(action: wit::Action) -> wit::Decision {
    wit::Decision::Act((action, wit::Reason::MethodWorks))
}

fn place(by: wit::Method, from: wit::Source, over: wit::Pointer) -> wit::Decision {
    act(wit::Action::Place(wit::PlaceAction { by, from, over }))
}

/// Decides what the facts do not allow.
pub(crate) fn decision(attack: &str, facts: &wit::PlaceFacts) -> Option<wit::Decision> {
    let over = facts.pointer;
    let seal = |over| act(wit::Action::Seal(wit::SealAction { from: wit::Source::Staged, over }));
    Some(match attack {
        "move-a-published-blob" => place(wit::Method::Move, wit::Source::Blob, over),
        "move-an-unverified-file" => place(wit::Method::Move, wit::Source::Staged, over),
        "reuse-what-is-absent" => wit::Decision::Reuse(wit::Reason::PointerHolds),
        "seal-an-unverified-file" => seal(facts.blob),
        "place-over-something-else" => {
            place(wit::Method::Symlink, wit::Source::Blob, wit::Pointer::Directory)
        }
        "link-to-a-twin" => place(wit::Method::Symlink, wit::Source::Twin, over),
        "point-at-nothing" => act(wit::Action::Point),
        "mark-as-missing" => act(wit::Action::Mark),
        "ask-the-hub-for-ever" => act(wit::Action::Lookup(wit::Lookup::Plain)),
        "probe-for-ever" => act(wit::Action::Probe(wit::Method::Symlink)),
        "probe-everything" => act(wit::Action::Probe(wit::Method::Copy)),
        "fetch-for-ever" => act(wit::Action::Fetch),
        _ => return None,
    })
}

/// Says of a request what is not so.
pub(crate) fn resolution(attack: &str, facts: &wit::ResolveFacts) -> Option<wit::Resolution> {
    let serve = |served| wit::Resolution::Serve((served, wit::Reason::Pinned));
    let act = |action| wit::Resolution::Act((action, wit::Reason::Forced));
    Some(match attack {
        "serve-what-is-not-there" => serve(wit::Served::Pinned),
        "serve-without-asking" => serve(wit::Served::Stale),
        "go-on-without-an-answer" => wit::Resolution::Proceed(wit::Reason::AnswerFound),
        "look-up-for-ever" => act(wit::Action::Lookup(wit::Lookup::Plain)),
        "mark-what-exists" if facts.answer != wit::Answer::Pending => act(wit::Action::Mark),
        "fetch-before-asking" => act(wit::Action::Fetch),
        _ => return None,
    })
}

/// Learns what no failure teaches.
pub(crate) fn lesson(attack: &str, methods: wit::Methods) -> Option<wit::Lesson> {
    let refused = wit::Support::Refused;
    Some(match attack {
        "unlearn-everything" => wit::Lesson::Again(wit::Methods {
            symlink: refused,
            hardlink: refused,
            reflink: refused,
        }),
        "learn-nothing" => wit::Lesson::Again(methods),
        _ => return None,
    })
}

/// Reads into an answer what it does not say.
pub(crate) fn reply(
    attack: &str,
    status: u16,
    received: &wit::Headers,
    asked: &str,
    lookup: wit::Lookup,
) -> Result<wit::Reply, wit::NameError> {
    let revision = Revision::parse(asked).map_err(|error| wit::NameError {
        what: error.what().to_owned(),
        rule: error.rule().to_owned(),
        message: error.to_string(),
    })?;
    let honest = read_head(status, &received.into(), &revision, lookup.into());
    let metadata = honest.metadata.map(|known| wit::Metadata {
        commit: known.commit.to_string(),
        etag: known.etag.to_string(),
        size: known.size,
        xet_hash: known.xet_hash,
    });
    let commit = honest.commit.map(|commit| commit.to_string());
    let mut reply = wit::Reply { answer: honest.answer.into(), metadata, commit, broken: None };
    if let Some(metadata) = &mut reply.metadata {
        match attack {
            "size-of-its-own" => metadata.size = Some(1),
            _ => {
                if let Some(etag) = attack.strip_prefix("etag=") {
                    etag.clone_into(&mut metadata.etag);
                }
                if let Some(commit) = attack.strip_prefix("commit=") {
                    commit.clone_into(&mut metadata.commit);
                    reply.commit = Some(commit.to_owned());
                }
            }
        }
    }
    if attack == "nothing-has-changed" {
        reply.answer = wit::Answer::NotModified;
        reply.metadata = None;
    }
    Ok(reply)
}

/// Sends the token along wherever a redirect leads.
pub(crate) fn redirect(attack: &str, hop: &wit::Hop) -> wit::RedirectRule {
    let endpoint = Origin::of(&hop.endpoint);
    match (attack, endpoint) {
        ("token-to-anyone", _) | (_, None) => wit::RedirectRule::FollowWithToken,
        (_, Some(endpoint)) => {
            let followed = usize::try_from(hop.followed).unwrap_or(usize::MAX);
            let (from, to) = (&hop.from, &hop.to);
            hub::redirect(&Hop { from, to, endpoint: &endpoint, followed }).into()
        }
    }
}
