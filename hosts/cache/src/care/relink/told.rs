//! What is told while it is found out what files hold, and what is asked for.

use std::{collections::HashMap, sync::Arc};

use hubstow_core::{layout::RepoLayout, name::Commit};

use crate::observe::cached::Promised;

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// So many bytes of the files that nothing has proved yet were read, of so many.
    Hashing {
        /// How many were read.
        done_bytes: u64,
        /// How many there are.
        total_bytes: u64,
    },
}

/// Takes how far it has come, on whatever thread that is.
pub type Tell = Arc<dyn Fn(Progress) + Send + Sync>;

/// Says what a kept listing promises of the files of a commit, by their names; empty where none is kept.
pub type Promises<'a> = &'a dyn Fn(&RepoLayout, &Commit) -> HashMap<String, Promised>;
