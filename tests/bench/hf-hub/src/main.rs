//! The hf-hub crate as the benchmark runs it: `REPO REVISION [FILE]`; a whole snapshot where no file is named. `scan` looks at the
//! whole cache.
//!
//! Cache root, endpoint and whether the network may be used come from the environment.

use std::{env, error::Error};

use hf_hub::{HFClient, split_id};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if arguments == ["scan"] {
        let found = runtime.block_on(async { HFClient::new()?.scan_cache().send().await })?;
        println!("{} repos", found.repos.len());
        return Ok(());
    }
    let [repo, revision, file @ ..] = arguments.as_slice() else {
        return Err("REPO REVISION [FILE]".into());
    };
    let (owner, name) = split_id(repo);
    let offline = env::var_os("HF_HUB_OFFLINE").is_some();
    let path = runtime.block_on(async {
        let repo = HFClient::new()?.model(owner, name);
        match file.first() {
            Some(file) => {
                let download = repo.download_file().filename(file).revision(revision);
                download.local_files_only(offline).send().await
            }
            None => {
                repo.snapshot_download().revision(revision).local_files_only(offline).send().await
            }
        }
    })?;
    println!("{}", path.display());
    Ok(())
}
