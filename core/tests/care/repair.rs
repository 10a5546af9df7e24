//! How wounds are healed, by rows: what is wrong and where its content is, and what follows.

use hubstow_core::{
    care::{
        Cure, Entry, Heal, Held, Hold, Id, Ill, Need, Repair, Role, Stamp, Unfit, Unhealed, Wound,
        repair,
    },
    facts::Reach::{self, Offline, Online},
};

/// Two repos, each with a snapshot of two files and with two blobs, and content that both share.
const ENTRIES: [(Role, Option<u32>); 11] = [
    (Role::Repo, None),
    (Role::Revision, Some(0)),
    (Role::Pointer, Some(1)),
    (Role::Pointer, Some(1)),
    (Role::Blob, Some(0)),
    (Role::Blob, Some(0)),
    (Role::Ref, Some(0)),
    (Role::Repo, None),
    (Role::Blob, Some(7)),
    (Role::Companion, Some(0)),
    (Role::Payload, None),
];
const POINTER: Id = Id(2);
const SECOND: Id = Id(3);
const BLOB: Id = Id(4);
const OTHER_BLOB: Id = Id(5);
const REF: Id = Id(6);
const BLOB_ELSEWHERE: Id = Id(8);
const LISTING: Id = Id(9);
const PAYLOAD: Id = Id(10);

fn held() -> Held {
    let entry = |(at, (role, within)): (usize, &(Role, Option<u32>))| Entry {
        role: *role,
        within: within.map(Id),
        leads_to: Vec::new(),
        content: None,
        used: 0,
        modified: 0,
        hold: Hold::Free,
        over: Stamp(at as u128),
    };
    Held { entries: ENTRIES.iter().enumerate().map(entry).collect() }
}

/// That an entry lacks a content, which is at these places.
fn lacks(id: Id, content: u64, good: &[Id]) -> Wound {
    let (through, good) = (Some(POINTER), good.to_vec());
    Wound { id, ill: Ill::Content, wants: Some(content), good, through, has_name: true }
}

fn is(id: Id, ill: Ill) -> Wound {
    Wound { id, ill, wants: None, good: Vec::new(), through: None, has_name: true }
}

fn nameless(wound: Wound) -> Wound {
    Wound { has_name: false, ..wound }
}

type Step = (Id, Cure, Option<Id>);

/// Whatever is changed in a plan, the guard sees, unless it is another cure for the same wound.
fn check_guard(held: &Held, wounds: &[Wound], reach: Reach, plan: &Repair) {
    for place in 0..plan.steps.len() {
        let changed = |change: &dyn Fn(&mut Heal)| {
            let mut bad = plan.clone();
            change(&mut bad.steps[place]);
            bad.check(held, wounds, reach)
        };
        let id = plan.steps[place].id;
        assert!(changed(&|step| step.over.0 += 1).is_err());
        assert!(changed(&|step| step.id = Id(99)).is_err());
        assert_eq!(changed(&|step| step.from = Some(id)), Err(Unfit::Unfounded(id)));
        for cure in Cure::ALL.iter().copied().filter(|cure| *cure != plan.steps[place].cure) {
            let is_another = matches!(cure, Cure::Place | Cure::Fetch)
                && matches!(plan.steps[place].cure, Cure::Place | Cure::Fetch);
            let may_heal = wounds.iter().filter(|wound| wound.id == id).count() > 1 || is_another;
            assert!(
                changed(&|step| step.cure = cure).is_err() || may_heal,
                "{cure} for {wounds:?}"
            );
        }
        let mut twice = plan.clone();
        twice.steps.push(plan.steps[place]);
        assert_eq!(twice.check(held, wounds, reach), Err(Unfit::Twice(id)));
        let asks = matches!(plan.steps[place].cure, Cure::Fetch | Cure::List);
        assert!(plan.check(held, wounds, Offline).is_err() || !asks || reach == Offline);
    }
    let mut strange = plan.clone();
    strange.unhealed.push(Unhealed { id: Id(77), need: Need::Hub });
    assert_eq!(strange.check(held, wounds, reach), Err(Unfit::Unfounded(Id(77))));
}

#[track_caller]
fn check(wounds: &[Wound], reach: Reach, steps: &[Step], unhealed: &[(Id, Need)]) {
    let held = held();
    let plan = repair(&held, wounds, reach);
    let found: Vec<Step> = plan.steps.iter().map(|step| (step.id, step.cure, step.from)).collect();
    assert_eq!(found, steps, "{wounds:?}");
    let stays: Vec<(Id, Need)> = plan.unhealed.iter().map(|stays| (stays.id, stays.need)).collect();
    assert_eq!(stays, unhealed, "{wounds:?}");
    assert_eq!(plan.check(&held, wounds, reach), Ok(()), "{wounds:?}");
    check_guard(&held, wounds, reach, &plan);
    // Nothing is told of twice, and everything once.
    let mut told: Vec<Id> =
        found.iter().map(|step| step.0).chain(stays.iter().map(|stays| stays.0)).collect();
    told.sort();
    let mut asked: Vec<Id> = wounds.iter().map(|wound| wound.id).collect();
    asked.sort();
    asked.dedup();
    assert_eq!(told, asked);
}

