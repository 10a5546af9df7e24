//! `cargo bench -p hubstow-bench`: see `docs/benchmarks.md`.

use std::{path::Path, process::ExitCode};

fn main() -> ExitCode {
    hubstow_bench::main(Path::new(env!("CARGO_TARGET_TMPDIR")))
}
