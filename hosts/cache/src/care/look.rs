//! Looking at a whole cache directory, its repos beside each other.

use hubstow_core::{care::Id, layout::CachePath, name::RepoKind};

use crate::{
    cache::Cache,
    care::{
        beside::each,
        complete::complete,
        damage::{Damage, Flaw},
        inventory::{HeldRepo, Inventory, Store},
        part::{MARKER, Of, Part},
        pins::Pins,
    },
    disk::{
        FolderName, Kind,
        failure::{ErrorGroup, FsError, group},
    },
    observe::view::View,
};

/// The names at the top of a cache directory that are nobody's repo, and that every client passes over.
const PASSED_OVER: [&str; 5] = [".locks", "CACHEDIR.TAG", ".DS_Store", "Thumbs.db", "desktop.ini"];
/// The folder of the store that repos share, and what its marker says.
const STORE: &str = "blobs";
const MARK: &[u8] = b"1\n";

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
        let native = self.cache.disk.native(&root);
        let native = native.to_string_lossy().replace('\\', "/");
        let native = native.trim_end_matches('/');
        let parts = each(&folders, |(folder, repo)| {
            let of = if repo.is_some() { Of::Repo } else { Of::Store };
            Part::of(&self.cache, folder, of, native, &self.cancel)
        });
        let mut loose = Vec::new();
        for (folder, part) in folders.iter().zip(parts) {
            loose.extend(inventory.add(&self.cache, folder, part));
        }
        self.cancel.check().map_err(|error| FsError::io("look at", &root, error))?;
        complete(self, &mut inventory, native, &loose);
        Ok(inventory)
    }
}

/// A folder to be walked.
type Folder = (String, Option<(RepoKind, String)>);

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
        match (RepoKind::of_folder(&name), kind) {
            (Some(repo), Kind::Directory) => folders.push((name, Some(repo))),
            (Some(_), Kind::Symlink) => self.damage.push(Damage::new(&at, Flaw::RepoIsLink)),
            (Some(_), Kind::File | Kind::Other) => {
                self.damage.push(Damage::new(&at, Flaw::RepoIsFile));
            }
            (None, _) => self.strangers.push(at),
        }
    }

    /// Takes over what was found in a folder; returns the links that do not lead to anything in it.
    fn add(&mut self, cache: &Cache, (folder, repo): &Folder, part: Part) -> Vec<Id> {
        let base = self.items.len();
        let Part { items, damage, loose } = part.from(base);
        self.items.extend(items);
        self.damage.extend(damage);
        if let Some((kind, name)) = repo {
            let locks = CachePath::root().listed(".locks").and_then(|at| at.listed(folder));
            let locks = locks.and_then(|at| cache.disk.names(&at).ok()).map_or(0, |it| it.len());
            let (kind, name) = (*kind, name.clone());
            let pins = Pins::default();
            self.repos.push(HeldRepo { id: Id::at(base), kind, name, locks, pins });
        }
        loose
    }
}
