//! What a decision costs: by the linked core, by the component, in a batch, with all that a call needs around it.
//!
//! `cargo bench -p hubstow-wasmtime --features compile` prints a table; each figure is the median of many runs, and the
//! ratio is to the linked core's decision of the same run.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and fails loudly"
)]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use hubstow_core::{
    facts::{PlaceFacts, Pointer},
    place::place,
    policy::Policy,
};
use hubstow_wasmtime::{COMPONENT, ComponentCore, Options, Pool};

/// How many questions one batch has.
const BATCH: usize = 1_000;
/// How long each row is measured.
const MEASURED: Duration = Duration::from_millis(600);

/// Returns the median time of one run.
fn median(run: impl Fn()) -> Duration {
    run();
    let (begin, mut times) = (Instant::now(), Vec::new());
    while begin.elapsed() < MEASURED || times.len() < 5 {
        let start = Instant::now();
        run();
        times.push(start.elapsed());
    }
    times.sort_unstable();
    times.swap_remove(times.len() / 2)
}

/// The same for something that is over before the clock notices.
fn median_of_many(run: impl Fn()) -> Duration {
    const TIMES: u32 = 10_000;
    median(|| (0..TIMES).for_each(|_| run())) / TIMES
}

fn main() {
    let facts = PlaceFacts { pointer: Pointer::Torn, ..PlaceFacts::empty(Policy::Dedup) };
    let batch = vec![facts; BATCH];
    let core = ComponentCore::embedded().unwrap();
    let pooled =
        ComponentCore::embedded_with(Options { pool: Pool::Of(8), ..Options::default() }).unwrap();
    let compiled = ComponentCore::precompile(COMPONENT).unwrap();
    println!(
        "component: {} bytes; compiled for this machine: {} bytes",
        COMPONENT.len(),
        compiled.len()
    );

    let native = median_of_many(|| {
        let _ = black_box(place(black_box(&facts)));
    });
    let native_batch = median(|| {
        black_box(batch.iter().map(|facts| place(black_box(facts))).collect::<Vec<_>>());
    });
    let asked = |core: &ComponentCore| {
        median(|| {
            let _ = black_box(core.place(&facts).unwrap());
        })
    };
    let many = median(|| drop(black_box(core.place_many(&batch).unwrap())));
    let load = median(|| drop(black_box(ComponentCore::embedded().unwrap())));
    let compile =
        median(|| drop(black_box(ComponentCore::compile(COMPONENT, Options::default()).unwrap())));
    // One call that decides nothing is the cost of a fresh instance and the way there and back.
    let bare = median(|| {
        let _ = black_box(core.ask(1, |core, store| core.call_retry(store, 200)).unwrap());
    });

    println!("| what | time | times the linked core's decision |");
    println!("|---|---|---|");
    for (what, time, questions) in [
        ("one decision, linked", native, 1),
        ("a batch of 1,000, linked", native_batch, BATCH),
        ("a fresh instance and a call that decides nothing", bare, 1),
        ("one decision, component", asked(&core), 1),
        ("one decision, component, pooled", asked(&pooled), 1),
        ("a batch of 1,000, component", many, BATCH),
        ("load the embedded component", load, 1),
        ("compile the component", compile, 1),
    ] {
        let ratio = time.as_secs_f64() / native.as_secs_f64() / questions as f64;
        let each = if questions > 1 { " each" } else { "" };
        println!("| {what} | {time:.2?} | {ratio:.1}{each} |");
    }
}
