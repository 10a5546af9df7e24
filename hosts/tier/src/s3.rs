//! What S3 offers and `object_store` does not: the list of uploads that are not complete.

use std::time::Duration;

use async_trait::async_trait;
use http::{Method, StatusCode};
use object_store::{
    aws::AmazonS3,
    multipart::MultipartStore as _,
    path::Path,
    signer::{SignedUrlOptions, Signer as _},
};
use reqwest::Client;
use serde::Deserialize;

use crate::{
    decide::{Leftover, is_leftover},
    error::{Error, ErrorKind, sort},
    name::{OBJECTS, ObjectId},
    uploads::{Cleared, Uploads},
    web::first_bytes,
};

/// How long the address of one page of the list is good for.
const SIGNED_FOR: Duration = Duration::from_secs(60);
/// How long one page may take.
const PAGE_TIME: Duration = Duration::from_secs(30);
/// The most bytes of one page: 1,000 uploads with keys of 1 KiB each, and their owners.
const PAGE_LIMIT_BYTES: usize = 8 << 20;
/// The most pages: a million uploads.
const PAGES: usize = 1_000;
const WHAT: &str = "torn uploads can't be cleared away";

/// The uploads of a bucket, below a prefix.
pub(crate) struct OfBucket {
    pub(crate) bucket: AmazonS3,
    pub(crate) client: Client,
    pub(crate) prefix: Path,
}

#[derive(Debug, Deserialize)]
struct Page {
    #[serde(rename = "Upload", default)]
    uploads: Vec<Upload>,
    #[serde(rename = "IsTruncated", default)]
    is_truncated: bool,
    #[serde(rename = "NextKeyMarker")]
    next_key: Option<String>,
    #[serde(rename = "NextUploadIdMarker")]
    next_upload: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Upload {
    #[serde(rename = "Key")]
    key: String,
    #[serde(rename = "UploadId")]
    id: String,
    #[serde(rename = "Initiated")]
    initiated: String,
}

#[async_trait]
impl Uploads for OfBucket {
    async fn clear(&self, patience_ms: u64, now_ms: i64) -> Result<Cleared, Error> {
        let mut cleared = 0;
        let mut after = None;
        for _ in 0..PAGES {
            let Some(page) = self.page(after.as_ref()).await? else { return Ok(Cleared::ByRule) };
            for upload in &page.uploads {
                // What says not when it was begun is left alone.
                let Some(at_ms) = milliseconds(&upload.initiated) else { continue };
                let Ok(key) = Path::parse(&upload.key) else { continue };
                if self.is_ours(&key)
                    && is_leftover(Leftover::Upload { patience_ms }, at_ms, now_ms)
                {
                    cleared += u64::from(self.end(&key, &upload.id).await?);
                }
            }
            after = page.next_key.zip(page.next_upload).filter(|_| page.is_truncated);
            if after.is_none() {
                break;
            }
        }
        Ok(Cleared::Count(cleared))
    }
}

impl OfBucket {
    /// Tells whether a key is of an object of this tier. A bucket may have other users, and a tier no prefix.
    fn is_ours(&self, key: &Path) -> bool {
        let Some(parts) = key.prefix_match(&self.prefix) else { return false };
        ObjectId::of_key(&parts.collect(), OBJECTS).is_some()
    }

    async fn end(&self, key: &Path, id: &str) -> Result<bool, Error> {
        match self.bucket.abort_multipart(key, &id.to_owned()).await {
            Ok(()) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(sort(WHAT, &error)),
        }
    }

    /// Asks for a page; `None` of a store that has no such list.
    async fn page(&self, after: Option<&(String, String)>) -> Result<Option<Page>, Error> {
        let mut query = vec![("uploads".to_owned(), String::new())];
        if !self.prefix.as_ref().is_empty() {
            query.push(("prefix".to_owned(), format!("{}/", self.prefix)));
        }
        if let Some((key, upload)) = after {
            query.push(("key-marker".to_owned(), key.clone()));
            query.push(("upload-id-marker".to_owned(), upload.clone()));
        }
        let options = SignedUrlOptions::new().with_query(query);
        let root = Path::default();
        let signed = self.bucket.signed_url_opts(Method::GET, &root, SIGNED_FOR, &options);
        let url = signed.await.map_err(|error| sort(WHAT, &error))?;
        let failed = |why: &str| Error::new(ErrorKind::Unavailable, WHAT, why);
        let sent = self.client.get(url).timeout(PAGE_TIME).send().await;
        // Its error would show the signature.
        let answer = sent.map_err(|_| failed("the list of uploads has not come"))?;
        match answer.status() {
            status if status.is_success() => {}
            StatusCode::NOT_IMPLEMENTED
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_FOUND
            | StatusCode::FORBIDDEN => return Ok(None),
            other => return Err(failed(&format!("the store answers {other}"))),
        }
        let body = first_bytes(answer.bytes_stream(), PAGE_LIMIT_BYTES).await;
        let text = String::from_utf8_lossy(&body);
        let page = quick_xml::de::from_str(&text);
        page.map(Some).map_err(|_| failed("the list of uploads can't be read"))
    }
}

/// Reads a moment as S3 writes it, `2026-01-31T12:00:00.000Z`.
fn milliseconds(text: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339(text.trim()).ok()?;
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}
