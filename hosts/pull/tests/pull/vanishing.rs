//! A store in memory whose objects vanish while they are read.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use futures_util::{StreamExt as _, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, memory::InMemory, path::Path,
};

/// How much comes at a time.
const PIECE_BYTES: usize = 1 << 20;

#[derive(Default)]
pub(crate) struct Vanishing {
    inner: InMemory,
    /// After how many bytes; 0 means never.
    after: AtomicU64,
}

impl Vanishing {
    /// Takes away the next object that is read, when so many bytes of it have come.
    pub(crate) fn take_away_after(&self, bytes: u64) {
        self.after.store(bytes, Ordering::SeqCst);
    }
}

impl fmt::Debug for Vanishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vanishing")
    }
}

impl fmt::Display for Vanishing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store whose objects vanish")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Vanishing {
    async fn put_opts(&self, key: &Path, body: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(key, body, how).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(key, how).await
    }

    async fn get_opts(&self, key: &Path, how: GetOptions) -> Result<GetResult> {
        let is_read = !how.head && key.as_ref().starts_with("objects/");
        let got = self.inner.get_opts(key, how).await?;
        let after = if is_read { self.after.swap(0, Ordering::SeqCst) } else { 0 };
        if after == 0 {
            return Ok(got);
        }
        self.inner.delete(key).await?;
        let (meta, range) = (got.meta.clone(), got.range.clone());
        let (attributes, extensions) = (got.attributes.clone(), got.extensions.clone());
        let mut bytes = got.bytes().await?;
        bytes.truncate(usize::try_from(after).unwrap());
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            pieces.push(Ok(bytes.split_to(PIECE_BYTES.min(bytes.len()))));
        }
        pieces.push(Err(Error::Generic { store: "vanishing", source: "reset".into() }));
        let payload = GetResultPayload::Stream(stream::iter(pieces).boxed());
        Ok(GetResult { payload, meta, range, attributes, extensions })
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(keys)
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(folder)
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}
