//! What listings say of the files of revisions, as whoever can read them tells it.

use std::collections::HashMap;

use hubstow_core::care::Id;

use crate::observe::cached::Promised;

/// Whose word a listing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Word {
    /// One that was kept beside the snapshots; it may have been damaged like everything else here.
    #[default]
    Kept,
    /// The hub's own, asked for just now.
    Hub,
}

/// What is to be said of the listing that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kept {
    /// There is none.
    #[default]
    None,
    /// It can be understood, and nobody contradicts it.
    Whole,
    /// It can't be understood.
    Damaged,
    /// It is not what the hub says.
    Differs,
}

/// What a listing says of the files of a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Every file by its name, and its content where the listing tells it.
    pub files: HashMap<String, Option<Promised>>,
    /// Whose word this is.
    pub word: Word,
    /// What is to be said of the one that is kept.
    pub kept: Kept,
}

/// The listings of revisions, by the entry of each revision.
pub type Listings = HashMap<Id, Listed>;

impl Listed {
    /// Tells whether it says anything of what the revision has.
    pub(crate) fn tells(&self) -> bool {
        self.word == Word::Hub || self.kept != Kept::Damaged
    }
}
