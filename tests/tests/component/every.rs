//! Every fact there is: the component decides as the crate does.
//!
//! About places and failures it is asked as the wasmtime host asks it, so this also shows that the host's guard lets every
//! honest decision pass. Of the facts of a request some can't be, such as an answer while offline, and of those the guard
//! takes no decision: there the component's bare word is compared.

use core::fmt::Debug;

use hubstow_core::{
    action::{Action, Lookup, Source},
    facts::{
        Answer, Blob, Cached, Demand, Force, Marker, PlaceFacts, Pointer, Reach, RefFile,
        ResolveFacts, RevisionKind, Staged, Stale, Twin,
    },
    learn::Failure,
    model::{Answers, DiskKind},
    policy::{Method, Methods, Policy, Support},
    why::Reason,
};

use crate::{subject::CORE, the_crate};

/// How many questions one instance is asked.
const BATCH: usize = 4096;

/// A number, taken apart: each pick is one digit, with as many values as there are cases.
struct Digits(usize);

impl Digits {
    fn pick<T: Copy>(&mut self, cases: &[T]) -> T {
        let case = cases.iter().copied().nth(self.0 % cases.len()).unwrap();
        self.0 /= cases.len();
        case
    }

    fn methods(&mut self) -> Methods {
        Methods {
            symlink: self.pick(Support::ALL),
            hardlink: self.pick(Support::ALL),
            reflink: self.pick(Support::ALL),
        }
    }

    fn place_facts(&mut self) -> PlaceFacts {
        PlaceFacts {
            policy: self.pick(Policy::ALL),
            demand: self.pick(Demand::ALL),
            pointer: self.pick(Pointer::ALL),
            blob: self.pick(Blob::ALL),
            staged: self.pick(Staged::ALL),
            twin: self.pick(Twin::ALL),
            methods: self.methods(),
            ref_file: self.pick(RefFile::ALL),
        }
    }

    fn resolve_facts(&mut self) -> ResolveFacts {
        ResolveFacts {
            revision: self.pick(RevisionKind::ALL),
            reach: self.pick(Reach::ALL),
            force: self.pick(Force::ALL),
            stale: self.pick(Stale::ALL),
            cached: self.pick(Cached::ALL),
            marker: self.pick(Marker::ALL),
            answer: self.pick(Answer::ALL),
        }
    }

    fn disk(&mut self) -> DiskKind {
        DiskKind {
            symlink: self.pick(Answers::ALL),
            hardlink: self.pick(Answers::ALL),
            reflink: self.pick(Answers::ALL),
        }
    }
}

const METHODS: usize = 27;
const DISKS: usize = 27;
const PLACE_FACTS: usize = 5 * 3 * 7 * 5 * 4 * 2 * METHODS * 4;
const RESOLVE_FACTS: usize = 2 * 2 * 2 * 3 * 6 * 2 * 17;

/// Reads every number below `count` with `read`; a digit is left where a case is missing in the count.
fn all<T>(count: usize, read: impl Fn(&mut Digits) -> T) -> Vec<T> {
    let mut all = Vec::with_capacity(count);
    for number in 0..count {
        let mut digits = Digits(number);
        all.push(read(&mut digits));
        assert_eq!(digits.0, 0, "{count} is too many");
    }
    let mut over = Digits(count);
    read(&mut over);
    assert_eq!(over.0, 1, "{count} is not all");
    all
}

fn all_actions() -> Vec<Action> {
    let mut actions = vec![Action::Mark, Action::Fetch, Action::Point];
    actions.extend(Lookup::ALL.iter().copied().map(Action::Lookup));
    actions.extend(Method::ALL.iter().copied().map(Action::Probe));
    for from in Source::ALL.iter().copied() {
        actions.extend(Blob::ALL.iter().map(|over| Action::Seal { from, over: *over }));
        for by in Method::ALL.iter().copied() {
            actions.extend(Pointer::ALL.iter().map(|over| Action::Place { by, from, over: *over }));
        }
    }
    actions
}

