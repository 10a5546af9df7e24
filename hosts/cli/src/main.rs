//! The command `hubstow`, natively.

use std::process::ExitCode;

fn main() -> ExitCode {
    hubstow_command::main_with(hubstow_native::parts)
}
