//! The steps: every way in which the project is checked.

use std::process::Command;

use crate::{
    install::{MINGW_C_COMPILER, Workshop},
    tested::TESTED,
    wine::WINE,
};

/// The crates that must build for Windows: it is what they are for.
const FOR_WINDOWS: [&str; 5] =
    ["hubstow-core", "hubstow-cache", "hubstow-client", "hubstow-native", "hubstow"];
/// What is tested there: libraries with all their tests, and of the command the tests that are about it.
const UNDER_WINE: [&str; 3] = [
    "--package hubstow-core --package hubstow-cache --package hubstow-client --package hubstow-native",
    "--package hubstow --features hubstow-native/blocking --lib",
    "--test disk --test windows --test engine --test tables --test properties --test asking --test failures --test runtimes",
];
/// The crates that must build for macOS without any C compiler for it.
const FOR_MACOS: [&str; 2] = ["hubstow-core", "hubstow-cache"];
/// The targets that are checked besides the one this machine runs.
pub(crate) const WINDOWS: &str = "x86_64-pc-windows-gnu";
/// See [`WINDOWS`].
pub(crate) const MACOS: &str = "aarch64-apple-darwin";
/// What the component is built for.
pub(crate) const COMPONENT: &str = "wasm32-unknown-unknown";
/// What the command inside the sandbox is built for.
pub(crate) const SANDBOX: &str = "wasm32-wasip2";
/// The step that tries clients of the hub, which are installed for it alone.
pub(crate) const CLIENTS_STEP: &str = "clients";
/// The tests that are a workspace of their own, whose lock file nothing else looks at.
const XET: &str = "--manifest-path tests/xet/Cargo.toml";

/// A step that may be run.
pub(crate) struct Planned {
    pub(crate) name: String,
    /// Whether `--fast` leaves it out.
    pub(crate) slow: bool,
    /// Whether its output is that of test programs.
    pub(crate) runs_tests: bool,
    /// Names what the step needs and this machine lacks.
    pub(crate) missing: fn(&Workshop) -> Option<String>,
    pub(crate) command: fn(&Workshop) -> Command,
}

fn nothing(_: &Workshop) -> Option<String> {
    None
}

fn no_wine(shop: &Workshop) -> Option<String> {
    let lacks = [WINE, MINGW_C_COMPILER].into_iter().find(|program| !shop.has(program));
    lacks.map(str::to_owned).or_else(|| shop.target_missing(WINDOWS))
}

/// Returns every step, cheapest first.
pub(crate) fn steps() -> Vec<Planned> {
    vec![
        Planned {
            name: "format".to_owned(),
            slow: false,
            runs_tests: false,
            missing: nothing,
            command: |shop| cargo(shop, "fmt --all --check -- --color never"),
        },
        Planned {
            name: "lock files".to_owned(),
            slow: false,
            runs_tests: false,
            missing: nothing,
            command: |shop| cargo(shop, &format!("tree --quiet --locked {XET}")),
        },
        Planned {
            name: "lints".to_owned(),
            slow: false,
            runs_tests: false,
            missing: nothing,
            command: |shop| {
                let arguments = "clippy --workspace --all-targets --all-features -- -D warnings";
                cargo(shop, arguments)
            },
        },
        Planned {
            name: "docs".to_owned(),
            slow: false,
            runs_tests: false,
            missing: nothing,
            command: |shop| {
                let mut command = cargo(shop, "doc --workspace --no-deps --all-features");
                command.env("RUSTDOCFLAGS", "-D warnings");
                command
            },
        },
        Planned {
            name: format!("lints for {SANDBOX}"),
            slow: false,
            runs_tests: false,
            missing: |shop| shop.target_missing(SANDBOX),
            command: |shop| {
                let mut command = cargo(shop, "clippy --package hubstow-wasi --target");
                command.args([SANDBOX, "--", "-D", "warnings"]);
                command
            },
        },
        Planned {
            name: "tests".to_owned(),
            slow: false,
            runs_tests: true,
            missing: nothing,
            command: |shop| cargo(shop, &format!("test {TESTED} --no-fail-fast")),
        },
        Planned {
            name: "xet".to_owned(),
            slow: true,
            runs_tests: true,
            missing: nothing,
            command: |shop| cargo(shop, &format!("test --locked {XET} --target-dir target/xet")),
        },
        Planned {
            name: "packages".to_owned(),
            slow: true,
            runs_tests: true,
            missing: nothing,
            command: |shop| cargo(shop, &format!("test {TESTED} --test packages")),
        },
        Planned {
            name: CLIENTS_STEP.to_owned(),
            slow: true,
            runs_tests: true,
            missing: nothing,
            command: |shop| {
                let mut command = shop.cargo_with_clients();
                command.arg("test").args(TESTED.split(' ')).args(["--test", "clients"]);
                command
            },
        },
        Planned {
            name: "tests under Wine".to_owned(),
            slow: true,
            runs_tests: true,
            missing: no_wine,
            command: |shop| {
                let mut command = shop.cargo_with_wine();
                command.args(["test", "--no-fail-fast", "--target", WINDOWS]);
                command.args(UNDER_WINE.iter().flat_map(|words| words.split(' ')));
                command
            },
        },
        Planned {
            name: "scenarios under Wine".to_owned(),
            slow: true,
            runs_tests: true,
            missing: no_wine,
            command: |shop| {
                let mut command = shop.cargo_with_wine();
                command.arg("test").args(TESTED.split(' '));
                command.args(["--test", "scenarios", "--", "windows/"]);
                command
            },
        },
        Planned {
            name: format!("check for {WINDOWS}"),
            slow: true,
            runs_tests: false,
            missing: |shop| {
                let compiler = (!shop.has(MINGW_C_COMPILER)).then(|| MINGW_C_COMPILER.to_owned());
                compiler.or_else(|| shop.target_missing(WINDOWS))
            },
            command: |shop| check(shop, WINDOWS, &FOR_WINDOWS),
        },
        Planned {
            name: format!("check for {MACOS}"),
            slow: true,
            runs_tests: false,
            missing: |shop| shop.target_missing(MACOS),
            command: |shop| check(shop, MACOS, &FOR_MACOS),
        },
        Planned {
            name: "demo".to_owned(),
            slow: true,
            runs_tests: false,
            missing: nothing,
            command: |shop| cargo(shop, "run --release -- demo"),
        },
    ]
}

/// Makes a cargo command that tells the tests where the tools are.
fn cargo(shop: &Workshop, arguments: &str) -> Command {
    let mut command = shop.cargo();
    command.args(arguments.split(' '));
    command
}

fn check(shop: &Workshop, target: &str, packages: &[&str]) -> Command {
    let mut command = cargo(shop, "check --target");
    command.arg(target);
    for package in packages {
        command.args(["--package", package]);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::steps;

    #[test]
    fn every_step_has_a_name_of_its_own() {
        let mut names: Vec<String> = steps().into_iter().map(|step| step.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), steps().len());
    }
}
