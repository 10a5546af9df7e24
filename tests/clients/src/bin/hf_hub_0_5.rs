//! hf-hub 0.5 as synchronous programs use it: `MODEL FILE… -- DATASET FILE…`; prints the name and the path of each file.
//!
//! Cache and endpoint come from the environment.

use hf_hub_0_5::api::sync::{ApiBuilder, ApiRepo};

fn main() -> anyhow::Result<()> {
    let api = ApiBuilder::from_env().with_progress(false).build()?;
    let (model, dataset) = hubstow_clients::arguments();
    download(&api.model(model.id), &model.files)?;
    download(&api.dataset(dataset.id), &dataset.files)
}

fn download(repo: &ApiRepo, files: &[String]) -> anyhow::Result<()> {
    let listed: Vec<_> = repo.info()?.siblings.into_iter().map(|at| at.rfilename).collect();
    for file in files {
        anyhow::ensure!(listed.contains(file), "{file} is not listed: {listed:?}");
        println!("{file}\t{}", repo.get(file)?.display());
    }
    Ok(())
}
