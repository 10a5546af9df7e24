//! Programs that have a file of the cache open, as a model is mapped into memory for hours.
//!
//! Whatever is published is opened as soon as it is seen, and read again at the end: the bytes behind an open file never
//! change (I12), whoever replaces the name meanwhile.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read as _, Seek as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Result, ensure};

use crate::{content::sha256, scenario::REPO_FOLDER, tree::files_below};

/// Every file that was ever published, open.
#[derive(Default)]
pub(crate) struct Readers {
    known: HashSet<(u64, u64)>,
    open: Vec<Reader>,
}

struct Reader {
    path: PathBuf,
    file: File,
    sha256: String,
}

impl Readers {
    /// Opens what is new.
    pub(crate) fn look(&mut self, cache: &Path) -> Result<()> {
        for part in ["blobs", "snapshots"] {
            let folder = cache.join(REPO_FOLDER).join(part);
            for name in files_below(&folder)? {
                if !name.ends_with(".incomplete") {
                    self.open(folder.join(name));
                }
            }
        }
        Ok(())
    }

    /// A dangling link or a folder is nothing to read.
    fn open(&mut self, path: PathBuf) {
        let Ok(mut file) = File::open(&path) else {
            return;
        };
        let mut bytes = Vec::new();
        let Ok(entry) = file.metadata() else {
            return;
        };
        if self.known.insert((entry.dev(), entry.ino())) && file.read_to_end(&mut bytes).is_ok() {
            self.open.push(Reader { path, file, sha256: sha256(&bytes) });
        }
    }

    /// Reads everything again.
    pub(crate) fn check(&mut self) -> Result<()> {
        for reader in &mut self.open {
            let mut bytes = Vec::new();
            reader.file.rewind()?;
            reader.file.read_to_end(&mut bytes)?;
            ensure!(
                sha256(&bytes) == reader.sha256,
                "{} was changed while it was open",
                reader.path.display()
            );
        }
        Ok(())
    }

    /// Closes everything: what follows is meant to change files.
    pub(crate) fn close(&mut self) {
        *self = Self::default();
    }
}
