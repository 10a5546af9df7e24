//! The listing of a commit in its two forms: as the hub answers with it, and as caches and tiers keep it.

use std::collections::BTreeMap;

use bytes::Bytes;
use hubstow_core::name::{Commit, Repo};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// What may be said along with the question for a whole listing, beside that it is for all folders.
const NO_MORE: [&str; 2] = ["expand=false", "expand=False"];
const ALL_FOLDERS: [&str; 3] = ["recursive=true", "recursive=True", "recursive=1"];

/// Tells whether a question is for the whole listing of a commit, from its beginning, and for no more than that.
pub(crate) fn is_asked(path: &str, repo: &Repo, commit: &Commit) -> bool {
    let Some((path, query)) = path.split_once('?') else { return false };
    let of_commit = format!("/api/{}/{}/tree/{commit}", repo.kind.plural(), repo.id.as_str());
    let mut said = query.split('&').filter(|said| !NO_MORE.contains(said));
    let first = said.next();
    path.trim_end_matches('/') == of_commit
        && first.is_some_and(|said| ALL_FOLDERS.contains(&said))
        && said.next().is_none()
}

/// Makes what is kept of the answer; `None` of what is no whole listing with sizes and hashes.
pub(crate) fn kept(answer: &[u8]) -> Option<Bytes> {
    let entries: Vec<Value> = serde_json::from_slice(answer).ok()?;
    let mut files = Map::new();
    for entry in entries.iter().filter(|entry| entry["type"] == "file") {
        let path = entry["path"].as_str()?;
        let (size, oid) = (entry["size"].as_u64()?, entry["oid"].as_str()?);
        let lfs = entry.get("lfs").filter(|lfs| !lfs.is_null());
        let file = match lfs {
            None => json!({ "size": size, "blob_id": oid }),
            Some(lfs) => json!({
                "size": size,
                "blob_id": oid,
                "lfs_sha256": lfs.get("oid")?.as_str()?,
                "lfs_size": lfs.get("size").and_then(Value::as_u64).unwrap_or(size),
            }),
        };
        files.insert(path.to_owned(), file);
    }
    Some(json!({ "format_version": 1, "files": files }).to_string().into())
}

/// Makes an answer of what is kept. The oid of a folder identifies its content; it is no git tree.
pub(crate) fn answer(kept: &[u8]) -> Option<Bytes> {
    let kept: Value = serde_json::from_slice(kept).ok()?;
    let files: BTreeMap<&String, &Value> = kept.get("files")?.as_object()?.iter().collect();
    let mut entries = BTreeMap::new();
    for (folder, hasher) in folders(&files) {
        let hash = hasher.finalize();
        let digest = hash.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let oid = digest.get(..40).unwrap_or_default();
        let entry = json!({ "type": "directory", "oid": oid, "size": 0, "path": folder });
        entries.insert(folder.to_owned(), entry);
    }
    for (path, file) in files {
        let size = file["lfs_size"].as_u64().or(file["size"].as_u64())?;
        let oid = file.get("blob_id")?;
        let entry = match file.get("lfs_sha256").and_then(Value::as_str) {
            None => json!({ "type": "file", "oid": oid, "size": size, "path": path }),
            Some(sha256) => {
                // As long as what git holds in its place.
                let pointer = format!(
                    "version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
                );
                let lfs = json!({ "oid": sha256, "size": size, "pointerSize": pointer.len() });
                json!({ "type": "file", "oid": oid, "size": size, "path": path, "lfs": lfs })
            }
        };
        entries.insert(path.clone(), entry);
    }
    Some(Value::from_iter(entries.into_values()).to_string().into())
}

/// Finds the folders, each with what has gone through the hash of it: all that is below.
fn folders<'a>(files: &BTreeMap<&'a String, &Value>) -> BTreeMap<&'a str, Sha256> {
    let mut folders = BTreeMap::<&str, Sha256>::new();
    for (path, file) in files {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default();
            folders.entry(folder).or_default().update(format!("{path}\0{file}\0"));
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use hubstow_core::name::RepoKind;

    use super::*;

    #[test]
    fn a_listing_is_the_same_after_it_was_kept() {
        let (blob, sha256) = ("b2".repeat(20), "a1".repeat(32));
        let files = json!([
            { "type": "file", "oid": blob, "size": 3, "path": "a/b/c" },
            { "type": "file", "oid": blob, "size": 9, "path": "big",
              "lfs": { "oid": sha256, "size": 9, "pointerSize": 122 } },
        ]);
        let mut asked = files.as_array().unwrap().clone();
        asked.push(json!({ "type": "directory", "oid": blob, "size": 0, "path": "a" }));
        let listing = kept(&serde_json::to_vec(&asked).unwrap()).unwrap();
        hubstow_tier::Tree::parse(listing.clone()).unwrap();
        let said: Vec<Value> = serde_json::from_slice(&answer(&listing).unwrap()).unwrap();
        let paths: Vec<_> = said.iter().map(|entry| entry["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["a", "a/b", "a/b/c", "big"]);
        let mut again = said.clone();
        again.retain(|entry| entry["type"] == "file");
        again[1]["lfs"]["pointerSize"] = json!(122);
        assert_eq!(Value::from(again), files);
        assert_eq!(kept(b"[{\"type\":\"file\",\"path\":\"x\"}]"), None);
    }

    #[test]
    fn only_the_question_for_all_is_answered_with_all() {
        let repo = Repo::new(RepoKind::Dataset, "org/rows".parse().unwrap());
        let commit = Commit::parse(&"c3".repeat(20)).unwrap();
        let tree = format!("/api/datasets/org/rows/tree/{commit}");
        for (path, expected) in [
            (format!("{tree}?recursive=true"), true),
            (format!("{tree}?recursive=True&expand=False"), true),
            (format!("{tree}/?recursive=1"), true),
            (tree.clone(), false),
            (format!("{tree}?recursive=false"), false),
            (format!("{tree}?recursive=true&cursor=x"), false),
            (format!("{tree}?recursive=true&expand=true"), false),
            (format!("{tree}/folder?recursive=true"), false),
            (format!("/api/datasets/org/rows/revision/{commit}?recursive=true"), false),
        ] {
            assert_eq!(is_asked(&path, &repo, &commit), expected, "{path}");
        }
    }
}
