//! What a step changes of files: how many bytes are free, and what stays proved.

use hubstow_core::{layout::CachePath, policy::Method};

use crate::{
    care::execute::Skip,
    disk::{Entry, Kind},
    observe::view::View,
};

/// What a step changes of files.
pub(super) struct Change {
    at: CachePath,
    from: CachePath,
    lost: Option<Entry>,
    source: Option<Entry>,
}

impl Change {
    pub(super) fn before(view: &View, at: &CachePath, from: &CachePath) -> Result<Self, Skip> {
        let refused = |error: std::io::Error| Skip::Refused(error.to_string());
        let lost = view.disk().entry(at).map_err(refused)?;
        let source = view.disk().through(from).map_err(refused)?;
        Ok(Self { at: at.clone(), from: from.clone(), lost, source })
    }

    /// Carries over what is proved of a file that has got or lost a name, and returns how many bytes are free.
    pub(super) fn after(self, view: &View, by: Method) -> i64 {
        let Self { at, from, lost, source } = self;
        let now = |at: &CachePath| view.disk().through(at).ok().flatten();
        if let (Some(before), Some(after)) = (&source, now(&from).or_else(|| now(&at)))
            && before.identity.same_content(&after.identity)
        {
            view.proofs.carry_over(&before.identity, &after.identity);
        }
        let made = match by {
            Method::Reflink | Method::Copy | Method::Move => source.map_or(0, |it| it.len_bytes),
            Method::Symlink | Method::Hardlink => 0,
        };
        lost.as_ref().map_or(0, freed_with) - signed(made)
    }
}

/// Returns how many bytes are free with this name of a file.
pub(super) fn freed_with(name: &Entry) -> i64 {
    let is_last = name.kind == Kind::File && name.has_only_name();
    if is_last { signed(name.len_bytes) } else { 0 }
}

fn signed(len_bytes: u64) -> i64 {
    i64::try_from(len_bytes).unwrap_or(i64::MAX)
}
