//! Every state that can be reached, each visited once.

use std::{collections::HashMap, hash::Hash};

/// The most states of one world: a world that has more has no end.
const STATES: usize = 5_000_000;

/// Who did what.
pub(crate) type Label = (usize, &'static str);

/// A small world: some nodes and a store.
pub(crate) trait World: Clone + Eq + Hash {
    /// Returns every state that may come next. None at the end.
    fn next(&self) -> Vec<(Label, Self)>;

    /// Says what is wrong with a state, if anything is.
    fn wrong(&self) -> Option<String>;

    /// Says what is wrong with an end, if anything is.
    fn wrong_at_end(&self) -> Option<String>;
}

/// What an exploration has seen.
#[derive(Debug)]
pub(crate) struct Explored {
    pub(crate) states: usize,
    pub(crate) ends: usize,
}

/// What is wrong, and the shortest way there that was found.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) why: String,
    pub(crate) steps: Vec<Label>,
}

/// Visits every state, breadth first, so that the way to a wrong one is short.
pub(crate) fn explore<W: World>(start: W) -> Result<Explored, Broken> {
    let mut known: HashMap<W, usize> = HashMap::new();
    let mut states: Vec<W> = vec![start.clone()];
    let mut came_from: Vec<Option<(usize, Label)>> = vec![None];
    let mut leads_to: Vec<Vec<usize>> = Vec::new();
    known.insert(start, 0);
    let mut ends = Vec::new();
    let mut at = 0;
    while let Some(state) = states.get(at).cloned() {
        let next = state.next();
        let end = if next.is_empty() { state.wrong_at_end() } else { None };
        if let Some(why) = state.wrong().or(end) {
            return Err(Broken { why, steps: way(&came_from, at) });
        }
        if next.is_empty() {
            ends.push(at);
        }
        let mut edges = Vec::with_capacity(next.len());
        for (label, next) in next {
            let number = states.len();
            let number = *known.entry(next.clone()).or_insert(number);
            if number == states.len() {
                states.push(next);
                came_from.push(Some((at, label)));
            }
            edges.push(number);
        }
        leads_to.push(edges);
        assert!(states.len() < STATES, "the world has no end");
        at += 1;
    }
    match dead_end(&leads_to, &ends) {
        None => Ok(Explored { states: states.len(), ends: ends.len() }),
        Some(at) => {
            Err(Broken { why: "no end can be reached".to_owned(), steps: way(&came_from, at) })
        }
    }
}

/// Finds a state from which no end can be reached.
fn dead_end(leads_to: &[Vec<usize>], ends: &[usize]) -> Option<usize> {
    let mut leads_from = vec![Vec::new(); leads_to.len()];
    for (from, to) in leads_to.iter().enumerate() {
        for to in to {
            if let Some(known) = leads_from.get_mut(*to) {
                known.push(from);
            }
        }
    }
    let mut ending = vec![false; leads_to.len()];
    let mut todo = ends.to_vec();
    while let Some(at) = todo.pop() {
        let Some(done) = ending.get_mut(at) else { continue };
        if !std::mem::replace(done, true) {
            todo.extend(leads_from.get(at).into_iter().flatten());
        }
    }
    ending.iter().position(|ends| !ends)
}

fn way(came_from: &[Option<(usize, Label)>], mut at: usize) -> Vec<Label> {
    let mut steps = Vec::new();
    while let Some(Some((before, label))) = came_from.get(at) {
        steps.push(*label);
        at = *before;
    }
    steps.reverse();
    steps
}

/// Explores a world that must be right.
#[track_caller]
pub(crate) fn all_right<W: World>(name: &str, start: W) -> Explored {
    match explore(start) {
        Ok(explored) => {
            println!("{name}: {} states, {} ends", explored.states, explored.ends);
            explored
        }
        Err(broken) => panic!("{name}: {}, after {:?}", broken.why, broken.steps),
    }
}

/// Explores a world with a seeded fault, which must be found for this reason.
#[track_caller]
pub(crate) fn found<W: World>(name: &str, start: W, reason: &str) {
    match explore(start) {
        Ok(explored) => panic!("{name}: nobody has noticed in {} states", explored.states),
        Err(broken) => {
            assert!(broken.why.contains(reason), "{name}: {} {:?}", broken.why, broken.steps);
            println!("{name}: {}, after {:?}", broken.why, broken.steps);
        }
    }
}
