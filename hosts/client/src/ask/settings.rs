//! How one question differs from the settings of its hub.

use std::{path::PathBuf, sync::Arc};

use hubstow_core::{
    facts::{Force, Reach, Stale},
    name::Revision,
    policy::Policy,
};

use crate::{
    api::{
        error::Error,
        event::{Event, Observer},
    },
    hub::Hub,
};

/// What was said for one question; the settings of the hub hold for all else.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) revision: Option<String>,
    pub(crate) force: bool,
    pub(crate) reach: Option<Reach>,
    pub(crate) stale: Option<Stale>,
    pub(crate) policy: Option<Policy>,
    pub(crate) local_dir: Option<PathBuf>,
    pub(crate) observer: Option<Observer>,
}

impl Settings {
    /// Returns the hub as it is for this question.
    pub(crate) fn hub(&self, hub: &Hub) -> Result<Hub, Error> {
        let Self { reach, stale, policy, local_dir, observer, .. } = self;
        let is_varied =
            reach.is_some() || stale.is_some() || policy.is_some() || local_dir.is_some();
        let hub = if is_varied {
            hub.varied(|config| {
                config.reach = reach.unwrap_or(config.reach);
                config.stale = stale.unwrap_or(config.stale);
                config.policy = policy.unwrap_or(config.policy);
                config.local_dir = local_dir.clone().or_else(|| config.local_dir.take());
            })?
        } else {
            hub.clone()
        };
        Ok(match observer.clone() {
            Some(observer) => hub.on_event(move |event| observer(event)),
            None => hub,
        })
    }

    /// Returns the revision that was said, or the one that is meant without.
    pub(crate) fn revision(&self, otherwise: Option<Revision>) -> Result<Revision, Error> {
        match (&self.revision, otherwise) {
            (Some(said), _) => Ok(Revision::parse(said)?),
            (None, Some(revision)) => Ok(revision),
            (None, None) => Ok(Revision::parse("main")?),
        }
    }

    pub(crate) fn force(&self) -> Force {
        if self.force { Force::On } else { Force::Off }
    }

    /// Asks nobody but the cache, whatever was said before.
    pub(crate) fn cache_alone(&mut self) {
        self.reach = Some(Reach::Offline);
        self.force = false;
    }

    pub(crate) fn observe(&mut self, observer: impl Fn(&Event) + Send + Sync + 'static) {
        self.observer = Some(Arc::new(observer));
    }
}

/// Gives a question the settings that it may have of its own.
macro_rules! with_settings {
    ($question:ty) => {
        impl $question {
            /// At this revision: a branch, a tag, `refs/pr/N` or a commit. `main` where none is said.
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
            /// # here::ask(async |hub| {
            /// use hubstow_client::FileReport;
            /// use hubstow_core::{facts::Stale, policy::Policy};
            ///
            /// let question = hub.model("org/model").revision("main").policy(Policy::Portable).stale(Stale::Never);
            /// let FileReport { path, .. } = question.file("config.json").force().await?;
            /// assert!(!path.is_symlink());
            /// # Ok(())
            /// # });
            /// ```
            pub fn revision(mut self, revision: impl Into<String>) -> Self {
                self.settings.revision = Some(revision.into());
                self
            }

            /// Fetches files although they are here.
            pub fn force(mut self) -> Self {
                self.settings.force = true;
                self
            }

            /// Sends no request (`local_files_only` of the Python client).
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
            /// # here::ask(async |hub| {
            /// use hubstow_client::ErrorKind;
            ///
            /// let missing = hub.model("org/model").offline().file("config.json").await;
            /// assert_eq!(missing.unwrap_err().kind(), ErrorKind::NotCached);
            /// # Ok(())
            /// # });
            /// ```
            pub fn offline(mut self) -> Self {
                self.settings.reach = Some(hubstow_core::facts::Reach::Offline);
                self
            }

            /// Says when a cached file may be served that the hub has not confirmed.
            pub fn stale(mut self, stale: hubstow_core::facts::Stale) -> Self {
                self.settings.stale = Some(stale);
                self
            }

            /// Places files by this policy.
            pub fn policy(mut self, policy: hubstow_core::policy::Policy) -> Self {
                self.settings.policy = Some(policy);
                self
            }

            /// Puts the files themselves into a folder instead of the cache; what the cache holds is copied from there.
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
            /// # here::ask(async |hub| {
            /// # let here = tempfile::tempdir()?;
            /// let folder = here.path().join("model");
            /// let mine = hub.model("org/model").local_dir(&folder).snapshot().await?;
            /// assert_eq!(mine.path, folder);
            /// # Ok(())
            /// # });
            /// ```
            pub fn local_dir(mut self, dir: impl Into<std::path::PathBuf>) -> Self {
                self.settings.local_dir = Some(dir.into());
                self
            }

            /// Tells a function of every event of this question, instead of the one that the hub tells. It is called from
            /// several threads and must not block.
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
            /// # here::ask(async |hub| {
            /// use hubstow_client::Event;
            ///
            /// let question = hub.model("org/model").on_event(|event| {
            ///     if let Event::Finished { report } = event {
            ///         println!("{} is here", report.file);
            ///     }
            /// });
            /// question.snapshot().await?;
            /// # Ok(())
            /// # });
            /// ```
            pub fn on_event(
                mut self,
                observer: impl Fn(&$crate::Event) + Send + Sync + 'static,
            ) -> Self {
                self.settings.observe(observer);
                self
            }

            /// Returns the question and its events as a stream, instead of telling the function that the hub tells. The
            /// stream ends when the question does.
            ///
            /// ```
            /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
            /// # here::ask(async |hub| {
            /// use futures_util::{StreamExt, future::join};
            ///
            /// let (question, events) = hub.model("org/model").file("config.json").with_events();
            /// let (file, events) = join(question.download(), events.collect::<Vec<_>>()).await;
            /// println!("{}: {} events", file?.file, events.len());
            /// # Ok(())
            /// # });
            /// ```
            pub fn with_events(mut self) -> (Self, $crate::ask::progress::Events) {
                let (observer, events) = $crate::ask::progress::events();
                self.settings.observe(observer);
                (self, events)
            }
        }
    };
}

pub(crate) use with_settings;
