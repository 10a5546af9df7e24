//! The store that repos share in caches of huggingface_hub 2.4: its contents go along with the repos that use them, where the new
//! place can hold links. Where it can't, each repo gets its content as any other.

use hubstow_cache::{
    Cache, Disk,
    care::{
        inventory::{Inventory, Item},
        leads::Leads,
    },
    disk::{
        Kind,
        cancel::Cancel,
        content::{Hasher, pass_through},
    },
    fresh_nonce,
};
use hubstow_core::{
    care::Role,
    layout::{CachePath, RepoLayout},
    name::Etag,
    policy::Method,
};

use super::{chosen::ChosenRepo, guard::is_hash};
use crate::api::error::{Error, ErrorKind, FailedFile, from_io};

const STORE: &str = "blobs";
const MARKER: &str = ".huggingface-shared-blobs";
const MARK: &[u8] = b"1\n";
/// The most bytes of a list of users.
const USERS_LIMIT_BYTES: u64 = 16 << 20;

/// A blob that is a link into the store.
struct Borrowed<'a> {
    blob: &'a Item,
    payload: &'a Item,
    etag: Etag,
}

/// Carries what a repo uses of the store, before its pointers; returns what is damaged.
///
/// # Errors
/// Whatever the system says.
pub(super) fn carry(
    from: &Cache,
    to: &Cache,
    inventory: &Inventory,
    chosen: &ChosenRepo,
    cancel: &Cancel,
) -> Result<Vec<FailedFile>, Error> {
    let borrowed = borrowed(inventory, chosen);
    if borrowed.is_empty() || !takes_links(to, &chosen.layout())? {
        return Ok(Vec::new());
    }
    let mut failed = Vec::new();
    for Borrowed { blob, payload, etag } in borrowed {
        let carried = carry_one(from, to, (blob, payload), &etag, cancel);
        if let Err(error) = carried {
            if error.kind() != ErrorKind::ContentMismatch {
                return Err(error);
            }
            failed.push(FailedFile::new(payload.at.as_str(), error));
        }
    }
    Ok(failed)
}

fn borrowed<'a>(inventory: &'a Inventory, chosen: &ChosenRepo) -> Vec<Borrowed<'a>> {
    let folder = format!("{}/", chosen.layout().blobs());
    let blobs = inventory.iter().filter(|(_, item)| item.role == Role::Blob);
    let found = blobs.filter_map(|(_, blob)| {
        let etag = Etag::parse(blob.at.as_str().strip_prefix(&folder)?).ok()?;
        let Some(Leads::To(to)) = blob.leads else { return None };
        let payload = inventory.get(to).filter(|it| it.role == Role::Payload)?;
        Some(Borrowed { blob, payload, etag }).filter(|it| is_hash(&it.etag))
    });
    found.collect()
}

/// Tells whether the policy of a cache makes links, and its disk takes them.
fn takes_links(to: &Cache, layout: &RepoLayout) -> Result<bool, Error> {
    let is_allowed = to.policy().ladder().contains(&Method::Symlink);
    // A folder of that name without the mark is somebody's own.
    let store = CachePath::root().listed(STORE);
    let is_other = store.is_some_and(|store| {
        let is_there = matches!(to.disk().entry(&store), Ok(Some(_)));
        let marker = store.listed(MARKER);
        is_there && marker.is_some_and(|at| to.read(&at, 64).as_deref() != Some(MARK))
    });
    if !is_allowed || is_other {
        return Ok(false);
    }
    to.make_folders(&layout.repo())?;
    Ok(to.probe_root(Method::Symlink)?.is_ok())
}

fn carry_one(
    from: &Cache,
    to: &Cache,
    (blob, payload): (&Item, &Item),
    etag: &Etag,
    cancel: &Cancel,
) -> Result<(), Error> {
    let disk = to.disk();
    if matches!(disk.entry(&blob.at), Ok(Some(_))) {
        return Ok(());
    }
    let folder = payload.at.parent();
    to.make_folders(&folder)?;
    let marker = folder.parent().listed(MARKER);
    if let Some(marker) = marker.filter(|at| matches!(disk.entry(at), Ok(None))) {
        write(disk, &marker, MARK)?;
    }
    if matches!(disk.entry(&payload.at), Ok(None)) {
        copy(from, disk, payload, etag, cancel)?;
    }
    // Whoever links to a payload is in its list first.
    let users = folder.listed(&format!("{}.refs", payload.at.base()));
    if let Some(users) = users {
        let line = format!("{}\n", blob.at);
        let mut list = to.read(&users, USERS_LIMIT_BYTES).unwrap_or_default();
        let has_line = String::from_utf8_lossy(&list).lines().any(|it| it == blob.at.as_str());
        if !has_line {
            list.extend(line.as_bytes());
            write(disk, &users, &list)?;
        }
    }
    to.make_folders(&blob.at.parent())?;
    let text = blob.link.clone().unwrap_or_default();
    let text = if text.starts_with('/') { format!("../../{}", payload.at) } else { text };
    disk.symlink(&text, &blob.at)
        .map_err(|error| from_io(&format!("`{}` can't be linked", blob.at), error))
}

/// Copies a payload, which is proved by the hash that the blob is named after.
fn copy(
    from: &Cache,
    to: &dyn Disk,
    payload: &Item,
    etag: &Etag,
    cancel: &Cancel,
) -> Result<(), Error> {
    let at = &payload.at;
    let unread = |error| from_io(&format!("`{at}` can't be copied"), error);
    let private = RepoLayout::scratch_in(&at.parent(), &fresh_nonce()?);
    let len_bytes = payload.entry.as_ref().map(|entry| entry.len_bytes);
    let mut hasher = Hasher::new(etag, len_bytes);
    let mut content = from.disk().open(at).map_err(unread)?;
    let mut copy = to.create(&private).map_err(unread)?;
    let copied = pass_through(&mut *content, &mut hasher, cancel, |bytes| copy.write_all(bytes));
    let done = copied.and_then(|_| copy.sync()).map_err(unread).and_then(|()| {
        hasher.finish().map_err(|found| {
            let what = format!("`{at}` is damaged: the content's hash is {found}, not {etag}");
            Error::new(ErrorKind::ContentMismatch, what)
        })
    });
    let published = done.and_then(|()| to.rename(&private, at).map_err(unread));
    published.inspect_err(|_| {
        let _ = to.remove(&private);
    })
}

/// Writes a small file whole.
fn write(disk: &dyn Disk, at: &CachePath, content: &[u8]) -> Result<(), Error> {
    let private = RepoLayout::scratch_in(&at.parent(), &fresh_nonce()?);
    let write = || {
        let mut file = disk.create(&private)?;
        file.write_all(content)?;
        file.sync()?;
        disk.rename(&private, at)
    };
    write().map_err(|error| {
        let _ = disk.remove(&private);
        from_io(&format!("`{at}` can't be written"), error)
    })
}

/// Tells whether an entry is a regular file itself.
pub(super) fn is_plain(disk: &dyn Disk, at: &CachePath) -> bool {
    disk.entry(at).ok().flatten().is_some_and(|entry| entry.kind == Kind::File)
}
