//! A folder as a store: the one of `object_store`, and writing over exactly one version, which that one lacks.

use std::{
    fmt,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, local::LocalFileSystem, path::Path,
};

/// Held while a version is compared and replaced, so by one writer on all machines for which the disk has locks.
const LOCK: &str = ".hubstow-tier.lock";

/// How much is read at once.
const PIECE_BYTES: u64 = 1 << 20;

/// A folder that holds a tier.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    disk: Arc<LocalFileSystem>,
    root: PathBuf,
}

impl Folder {
    /// Opens a folder, making it if it is not there.
    pub(crate) fn open(root: PathBuf) -> Result<Self> {
        let failed =
            |source: std::io::Error| Error::Generic { store: "folder", source: source.into() };
        std::fs::create_dir_all(&root).map_err(failed)?;
        let disk = LocalFileSystem::new_with_prefix(&root)?.with_fsync(true);
        Ok(Self { disk: Arc::new(disk), root })
    }

    pub(crate) fn root(&self) -> &std::path::Path {
        &self.root
    }

    async fn lock(&self) -> Result<File> {
        let path = self.root.join(LOCK);
        let locked = tokio::task::spawn_blocking(move || {
            let file = File::options().write(true).create(true).truncate(false).open(path)?;
            file.lock()?;
            Ok::<_, std::io::Error>(file)
        });
        locked.await?.map_err(|source| Error::Generic { store: "folder", source: source.into() })
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a folder")
    }
}

/// Reads a range of a file by pieces that are worth a change of threads.
fn pieces(file: File, range: Range<u64>) -> impl Stream<Item = Result<Bytes>> {
    let failed = |source: std::io::Error| Error::Generic { store: "folder", source: source.into() };
    futures_util::stream::try_unfold((file, range), move |(mut file, range)| async move {
        let size = range.end.saturating_sub(range.start).min(PIECE_BYTES);
        if size == 0 {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(usize::try_from(size).unwrap_or_default());
            file.seek(SeekFrom::Start(range.start))?;
            (&mut file).take(size).read_to_end(&mut piece)?;
            Ok((file, piece))
        });
        let (file, piece) = read.await?.map_err(failed)?;
        if piece.is_empty() {
            return Ok(None);
        }
        let next = range.start + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, next..range.end))))
    })
}

#[async_trait]
impl ObjectStore for Folder {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let PutMode::Update(version) = options.mode else {
            return self.disk.put_opts(location, payload, options).await;
        };
        let lock = self.lock().await?;
        let found = match self.disk.head(location).await {
            Ok(meta) => meta.e_tag,
            Err(Error::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        if found.is_none() || found != version.e_tag {
            let path = location.to_string();
            return Err(Error::Precondition { path, source: "it has another version".into() });
        }
        options.mode = PutMode::Overwrite;
        let written = self.disk.put_opts(location, payload, options).await;
        drop(lock);
        written
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.disk.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let mut got = self.disk.get_opts(location, options).await?;
        got.payload = match got.payload {
            GetResultPayload::File(file, _) => {
                GetResultPayload::Stream(pieces(file, got.range.clone()).boxed())
            }
            stream @ GetResultPayload::Stream(_) => stream,
        };
        Ok(got)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.disk.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.disk.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.disk.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.disk.copy_opts(from, to, options).await
    }
}