#[test]
fn each_wound_has_one_cure_or_is_said_to_lack_one() {
    let place = |id, from| (id, Cure::Place, Some(from));
    let by = |id, cure| (id, cure, None);
    #[rustfmt::skip]
    let table: Vec<(Wound, &[Reach], Result<Step, Need>)> = vec![
        (lacks(POINTER, 1, &[BLOB]), &[Offline, Online], Ok(place(POINTER, BLOB))),
        (lacks(POINTER, 1, &[]), &[Online], Ok(by(POINTER, Cure::Fetch))),
        (lacks(POINTER, 1, &[]), &[Offline], Err(Need::Hub)),
        (nameless(lacks(POINTER, 1, &[])), &[Offline, Online], Err(Need::Hand)),
        (nameless(lacks(POINTER, 1, &[BLOB])), &[Offline, Online], Ok(place(POINTER, BLOB))),
        // What an entry itself holds is no help.
        (lacks(BLOB, 1, &[BLOB]), &[Offline], Err(Need::Hub)),
        // Its own repo comes before another, and that before what is shared.
        (lacks(BLOB, 1, &[BLOB_ELSEWHERE, OTHER_BLOB]), &[Online], Ok(place(BLOB, OTHER_BLOB))),
        (lacks(BLOB, 1, &[PAYLOAD, BLOB_ELSEWHERE]), &[Online], Ok(place(BLOB, BLOB_ELSEWHERE))),
        // Nothing can be placed without a file that it is for.
        (Wound { through: None, ..lacks(BLOB, 1, &[OTHER_BLOB]) }, &[Offline, Online], Err(Need::Hand)),
        (is(POINTER, Ill::Unnamed), &[Online], Ok(by(POINTER, Cure::Fetch))),
        (is(POINTER, Ill::Unnamed), &[Offline], Err(Need::Hub)),
        (nameless(is(POINTER, Ill::Unnamed)), &[Offline, Online], Err(Need::Hand)),
        (is(LISTING, Ill::Listing), &[Online], Ok(by(LISTING, Cure::List))),
        (is(LISTING, Ill::Listing), &[Offline], Err(Need::Hub)),
        (is(BLOB, Ill::Astray), &[Offline, Online], Ok(by(BLOB, Cure::Remove))),
        (is(REF, Ill::Void), &[Offline, Online], Ok(by(REF, Cure::Remove))),
        (is(REF, Ill::Untidy), &[Offline, Online], Ok(by(REF, Cure::Point))),
        (is(LISTING, Ill::Unlisted), &[Offline, Online], Ok(by(LISTING, Cure::Enlist))),
        (is(BLOB, Ill::Closed), &[Offline, Online], Err(Need::Right)),
        (is(BLOB, Ill::Strange), &[Offline, Online], Err(Need::Hand)),
        (is(BLOB, Ill::Litter), &[Offline, Online], Err(Need::Cleaning)),
    ];
    for (wound, reaches, expected) in table {
        for reach in reaches {
            let wounds = [wound.clone()];
            match &expected {
                Ok(step) => check(&wounds, *reach, &[*step], &[]),
                Err(need) => check(&wounds, *reach, &[], &[(wound.id, *need)]),
            }
        }
    }
    let tried: Vec<Ill> = Ill::ALL.to_vec();
    assert_eq!(tried.len(), 10, "a new kind needs its rows");
}

#[test]
fn a_content_is_fetched_once_and_taken_over_by_the_others_of_its_repo() {
    check(
        &[lacks(POINTER, 1, &[]), lacks(SECOND, 1, &[]), lacks(BLOB, 2, &[])],
        Online,
        &[(POINTER, Cure::Fetch, None), (BLOB, Cure::Fetch, None), (SECOND, Cure::Place, None)],
        &[],
    );
    let elsewhere = Wound { through: Some(BLOB_ELSEWHERE), ..lacks(BLOB_ELSEWHERE, 1, &[]) };
    check(
        &[lacks(POINTER, 1, &[]), elsewhere],
        Online,
        &[(POINTER, Cure::Fetch, None), (BLOB_ELSEWHERE, Cure::Fetch, None)],
        &[],
    );
}

#[test]
fn what_others_need_is_taken_before_it_is_changed_and_what_nobody_needs_goes_last() {
    check(
        &[lacks(BLOB, 1, &[OTHER_BLOB]), lacks(OTHER_BLOB, 2, &[BLOB]), lacks(POINTER, 3, &[])],
        Online,
        &[
            (BLOB, Cure::Place, Some(OTHER_BLOB)),
            (OTHER_BLOB, Cure::Place, Some(BLOB)),
            (POINTER, Cure::Fetch, None),
        ],
        &[],
    );
    check(
        &[
            is(OTHER_BLOB, Ill::Astray),
            is(REF, Ill::Void),
            is(LISTING, Ill::Listing),
            lacks(POINTER, 1, &[OTHER_BLOB]),
        ],
        Online,
        &[
            (REF, Cure::Remove, None),
            (LISTING, Cure::List, None),
            (POINTER, Cure::Place, Some(OTHER_BLOB)),
            (OTHER_BLOB, Cure::Remove, None),
        ],
        &[],
    );
    // Where there is a choice, nothing is taken from what is itself wrong.
    check(
        &[lacks(BLOB, 1, &[OTHER_BLOB, BLOB_ELSEWHERE]), lacks(OTHER_BLOB, 2, &[])],
        Offline,
        &[(BLOB, Cure::Place, Some(BLOB_ELSEWHERE))],
        &[(OTHER_BLOB, Need::Hub)],
    );
}

#[test]
fn what_is_wrong_in_two_ways_is_healed_once() {
    check(
        &[lacks(POINTER, 1, &[BLOB]), lacks(POINTER, 1, &[BLOB])],
        Offline,
        &[(POINTER, Cure::Place, Some(BLOB))],
        &[],
    );
}
