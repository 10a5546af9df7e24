//! Every case, with its clients and targets. To add one, add it to [`all`].

use crate::{
    case::{Case, State},
    client::{
        By, COMPONENT, Client, HUBSTOW, HUBSTOW_DEDUP, HUBSTOW_FAST, Job, LINKED, Links, Network,
        online,
    },
    content::{BIG_FILE, SECOND, SMALL_FILE},
    control::{Behaviour, SmallFiles},
    target::{Quantity, Target},
};

const PY: &str = "huggingface_hub";
const HF_HUB: &str = "hf-hub";
const LIMIT: &str = "limit";
/// Those that share the cache.
const PEERS: [Client; 3] = [HUBSTOW, Client::Python, Client::HfHub];

const SNAPSHOT: Job = online("bench/small", None);
const ONE_SMALL: Job = online("bench/small", Some(SMALL_FILE));

/// Returns every case.
pub(crate) fn all() -> Vec<Case> {
    let mut cases = vec![large(), limited()];
    cases.extend([0, 20].map(cold));
    cases.push(redirected());
    cases.extend([0, 20].map(second));
    cases.extend([degraded_small(), degraded_medium()]);
    cases.extend([decided_file(), decided_snapshot()]);
    cases.extend(warm());
    cases
}

fn large() -> Case {
    let peers = [Client::Python, Client::HfHub, Client::Curl, Client::CurlThenHash, Client::Aria2];
    let limits = [Client::Limit { sync: false }, Client::Limit { sync: true }];
    Case {
        name: "large".into(),
        about: "The large file, free line".into(),
        behaviour: Behaviour::default(),
        before: None,
        job: online("bench/large", Some(BIG_FILE)),
        state: State::Fresh,
        cell: None,
        clients: [HUBSTOW, HUBSTOW_FAST].into_iter().chain(limits).chain(peers).collect(),
        targets: vec![
            Target::time("T1", HUBSTOW_FAST.name(), 1.15, LIMIT),
            Target::time("T1", HUBSTOW.name(), 1.4, LIMIT),
            Target::time("T1", HUBSTOW.name(), 1.0, PY),
            Target::time("T1", HUBSTOW.name(), 1.0, Client::CurlThenHash.name()),
            Target::memory(HUBSTOW.name()),
        ],
    }
}

fn limited() -> Case {
    let peers = [Client::Python, Client::HfHub, Client::Curl, Client::Aria2];
    Case {
        name: "limited".into(),
        about: "The medium file, 50 MB/s per connection".into(),
        behaviour: Behaviour { rate: 50_000_000, ..Behaviour::default() },
        before: None,
        job: online("bench/medium", Some(BIG_FILE)),
        state: State::Fresh,
        cell: None,
        clients: [HUBSTOW].into_iter().chain(peers).collect(),
        targets: vec![
            Target::time("T2", HUBSTOW.name(), 1.15, Client::Aria2.name()),
            Target::memory(HUBSTOW.name()),
        ],
    }
}

fn cold(latency_ms: u64) -> Case {
    let (name, about) = match latency_ms {
        0 => ("cold-0ms", "Small files, 0 ms per request"),
        _ => ("cold-20ms", "Small files, 20 ms per request"),
    };
    let mut targets = vec![
        Target::time("T3", HUBSTOW.name(), 1.3, Client::Curl.name()),
        Target::time("T3", HUBSTOW.name(), 1.0 / 7.0, PY),
    ];
    if latency_ms > 0 {
        targets.push(Target::time("T3", HUBSTOW.name(), 1.0 / 5.0, HF_HUB));
    }
    targets.push(Target::memory(HUBSTOW.name()));
    Case {
        name: name.into(),
        about: about.into(),
        behaviour: Behaviour { latency_ms, ..Behaviour::default() },
        before: None,
        job: SNAPSHOT,
        state: State::Fresh,
        cell: None,
        clients: vec![HUBSTOW, HUBSTOW_FAST, Client::Python, Client::HfHub, Client::Curl],
        targets,
    }
}

fn redirected() -> Case {
    let small_files = SmallFiles::Redirected;
    Case {
        name: "cold-80ms-redirected".into(),
        about: "Small files, 80 ms per request, each redirected on the hub's own origin".into(),
        behaviour: Behaviour { latency_ms: 80, small_files, ..Behaviour::default() },
        before: None,
        job: SNAPSHOT,
        state: State::Fresh,
        cell: None,
        // The others ask for one file after the other, or two, and take minutes.
        clients: vec![HUBSTOW, Client::Curl],
        targets: vec![
            // Half the requests of one that asks for each file at both addresses.
            Target::bound("T18", HUBSTOW.name(), Quantity::Requests, 2070.0),
            Target::time("T18", HUBSTOW.name(), 2.6 / 5.7, Client::Earlier.name()),
            Target::memory(HUBSTOW.name()),
        ],
    }
}

