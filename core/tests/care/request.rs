//! What is asked of a cache.

use hubstow_core::care::{Id, Rules};

use crate::world::Name;

/// What is asked of a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    Remove(Name),
    Prune { keep_last: Option<usize>, unused_since: Option<u64> },
}

pub(crate) const REQUESTS: [Request; 13] = [
    Request::Remove(Name::Repo(0)),
    Request::Remove(Name::Repo(1)),
    Request::Remove(Name::Revision(0, 0)),
    Request::Remove(Name::Revision(0, 1)),
    Request::Remove(Name::Revision(1, 0)),
    Request::Remove(Name::Pointer(0, 0)),
    Request::Remove(Name::Pointer(0, 1)),
    Request::Remove(Name::Pointer(1, 1)),
    Request::Remove(Name::Blob(0, 0)),
    Request::Prune { keep_last: None, unused_since: None },
    Request::Prune { keep_last: Some(1), unused_since: None },
    Request::Prune { keep_last: None, unused_since: Some(15) },
    Request::Prune { keep_last: Some(0), unused_since: None },
];

/// The same as the core is asked it.
pub(crate) enum Question {
    Remove(Vec<Id>),
    Prune(Rules),
}

impl Request {
    /// Asks it of entries with these names.
    pub(crate) fn question(self, names: &[Name]) -> Question {
        match self {
            Self::Remove(name) => {
                let place = names.iter().position(|it| *it == name).unwrap();
                Question::Remove(vec![Id::at(place)])
            }
            Self::Prune { keep_last, unused_since } => {
                Question::Prune(Rules { keep_last, unused_since, max_bytes: None })
            }
        }
    }
}
