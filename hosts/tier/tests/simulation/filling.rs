//! Nodes that want one object at once: who brings it, who waits, and what becomes of those that die.

mod trouble;

use hubstow_tier::decide::{ClaimSeen, ObjectSeen, Settled, Standing, Turn, settle, turn};

use trouble::Trouble;

use crate::explore::{Label, World, all_right, found};

/// What is done wrong, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Seeded {
    Nothing,
    /// What upstream sends is put without being proved.
    Unproved,
    /// The object becomes visible with its first part.
    VisibleEarly,
    /// A lapsed claim is taken over whatever stands there now.
    BlindTakeOver,
    /// With the claim made, the object is not looked at again.
    NoLookAfterClaim,
    /// A claim is believed for ever.
    NeverLapses,
    /// A lost answer to a claim counts as a refusal.
    LostAnswerForgotten,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Content {
    Right,
    Wrong,
    /// A part of it.
    Torn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Claim {
    /// Tells a version from every other.
    version: u8,
    holder: usize,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Look,
    MakeClaim,
    /// Somebody has a claim there, perhaps we: the answer may have been lost.
    ReadClaim {
        sent: Option<u8>,
    },
    TakeOver {
        over: u8,
    },
    /// It was refused, or its answer was lost.
    ReadAfterTakeOver {
        sent: Option<u8>,
    },
    /// The claim is known; the object is looked at.
    LookWith(ClaimSeen),
    Fetch,
    Prove(Content),
    SendPart(Content),
    Complete(Content),
    /// The answer to that has not come.
    LookAfterComplete(Content),
    LookBeforeRelease,
    Release,
    Read,
    Done,
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Filling {
    seeded: Seeded,
    object: Option<Content>,
    claim: Option<Claim>,
    versions: u8,
    nodes: Vec<Step>,
    /// Uploads that were begun and are not complete, by node.
    uploads: Vec<bool>,
    trouble: Trouble,
    /// A sweep has seen that the claim had lapsed, and is about to clear it away.
    clearing: bool,
    /// How many requests to upstream the trouble so far excuses.
    excused: u8,
    fetches: u8,
}

impl Filling {
    fn new(nodes: usize, trouble: Trouble, seeded: Seeded) -> Self {
        Self {
            seeded,
            object: None,
            claim: None,
            versions: 0,
            nodes: vec![Step::Look; nodes],
            uploads: vec![false; nodes],
            trouble,
            clearing: false,
            excused: 0,
            fetches: 0,
        }
    }

    fn with(&self, at: usize, step: Step) -> Self {
        let mut next = self.clone();
        if let Some(node) = next.nodes.get_mut(at) {
            *node = step;
        }
        next
    }

    fn object_seen(&self) -> ObjectSeen {
        if self.object.is_some() { ObjectSeen::Present } else { ObjectSeen::Absent }
    }

    /// What follows a look at the object.
    fn turn(&self, at: usize, claim: ClaimSeen) -> (Label, Self) {
        let step = match turn(claim, self.object_seen()) {
            Turn::Read => Step::Read,
            Turn::ReleaseAndRead => Step::LookBeforeRelease,
            Turn::Claim => Step::MakeClaim,
            // A claim that is known to have lapsed was taken over by somebody else, or is seen again.
            Turn::Wait | Turn::TakeOver => Step::ReadClaim { sent: None },
            Turn::Fill => Step::Fetch,
        };
        ((at, "look"), self.with(at, step))
    }

    /// The store's part of making a claim.
    fn put_claim(&mut self, at: usize) {
        self.versions += 1;
        let version = self.versions;
        self.claim = Some(Claim { version, holder: at, standing: Standing::Live });
    }

    /// A write was done, or refused; its answer comes, or is lost.
    fn answers(
        &self,
        at: usize,
        name: &'static str,
        heard: Self,
        unheard: Step,
    ) -> Vec<(Label, Self)> {
        let mut ends = Vec::new();
        if self.trouble.losses > 0 {
            let mut lost = heard.with(at, unheard);
            lost.trouble.losses -= 1;
            ends.push(((at, "answer lost"), lost));
        }
        ends.push(((at, name), heard));
        ends
    }

    fn make_claim(&self, at: usize) -> Vec<(Label, Self)> {
        if self.claim.is_some() {
            let refused = self.with(at, Step::ReadClaim { sent: None });
            return vec![((at, "claim, refused"), refused)];
        }
        let mut made = self.with(at, self.claimed());
        made.put_claim(at);
        let sent = self.remembered(made.versions);
        self.answers(at, "claim", made, Step::ReadClaim { sent })
    }

    fn claimed(&self) -> Step {
        if self.seeded == Seeded::NoLookAfterClaim {
            Step::Fetch
        } else {
            Step::LookWith(ClaimSeen::Ours)
        }
    }

    fn read_claim(&self, at: usize, sent: Option<u8>) -> Self {
        match self.claim {
            Some(_) if self.is_ours(at, sent) => self.with(at, self.claimed()),
            Some(claim) => {
                let standing = match self.seeded {
                    Seeded::NeverLapses => Standing::Live,
                    Seeded::Nothing
                    | Seeded::Unproved
                    | Seeded::VisibleEarly
                    | Seeded::BlindTakeOver
                    | Seeded::NoLookAfterClaim
                    | Seeded::LostAnswerForgotten => claim.standing,
                };
                match turn(ClaimSeen::Theirs(standing), ObjectSeen::Absent) {
                    Turn::TakeOver => self.with(at, Step::TakeOver { over: claim.version }),
                    Turn::Read | Turn::ReleaseAndRead | Turn::Claim | Turn::Fill | Turn::Wait => {
                        self.with(at, Step::LookWith(ClaimSeen::Theirs(standing)))
                    }
                }
            }
            // It was given back in this moment.
            None => self.with(at, Step::LookWith(ClaimSeen::Unknown)),
        }
    }

    fn replace_claim(&self, at: usize, over: u8) -> Vec<(Label, Self)> {
        let holds = self.claim.is_some_and(|claim| claim.version == over);
        if !holds && self.seeded != Seeded::BlindTakeOver {
            let late = self.with(at, Step::ReadAfterTakeOver { sent: None });
            return vec![((at, "take over, refused"), late)];
        }
        let mut taken = self.with(at, self.claimed());
        taken.put_claim(at);
        let sent = self.remembered(taken.versions);
        self.answers(at, "take over", taken, Step::ReadAfterTakeOver { sent })
    }

    /// What a node remembers of a write whose answer it has not heard.
    fn remembered(&self, version: u8) -> Option<u8> {
        (self.seeded != Seeded::LostAnswerForgotten).then_some(version)
    }

    /// Tells whether the claim that stands there is the one that was sent.
    fn is_ours(&self, at: usize, sent: Option<u8>) -> bool {
        let standing = self.claim.map(|claim| (u64::from(claim.version), claim.holder));
        sent.is_some_and(|sent| settle(standing, (u64::from(sent), at)) == Settled::Ours)
    }

    fn read_after_take_over(&self, at: usize, sent: Option<u8>) -> Self {
        if self.is_ours(at, sent) {
            return self.with(at, self.claimed());
        }
        self.with(at, Step::LookWith(ClaimSeen::Theirs(Standing::Live)))
    }

    fn fetch(&self, at: usize) -> Vec<(Label, Self)> {
        let mut right = self.with(at, Step::Prove(Content::Right));
        right.fetches += 1;
        let mut ends = vec![((at, "fetch"), right)];
        if self.trouble.flips > 0 {
            let mut wrong = self.with(at, Step::Prove(Content::Wrong));
            wrong.fetches += 1;
            wrong.trouble.flips -= 1;
            wrong.excused += 1;
            ends.push(((at, "fetch what is wrong"), wrong));
        }
        ends
    }

    fn prove(&self, at: usize, content: Content) -> Self {
        match content {
            Content::Wrong if self.seeded != Seeded::Unproved => self.with(at, Step::Fetch),
            Content::Right | Content::Wrong | Content::Torn => {
                self.with(at, Step::SendPart(content))
            }
        }
    }

    fn send_part(&self, at: usize, content: Content) -> Self {
        let mut next = self.with(at, Step::Complete(content));
        if let Some(upload) = next.uploads.get_mut(at) {
            *upload = true;
        }
        if self.seeded == Seeded::VisibleEarly {
            next.object = Some(Content::Torn);
        }
        next
    }

    fn complete(&self, at: usize, content: Content) -> Vec<(Label, Self)> {
        if !self.uploads.get(at).is_some_and(|begun| *begun) {
            // A sweep has ended it. The node has the content all the same, and the tier has it not.
            return vec![((at, "complete, refused"), self.with(at, Step::LookBeforeRelease))];
        }
        let mut done = self.with(at, Step::LookBeforeRelease);
        done.object = Some(content);
        if let Some(upload) = done.uploads.get_mut(at) {
            *upload = false;
        }
        self.answers(at, "complete", done, Step::LookAfterComplete(content))
    }

    fn node_steps(&self, at: usize, step: Step) -> Vec<(Label, Self)> {
        let one = |name, next| vec![((at, name), next)];
        match step {
            Step::Done | Step::Dead => Vec::new(),
            Step::Look => vec![self.turn(at, ClaimSeen::Unknown)],
            Step::MakeClaim => self.make_claim(at),
            Step::ReadClaim { sent } => one("read the claim", self.read_claim(at, sent)),
            Step::TakeOver { over } => self.replace_claim(at, over),
            Step::ReadAfterTakeOver { sent } => {
                one("read the claim", self.read_after_take_over(at, sent))
            }
            Step::LookWith(claim) => vec![self.turn(at, claim)],
            Step::Fetch => self.fetch(at),
            Step::Prove(content) => one("prove", self.prove(at, content)),
            Step::SendPart(content) => one("send a part", self.send_part(at, content)),
            Step::Complete(content) => self.complete(at, content),
            // What is there is right, whoever has put it; where nothing is, it is put again.
            Step::LookAfterComplete(content) => match self.object_seen() {
                ObjectSeen::Present => one("look", self.with(at, Step::LookBeforeRelease)),
                ObjectSeen::Absent => one("look", self.with(at, Step::SendPart(content))),
            },
            Step::LookBeforeRelease => match self.claim {
                Some(claim) if claim.holder == at => one("look", self.with(at, Step::Release)),
                Some(_) | None => one("look", self.with(at, Step::Read)),
            },
            Step::Release => {
                let mut next = self.with(at, Step::Read);
                next.claim = None;
                one("release", next)
            }
            // What has gone meanwhile is a miss.
            Step::Read => match self.object_seen() {
                ObjectSeen::Present => one("read", self.with(at, Step::Done)),
                ObjectSeen::Absent => one("read, gone", self.with(at, Step::Look)),
            },
        }
    }
}

impl World for Filling {
    fn next(&self) -> Vec<(Label, Self)> {
        let nodes = self.nodes.iter().enumerate();
        let mut next: Vec<_> = nodes.flat_map(|(at, step)| self.node_steps(at, *step)).collect();
        if !next.is_empty() {
            next.extend(self.troubles());
        }
        next
    }

    fn wrong(&self) -> Option<String> {
        match self.object {
            Some(Content::Wrong) => return Some("wrong bytes are under the hash".to_owned()),
            Some(Content::Torn) => return Some("a torn upload is visible".to_owned()),
            Some(Content::Right) | None => {}
        }
        let allowed = 1 + self.excused;
        (self.fetches > allowed)
            .then(|| format!("{} requests to upstream where {allowed} do", self.fetches))
    }

    fn wrong_at_end(&self) -> Option<String> {
        self.leaves_something().then(|| "a sweep has left something".to_owned())
    }
}

fn trouble(deaths: u8, lapses: u8, losses: u8, flips: u8, evictions: u8) -> Trouble {
    Trouble { deaths, lapses, losses, flips, evictions, sweeps: 0 }
}

#[test]
fn of_many_nodes_one_brings_the_object_and_each_trouble_costs_one_request_more() {
    let rows = [
        (2, trouble(0, 0, 0, 0, 0)),
        (3, trouble(0, 0, 0, 0, 0)),
        (3, trouble(0, 0, 2, 0, 0)),
        (3, trouble(1, 0, 1, 0, 0)),
        (3, trouble(0, 1, 0, 0, 0)),
        (3, trouble(0, 0, 0, 1, 1)),
        (2, trouble(1, 1, 1, 1, 1)),
        (3, trouble(1, 1, 0, 0, 0)),
        (2, Trouble { sweeps: 1, ..trouble(1, 0, 1, 0, 1) }),
        (3, Trouble { sweeps: 1, ..trouble(0, 1, 0, 0, 0) }),
    ];
    for (nodes, trouble) in rows {
        let name = format!("{nodes} nodes, {trouble:?}");
        let seen = all_right(&name, Filling::new(nodes, trouble, Seeded::Nothing));
        assert!(seen.states > 30 && seen.ends > 0, "{name}: {seen:?}");
    }
}

#[test]
fn what_breaks_filling_is_found() {
    let rows = [
        (Seeded::Unproved, trouble(0, 0, 0, 1, 0), "wrong bytes"),
        (Seeded::VisibleEarly, trouble(0, 0, 0, 0, 0), "a torn upload"),
        (Seeded::BlindTakeOver, trouble(0, 1, 0, 0, 0), "requests to upstream"),
        (Seeded::NoLookAfterClaim, trouble(0, 0, 0, 0, 0), "requests to upstream"),
        (Seeded::NeverLapses, trouble(1, 0, 0, 0, 0), "no end can be reached"),
        (Seeded::LostAnswerForgotten, trouble(0, 0, 1, 0, 0), "no end can be reached"),
    ];
    for (seeded, trouble, reason) in rows {
        found(&format!("{seeded:?}"), Filling::new(3, trouble, seeded), reason);
    }
}
