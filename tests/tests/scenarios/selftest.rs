//! Tests of the tests: scenarios that must fail, each for the reason it is written for. A checker that never complains
//! would let every other scenario pass.

use anyhow::{Result, bail, ensure};
use libtest_mimic::Trial;

use crate::{disk::DiskKind, host::Host, play, scenario::Scenario, told};

/// What is tried, the steps, and what the failure must say.
const MUST_FAIL: [(&str, &str, &str); 16] = [
    (
        "torn-pointer-is-noticed",
        r#"edit = "write"
           path = "snapshots/v1/a.bin"
           text = "other""#,
        "does not hold what the hub holds",
    ),
    (
        "dangling-pointer-is-noticed",
        r#"edit = "link"
           path = "snapshots/v1/a.bin"
           text = "../../blobs/nowhere""#,
        "can't be opened",
    ),
    (
        "wrong-blob-is-noticed",
        r#"edit = "write"
           path = "blobs/a.bin"
           text = "other""#,
        "does not hold what its name promises",
    ),
    (
        "file-among-snapshots-is-noticed",
        r#"edit = "write"
           path = "/models--org--model/snapshots/x"
           text = """#,
        "is a file among the snapshots",
    ),
    (
        "unknown-file-in-a-snapshot-is-noticed",
        r#"edit = "write"
           path = "snapshots/v1/x.tmp"
           text = """#,
        "is no file that the hub has",
    ),
    (
        "staged-file-is-noticed",
        r#"edit = "write"
           path = "/models--org--model/blobs/abc.incomplete"
           text = """#,
        "was left behind",
    ),
    (
        "ref-with-a-newline-is-noticed",
        r#"edit = "write"
           path = "refs/main"
           text = "{v1}\n""#,
        "not 40 lower-case hex digits",
    ),
    (
        "ref-to-nowhere-is-noticed",
        r#"edit = "write"
           path = "refs/main"
           text = "{v1}""#,
        "names a snapshot that does not exist",
    ),
    (
        "stray-entry-in-the-cache-root-is-noticed",
        r#"edit = "write"
           path = "/stray"
           text = """#,
        "does not belong into a cache root",
    ),
    (
        "write-outside-is-noticed",
        r#"edit = "write"
           path = "/../evil"
           text = """#,
        "outside the cache root changed",
    ),
    (
        "printed-token-is-noticed",
        r#"run = "download org/model hf_canaryThatMustNeverBeSeen"
           exit = 3"#,
        "a secret was printed",
    ),
    (
        "printed-password-is-noticed",
        r#"run = "download org/model canaryPasswordThatMustNeverBeSeen"
           exit = 3"#,
        "a secret was printed",
    ),
    (
        "stored-secret-is-noticed",
        r#"edit = "write"
           path = "/models--org--model/trees/v1.json"
           text = "Bearer hf_canaryThatMustNeverBeSeen""#,
        "a secret is stored in models--org--model/trees/v1.json",
    ),
    (
        "fault-that-never-strikes-is-noticed",
        r#"fault = "flip-byte"
           at = 1"#,
        "never struck",
    ),
    (
        "request-too-many-is-noticed",
        r#"run = "download org/model a.bin"
           requests = { HEAD = 1 }"#,
        "but there were",
    ),
    (
        "other-tree-is-noticed",
        r#"run = "download org/model a.bin"
           tree = "refs/main v1""#,
        "unexpected  blobs/a.bin file",
    ),
];

/// Returns the tests.
pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    MUST_FAIL.into_iter().map(|(name, step, complaint)| {
        let run = move || must_fail(step, complaint).map_err(|error| told(error).into());
        Trial::test(format!("runner/{name}"), run)
    })
}

fn must_fail(step: &str, complaint: &str) -> Result<()> {
    let scenario = Scenario::parse(&format!(
        "story = 'It must fail.'\n[commits.v1]\n'a.bin' = 'content'\n[[step]]\n{step}\n"
    ))?;
    match play::play(&scenario, DiskKind::Plain, Host::Native) {
        Ok(()) => bail!("the scenario passed"),
        Err(error) => {
            let error = told(error);
            ensure!(error.contains(complaint), "it failed for another reason: {error}");
            Ok(())
        }
    }
}
