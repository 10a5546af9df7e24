//! The core, tried out exhaustively: every fact against a second statement of the rules, and the whole loop from every
//! start on every kind of disk, with every single misfortune.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test has the standard library, and says what is wrong by failing"
)]

mod explore;
mod faults;
mod peer;
mod place_rules;
mod resolve_rules;
mod state;
mod world;

use std::thread;

use explore::{Found, Longest, Mind, explore};
use faults::{CORE, FAULTS, Fault};
use hubstow_core::{model::DiskKind, place::ROUND_LIMIT, policy::Policy};
use state::{Setup, setups};

/// Explores all setups, two at a time.
fn explore_all(mind: &Mind, setups: &[Setup]) -> Found {
    let half = |parity: usize| {
        let chosen = setups.iter().skip(parity).step_by(2);
        chosen.map(|setup| explore(mind, *setup)).fold(Found::default(), Found::join)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        half(0).join(other.join().unwrap())
    })
}

#[test]
fn every_run_keeps_the_invariants_and_ends() {
    let found = explore_all(&CORE, &setups());
    let Found { starts, states, acts, longest, broken } = found;
    println!("{starts} starts, {states} states, {acts} acts; longest runs: {longest:?}");
    assert!(broken.is_empty(), "{broken:#?}");
    // Two probes in vain and one that misleads, fetch, seal, the link refused after all, copy, ref.
    let calm = 3 + 5;
    // The blob is torn as the last link method is tried on it: one act lost, and as nothing is sealed before its method
    // is known, a probe; then fetch and seal again.
    let disturbed = calm + 4;
    assert_eq!(longest, Longest { calm, disturbed, after_crash: calm });
    assert!(calm <= ROUND_LIMIT, "hosts allow for {ROUND_LIMIT} rounds and for races");
}

#[test]
fn every_seeded_fault_is_caught() {
    let setups = telling_setups();
    for Fault { name, mind, breaks } in FAULTS {
        let broken = explore_all(mind, &setups).broken;
        let times: Vec<_> = broken.iter().map(|(rule, (times, _))| (rule, times)).collect();
        println!("{name}: {times:?}");
        for rule in *breaks {
            assert!(broken.contains_key(rule), "{name}: {rule:?} is not seen to be broken");
        }
    }
    assert!(explore_all(&CORE, &setups).broken.is_empty(), "without a fault nothing is broken");
}

/// A few setups in which each fault can show.
fn telling_setups() -> Vec<Setup> {
    let telling = |setup: &Setup| match setup.policy {
        Policy::Compat | Policy::Strict => true,
        Policy::Nas => setup.disk == DiskKind::ALL_LINKS,
        Policy::Dedup | Policy::Portable => false,
    };
    setups().into_iter().filter(telling).collect()
}
