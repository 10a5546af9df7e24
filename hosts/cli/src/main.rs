//! The command `hubstow`, natively.

use std::process::ExitCode;

fn main() -> ExitCode {
    hubstow_native::raise_descriptor_limit();
    hubstow_command::main_with(hubstow_native::parts)
}
