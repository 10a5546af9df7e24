//! hf-hub 1.0 as asynchronous programs use it: `MODEL FILE… -- DATASET FILE…`; prints the name and the path of each file.
//!
//! Cache and endpoint come from the environment.

use hf_hub_1::{HFClient, split_id};

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(download())
}

async fn download() -> anyhow::Result<()> {
    let client = HFClient::new()?;
    let (model, dataset) = hubstow_clients::arguments();
    let (owner, name) = split_id(&model.id);
    let repo = client.model(owner, name);
    anyhow::ensure!(repo.exists().send().await?, "{} does not exist", model.id);
    let snapshot = repo.snapshot_download().send().await?;
    for file in &model.files {
        let path = repo.download_file().filename(file).send().await?;
        anyhow::ensure!(path == snapshot.join(file), "{}", path.display());
        println!("{file}\t{}", path.display());
    }
    let (owner, name) = split_id(&dataset.id);
    for file in &dataset.files {
        let path = client.dataset(owner, name).download_file().filename(file).send().await?;
        println!("{file}\t{}", path.display());
    }
    Ok(())
}
