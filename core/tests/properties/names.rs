//! Names: parsed once, at the edge.

use core::{fmt::Display, str::FromStr};
use std::path::{Component, Path};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{Commit, Etag, FileName, Naming, Nonce, Repo, RepoId, RepoKind, Revision},
};
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::odd::{config, etag, file_name, odd_text};

/// What is accepted is shown as it came, and read back from there, also as data.
fn reads_back<T>(text: &str)
where
    T: FromStr + Display + PartialEq + core::fmt::Debug + Serialize + DeserializeOwned,
{
    let Ok(name) = text.parse::<T>() else {
        return;
    };
    assert_eq!(name.to_string(), text);
    assert_eq!(name.to_string().parse::<T>().ok(), Some(name));
    let data = toml::Value::String(text.to_owned());
    let read: T = data.clone().try_into().unwrap();
    assert_eq!(toml::Value::try_from(read).unwrap(), data);
}

/// A path below the cache root, on every system, whatever the root is.
fn is_below_the_root(path: &CachePath) {
    let text = path.as_str();
    for part in text.split('/') {
        assert!(!["", ".", ".."].contains(&part), "{text:?}");
        assert!(!part.contains(['\\', '\0']), "{text:?}");
        let mut chars = part.chars();
        let letter = chars.next().is_some_and(|c| c.is_ascii_alphabetic());
        assert!(!letter || chars.next() != Some(':'), "a drive in {text:?}");
    }
    let joined = Path::new("/root").join(text);
    let below = joined.strip_prefix("/root").unwrap();
    assert!(below.components().all(|part| matches!(part, Component::Normal(_))), "{text:?}");
}

fn layout() -> RepoLayout {
    RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("org/name").unwrap()))
}

fn commit() -> Commit {
    Commit::parse("0123456789abcdef0123456789abcdef01234567").unwrap()
}

