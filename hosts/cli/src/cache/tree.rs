//! One repo of the cache, with every entry of its folder.

use std::collections::HashSet;

use hubstow_client::{
    Error,
    care::{Hold, Id, Inventory, Item, Kind, Leads, RepoSum, Role},
};
use serde::Serialize;

use crate::{
    global::Format,
    output::{self, CAUTION, FAINT, NAME, TITLE, plain, styled},
};

#[derive(Serialize)]
struct EntryJson<'a> {
    path: &'a str,
    role: &'static str,
    kind: &'static str,
    /// In bytes; of a link none.
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<&'static str>,
}

/// Prints a repo.
pub(super) fn run(repo: &RepoSum, inventory: &Inventory, format: Format) -> Result<(), Error> {
    let mut inside: Vec<(Id, &Item)> =
        inventory.iter().filter(|(id, _)| inventory.outermost(*id) == repo.id).collect();
    // A folder comes right before what is in it.
    inside.sort_by(|(_, one), (_, other)| {
        one.at.as_str().split('/').cmp(other.at.as_str().split('/'))
    });
    let led_to: HashSet<Id> =
        inventory.iter().flat_map(|(_, item)| item.leads_to.iter().copied()).collect();
    match format {
        Format::Json => {
            let entries: Vec<EntryJson<'_>> = inside.iter().map(|(_, item)| json(item)).collect();
            output::json(&entries)
        }
        Format::Quiet => {
            inside.iter().try_for_each(|(_, item)| output::line(plain(item.at.as_str())))
        }
        Format::Human => inside
            .iter()
            .try_for_each(|(id, item)| output::line(line(*id, item, inventory, &led_to))),
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Symlink => "link",
        Kind::Directory => "folder",
        Kind::Other => "other",
    }
}

fn size(item: &Item) -> Option<u64> {
    item.entry.as_ref().filter(|_| item.kind == Kind::File).map(|entry| entry.len_bytes)
}

fn json(item: &Item) -> EntryJson<'_> {
    EntryJson {
        path: item.at.as_str(),
        role: item.role.code(),
        kind: kind_word(item.kind),
        size: size(item),
        link: item.link.as_deref(),
        hold: (item.hold != Hold::Free).then(|| item.hold.code()),
    }
}

fn line(id: Id, item: &Item, inventory: &Inventory, led_to: &HashSet<Id>) -> String {
    let depth = inventory.around(id).count().saturating_sub(1);
    let name = output::name(item.at.base());
    let name = match item.role {
        Role::Repo => styled(TITLE, name),
        Role::Pointer => styled(NAME, name),
        Role::Frame
        | Role::Ref
        | Role::Revision
        | Role::Folder
        | Role::Blob
        | Role::Staged
        | Role::Companion
        | Role::Payload
        | Role::Stranger => name,
    };
    let slash = if item.kind == Kind::Directory { "/" } else { "" };
    let mut text = format!("{}{name}{slash}", "  ".repeat(depth));
    if let Some(link) = &item.link {
        text.push_str(&styled(FAINT, format_args!(" → {}", output::name(link))));
        let wrong = match item.leads {
            Some(Leads::Nowhere) => Some("leads nowhere"),
            Some(Leads::Outside) => Some("leads out of the cache"),
            Some(Leads::To(_)) | None => None,
        };
        if let Some(wrong) = wrong {
            text.push_str(&styled(CAUTION, format_args!("  {wrong}")));
        }
    }
    if let Some(size) = size(item) {
        text.push_str(&styled(FAINT, format_args!("  {}", output::size(size))));
    }
    let role = match item.role {
        Role::Staged => Some("unfinished"),
        Role::Stranger => Some("unknown"),
        Role::Blob if !led_to.contains(&id) => Some("nothing leads to it"),
        Role::Repo
        | Role::Frame
        | Role::Ref
        | Role::Revision
        | Role::Folder
        | Role::Pointer
        | Role::Blob
        | Role::Companion
        | Role::Payload => None,
    };
    let hold = (item.hold != Hold::Free).then(|| item.hold.code());
    for word in [role, hold].into_iter().flatten() {
        text.push_str(&styled(CAUTION, format_args!("  {word}")));
    }
    text
}
