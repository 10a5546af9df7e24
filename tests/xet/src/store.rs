//! The simulated store.

use tempfile::TempDir;
use xet::xet_session::{Sha256Policy, XetConfig, XetSessionBuilder};
use xet_client::cas_client::simulation::{LocalTestServer, LocalTestServerBuilder};

use crate::Line;

/// A store in memory, and the line that clients reach it by.
pub struct Store {
    /// The line.
    pub line: Line,
    server: LocalTestServer,
    folder: TempDir,
}

impl Store {
    /// Starts an empty store.
    pub async fn start() -> Self {
        // The simulation's own client needs one; the first call installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = LocalTestServerBuilder::new().start().await;
        let line = Line::to(server.http_endpoint().trim_start_matches("http://")).await;
        Self { line, server, folder: tempfile::tempdir().unwrap() }
    }

    /// Uploads content and returns its Xet hash.
    pub async fn upload(&self, content: &[u8]) -> String {
        let mut config = XetConfig::default();
        config.telemetry.enabled = false;
        let session = XetSessionBuilder::new_with_config(config)
            .with_cache_dir(self.folder.path())
            .build()
            .unwrap();
        let commit = session
            .new_upload_commit()
            .unwrap()
            .with_endpoint(self.server.http_endpoint())
            .with_token_info("upload", u64::MAX)
            .build()
            .await
            .unwrap();
        let upload =
            commit.upload_bytes(content.to_vec(), Sha256Policy::Compute, None).await.unwrap();
        let hash = upload.finalize_ingestion().await.unwrap().xet_info.hash;
        commit.commit().await.unwrap();
        hash
    }

    /// Returns how many reports of clients about themselves have come.
    #[must_use]
    pub fn reports(&self) -> usize {
        self.server.telemetry_docs().len()
    }
}
