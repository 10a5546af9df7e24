//! From an address to a store.

use std::{path::PathBuf, sync::Arc};

use object_store::{ObjectStore, memory::InMemory};
#[cfg(feature = "http")]
use object_store::{path::Path, prefix::PrefixStore};
use url::Url;

use crate::{
    error::{Error, ErrorKind, sort},
    folder::Folder,
    uploads::{self, Uploads},
};

/// A store that an address has led to.
pub(crate) struct Opened {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) uploads: Box<dyn Uploads>,
    /// The address as it may be shown.
    pub(crate) shown: String,
}

/// Environment variables, as name and value.
type Variables = Vec<(String, String)>;

/// Opens what an address names. Nothing is asked of it yet.
pub(crate) fn open(address: &str, variables: Variables) -> Result<Opened, Error> {
    let url = parse(address)?;
    let shown = shown(&url);
    match url.scheme() {
        "file" => folder(&url, shown),
        "memory" => {
            let store = Arc::new(InMemory::new());
            Ok(Opened { store, uploads: Box::new(uploads::Nothing), shown })
        }
        "s3" | "s3a" => s3(&url, variables, shown),
        "gs" => gcs(&url, variables, shown),
        "az" | "azure" | "abfs" | "abfss" | "adl" => azure(&url, variables, shown),
        other => Err(usage(format!(
            "`{other}://` is no store: the stores are s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, \
             az://CONTAINER/PREFIX, file:///FOLDER and memory:///"
        ))),
    }
}

fn parse(address: &str) -> Result<Url, Error> {
    let url = Url::parse(address).map_err(|_| {
        usage("it is no URL; one looks like s3://BUCKET/PREFIX or file:///FOLDER".to_owned())
    })?;
    // A name before the @ is part of an address in Azure, a password is not part of any.
    if url.password().is_some() || (url.scheme().starts_with("s3") && !url.username().is_empty()) {
        let why = "it has a login in it, which logs would show: give that by environment variables, such \
                   as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
        return Err(usage(why.to_owned()));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(usage("it has a query or a fragment, which no tier has".to_owned()));
    }
    Ok(url)
}

fn usage(why: String) -> Error {
    Error::new(ErrorKind::Usage, "the address of the tier can't be used", why)
}

/// The address without what could be a secret.
fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    format!("{}://{host}{}", url.scheme(), url.path())
}

fn folder(url: &Url, shown: String) -> Result<Opened, Error> {
    let path = url.to_file_path().map_err(|()| {
        usage(
            "a folder is named with three slashes and its whole path: file:///srv/tier".to_owned(),
        )
    })?;
    open_folder(path, shown)
}

/// Opens a folder by its path.
pub(crate) fn open_folder(path: PathBuf, shown: String) -> Result<Opened, Error> {
    let folder = Folder::open(path)
        .map_err(|error| sort("the folder of the tier can't be opened", &error))?;
    let uploads = Box::new(uploads::OfFolder(folder.root().to_owned()));
    Ok(Opened { store: Arc::new(folder), uploads, shown })
}

#[cfg(feature = "http")]
fn prefix(url: &Url) -> Result<Path, Error> {
    let unusable = |_| usage("its path has an empty part, `.` or `..`".to_owned());
    Path::from_url_path(url.path().trim_end_matches('/')).map_err(unusable)
}

#[cfg(feature = "http")]
fn below(store: impl ObjectStore, prefix: Path) -> Arc<dyn ObjectStore> {
    if prefix.as_ref().is_empty() {
        Arc::new(store)
    } else {
        Arc::new(PrefixStore::new(store, prefix))
    }
}

/// Retries are this crate's, in one place for all stores.
#[cfg(feature = "http")]
fn no_retries() -> object_store::RetryConfig {
    object_store::RetryConfig { max_retries: 0, ..object_store::RetryConfig::default() }
}

