//! The tier as a node has it.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use object_store::{ObjectStore, path::Path};
use tokio::{
    sync::{Semaphore, watch},
    time::Instant,
};

use crate::{
    clock::Clock,
    content::{NOTES_AT_ONCE, NOTES_WAITING},
    error::{Error, ErrorKind},
    health::State,
    limits::Limits,
    name::{ObjectId, probe},
    open::{self, Opened},
    store::{Store, Tag, Written},
    uploads::{self, Uploads},
};

/// How many writers race when a store is checked.
const RACERS: usize = 8;

/// A tier of content that many nodes share. It is cheap to clone.
///
/// Every call fails within bounds: see [`Limits`]. A node that gets [`ErrorKind::Unavailable`] goes on without the tier, and
/// asks again for the next file: for as long as the store is away, that costs nothing.
#[derive(Clone)]
pub struct Tier(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) torn: Box<dyn Uploads>,
    pub(crate) clock: Clock,
    pub(crate) uploads: Semaphore,
    /// Says that no more is put.
    pub(crate) closing: watch::Sender<bool>,
    /// Those who write a note of a use, and those who wait for that.
    pub(crate) notes: Semaphore,
    pub(crate) notes_waiting: Arc<Semaphore>,
    /// When the use of an object was last noted.
    pub(crate) noted: Mutex<HashMap<ObjectId, Instant>>,
    shown: String,
}

impl Tier {
    /// Opens the tier at an address: `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX`, `az://CONTAINER/PREFIX`, `file:///FOLDER` or
    /// `memory:///`. Logins, regions and endpoints are read from the usual environment variables (`AWS_ACCESS_KEY_ID`,
    /// `AWS_ENDPOINT_URL`, `AWS_ALLOW_HTTP` and so on). Nothing is sent yet: [`Tier::check`] does that.
    ///
    /// # Errors
    /// An address or settings that can't be used, and a store that this program is built without.
    pub fn open(address: &str, limits: Limits) -> Result<Self, Error> {
        // A value that is not Unicode counts as unset.
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::open_with(address, limits, std::env::vars_os().filter_map(text))
    }

    /// Opens the tier in the same way, with these variables in the place of the environment's.
    ///
    /// # Errors
    /// As [`Tier::open`].
    pub fn open_with(
        address: &str,
        limits: Limits,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let opened = open::open(address, variables.into_iter().collect())?;
        Ok(Self::of(opened, limits))
    }

    /// Makes a tier of a store that the program has made itself. Uploads that are torn have to be ended by a rule of the
    /// store.
    #[must_use]
    pub fn with_store(store: Arc<dyn ObjectStore>, limits: Limits) -> Self {
        let shown = store.to_string();
        Self::of(Opened { store, uploads: Box::new(uploads::ByRule), shown }, limits)
    }

    fn of(opened: Opened, limits: Limits) -> Self {
        Self(Arc::new(Inner {
            uploads: Semaphore::new(limits.uploads.max(1)),
            closing: watch::Sender::new(false),
            store: Store::new(opened.store, limits),
            torn: opened.uploads,
            clock: Clock::default(),
            notes: Semaphore::new(NOTES_AT_ONCE),
            notes_waiting: Arc::new(Semaphore::new(NOTES_WAITING)),
            noted: Mutex::default(),
            shown: opened.shown,
        }))
    }

    /// Returns whether the store is there, as the last requests have shown.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.store.health.state()
    }

    /// Puts nothing more: what is being put is given up, and its uploads are ended. What is there can still be read.
    pub fn close(&self) {
        self.0.uploads.close();
        self.0.closing.send_replace(true);
    }

    /// Checks by doing that the store can hold a tier: that it writes only what is not there when asked to, only over the
    /// version that is named, and that of several who do so at the same time one succeeds. Learns its clock. A node does
    /// this once, before it relies on the tier.
    ///
    /// # Errors
    /// A store that does otherwise ([`ErrorKind::Unfit`]), and whatever keeps it from being asked. That two writers never
    /// both succeed can only be seen not to hold: a store that passes may still be unfit.
    pub async fn check(&self) -> Result<(), Error> {
        let key = probe(&nonce());
        let checked = self.probe(&key).await;
        let removed = self.0.store.delete(&key).await;
        checked.and(removed)?;
        self.0.clock.learn(&self.0.store).await.map(drop)
    }

    async fn probe(&self, key: &Path) -> Result<(), Error> {
        let store = &self.0.store;
        // Nobody else has this key, so what is there is ours.
        if self.race(key, None).await? > 1 {
            return Err(unfit("lets several writers make one thing at once (`If-None-Match: *`)"));
        }
        let gone = || unfit("has not kept what was just written");
        let first = store.head(key).await?.ok_or_else(gone)?;
        if store.create(key, Bytes::from_static(b"other")).await? != Written::Refused {
            return Err(unfit("writes over what is there though it must not (`If-None-Match: *`)"));
        }
        if store.update(key, &Tag::of_nothing(), Bytes::from_static(b"other")).await?
            != Written::Refused
        {
            return Err(unfit("writes over another version than the one named (`If-Match`)"));
        }
        if self.race(key, Some(&first.tag)).await? > 1 {
            return Err(unfit("lets several writers replace one version at once (`If-Match`)"));
        }
        if store.head(key).await?.ok_or_else(gone)?.tag.is(&first.tag) {
            return Err(unfit("does not write over the version that is named (`If-Match`)"));
        }
        Ok(())
    }

    /// Returns the store's time in milliseconds, if it was ever learned. What was learned long ago is learned again: clocks
    /// drift apart.
    pub(crate) async fn store_time(&self) -> Option<i64> {
        if self.0.clock.is_old()
            && let Err(error) = self.0.clock.learn(&self.0.store).await
        {
            tracing::debug!(%error, "the store's clock could not be read again");
        }
        self.0.clock.now_ms()
    }

    /// Has several writers make a key, or replace a version, at the same time, and counts those who hear that they have.
    async fn race(&self, key: &Path, over: Option<&Tag>) -> Result<usize, Error> {
        let write = |_| async move {
            let body = Bytes::from(nonce());
            match over {
                None => self.0.store.create(key, body).await,
                Some(over) => self.0.store.update(key, over, body).await,
            }
        };
        let ends = try_join_all((0..RACERS).map(write)).await?;
        Ok(ends.iter().filter(|end| matches!(end, Written::Done(_))).count())
    }
}

fn unfit(what: &str) -> Error {
    let hint = "no tier can be kept there; see docs/tier.md for what a store must do";
    Error::new(ErrorKind::Unfit, format!("the store {what}"), hint)
}

/// Makes a name that nobody else has.
pub(crate) fn nonce() -> String {
    hubstow_core::name::Nonce::from_bits(fastrand::u128(..)).to_string()
}

impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier").field("at", &self.0.shown).finish_non_exhaustive()
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.shown)
    }
}
