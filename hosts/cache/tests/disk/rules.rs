//! What must hold, whatever happens (I1–I4), and what must hold when a run has ended well.

use crate::{
    disk::TestDisk,
    host::Run,
    sample::{BLOBS, OURS, REF_FILE, REFS, SNAPSHOTS, pointer},
    tree::{Bytes, Item, Tree, What},
};

/// Nothing, or what is wrong, one line each.
pub(crate) type Broken = Vec<String>;

/// What holds at every moment after `before`.
pub(crate) fn always(before: &Tree, now: &Tree) -> Broken {
    let mut broken = Broken::new();
    let bad_before = |path: &str| before.get(path).is_some() && !before.serves(path);
    for (path, item) in now.pointers() {
        if path.matches('/').count() < 3 {
            broken.push(format!("`{path}` is no snapshot"));
        }
        if item.opens != Some(Bytes::Right) && !bad_before(path) {
            broken.push(format!("`{path}` became visible as {item:?}"));
        }
    }
    let served = before.pointers().map(|(path, _)| path).filter(|path| before.serves(path));
    broken.extend(served.filter(|path| !now.serves(path)).map(|path| format!("`{path}` is lost")));
    let blobs = before.below(BLOBS).filter(|(path, _)| !path.ends_with(".incomplete"));
    let blobs = blobs.map(|(path, _)| path).filter(|path| before.serves(path));
    broken.extend(blobs.filter(|path| !now.serves(path)).map(|path| format!("`{path}` is lost")));
    let whole =
        |path: &str, item: &Item| is_ref(now, item) || before.what(path) == Some(&item.what);
    let torn = now.below(REFS).filter(|(path, item)| !whole(path, item));
    broken.extend(torn.map(|(path, item)| format!("`{path}` is no ref: {item:?}")));
    broken
}

/// A ref is whole and names a snapshot that is there.
fn is_ref(tree: &Tree, item: &Item) -> bool {
    match &item.what {
        What::File(Bytes::Text(commit), _) => {
            commit.len() == 40 && tree.get(&format!("{SNAPSHOTS}/{commit}")).is_some()
        }
        What::File(Bytes::Right | Bytes::Part(_) | Bytes::Wrong(..), _)
        | What::Folder
        | What::Link(_)
        | What::Other => false,
    }
}

/// What holds of what was done, whatever the end was.
pub(crate) fn conduct(disk: &TestDisk) -> Broken {
    disk.watch().misconduct()
}

/// What holds when a run says that it has placed the file.
pub(crate) fn acknowledged(run: &Run, now: &Tree) -> Broken {
    let mut broken = Broken::new();
    if run.result.is_err() {
        return broken;
    }
    if !now.serves(&pointer(OURS)) {
        broken.push(format!("acknowledged, but there is {:?}", now.get(&pointer(OURS))));
    }
    if run.ref_trouble.is_none() && !names_ours(now) {
        broken.push(format!("acknowledged, but the ref is {:?}", now.what(REF_FILE)));
    }
    broken
}

fn names_ours(tree: &Tree) -> bool {
    tree.what(REF_FILE) == Some(&What::File(Bytes::Text(OURS.to_owned()), 1))
}

/// What holds when a run on a healthy disk, alone, has ended.
pub(crate) fn clean(now: &Tree) -> Broken {
    now.leftovers().into_iter().map(|path| format!("`{path}` was left")).collect()
}