/// Calls `set` with every variable that the store's library knows. It knows some without the store's name before them too,
/// such as `TOKEN`, which in an environment mean something else.
#[cfg(feature = "http")]
fn configure<B, K: std::str::FromStr>(
    builder: B,
    variables: Variables,
    begin: &str,
    set: impl Fn(B, K, String) -> B,
) -> B {
    let named = variables.into_iter().filter(|(name, _)| name.starts_with(begin));
    named.fold(builder, |builder, (name, value)| match name.to_ascii_lowercase().parse() {
        Ok(key) => set(builder, key, value),
        Err(_) => builder,
    })
}

/// Says which setting is missing or wrong. The library's text names settings, not their values.
#[cfg(feature = "http")]
fn unbuilt(error: object_store::Error) -> Error {
    drop(error);
    usage(
        "the store's settings are incomplete or wrong; they are the usual environment variables"
            .to_owned(),
    )
}

#[cfg(feature = "s3")]
fn s3(url: &Url, variables: Variables, shown: String) -> Result<Opened, Error> {
    use object_store::{
        ClientConfigKey,
        aws::{AmazonS3Builder, AmazonS3ConfigKey, S3ConditionalPut},
    };

    let named = variables.iter().find(|(name, _)| name.eq_ignore_ascii_case("AWS_ENDPOINT_URL_S3"));
    let endpoint = named.map(|(_, value)| ("AWS_ENDPOINT_URL".to_owned(), value.clone()));
    let variables = variables.into_iter().chain(endpoint).collect();
    let prefix = prefix(url)?;
    let builder =
        AmazonS3Builder::new().with_url(format!("s3://{}", url.host_str().unwrap_or_default()));
    let builder = configure(builder, variables, "AWS_", AmazonS3Builder::with_config);
    let allowed = builder.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
    let plain = crate::web::Plain::said(allowed.as_deref())?;
    let bucket = builder
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(no_retries())
        .with_http_connector(crate::web::Connector)
        .build()
        .map_err(unbuilt)?;
    let uploads = crate::s3::OfBucket {
        bucket: bucket.clone(),
        client: crate::web::client(plain)?,
        prefix: prefix.clone(),
    };
    Ok(Opened { store: below(bucket, prefix), uploads: Box::new(uploads), shown })
}

#[cfg(not(feature = "s3"))]
fn s3(_: &Url, _: Variables, _: String) -> Result<Opened, Error> {
    Err(not_built("s3"))
}

#[cfg(feature = "gcs")]
fn gcs(url: &Url, variables: Variables, shown: String) -> Result<Opened, Error> {
    use object_store::gcp::GoogleCloudStorageBuilder;

    let prefix = prefix(url)?;
    let builder = GoogleCloudStorageBuilder::new()
        .with_url(format!("gs://{}", url.host_str().unwrap_or_default()));
    let bucket = configure(builder, variables, "GOOGLE_", GoogleCloudStorageBuilder::with_config)
        .with_retry(no_retries())
        .with_http_connector(crate::web::Connector)
        .build()
        .map_err(unbuilt)?;
    Ok(Opened { store: below(bucket, prefix), uploads: Box::new(uploads::ByRule), shown })
}

#[cfg(not(feature = "gcs"))]
fn gcs(_: &Url, _: Variables, _: String) -> Result<Opened, Error> {
    Err(not_built("gcs"))
}

#[cfg(feature = "azure")]
fn azure(url: &Url, variables: Variables, shown: String) -> Result<Opened, Error> {
    use object_store::azure::MicrosoftAzureBuilder;

    let prefix = prefix(url)?;
    let builder = MicrosoftAzureBuilder::new().with_url(url.to_string());
    let container = configure(builder, variables, "AZURE_", MicrosoftAzureBuilder::with_config)
        .with_retry(no_retries())
        .with_http_connector(crate::web::Connector)
        .build()
        .map_err(unbuilt)?;
    Ok(Opened { store: below(container, prefix), uploads: Box::new(uploads::ByRule), shown })
}

#[cfg(not(feature = "azure"))]
fn azure(_: &Url, _: Variables, _: String) -> Result<Opened, Error> {
    Err(not_built("azure"))
}

#[cfg(not(all(feature = "s3", feature = "gcs", feature = "azure")))]
fn not_built(feature: &str) -> Error {
    usage(format!("this program is built without this store (the feature `{feature}`)"))
}
