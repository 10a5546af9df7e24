//! rustdoc, with what is unstable allowed. Said to cargo itself, crates would be built otherwise too, and again.

use std::{
    env,
    process::{Command, ExitCode},
};

fn main() -> ExitCode {
    let status =
        Command::new("rustdoc").args(env::args_os().skip(1)).env("RUSTC_BOOTSTRAP", "1").status();
    match status {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rustdoc: {error}");
            ExitCode::FAILURE
        }
    }
}
