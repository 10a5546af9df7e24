//! What all requests share: the library, which is asked off the async threads only, and the options that handlers heed.

use std::{io, sync::Arc};

use hubstow_core::hub::Endpoint;
use tokio::task::spawn_blocking;

use crate::{error::Error, fault::Fault, library::Library, token::Token};

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    library: Library,
    pub(crate) token: Option<Token>,
    pub(crate) cdn: Option<Endpoint>,
    pub(crate) page_limit: usize,
}

impl Shared {
    pub(crate) fn new(
        library: Library,
        token: Option<Token>,
        cdn: Option<Endpoint>,
        page_limit: usize,
    ) -> Self {
        Self { library, token, cdn, page_limit }
    }

    /// Tells whether the folder can be read. It blocks.
    pub(crate) fn check_blocking(&self) -> Result<(), Error> {
        let wrong = |source| Error::Root { path: self.library.root().to_owned(), source };
        self.library.check().map_err(wrong)
    }

    /// Tells whether the folder can be read.
    pub(crate) async fn check(self: &Arc<Self>) -> Result<(), Error> {
        let shared = Arc::clone(self);
        let checked = spawn_blocking(move || shared.check_blocking()).await;
        checked.map_err(|error| Error::Start(io::Error::other(error)))?
    }

    /// Asks the library, off the async threads.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Library) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(self);
        spawn_blocking(move || question(&shared.library)).await.map_err(io::Error::other)?
    }
}
