//! Looking at a whole cache directory, its repos beside each other.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hubstow_core::{
    care::{Hold, Id, Role},
    layout::CachePath,
    name::RepoKind,
};

use crate::{
    cache::Cache,
    care::{
        complete::complete,
        damage::{Damage, Flaw},
        inventory::{HeldRepo, Inventory, Item, Store},
        pins::Pins,
        role::known,
        walk::{Listed, walk},
    },
    disk::{
        FolderName, Kind,
        cancel::Cancel,
        failure::{ErrorGroup, FsError, group},
    },
    observe::view::View,
};

/// The names at the top of a cache directory that are nobody's repo, and that every client passes over.
const PASSED_OVER: [&str; 5] = [".locks", "CACHEDIR.TAG", ".DS_Store", "Thumbs.db", "desktop.ini"];
/// The folder of the store that repos share, its marker, and what that says.
const STORE: &str = "blobs";
const MARKER: &str = ".huggingface-shared-blobs";
const MARK: &[u8] = b"1\n";
/// How many threads look at repos: more do not help one disk.
const THREAD_LIMIT: usize = 8;

impl View {
    /// Looks at all that the cache directory holds. A directory that is not there holds nothing.
    ///
    /// # Errors
    /// A directory that can't be listed; that the work was cancelled.
    pub fn inventory(&self) -> Result<Inventory, FsError> {
        let root = CachePath::root();
        let names = match self.cache.disk.kinds(&root) {
            Ok(names) => names,
            Err(error) if group(&error) == ErrorGroup::Raced => return Ok(Inventory::default()),
            Err(error) => return Err(FsError::io("list", &root, error)),
        };
        let mut inventory = Inventory::default();
        let mut folders = Vec::new();
        for name in names {
            inventory.sort_in(&self.cache, name, &mut folders);
        }
        folders.sort_by(|one, other| one.0.cmp(&other.0));
        for (folder, walked) in folders.iter().zip(walk_all(&self.cache, &folders, &self.cancel)) {
            inventory.add(&self.cache, folder, walked);
        }
        self.cancel.check().map_err(|error| FsError::io("look at", &root, error))?;
        complete(self, &mut inventory);
        Ok(inventory)
    }
}

/// A folder to be walked.
type Folder = (String, Option<(RepoKind, String)>);
/// What was found in it.
type Walked = (Vec<Listed>, Vec<Damage>);

impl Inventory {
    /// Says what a name at the top is.
    fn sort_in(&mut self, cache: &Cache, name: FolderName, folders: &mut Vec<Folder>) {
        let FolderName { name, kind } = name;
        let Some(at) = CachePath::root().listed(&name) else { return };
        if PASSED_OVER.contains(&name.as_str()) {
            return;
        }
        if name == STORE && kind == Kind::Directory {
            let marker = at.listed(MARKER);
            let marked = marker.and_then(|marker| {
                let is_file =
                    matches!(cache.disk.entry(&marker), Ok(Some(e)) if e.kind == Kind::File);
                cache.read(&marker, 64).filter(|_| is_file)
            });
            if marked.as_deref() == Some(MARK) {
                self.store = Store::Marked;
                folders.push((name, None));
                return;
            }
        }
        match (repo_of(&name), kind) {
            (Some(repo), Kind::Directory) => folders.push((name, Some(repo))),
            (Some(_), Kind::Symlink) => self.damage.push(Damage::new(&at, Flaw::RepoIsLink)),
            (Some(_), Kind::File | Kind::Other) => {
                self.damage.push(Damage::new(&at, Flaw::RepoIsFile));
            }
            (None, _) => self.strangers.push(at),
        }
    }

    /// Takes over what was found in a folder.
    fn add(&mut self, cache: &Cache, (folder, repo): &Folder, (listed, damage): Walked) {
        self.damage.extend(damage);
        let base = self.items.len();
        for Listed { at, within, kind, entry, link } in listed {
            let below = at.as_str().strip_prefix(folder.as_str()).unwrap_or_default();
            let parts: Vec<&str> = below.split('/').filter(|part| !part.is_empty()).collect();
            let known = match repo {
                Some(_) => known(&parts, kind),
                None => role_in_store(&parts, kind).into(),
            };
            self.damage.extend(known.flaw.map(|flaw| Damage::new(&at, flaw)));
            // What is in a strange folder is strange.
            let within = within.map(|place| Id::at(base + place));
            let outer = within.and_then(|id| self.items.get(id.place()));
            let is_strange = outer.is_some_and(|outer| outer.role == Role::Stranger);
            let role = if is_strange { Role::Stranger } else { known.role };
            let (leads_to, leads, hold) = (Vec::new(), None, Hold::Free);
            let owner = known.owner;
            self.items.push(Item {
                at,
                kind,
                role,
                within,
                leads_to,
                link,
                leads,
                entry,
                hold,
                owner,
            });
        }
        if let Some((kind, name)) = repo {
            let locks = CachePath::root().listed(".locks").and_then(|at| at.listed(folder));
            let locks = locks.and_then(|at| cache.disk.names(&at).ok()).map_or(0, |it| it.len());
            let (kind, name) = (*kind, name.clone());
            let pins = Pins::default();
            self.repos.push(HeldRepo { id: Id::at(base), kind, name, locks, pins });
        }
    }
}

/// Walks folders on several threads, where there are any; what comes back is in their order.
fn walk_all(cache: &Cache, folders: &[Folder], cancel: &Cancel) -> Vec<Walked> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Walked)>> = Mutex::new(Vec::with_capacity(folders.len()));
    let work = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some((folder, _)) = folders.get(place) else { return };
            let mut damage = Vec::new();
            let at = CachePath::root().listed(folder);
            let listed = at.map(|at| walk(&*cache.disk, at, cancel, &mut damage));
            let walked = (listed.unwrap_or_default(), damage);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((place, walked));
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREAD_LIMIT);
    thread::scope(|scope| {
        for _ in 1..threads.min(folders.len()) {
            // A host without threads does it all on this one.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, walked)| walked).collect()
}

/// Reads kind and id from the name of a repo folder, as every client does.
fn repo_of(folder: &str) -> Option<(RepoKind, String)> {
    let (kind, rest) = folder.split_once("--")?;
    let kind = RepoKind::ALL.into_iter().find(|known| known.plural() == kind)?;
    (!rest.is_empty()).then(|| (kind, rest.replace("--", "/")))
}

/// Says what an entry of the store that repos share is for.
fn role_in_store(parts: &[&str], kind: Kind) -> Role {
    let is_hex = |text: &str, len: usize| {
        text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    match (parts, kind) {
        ([], _) => Role::Frame,
        ([MARKER], Kind::File) => Role::Frame,
        ([prefix], Kind::Directory) if is_hex(prefix, 2) => Role::Frame,
        ([_, name], Kind::File) if is_hex(name, 64) => Role::Payload,
        ([_, name], Kind::File) if name.ends_with(".refs") => Role::Companion,
        ([_, name], Kind::File) if name.ends_with(".lock") => Role::Frame,
        ([..], _) => Role::Stranger,
    }
}
