//! Five programs that people could have written, and what they print.

use std::{collections::BTreeSet, fs, process::Command};

use anyhow::{Result, ensure};

use crate::{
    hub::{CONFIG, Stage, WEIGHTS_BYTES, WORDS},
    outside::{Outside, run},
};

/// Builds the programs, and with them the command: what both need is built once.
pub(crate) fn build(outside: &Outside) -> Result<()> {
    outside.cargo("build --package programs --package hubstow --bins --examples").map(drop)
}

/// Builds all programs, and runs one against a hub; it is named by where cargo puts it.
fn lines(
    outside: &Outside,
    program: &str,
    stage: &Stage,
    vars: &[(&str, &str)],
) -> Result<Vec<String>> {
    build(outside)?;
    let mut command = Command::new(outside.built(program));
    command.env_clear().env("HF_ENDPOINT", stage.hub.url()).env("HF_HUB_CACHE", stage.cache());
    command.env("HF_HOME", stage.cache()).envs(vars.iter().copied());
    let said = String::from_utf8(run(&mut command)?.stdout)?;
    println!("{said}");
    Ok(said.lines().map(str::to_owned).collect())
}

pub(crate) fn blocking(outside: &Outside) -> Result<()> {
    let stage = Stage::open()?;
    let said = lines(outside, "blocking", &stage, &[])?;
    let [path, files @ ..] = said.as_slice() else { anyhow::bail!("{said:?}") };
    ensure!(fs::read_to_string(path)? == CONFIG, "{said:?}");
    let [config, words] = files else { anyhow::bail!("{said:?}") };
    ensure!(config.starts_with("config.json: ") && words.starts_with("words.txt: "), "{said:?}");
    Ok(())
}

pub(crate) fn offline(outside: &Outside) -> Result<()> {
    let stage = Stage::open()?;
    let before = lines(outside, "offline", &stage, &[])?;
    let [missing, refused] = before.as_slice() else { anyhow::bail!("{before:?}") };
    ensure!(missing == "words.txt is not here" && refused.starts_with("offline: "), "{before:?}");
    ensure!(stage.hub.requests().is_empty(), "{:?}", stage.hub.requests());

    lines(outside, "blocking", &stage, &[])?;
    stage.hub.clear_requests();
    let after = lines(outside, "offline", &stage, &[])?;
    let [here, served] = after.as_slice() else { anyhow::bail!("{after:?}") };
    let path = here.strip_prefix("here: ").unwrap_or_default();
    ensure!(fs::read_to_string(path)? == WORDS, "{after:?}");
    ensure!(served == &format!("served: Some({})", WORDS.len()), "{after:?}");
    ensure!(stage.hub.requests().is_empty(), "{:?}", stage.hub.requests());
    Ok(())
}

pub(crate) fn progress(outside: &Outside) -> Result<()> {
    let stage = Stage::open()?;
    let said = lines(outside, "examples/progress", &stage, &[])?;
    let bytes = CONFIG.len() + WORDS.len() + WEIGHTS_BYTES;
    let [listed, finished @ .., received, path] = said.as_slice() else {
        anyhow::bail!("{said:?}")
    };
    ensure!(listed == &format!("3 files, {bytes} bytes"), "{said:?}");
    let finished: BTreeSet<&str> = finished.iter().map(String::as_str).collect();
    let files = ["config.json is here", "model.bin is here", "words.txt is here"];
    ensure!(finished == BTreeSet::from(files), "{said:?}");
    ensure!(received == &format!("{bytes} bytes received"), "{said:?}");
    ensure!(fs::read_to_string(format!("{path}/words.txt"))? == WORDS, "{said:?}");
    Ok(())
}

pub(crate) fn gated(outside: &Outside) -> Result<()> {
    let closed = Stage::closed("hf_of_the_house")?;
    let without = lines(outside, "examples/gated", &closed, &[])?;
    ensure!(without == ["log in: set HF_TOKEN", "the hub said Some(401)"], "{without:?}");
    let with = lines(outside, "examples/gated", &closed, &[("HF_TOKEN", "hf_of_the_house")])?;
    ensure!(with.iter().any(|line| line.starts_with("welcome: ")), "{with:?}");

    let said =
        lines(outside, "examples/gated", &Stage::gated()?, &[("HF_TOKEN", "hf_of_the_house")])?;
    let expected = ["ask to be let in, on the page of acme/tiny", "the hub said Some(403)"];
    ensure!(said == expected, "{said:?}");
    Ok(())
}

pub(crate) fn runtimes(outside: &Outside) -> Result<()> {
    let said = lines(outside, "examples/runtimes", &Stage::open()?, &[])?;
    let expected = ["config.json and words.txt".to_owned(), format!("{WEIGHTS_BYTES} bytes")];
    ensure!(said == expected, "{said:?}");
    Ok(())
}