fn second(latency_ms: u64) -> Case {
    let (name, about) = match latency_ms {
        0 => ("second-0ms", "Second revision that shares all small files, 0 ms per request"),
        _ => ("second-20ms", "Second revision that shares all small files, 20 ms per request"),
    };
    let mut targets = vec![Target::bound("T4", HUBSTOW.name(), Quantity::Requests, 6.0)];
    if latency_ms > 0 {
        targets.push(Target::time("T4", HUBSTOW.name(), 1.0 / 40.0, PY));
        targets.push(Target::time("T4", HUBSTOW.name(), 1.0 / 40.0, HF_HUB));
    }
    targets.push(Target::memory(HUBSTOW.name()));
    Case {
        name: name.into(),
        about: about.into(),
        behaviour: Behaviour { latency_ms, ..Behaviour::default() },
        before: Some(SNAPSHOT),
        job: Job { revision: SECOND, ..SNAPSHOT },
        state: State::Fresh,
        cell: None,
        clients: PEERS.to_vec(),
        targets,
    }
}

fn degraded_small() -> Case {
    let before = Job { links: Links::Refused, ..SNAPSHOT };
    Case {
        name: "degraded-small".into(),
        about: "Second revision that shares all small files, symlinks refused".into(),
        behaviour: Behaviour::default(),
        before: Some(before),
        job: Job { revision: SECOND, ..before },
        state: State::Fresh,
        cell: None,
        clients: vec![HUBSTOW, HUBSTOW_DEDUP, Client::Python, Client::HfHub],
        targets: vec![
            Target::bound("T8", HUBSTOW.name(), Quantity::FileGets, 0.0),
            Target::bound("T8", HUBSTOW_DEDUP.name(), Quantity::FileGets, 0.0),
            Target::memory(HUBSTOW.name()),
        ],
    }
}

fn degraded_medium() -> Case {
    let before = Job { links: Links::Refused, ..online("bench/medium", None) };
    Case {
        name: "degraded-medium".into(),
        about: "Second revision that shares the medium file, symlinks refused".into(),
        behaviour: Behaviour::default(),
        before: Some(before),
        job: Job { revision: SECOND, ..before },
        state: State::Fresh,
        cell: None,
        clients: vec![HUBSTOW, HUBSTOW_DEDUP, Client::Python, Client::HfHub],
        targets: vec![
            Target::bound("T8", HUBSTOW.name(), Quantity::FileGets, 0.0),
            Target::bound("T8", HUBSTOW_DEDUP.name(), Quantity::FileGets, 0.0),
            // Folders, a ref and a listing take some blocks; content takes none.
            Target::bound("T8", HUBSTOW_DEDUP.name(), Quantity::WrittenMib, 0.1),
            Target::memory(HUBSTOW.name()),
        ],
    }
}

fn decided_file() -> Case {
    Case {
        name: "decided-file".into(),
        about: "One small file, decided by the linked core and by the component".into(),
        behaviour: Behaviour::default(),
        before: None,
        job: ONE_SMALL,
        state: State::Fresh,
        cell: None,
        clients: vec![HUBSTOW, LINKED, COMPONENT],
        targets: vec![Target::more_ms("T9", COMPONENT.name(), 30.0, LINKED.name())],
    }
}

fn decided_snapshot() -> Case {
    Case {
        name: "decided-snapshot".into(),
        about: "Small files, decided by the linked core and by the component".into(),
        behaviour: Behaviour::default(),
        before: None,
        job: SNAPSHOT,
        state: State::Fresh,
        cell: None,
        clients: vec![HUBSTOW, LINKED, COMPONENT],
        targets: vec![Target::time("T9", COMPONENT.name(), 1.05, LINKED.name())],
    }
}

fn warm() -> Vec<Case> {
    let case = |name: &str, about: &str, job, before| Case {
        name: name.into(),
        about: about.into(),
        behaviour: Behaviour::default(),
        before: Some(before),
        job,
        state: State::Kept,
        cell: None,
        clients: PEERS.to_vec(),
        targets: vec![Target::time("T5", HUBSTOW.name(), 1.0, HF_HUB)],
    };
    let pinned = |mut case: Case| {
        case.targets.push(Target::bound("T5", HUBSTOW.name(), Quantity::Requests, 0.0));
        case.targets.push(Target::bound("T5", HUBSTOW.name(), Quantity::CpuMilliseconds, 10.0));
        case
    };
    let by_commit = |job| Job { by: By::Commit, ..job };
    let offline = |job| Job { network: Network::Offline, ..job };
    vec![
        case("warm-file-branch", "One cached file by branch", ONE_SMALL, ONE_SMALL),
        pinned(case(
            "warm-file-commit",
            "One cached file by commit",
            by_commit(ONE_SMALL),
            by_commit(ONE_SMALL),
        )),
        case(
            "warm-snapshot-branch",
            "Cached snapshot of all small files by branch",
            SNAPSHOT,
            SNAPSHOT,
        ),
        pinned(case(
            "warm-snapshot-commit",
            "Cached snapshot of all small files by commit",
            by_commit(SNAPSHOT),
            by_commit(SNAPSHOT),
        )),
        case(
            "warm-offline",
            "Cached snapshot of all small files, offline",
            offline(SNAPSHOT),
            SNAPSHOT,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_speak_of_clients_that_are_measured() {
        for case in all() {
            // An earlier build is measured wherever one is named.
            let names = case.clients.iter().chain([&Client::Earlier]).map(|client| client.name());
            let names: Vec<_> = names.collect();
            for target in &case.targets {
                assert!(names.contains(&target.who), "{}: {target:?}", case.name);
                assert!(
                    target.against.client().is_none_or(|client| names.contains(&client)),
                    "{}: {target:?}",
                    case.name
                );
            }
        }
    }
}
