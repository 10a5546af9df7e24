//! Whatever a decider does wrong, nobody gets its answer.

use alloc::{boxed::Box, string::ToString as _, vec};

use super::*;
use crate::{
    facts::{Answer, Cached, Force, Marker, Pointer, Reach, RevisionKind, Staged, Stale},
    hub::Origin,
    policy::{Method, Policy, Support},
    resolve::Served,
    why::Reason,
};

/// Answers with what is never possible for what it is asked below.
struct Liar;

impl Decider for Liar {
    fn resolve(&self, _: &ResolveFacts) -> Result<Resolution, DeciderError> {
        Ok(Resolution::Serve(Served::Pinned, Reason::Pinned))
    }

    fn place(&self, _: &PlaceFacts) -> Result<Decision, DeciderError> {
        Ok(Decision::Reuse(Reason::Pinned))
    }

    fn place_many(&self, facts: &[PlaceFacts]) -> Result<Vec<Decision>, DeciderError> {
        Ok(vec![Decision::Reuse(Reason::Pinned); facts.len() / 2])
    }

    fn learn(&self, methods: Methods, _: Action, _: Failure) -> Result<Lesson, DeciderError> {
        Ok(Lesson::Again(methods.with(Method::Symlink, Support::Works)))
    }

    fn forecast(&self, _: &PlaceFacts, _: DiskKind) -> Result<(Vec<Round>, End), DeciderError> {
        Ok((Vec::new(), End::Reuse(Reason::Pinned)))
    }

    fn read_head(
        &self,
        _: u16,
        _: &Headers<'_>,
        _: &Revision,
        _: Lookup,
    ) -> Result<Reply, DeciderError> {
        Ok(Reply::bare(Answer::Found))
    }

    fn redirect(&self, _: &Hop<'_>) -> Result<Redirect, DeciderError> {
        Ok(Redirect::FollowWithToken)
    }
}

/// Answers nothing, or only how content gets to its place, and that always alike.
struct Broken(Option<Decision>);

#[derive(Debug)]
struct Cause;

impl Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the cause itself")
    }
}

impl Error for Cause {}

fn no<T>() -> Result<T, DeciderError> {
    Err(Box::new(Cause))
}

impl Decider for Broken {
    fn resolve(&self, _: &ResolveFacts) -> Result<Resolution, DeciderError> {
        no()
    }

    fn place(&self, _: &PlaceFacts) -> Result<Decision, DeciderError> {
        self.0.map_or_else(no, Ok)
    }

    fn learn(&self, _: Methods, _: Action, _: Failure) -> Result<Lesson, DeciderError> {
        no()
    }

    fn forecast(&self, _: &PlaceFacts, _: DiskKind) -> Result<(Vec<Round>, End), DeciderError> {
        no()
    }

    fn read_head(
        &self,
        _: u16,
        _: &Headers<'_>,
        _: &Revision,
        _: Lookup,
    ) -> Result<Reply, DeciderError> {
        no()
    }

    fn redirect(&self, _: &Hop<'_>) -> Result<Redirect, DeciderError> {
        no()
    }
}

/// Asks everything there is, and returns what came of each question.
fn undecided(decider: impl Decider + 'static) -> Vec<(Question, Undecided)> {
    let guarded = Guarded::new(Arc::new(decider));
    let resolve = ResolveFacts {
        revision: RevisionKind::Name,
        reach: Reach::Online,
        force: Force::Off,
        stale: Stale::Never,
        cached: Cached::Absent,
        marker: Marker::Absent,
        answer: Answer::Pending,
    };
    let place = PlaceFacts::empty(Policy::Compat);
    let endpoint = Origin::of("https://hub").unwrap();
    let hop =
        Hop { from: "https://hub/a", to: "https://elsewhere/a", endpoint: &endpoint, followed: 0 };
    let (headers, main) = (Headers::default(), Revision::parse("main").unwrap());
    let head = guarded.read_head(200, &headers, &main, Lookup::Plain);
    vec![
        (Question::Resolve, guarded.resolve(&resolve).unwrap_err()),
        (Question::Place, guarded.place(&place).unwrap_err()),
        (Question::Place, guarded.place_many(&[place; 4]).unwrap_err()),
        (
            Question::Learn,
            guarded.learn(Methods::UNTRIED, Action::Fetch, Failure::Raced).unwrap_err(),
        ),
        (Question::Forecast, guarded.forecast(&place, DiskKind::ALL_LINKS).unwrap_err()),
        (Question::ReadHead, head.unwrap_err()),
        (Question::Redirect, guarded.redirect(&hop).unwrap_err()),
    ]
}

#[test]
fn an_answer_that_is_not_possible_is_none() {
    for (asked, error) in undecided(Liar) {
        assert!(
            matches!(&error, Undecided::Impossible { question, .. } if *question == asked),
            "{error:?}"
        );
        assert!(error.source().is_none());
    }
}

#[test]
fn a_decider_that_fails_is_the_source_and_not_part_of_the_words() {
    for (asked, error) in undecided(Broken(None)) {
        assert!(
            matches!(&error, Undecided::Failed { question, .. } if *question == asked),
            "{error:?}"
        );
        assert_eq!(error.source().unwrap().to_string(), "the cause itself");
        assert!(!error.to_string().contains("cause itself"), "{error}");
    }
}

#[test]
fn of_many_only_what_is_possible_passes() {
    let absent = PlaceFacts { staged: Staged::Absent, ..PlaceFacts::empty(Policy::Compat) };
    let here = PlaceFacts { pointer: Pointer::Holds, ..absent };
    let serves = Broken(Some(Decision::Reuse(Reason::Pinned)));
    let decided = Guarded::new(Arc::new(serves)).place_many(&[here, absent]).unwrap();
    assert!(matches!(decided.as_slice(), [Ok(_), Err(Undecided::Impossible { .. })]));
}
