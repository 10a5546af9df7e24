//! Nodes that confirm one ref at once, while upstream moves.

use hubstow_tier::decide::{Base, Settled, next_sequence, settle};

use crate::explore::{Label, World, all_right, found};

/// How often a node asks upstream again before it leaves the ref to the others.
const TRIES: u8 = 3;

/// What is done wrong, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Seeded {
    Nothing,
    /// Whatever stands there is written over.
    Unconditional,
    /// Upstream is asked before the ref is read.
    AskedFirst,
    /// The bytes of a version are its word alone, and its ETag is a hash of them.
    SameBytes,
    /// Who was refused writes what he knows over what he finds then.
    NotAskedAgain,
}

/// A version of the ref. `asked_at` is on no disk: it is what the rules are checked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Version {
    sequence: u64,
    writer: u8,
    word: u8,
    asked_at: u8,
}

type Etag = Option<(u64, u8, u8)>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Read,
    Ask {
        base: Base,
        etag: Etag,
    },
    Write {
        base: Base,
        etag: Etag,
        word: u8,
        asked_at: u8,
    },
    /// The answer to a write has not come; it is sent again.
    WriteAgain {
        etag: Etag,
        ours: Version,
    },
    /// The store has refused the write.
    ReadAgain {
        ours: Version,
    },
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Node {
    step: Step,
    rounds: u8,
    tries: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Refs {
    seeded: Seeded,
    standing: Option<Version>,
    upstream: u8,
    /// How often upstream was asked.
    asked: u8,
    writers: u8,
    nodes: Vec<Node>,
    moves: u8,
    losses: u8,
    /// When upstream was asked for the newest confirmation that a node was told is recorded.
    told: u8,
    wrong: Option<&'static str>,
}

impl Refs {
    fn new(nodes: usize, rounds: u8, moves: u8, losses: u8, seeded: Seeded) -> Self {
        let node = Node { step: Step::Read, rounds, tries: TRIES };
        Self {
            seeded,
            standing: None,
            upstream: 0,
            asked: 0,
            writers: 0,
            nodes: vec![node; nodes],
            moves,
            losses,
            told: 0,
            wrong: None,
        }
    }

    fn base(&self) -> (Base, Etag) {
        let base = self.standing.map_or(Base::Nothing, |it| Base::Version(it.sequence));
        (base, self.etag())
    }

    /// What the store compares: a hash of the bytes that stand there.
    fn etag(&self) -> Etag {
        let standing = self.standing?;
        match self.seeded {
            Seeded::SameBytes => Some((0, 0, standing.word)),
            Seeded::Nothing
            | Seeded::Unconditional
            | Seeded::AskedFirst
            | Seeded::NotAskedAgain => Some((standing.sequence, standing.writer, standing.word)),
        }
    }

    fn ask(&mut self) -> (u8, u8) {
        self.asked += 1;
        (self.upstream, self.asked)
    }

    /// The store's part: writes over exactly the version with this etag.
    fn write(&mut self, etag: Etag, ours: Version) -> bool {
        let holds = self.etag() == etag;
        if !holds && self.seeded != Seeded::Unconditional {
            return false;
        }
        if self.standing.is_some_and(|before| before.asked_at > ours.asked_at) {
            self.wrong = Some("a newer confirmation is replaced by an older one");
        }
        self.standing = Some(ours);
        true
    }

    fn with(&self, at: usize, step: Step) -> Self {
        let mut next = self.clone();
        next.set(at, step);
        next
    }

    fn set(&mut self, at: usize, step: Step) {
        if let Some(node) = self.nodes.get_mut(at) {
            node.step = step;
        }
    }

    /// A node was told that its confirmation is recorded.
    fn told(mut self, at: usize, ours: Version) -> Self {
        self.told = self.told.max(ours.asked_at);
        self.end_of_round(at);
        self
    }

    fn end_of_round(&mut self, at: usize) {
        let Some(node) = self.nodes.get_mut(at) else { return };
        node.rounds -= 1;
        node.tries = TRIES;
        node.step = if node.rounds == 0 { Step::Done } else { Step::Read };
    }

    fn version(&mut self, base: Base, word: u8, asked_at: u8) -> Version {
        self.writers += 1;
        Version { sequence: next_sequence(base), writer: self.writers, word, asked_at }
    }

    fn node_steps(&self, at: usize, node: Node) -> Vec<(Label, Self)> {
        match node.step {
            Step::Done => Vec::new(),
            Step::Read if self.seeded == Seeded::AskedFirst => {
                let mut next = self.clone();
                let (word, asked_at) = next.ask();
                // The base is read by the write itself, right before it is sent.
                next.set(at, Step::Write { base: Base::Nothing, etag: None, word, asked_at });
                vec![((at, "ask"), next)]
            }
            Step::Read => {
                let (base, etag) = self.base();
                vec![((at, "read"), self.with(at, Step::Ask { base, etag }))]
            }
            Step::Ask { base, etag } => {
                let mut next = self.clone();
                let (word, asked_at) = next.ask();
                next.set(at, Step::Write { base, etag, word, asked_at });
                vec![((at, "ask"), next)]
            }
            Step::Write { base, etag, word, asked_at } => {
                let (base, etag) = match self.seeded {
                    Seeded::AskedFirst => self.base(),
                    Seeded::Nothing
                    | Seeded::Unconditional
                    | Seeded::SameBytes
                    | Seeded::NotAskedAgain => (base, etag),
                };
                let mut next = self.clone();
                let ours = next.version(base, word, asked_at);
                next.send(at, etag, ours)
            }
            Step::WriteAgain { etag, ours } => self.clone().send(at, etag, ours),
            Step::ReadAgain { ours } => vec![((at, "read again"), self.settle(at, node, ours))],
        }
    }

    /// Sends a write; its answer may be lost, whether it was done or not.
    fn send(self, at: usize, etag: Etag, ours: Version) -> Vec<(Label, Self)> {
        let mut heard = self.clone();
        let written = heard.write(etag, ours);
        let mut ends = Vec::new();
        if self.losses > 0 {
            let mut lost = heard.with(at, Step::WriteAgain { etag, ours });
            lost.losses -= 1;
            ends.push(((at, "write, unheard"), lost));
        }
        if written {
            ends.push(((at, "write"), heard.told(at, ours)));
        } else {
            ends.push(((at, "write, refused"), heard.with(at, Step::ReadAgain { ours })));
        }
        ends
    }

    fn settle(&self, at: usize, node: Node, ours: Version) -> Self {
        let identity = |version: Version| (version.sequence, version.writer);
        match settle(self.standing.map(identity), identity(ours)) {
            Settled::Ours => self.clone().told(at, ours),
            Settled::AskAgain => {
                let (base, etag) = self.base();
                let mut next = match self.seeded {
                    Seeded::NotAskedAgain => {
                        let (word, asked_at) = (ours.word, ours.asked_at);
                        self.with(at, Step::Write { base, etag, word, asked_at })
                    }
                    Seeded::Nothing
                    | Seeded::Unconditional
                    | Seeded::AskedFirst
                    | Seeded::SameBytes => self.with(at, Step::Ask { base, etag }),
                };
                if node.tries == 1 {
                    next.end_of_round(at);
                } else if let Some(node) = next.nodes.get_mut(at) {
                    node.tries -= 1;
                }
                next
            }
        }
    }
}

impl World for Refs {
    fn next(&self) -> Vec<(Label, Self)> {
        let nodes = self.nodes.iter().enumerate();
        let mut next: Vec<_> = nodes.flat_map(|(at, node)| self.node_steps(at, *node)).collect();
        if self.moves > 0 && !next.is_empty() {
            let mut moved = self.clone();
            moved.moves -= 1;
            moved.upstream ^= 1;
            next.push(((usize::MAX, "upstream moves"), moved));
        }
        next
    }

    fn wrong(&self) -> Option<String> {
        let standing = self.standing.map_or(0, |it| it.asked_at);
        let lost = (self.told > standing).then_some("an update that was told is lost");
        self.wrong.or(lost).map(str::to_owned)
    }

    fn wrong_at_end(&self) -> Option<String> {
        let standing = self.standing.map_or(0, |it| it.asked_at);
        (standing != self.told).then(|| "the end is not the newest that was told".to_owned())
    }
}

#[test]
fn of_nodes_that_race_on_a_ref_the_newest_confirmation_stands() {
    let rows = [
        // nodes, rounds of each, moves of upstream, lost answers
        (2, 1, 2, 2),
        (2, 2, 2, 1),
        (3, 1, 2, 1),
    ];
    for (nodes, rounds, moves, losses) in rows {
        let name = format!("{nodes} nodes, {rounds} rounds, {moves} moves, {losses} lost");
        let seen = all_right(&name, Refs::new(nodes, rounds, moves, losses, Seeded::Nothing));
        assert!(seen.states > 1_000 && seen.ends > 1, "{name}: {seen:?}");
    }
}

#[test]
fn what_breaks_the_order_of_confirmations_is_found() {
    let older = "replaced by an older";
    let rows = [
        (Seeded::Unconditional, 0, older),
        (Seeded::AskedFirst, 0, older),
        (Seeded::NotAskedAgain, 0, older),
        (Seeded::SameBytes, 2, older),
    ];
    for (seeded, moves, reason) in rows {
        found(&format!("{seeded:?}"), Refs::new(2, 2, moves, 0, seeded), reason);
    }
}
