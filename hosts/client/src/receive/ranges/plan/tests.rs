use super::*;

const MIB: u64 = 1 << 20;

fn terms(connections: usize) -> Terms {
    Terms { delay: Duration::from_millis(80), rate: 50e6, connections, is_held_up: false }
}

fn unknown(_: ConnectionId) -> Pace {
    Pace::Unknown
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "one range is missing")]
fn ranges_are_given_from_the_front_and_then_the_largest_is_shared() {
    let mut plan = Plan::new([0..96 * MIB], 0, 96 * MIB);
    plan.share_anew(&terms(4));
    let kept = terms(4).range_bytes(96 * MIB, 0);
    assert_eq!(plan.assign(1, &terms(4), unknown), Some(Given::Range));
    let first = plan.ask(1).unwrap();
    assert_eq!(first.start, kept);
    assert!(first.end - first.start > kept, "the foremost ends first");
    let (mut end, mut longest) = (first.end, first);
    let mut owner = 1;
    for id in 2.. {
        if plan.free_bytes() == 0 {
            break;
        }
        assert_eq!(plan.assign(id, &terms(4), unknown), Some(Given::Range));
        let range = plan.ask(id).unwrap();
        assert_eq!(range.start, end, "nothing is left between");
        end = range.end;
        if range.end - range.start >= longest.end - longest.start {
            (longest, owner) = (range, id);
        }
    }
    assert_eq!(end, 96 * MIB);
    assert_eq!(plan.assign(99, &terms(4), unknown), Some(Given::Range), "a part of the largest");
    assert_eq!(plan.ask(99).unwrap().end, longest.end);
    assert!(plan.beyond_bytes(owner) > 0, "its answer still goes to the old end");
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "one range is missing")]
fn what_is_too_short_for_a_round_trip_is_left_to_its_owner_unless_that_is_silent() {
    let mut plan = Plan::new([0..4 * MIB], 0, 4 * MIB);
    assert_eq!(plan.assign(1, &terms(4), unknown), None);
    assert_eq!(plan.assign(1, &terms(4), |_| Pace::Silent), Some(Given::Instead(0)));
    assert_eq!(plan.ask(1), Some(0..4 * MIB));
    assert_eq!(plan.take(0, 10), None, "it has nothing any more");
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "one range is missing")]
fn a_slow_owner_keeps_less() {
    let mut plan = Plan::new([0..64 * MIB], 0, 64 * MIB);
    plan.assign(1, &terms(2), |_| Pace::Rate(5e6));
    assert!(plan.ask(1).unwrap().start < 8 * MIB);
}

#[test]
fn nothing_is_taken_from_others_while_this_machine_holds_them_up() {
    let mut plan = Plan::new([0..32 * MIB, 32 * MIB..64 * MIB], 0, 32 * MIB);
    let held_up = Terms { is_held_up: true, ..terms(1) };
    assert_eq!(plan.assign(1, &held_up, unknown), Some(Given::Range), "what nobody has");
    assert_eq!(plan.assign(2, &held_up, unknown), None);
    assert_eq!(plan.assign(2, &held_up, |_| Pace::Silent), Some(Given::Instead(0)));
    assert_eq!(plan.assign(3, &terms(2), unknown), Some(Given::Range));
}

#[test]
#[expect(clippy::single_range_in_vec_init, reason = "one range is missing")]
fn an_answer_goes_on_over_what_is_given_back() {
    let mut plan = Plan::new([0..64 * MIB], 0, 64 * MIB);
    plan.share_anew(&terms(4));
    let kept = terms(4).range_bytes(64 * MIB, 0);
    plan.assign(1, &terms(4), unknown);
    let taken = plan.take(0, 32 * MIB as usize).unwrap();
    assert_eq!(taken, Taken { offset: 0, len_bytes: kept as usize, then: Then::Ended });
    plan.give_back(1);
    assert!(plan.extend(0));
    assert_eq!(plan.take(0, 10).map(|taken| taken.offset), Some(kept));
}

/// Plays connections that ask, receive, break and fall silent in a random order, over files with random holes.
#[test]
fn every_missing_byte_is_taken_once_whatever_connections_do() {
    for seed in 0..300 {
        let mut random = fastrand::Rng::with_seed(seed);
        let size = random.u64(MIB..200 * MIB);
        let mut missing = Vec::new();
        let mut at = random.u64(0..MIB);
        while at < size && missing.len() < 6 {
            let end = size.min(at + random.u64(1..80 * MIB));
            missing.push(at..end);
            at = end + random.u64(1..MIB);
        }
        let total: u64 = missing.iter().map(|range| range.end - range.start).sum();
        let most = random.usize(1..=16);
        let mut plan = Plan::new(missing.clone(), 0, missing[0].end);
        let (mut ids, mut next, mut requests, mut broken) = (vec![0], 1, 1, 0);
        let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
        while !plan.is_done() {
            while ids.len() < most {
                let terms = Terms { connections: most, ..terms(most) };
                let silent = random.u8(..100) == 0;
                let pace = |_| if silent { Pace::Silent } else { Pace::Unknown };
                match plan.assign(next, &terms, pace) {
                    Some(Given::Instead(owner)) => ids.retain(|id| *id != owner),
                    Some(Given::Range) => {}
                    None => break,
                }
                plan.ask(next).unwrap();
                ids.push(next);
                (next, requests) = (next + 1, requests + 1);
            }
            assert!(!ids.is_empty(), "seed {seed}: nothing to do");
            let turn = random.usize(..ids.len());
            let id = ids[turn];
            let got = plan.take(id, random.usize(1..2 * MIB as usize)).unwrap();
            if got.len_bytes > 0 {
                taken.insert(got.offset, got.offset + got.len_bytes as u64);
            }
            let breaks = random.u8(..200) == 0;
            broken += usize::from(breaks);
            if got.then == Then::Ended || breaks {
                plan.give_back(id);
                ids.swap_remove(turn);
            }
        }
        let sum: u64 = taken.iter().map(|(start, end)| end - start).sum();
        assert_eq!(sum, total, "seed {seed}: as many as were missing");
        let ends = taken.values().zip(taken.keys().skip(1));
        assert!(ends.into_iter().all(|(end, start)| end <= start), "seed {seed}: one twice");
        let inside =
            |start: u64, end: u64| missing.iter().any(|m| m.start <= start && end <= m.end);
        assert!(taken.iter().all(|(start, end)| inside(*start, *end)), "seed {seed}: not missing");
        let bound = 12 * most + 2 * missing.len() + 3 * broken + 40;
        assert!(requests <= bound, "seed {seed}: {requests} requests, {most} connections");
    }
}
