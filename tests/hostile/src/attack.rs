//! Attacks on the process: whatever is asked, no answer comes.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::ATTACK;

/// Returns the name of the attack that was written into this component; empty where none was.
pub(crate) fn attack() -> &'static str {
    // The compiler must not know what is in there.
    let written = black_box(&ATTACK);
    let text = std::str::from_utf8(written).unwrap_or_default();
    text.strip_prefix("hubstow-attack:").unwrap_or_default().trim_end_matches('.')
}

/// Carries the attack out, if it is one on the process.
pub(crate) fn strike() {
    match attack() {
        "loop" => loop {
            black_box(0);
        },
        "allocate" => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(Vec::<u8>::with_capacity(16 << 20));
                black_box(&hoard);
            }
        }
        "recurse" => {
            black_box(deeper(1));
        }
        "trap" => std::process::abort(),
        // Few instructions that each do much: fuel alone would not notice for long.
        "fill-memory" => {
            let mut block = vec![0_u8; 32 << 20];
            for byte in 0.. {
                block.fill(byte);
                black_box(&block);
            }
        }
        _ => {}
    }
}

/// Each call is on the stack of the machine, none in the memory of the component.
fn deeper(depth: u64) -> u64 {
    static SUM: AtomicU64 = AtomicU64::new(0);
    if depth == u64::MAX {
        return 0;
    }
    SUM.fetch_add(deeper(depth + 1), Ordering::Relaxed) ^ depth
}