/// Fails, and shows the first questions, where the answers differ.
#[track_caller]
fn agree<Q: Debug, A: Debug + PartialEq>(
    questions: &[Q],
    the_crate: impl Fn(&Q) -> A,
    component: impl IntoIterator<Item = A>,
) {
    let mut component = component.into_iter();
    let mut differ = Vec::new();
    for question in questions {
        let (expected, came) = (the_crate(question), component.next().unwrap());
        if expected != came {
            differ.push(format!("{question:?}\n  crate     {expected:?}\n  component {came:?}"));
        }
    }
    assert!(component.next().is_none(), "more answers than questions");
    let first = differ.iter().take(5).cloned().collect::<Vec<_>>().join("\n");
    assert!(differ.is_empty(), "{} of {} differ:\n{first}", differ.len(), questions.len());
}

#[test]
fn place_and_its_reason_agree_on_every_fact() {
    let facts = all(PLACE_FACTS, Digits::place_facts);
    agree(&facts, the_crate::place, CORE.place_many(&facts).unwrap());
    for facts in facts.chunks(BATCH) {
        let whys = CORE.ask(facts.len(), |core, store| {
            facts.iter().map(|facts| core.call_why(&mut *store, (*facts).into())).collect()
        });
        let whys: Vec<_> = whys.unwrap();
        agree(facts, the_crate::why, whys.into_iter().map(|reason| reason.map(Into::into)));
    }
    println!("place, why: {} facts", facts.len());
}

#[test]
fn resolve_agrees_on_every_fact() {
    let facts = all(RESOLVE_FACTS, Digits::resolve_facts);
    let came = CORE.ask(facts.len(), |core, store| {
        facts.iter().map(|facts| core.call_resolve(&mut *store, (*facts).into())).collect()
    });
    let came: Vec<_> = came.unwrap();
    agree(&facts, the_crate::resolve, came.into_iter().map(Into::into));
    println!("resolve: {} facts", facts.len());
}

#[test]
fn what_an_outcome_teaches_agrees_on_every_outcome() {
    let mut outcomes = Vec::new();
    for methods in all(METHODS, Digits::methods) {
        outcomes.extend(all_actions().into_iter().map(|action| (methods, action)));
    }
    let done = CORE.ask(outcomes.len(), |core, store| {
        let ask = |(methods, action): &(Methods, Action)| {
            core.call_learn_done(&mut *store, (*methods).into(), (*action).into())
        };
        outcomes.iter().map(ask).collect()
    });
    let done: Vec<_> = done.unwrap();
    agree(
        &outcomes,
        |(m, action)| the_crate::learn_done(*m, *action),
        done.into_iter().map(Into::into),
    );
    for failure in Failure::ALL.iter().copied() {
        let failed =
            |(methods, action): &(Methods, Action)| CORE.learn(*methods, *action, failure).unwrap();
        agree(
            &outcomes,
            |(m, action)| the_crate::learn(*m, *action, failure),
            outcomes.iter().map(failed),
        );
    }
    println!("learn: {} outcomes", outcomes.len() * (1 + Failure::ALL.len()));
}

/// Of all facts on all disks every 17th is foretold. 17 has no factor in common with any digit, so each fact meets a disk
/// or two, and each disk meets every pair of cases.
const EACH: usize = 17;

#[test]
fn forecasts_agree_on_every_disk() {
    let numbers: Vec<_> = (0..DISKS * PLACE_FACTS).step_by(EACH).collect();
    for numbers in numbers.chunks(BATCH) {
        let read = |number: &usize| {
            let mut digits = Digits(*number);
            (digits.disk(), digits.place_facts())
        };
        let asked: Vec<_> = numbers.iter().map(read).collect();
        let courses = CORE.ask(asked.len(), |core, store| {
            let ask = |(disk, facts): &(DiskKind, PlaceFacts)| {
                core.call_forecast(&mut *store, (*facts).into(), (*disk).into())
            };
            asked.iter().map(ask).collect()
        });
        let courses: Vec<_> = courses.unwrap();
        let came = courses
            .into_iter()
            .map(|course| (course.rounds.into_iter().map(Into::into).collect(), course.end.into()));
        agree(&asked, |(disk, facts)| the_crate::forecast(facts, *disk), came);
    }
    println!("forecast: {} of {} facts on disks", numbers.len(), DISKS * PLACE_FACTS);
}

#[test]
fn every_reason_is_said_alike() {
    let said = Reason::ALL.iter().copied().map(|reason| {
        CORE.ask(1, |core, store| core.call_sentence_of_reason(store, reason.into())).unwrap()
    });
    agree(Reason::ALL, |reason| reason.sentence().to_owned(), said);
    println!("sentences: {}", Reason::ALL.len());
}