/// Follows the text of a link from the folder of its pointer, by words alone.
fn follow(pointer: &CachePath, link: &str) -> String {
    let folder = pointer.parent();
    let mut parts: Vec<_> = folder.as_str().split('/').collect();
    for part in link.split('/') {
        if part == ".." {
            assert!(parts.pop().is_some(), "{link} climbs out of the cache");
        } else {
            parts.push(part);
        }
    }
    parts.join("/")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_name_that_is_accepted_reads_back(text in odd_text()) {
        reads_back::<Commit>(&text);
        reads_back::<Revision>(&text);
        reads_back::<Etag>(&text);
        reads_back::<FileName>(&text);
        reads_back::<RepoId>(&text);
        reads_back::<Nonce>(&text);
        let kind = RepoKind::parse(&text).ok();
        prop_assert!(kind.is_none_or(|kind| RepoKind::parse(kind.plural()) == Ok(kind)));
    }

    #[test]
    fn every_name_that_is_accepted_stays_below_the_root(text in odd_text()) {
        let layout = layout();
        if let Ok(file) = FileName::parse(&text) {
            is_below_the_root(&layout.pointer(&commit(), &file));
            is_below_the_root(&layout.no_exist(&commit(), &file));
            for (folder, part) in layout.name_trial(&file, &Nonce::from_bits(7)) {
                is_below_the_root(&folder);
                is_below_the_root(&RepoLayout::tried(&folder, part).unwrap());
            }
            is_below_the_root(&RepoLayout::local().pointer(&commit(), &file));
            is_below_the_root(&RepoLayout::local_metadata(&file));
            is_below_the_root(&layout.link_scratch(&file, &Nonce::from_bits(7)));
        }
        if let Ok(etag) = Etag::parse(&text).or_else(|_| Etag::from_header(&text)) {
            is_below_the_root(&layout.blob(&etag));
            is_below_the_root(&layout.staged(&etag, &Nonce::from_bits(7)));
            is_below_the_root(&layout.lock(&etag));
            is_below_the_root(&layout.proof(&etag));
            prop_assert_eq!(layout.blob(&etag).parent(), layout.blobs());
        }
        if let Ok(revision) = Revision::parse(&text) {
            is_below_the_root(&layout.ref_file(&revision));
        }
        if let Ok(commit) = Commit::parse(&text) {
            is_below_the_root(&layout.snapshot(&commit));
            is_below_the_root(&layout.tree(&commit));
            prop_assert_eq!(layout.snapshot(&commit).parent(), layout.snapshots());
        }
        if let Ok(id) = RepoId::parse(&text) {
            let layout = RepoLayout::new(&Repo::new(RepoKind::Space, id));
            is_below_the_root(&layout.repo());
            prop_assert_eq!(layout.repo().parent(), CachePath::root());
        }
    }

    #[test]
    fn a_refusal_shows_no_control_characters_and_not_too_much(text in odd_text()) {
        for error in [
            FileName::parse(&text).err(),
            Etag::parse(&text).err(),
            Revision::parse(&text).err(),
            Commit::parse(&text).err(),
        ].into_iter().flatten() {
            let shown = error.to_string();
            prop_assert!(!shown.contains(char::is_control), "{:?}", shown);
            // At most sixty characters are shown, of which each may be escaped.
            prop_assert!(shown.chars().count() < 60 * 10 + 200, "{:?}", shown);
        }
    }

    #[test]
    fn a_link_leads_from_its_pointer_to_its_blob(file in file_name(), etag in etag()) {
        let layout = layout();
        let text = RepoLayout::link_text(&file, &etag);
        let pointer = layout.pointer(&commit(), &file);
        prop_assert_eq!(follow(&pointer, &text), layout.blob(&etag).to_string());
        let scratch = layout.link_scratch(&file, &Nonce::from_bits(7));
        prop_assert_eq!(follow(&scratch, &text), layout.blob(&etag).to_string());
        prop_assert_eq!(RepoLayout::etag_of_link(&file, &text), Some(etag));
    }

    #[test]
    fn a_link_that_is_read_is_one_that_would_be_written(file in file_name(), text in odd_text()) {
        if let Some(etag) = RepoLayout::etag_of_link(&file, &text) {
            prop_assert_eq!(RepoLayout::link_text(&file, &etag), text.replace('\\', "/"));
        }
    }

    #[test]
    fn the_steps_to_a_pointer_end_there(file in file_name()) {
        let layout = layout();
        let steps: Vec<_> = layout.pointer_steps(&commit(), &file).collect();
        prop_assert_eq!(steps.len(), file.depth() + 1);
        let (folder, name) = steps.last().unwrap();
        prop_assert_eq!(format!("{folder}/{name}"), layout.pointer(&commit(), &file).to_string());
        prop_assert_eq!(*name, file.base());
    }

    #[test]
    fn a_staged_file_tells_its_etag_and_nonce(etag in etag(), bits in any::<u128>()) {
        let nonce = Nonce::from_bits(bits);
        let staged = layout().staged(&etag, &nonce);
        prop_assert!(Etag::parse(staged.base()).is_err(), "no blob has this name");
        prop_assert_eq!(RepoLayout::parse_staged(staged.base()), Some((etag, nonce)));
    }

    #[test]
    fn two_repos_never_share_a_folder(
        one in "[ab-]{1,2}(/[ab-]{1,2})?",
        other in "[ab-]{1,2}(/[ab-]{1,2})?",
    ) {
        if let (Ok(one), Ok(other)) = (RepoId::parse(&one), RepoId::parse(&other)) {
            let folder = |id: &RepoId| Repo::new(RepoKind::Model, id.clone()).folder();
            prop_assert_eq!(folder(&one) == folder(&other), one == other);
        }
    }

    #[test]
    fn a_repo_is_read_from_the_name_of_its_folder(id in "[a-z0-9._-]{1,9}(/[a-z0-9._-]{1,9})?") {
        for kind in RepoKind::ALL {
            if let Ok(id) = RepoId::parse(&id) {
                let repo = Repo::new(kind, id);
                prop_assert_eq!(Repo::of_folder(&repo.folder()), Some(repo));
            }
        }
    }

    #[test]
    fn a_name_that_is_of_no_repo_folder_is_of_no_repo(name in "(models|model|blobs)?-{0,3}[a-z.-]{0,4}") {
        if let Some(repo) = Repo::of_folder(&name) {
            prop_assert_eq!(repo.folder(), name);
        }
    }

    #[test]
    fn a_ref_file_of_any_bytes_is_a_commit_or_nothing(bytes in any::<Vec<u8>>(), padding in "\\s{0,3}") {
        prop_assert_eq!(Commit::from_ref_file(&bytes), None);
        let padded = format!("{padding}{}{padding}", commit());
        prop_assert_eq!(Commit::from_ref_file(padded.as_bytes()), Some(commit()));
    }

    #[test]
    fn what_windows_can_store_is_stored_as_it_is(file in file_name()) {
        prop_assert!(file.check(Naming::Posix).is_ok());
        if file.check(Naming::Windows).is_ok() {
            for part in file.parts() {
                prop_assert!(!part.contains(['<', '>', ':', '"', '|', '?', '*', '\\']), "{}", file);
                prop_assert!(!part.ends_with(['.', ' ']), "{}", file);
                let stem = part.split('.').next().unwrap().trim_end().to_uppercase();
                prop_assert!(!["CON", "PRN", "AUX", "NUL", "COM1", "LPT9"].contains(&stem.as_str()));
            }
        }
    }
}
