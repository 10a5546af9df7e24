//! Which files of a repo have to be proved: those of which something may come, and no others.

use std::collections::{HashMap, HashSet};

use hubstow_core::{
    care::{Id, relink::Rules},
    name::Etag,
    policy::Method,
};

use crate::care::{
    inventory::Inventory,
    relink::survey::{Found, OwnFile},
};

/// What has to be proved.
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) blobs: HashSet<Id>,
    pub(super) files: HashSet<Id>,
}

impl Wanted {
    /// `shared` says in how many repos there are files of each length, where repos are to share.
    pub(super) fn of(
        found: &Found,
        inventory: &Inventory,
        rules: &Rules,
        shared: Option<&HashMap<u64, usize>>,
    ) -> Self {
        let ladder = rules.policy.ladder();
        let Some(method) = rules.method() else { return Self::default() };
        // What the ladder has above copies stays.
        let keeps_links = ladder.contains(&Method::Symlink);
        let len_of = |id: Id| Some(inventory.content_of(id)?.entry.as_ref()?.len_bytes);
        let names =
            |id: Id| inventory.get(id).and_then(|it| it.entry.as_ref()).map_or(1, |it| it.names);
        let dangling: HashSet<&Etag> = found.dangling.iter().map(|(_, etag)| etag).collect();
        let in_many = |len: u64| {
            shared.is_some_and(|shared| shared.get(&len).is_some_and(|repos| *repos > 1))
        };
        // Of what a listing promises nothing else can be what is missing.
        let may_heal = |file: &&OwnFile| {
            let promised = file.promised.as_ref();
            !dangling.is_empty()
                && promised.is_none_or(|promised| dangling.contains(&promised.etag))
        };
        let mut lengths: HashMap<u64, usize> = HashMap::new();
        for len in found.blobs.keys().filter_map(|id| len_of(*id)) {
            *lengths.entry(len).or_default() += 1;
        }
        for file in &found.files {
            *lengths.entry(file.len_bytes).or_default() += 1;
        }
        // A blob that nothing leads to may be what a file has become that was a link to it.
        let is_led_to: HashSet<Id> =
            found.twins.iter().chain(&found.links).map(|(_, blob)| *blob).collect();
        let idle = found.blobs.keys().filter(|id| !is_led_to.contains(id));
        let idle: HashSet<u64> = idle.filter_map(|id| len_of(*id)).collect();
        let of_files = found.files.iter().filter(|file| match method {
            Method::Symlink | Method::Hardlink => true,
            Method::Reflink => {
                may_heal(file) || lengths.get(&file.len_bytes).is_some_and(|n| *n > 1)
            }
            Method::Copy | Method::Move if keeps_links => may_heal(file),
            Method::Copy | Method::Move => {
                may_heal(file) || names(file.id) > 1 || idle.contains(&file.len_bytes)
            }
        });
        let files: HashSet<Id> = of_files.map(|file| file.id).collect();
        let mut blobs = HashSet::new();
        let twins = found.twins.iter().map(|(_, blob)| *blob);
        let links = found.links.iter().map(|(_, blob)| *blob);
        let of_files: HashSet<u64> = found.files.iter().map(|file| file.len_bytes).collect();
        let is_like_a_file = |id: Id| len_of(id).is_some_and(|len| of_files.contains(&len));
        match (method, keeps_links) {
            (Method::Symlink, _) => blobs.extend(twins),
            (Method::Copy | Method::Move, false) => {
                let idle = found.blobs.keys().copied().filter(|id| !is_led_to.contains(id));
                blobs.extend(idle.filter(|id| is_like_a_file(*id)).chain(twins).chain(links));
            }
            (Method::Hardlink | Method::Reflink, _) if !ladder.contains(&Method::Symlink) => {
                blobs.extend(links);
            }
            (Method::Hardlink | Method::Reflink | Method::Copy | Method::Move, _) => {}
        }
        if method != Method::Copy {
            let promised: HashSet<&Etag> =
                found.files.iter().filter_map(|file| Some(&file.promised.as_ref()?.etag)).collect();
            let is_alike = |(id, etag): &(&Id, &Etag)| {
                promised.contains(etag) || is_like_a_file(**id) || len_of(**id).is_some_and(in_many)
            };
            blobs.extend(found.blobs.iter().filter(is_alike).map(|(id, _)| *id));
        }
        Self { blobs, files }
    }
}
