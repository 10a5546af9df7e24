//! The command `hubstow`, natively.

use std::process::ExitCode;

use hubstow_native::Parts;

fn main() -> ExitCode {
    hubstow_command::main_with(Parts::native)
}
