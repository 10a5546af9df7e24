//! The certificate by which a server is known, read again when its files change.
//!
//! A changed pair that can't be used changes nothing: whoever renews a certificate writes two files, and in between they do
//! not go together. What can't be read now is looked at again, although it has not changed by then.

use std::{
    convert::Infallible,
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::TcpStream, task::spawn_blocking};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

use crate::{error::Error, hash::Stamp};

/// How often the files are looked at.
const LOOKED_EVERY: Duration = Duration::from_secs(2);

type Tell = Box<dyn Fn(Option<&Error>) + Send + Sync>;

/// The certificate by which a server is known, and its key: two files in PEM that are read again when they change.
#[derive(Clone)]
pub struct Certificate {
    pair: Arc<Pair>,
    acceptor: TlsAcceptor,
    tell: Arc<Tell>,
}

impl Certificate {
    /// Reads the files: the chain of certificates, that of the server first, and the key to it.
    ///
    /// # Errors
    /// A file can't be read or is none of that kind, or the two don't belong together.
    pub fn read(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, Error> {
        let (certificate, key) = (certificate.into(), key.into());
        let default = CryptoProvider::get_default().map(Arc::clone);
        let provider = default.unwrap_or_else(|| Arc::new(ring::default_provider()));
        let stamps = stamps(&certificate, &key);
        let current = load(&certificate, &key, &provider)?;
        let known = Known { current, looked: Looked { read: stamps, unread: None } };
        let unusable =
            |error| Error::Pair { certificate: certificate.clone(), source: wrong(error) };
        let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        let pair = Arc::new(Pair { certificate, key, provider, known: Mutex::new(known) });
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Pair>::clone(&pair);
        let mut config = versions.with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { pair, acceptor, tell: Arc::new(Box::new(|_| ())) })
    }

    /// Sets who hears that the files have changed: with nothing where the new pair is used from now on, and with what is
    /// wrong with it where the old one stays.
    #[must_use]
    pub fn on_change(mut self, tell: impl Fn(Option<&Error>) + Send + Sync + 'static) -> Self {
        self.tell = Arc::new(Box::new(tell));
        self
    }

    /// Shakes hands with a client.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
        self.acceptor.accept(stream).await
    }

    /// Looks at the files for as long as it is polled.
    pub(crate) async fn watch(self) -> Infallible {
        loop {
            tokio::time::sleep(LOOKED_EVERY).await;
            let this = self.clone();
            // It ends with the runtime only.
            drop(spawn_blocking(move || this.look_again()).await);
        }
    }

    fn look_again(&self) {
        match self.pair.read_again() {
            Ok(false) => {}
            Ok(true) => (self.tell)(None),
            Err(error) => (self.tell)(Some(&error)),
        }
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.pair.certificate).finish()
    }
}

/// The files, and what was read from them.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    known: Mutex<Known>,
}

struct Known {
    current: Arc<CertifiedKey>,
    looked: Looked,
}

type Stamps = [Option<Stamp>; 2];

/// What looking at the files has come to.
#[derive(Debug)]
struct Looked {
    /// As the files were when they were last read, whether they could be used or not.
    read: Stamps,
    /// As they were when they could not be read, and that was said.
    unread: Option<Stamps>,
}

/// What reading the files has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// They were read, whether they are of use or not.
    Read,
    /// They could not be read, which may pass.
    Unread,
}

impl Looked {
    fn has_changed(&self, stamps: &Stamps) -> bool {
        self.read != *stamps
    }

    /// Notes what has come of reading the files as they are; says whether that is news.
    fn is_news(&mut self, stamps: Stamps, came: Came) -> bool {
        match came {
            Came::Read => {
                *self = Self { read: stamps, unread: None };
                true
            }
            Came::Unread => self.unread.replace(stamps.clone()) != Some(stamps),
        }
    }
}

impl Pair {
    /// Reads the files again if they have changed, and tells whether they had.
    ///
    /// # Errors
    /// They have, and what they hold now can't be used, or not be read. It is said once of each change.
    fn read_again(&self) -> Result<bool, Error> {
        let stamps = stamps(&self.certificate, &self.key);
        if !self.known().looked.has_changed(&stamps) {
            return Ok(false);
        }
        let loaded = load(&self.certificate, &self.key, &self.provider);
        let came = match &loaded {
            Err(error) if !is_of_content(error) => Came::Unread,
            Ok(_) | Err(_) => Came::Read,
        };
        let mut known = self.known();
        let is_news = known.looked.is_news(stamps, came);
        match loaded {
            Ok(current) => known.current = current,
            Err(error) if is_news => return Err(error),
            Err(_) => {}
        }
        Ok(is_news)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.known().current))
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|path| fs::metadata(path).ok().map(|stat| Stamp::of(&stat)))
}

fn load(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    let read = |path: &Path| {
        fs::read(path).map_err(|source| Error::Certificate { path: path.to_owned(), source })
    };
    let broken = |path: &Path, source| Error::Certificate { path: path.to_owned(), source };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.map_err(|error| broken(certificate, wrong(error)))?;
    if chain.is_empty() {
        return Err(broken(certificate, wrong("it has no certificate in PEM")));
    }
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?);
    let secret = secret.map_err(|_| broken(key, wrong("it has no private key in PEM")))?;
    let signing = provider.key_provider.load_private_key(secret);
    let signing = signing.map_err(|error| broken(key, wrong(error)))?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(Arc::new(pair))
        }
        Err(error) => {
            Err(Error::Pair { certificate: certificate.to_owned(), source: wrong(error) })
        }
    }
}

/// Tells whether what was read is of no use; else it could not be read.
fn is_of_content(error: &Error) -> bool {
    match error {
        Error::Certificate { source, .. } | Error::Pair { source, .. } => {
            source.kind() == io::ErrorKind::InvalidData
        }
        Error::Root { .. } | Error::Origin(_) | Error::Bind(_) | Error::Start(_) => false,
    }
}

fn wrong(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_read_again_and_told_once() {
        let [old, new] = [None, Some(Stamp::default())].map(|stamp| [stamp, None]);
        let mut looked = Looked { read: old.clone(), unread: None };
        assert!(!looked.has_changed(&old) && looked.has_changed(&new));
        assert!(looked.is_news(new.clone(), Came::Unread));
        assert!(looked.has_changed(&new), "it is not known yet");
        assert!(!looked.is_news(new.clone(), Came::Unread));
        assert!(looked.is_news(new.clone(), Came::Read));
        assert!(!looked.has_changed(&new));
    }
}
