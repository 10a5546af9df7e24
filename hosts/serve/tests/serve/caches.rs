//! A cache directory as a source: what any tool has left there is served as it is, and nothing else.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use hubstow_serve::{Builder, LeftOut, RunningServer, Server, SourceKind};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{HELLO_SHA1, HELLO_SHA256, client::send, write};

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222";
const NONE: &str = "3333333333333333333333333333333333333333";
const REPO: &str = "models--org--name";

/// A cache directory and what lies beside it.
struct Cache {
    folder: TempDir,
}

impl Cache {
    fn new() -> Self {
        let cache = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(cache.root()).unwrap();
        fs::write(cache.folder.path().join("secret"), "secret").unwrap();
        cache
    }

    /// With two commits of one repo, as the Python client leaves them.
    fn filled() -> Self {
        let cache = Self::new();
        cache.blob(REPO, HELLO_SHA1, "hello\n");
        cache.blob(REPO, HELLO_SHA256, "hello\n");
        cache.point(REPO, ONE, "config.json", HELLO_SHA1);
        cache.point(REPO, ONE, "sub/weights.bin", HELLO_SHA256);
        cache.point(REPO, TWO, "config.json", HELLO_SHA1);
        cache.write(&format!("{REPO}/refs/main"), ONE);
        cache.write(&format!("{REPO}/refs/v1.0"), TWO);
        cache.write(&format!("{REPO}/refs/refs/pr/7"), TWO);
        cache
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn write(&self, name: &str, content: &str) {
        write(&self.root().join(name), content);
    }

    fn blob(&self, repo: &str, etag: &str, content: &str) {
        self.write(&format!("{repo}/blobs/{etag}"), content);
    }

    fn point(&self, repo: &str, commit: &str, file: &str, etag: &str) {
        let up = "../".repeat(file.matches('/').count() + 2);
        self.link(repo, commit, file, Path::new(&format!("{up}blobs/{etag}")));
    }

    fn link(&self, repo: &str, commit: &str, file: &str, target: &Path) {
        let at = self.root().join(repo).join("snapshots").join(commit).join(file);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        symlink(target, at).unwrap();
    }

    fn serve(&self) -> Mirror {
        Mirror::over(Server::builder(self.root()))
    }
}

/// A running server and what it has left out.
struct Mirror {
    running: RunningServer,
    left_out: Arc<Mutex<Vec<LeftOut>>>,
}

impl Mirror {
    fn over(builder: Builder) -> Self {
        let left_out: Arc<Mutex<Vec<LeftOut>>> = Arc::default();
        let told = Arc::clone(&left_out);
        let builder = builder.on_left_out(move |at| told.lock().unwrap().push(at.clone()));
        Self { running: builder.build().spawn_on_loopback().unwrap(), left_out }
    }

    #[track_caller]
    fn get(&self, path: &str) -> crate::Answer {
        send(self.running.address(), &format!("GET {path}"))
    }

    /// Asks for a file and compares body, etag and commit.
    #[track_caller]
    fn check(&self, path: &str, (body, etag, commit): (&str, &str, &str)) {
        let answer = self.get(path);
        assert_eq!((answer.status, answer.text()), (200, body), "{path}");
        assert_eq!(answer.header("etag"), Some(format!("\"{etag}\"").as_str()), "{path}");
        assert_eq!(answer.header("x-repo-commit"), Some(commit), "{path}");
    }

    #[track_caller]
    fn refused(&self, path: &str, code: Option<&str>) {
        let answer = self.get(path);
        assert_eq!((answer.status, answer.header("x-error-code")), (404, code), "{path}");
    }

    #[track_caller]
    fn names(&self, path: &str) -> Vec<String> {
        let listing = self.get(path).json();
        let names = listing.as_array().unwrap().iter();
        names.map(|at| at["path"].as_str().unwrap().to_owned()).collect()
    }

    fn told(&self) -> Vec<String> {
        self.left_out.lock().unwrap().iter().map(|at| at.why.clone()).collect()
    }
}

#[test]
fn repos_refs_and_commits_are_what_they_are_in_the_cache() {
    let cache = Cache::filled();
    cache.write("datasets--gpt--data/refs/main", ONE);
    cache.write(&format!("datasets--gpt--data/snapshots/{ONE}/f"), "hello\n");
    let mirror = cache.serve();
    let hello = ("hello\n", HELLO_SHA1, ONE);
    mirror.check("/org/name/resolve/main/config.json", hello);
    mirror.check("/org/name/resolve/HEAD/config.json", hello);
    mirror.check(&format!("/org/name/resolve/{ONE}/config.json"), hello);
    mirror.check("/org/name/resolve/v1.0/config.json", ("hello\n", HELLO_SHA1, TWO));
    mirror.check("/org/name/resolve/refs%2Fpr%2F7/config.json", ("hello\n", HELLO_SHA1, TWO));
    mirror.check("/org/name/resolve/main/sub/weights.bin", ("hello\n", HELLO_SHA256, ONE));
    mirror.check("/datasets/gpt/data/resolve/main/f", hello);

    let info = mirror.get("/api/models/org/name").json();
    assert_eq!(info["sha"], ONE);
    let tree = mirror.names("/api/models/org/name/tree/main?recursive=true");
    assert_eq!(tree, ["config.json", "sub", "sub/weights.bin"]);
    let refs = mirror.get("/api/models/org/name/refs?include_prs=1").json();
    let shown = |list: &Value| (list[0]["name"].clone(), list[0]["targetCommit"].clone());
    assert_eq!(shown(&refs["branches"]), (json!("main"), json!(ONE)));
    assert_eq!(shown(&refs["tags"]), (json!("v1.0"), json!(TWO)));
    assert_eq!(shown(&refs["pullRequests"]), (json!("7"), json!(TWO)));
    let listed = mirror.get("/api/models?search=org").json();
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["id"]), (1, &json!("org/name")));

    mirror.refused("/org/name/resolve/v2/config.json", Some("RevisionNotFound"));
    mirror.refused(&format!("/org/name/resolve/{NONE}/config.json"), Some("RevisionNotFound"));
    mirror.refused("/org/name/resolve/v1.0/sub/weights.bin", Some("EntryNotFound"));
    mirror.refused("/org/none/resolve/main/config.json", Some("RepoNotFound"));
    assert_eq!(mirror.told(), [""; 0]);
}

#[test]
fn a_cache_is_known_by_its_shape_or_by_what_is_said_of_it() {
    let cache = Cache::filled();
    let as_folder = Mirror::over(Server::builder(cache.root()).source(SourceKind::Folder));
    as_folder.refused("/org/name/resolve/main/config.json", Some("RepoNotFound"));
    let empty = Cache::new();
    let as_cache = Mirror::over(Server::builder(empty.root()).source(SourceKind::Cache));
    assert_eq!(as_cache.get("/api/models").json(), json!([]));
    empty.write(&format!("models--late/snapshots/{ONE}/f"), "hello\n");
    as_cache.check(&format!("/late/resolve/{ONE}/f"), ("hello\n", HELLO_SHA1, ONE));
    let odd = Cache::new();
    odd.write("models--notes/readme.txt", "no cache");
    odd.write("org/name/f", "hello\n");
    assert_eq!(odd.serve().get("/org/name/resolve/main/f").status, 200);
}

#[test]
fn degraded_caches_have_their_etags_from_listings_from_blobs_or_by_hashing() {
    let cache = Cache::new();
    let file = |name: &str| format!("{REPO}/snapshots/{ONE}/{name}");
    cache.write(&format!("{REPO}/refs/main"), ONE);
    // An LFS file below the size from which files are hashed as such: only the listing tells.
    cache.write(&file("listed.bin"), "hello\n");
    let listing = json!({
        "format_version": 1,
        "files": {
            "listed.bin": {
                "size": 6, "blob_id": NONE, "lfs_sha256": HELLO_SHA256, "lfs_size": 6,
            },
            "elsewhere.bin": { "size": 9, "blob_id": NONE },
        },
    });
    cache.write(&format!("{REPO}/trees/{ONE}.json"), &listing.to_string());
    cache.write(&file("hashed.txt"), "hello\n");
    cache.blob(REPO, HELLO_SHA256, "hello\n");
    let blob = cache.root().join(REPO).join("blobs").join(HELLO_SHA256);
    fs::hard_link(blob, cache.root().join(file("named.bin"))).unwrap();
    // What hubstow has proved of a file, and of one that has changed since.
    cache.write(&file("proved.bin"), "hello\n");
    cache.write(&file("changed.bin"), "hello\n");
    let record = ["proved.bin", "changed.bin"].map(|name| {
        use std::os::unix::fs::MetadataExt as _;
        let stat = fs::metadata(cache.root().join(file(name))).unwrap();
        let nanos = |seconds: i64, nanos: i64| seconds * 1_000_000_000 + nanos;
        let modified = nanos(stat.mtime(), stat.mtime_nsec());
        let changed = nanos(stat.ctime(), stat.ctime_nsec());
        format!("{HELLO_SHA256} . {} {} {modified} {changed}\n", stat.ino(), stat.size())
    });
    cache.write(&format!("{REPO}/.hubstow/proved/_snapshot-{ONE}"), &record.concat());
    cache.write(&file("changed.bin"), "hallo\n");
    let mirror = cache.serve();
    mirror.check("/org/name/resolve/main/proved.bin", ("hello\n", HELLO_SHA256, ONE));
    let changed = mirror.get("/org/name/resolve/main/changed.bin");
    assert_ne!(changed.header("etag"), Some(format!("\"{HELLO_SHA256}\"").as_str()));
    mirror.check("/org/name/resolve/main/listed.bin", ("hello\n", HELLO_SHA256, ONE));
    mirror.check("/org/name/resolve/main/hashed.txt", ("hello\n", HELLO_SHA1, ONE));
    mirror.check("/org/name/resolve/main/named.bin", ("hello\n", HELLO_SHA256, ONE));
    let tree = mirror.get("/api/models/org/name/tree/main").json();
    assert_eq!((&tree[1]["path"], &tree[1]["oid"]), (&json!("hashed.txt"), &json!(HELLO_SHA1)));
    // The commit has it, so nobody may be told that there is no such file.
    mirror.refused("/org/name/resolve/main/elsewhere.bin", None);
    mirror.refused("/org/name/resolve/main/nope", Some("EntryNotFound"));
}

#[test]
fn the_store_that_repos_share_is_followed() {
    let cache = Cache::filled();
    let hash = "ab".repeat(32);
    cache.write(&format!("blobs/ab/{hash}"), "shared");
    cache.write("blobs/.huggingface-shared-blobs", "1\n");
    let blobs = cache.root().join(REPO).join("blobs");
    let etag = "cd".repeat(32);
    symlink(format!("../../blobs/ab/{hash}"), blobs.join(&etag)).unwrap();
    cache.point(REPO, ONE, "shared.bin", &etag);
    let mirror = cache.serve();
    mirror.check("/org/name/resolve/main/shared.bin", ("shared", &etag, ONE));
    assert_eq!(mirror.told(), [""; 0]);
}

#[test]
fn links_may_be_absolute_but_lead_nowhere_else() {
    let cache = Cache::filled();
    let blob = cache.root().join(REPO).join("blobs").join(HELLO_SHA1);
    cache.link(REPO, ONE, "absolute", &blob);
    cache.link(REPO, ONE, "outside", &cache.folder.path().join("secret"));
    cache.link(REPO, ONE, "up", Path::new("../../../../secret"));
    cache.link(REPO, ONE, "ref", Path::new("../../refs/main"));
    cache.link(REPO, ONE, "folder", &cache.root().join(REPO).join("refs"));
    symlink(cache.folder.path(), cache.root().join("models--all--outside")).unwrap();
    // A folder on the way to the snapshot.
    let outside = cache.folder.path().join("elsewhere");
    write(&outside.join(ONE).join("secret"), "secret");
    fs::create_dir_all(cache.root().join("models--led--away")).unwrap();
    symlink(&outside, cache.root().join("models--led--away/snapshots")).unwrap();
    let mirror = cache.serve();
    mirror.check("/org/name/resolve/main/absolute", ("hello\n", HELLO_SHA1, ONE));
    let tree = mirror.names("/api/models/org/name/tree/main");
    assert_eq!(tree, ["absolute", "config.json", "sub"]);
    for name in ["outside", "up", "ref", "folder/main"] {
        mirror.refused(&format!("/org/name/resolve/main/{name}"), Some("EntryNotFound"));
    }
    mirror.refused("/all/outside/resolve/main/secret", Some("RepoNotFound"));
    let away = format!("/led/away/resolve/{ONE}/secret");
    mirror.refused(&away, Some("RevisionNotFound"));
}

#[test]
fn what_is_unfinished_or_damaged_is_left_out_and_told_once() {
    let cache = Cache::filled();
    let nonce = "0".repeat(32);
    cache.write(&format!("{REPO}/blobs/{HELLO_SHA1}.{nonce}.incomplete"), "hel");
    cache.write(&format!("{REPO}/snapshots/{ONE}/.hubstow-{nonce}.tmp"), "staged");
    cache.write(&format!("{REPO}/.hubstow/pins"), "x");
    cache.write(&format!("{REPO}/.no_exist/{ONE}/nope"), "");
    cache.write(&format!(".locks/{REPO}/{HELLO_SHA1}.lock"), "");
    cache.write(&format!("{REPO}/refs/gone"), NONE);
    cache.write(&format!("{REPO}/refs/broken"), "not a commit");
    cache.point(REPO, ONE, "dangling", &"ef".repeat(32));
    cache.blob(REPO, &"ab".repeat(32), "");
    cache.point(REPO, ONE, "emptied", &"ab".repeat(32));
    let listing = json!({
        "format_version": 1,
        "files": { "config.json": { "size": 7, "blob_id": HELLO_SHA1 } },
    });
    cache.write(&format!("{REPO}/trees/{TWO}.json"), &listing.to_string());
    cache.write("models--only--locks/blobs/x.incomplete", "x");
    let mirror = cache.serve();
    for _ in 0..2 {
        let tree = mirror.names("/api/models/org/name/tree/main?recursive=1");
        assert_eq!(tree, ["config.json", "sub", "sub/weights.bin"]);
        assert_eq!(mirror.names("/api/models/org/name/tree/v1.0"), [""; 0]);
        let ids = mirror.get("/api/models").json();
        assert_eq!(ids.as_array().unwrap().len(), 1, "{ids}");
    }
    mirror.refused("/org/name/resolve/gone/config.json", Some("RevisionNotFound"));
    mirror.refused("/org/name/resolve/broken/config.json", Some("RevisionNotFound"));
    mirror.refused("/only/locks/resolve/main/x", Some("RepoNotFound"));
    let mut told = mirror.told();
    told.sort();
    assert_eq!(
        told,
        [
            "`broken` of model org/name holds no commit",
            "`config.json` has another size than its commit says; `hubstow cache verify` tells more",
            "`dangling` is a link that leads nowhere",
            "`emptied` is empty, which its hash denies; `hubstow cache verify` tells more",
            "`gone` of model org/name leads to no snapshot",
        ]
    );
}

#[test]
fn what_is_downloaded_meanwhile_is_served_at_once() {
    let cache = Cache::filled();
    let mirror = cache.serve();
    mirror.refused("/org/name/resolve/main/late", Some("EntryNotFound"));
    cache.point(REPO, ONE, "late", HELLO_SHA1);
    mirror.check("/org/name/resolve/main/late", ("hello\n", HELLO_SHA1, ONE));
    fs::remove_file(cache.root().join(REPO).join("snapshots").join(ONE).join("late")).unwrap();
    cache.write(&format!("{REPO}/refs/main"), TWO);
    mirror.check("/org/name/resolve/main/config.json", ("hello\n", HELLO_SHA1, TWO));
    mirror.refused("/org/name/resolve/main/late", Some("EntryNotFound"));
}

#[test]
fn a_folder_that_is_a_link_to_a_snapshot_is_that_snapshot() {
    let cache = Cache::filled();
    let models = cache.folder.path().join("models");
    fs::create_dir_all(models.join("team")).unwrap();
    let snapshot = cache.root().join(REPO).join("snapshots").join(ONE);
    symlink(&snapshot, models.join("team/mine")).unwrap();
    symlink(cache.root().join(REPO).join("snapshots").join(TWO), models.join("team/mine@v1"))
        .unwrap();
    symlink(&snapshot, models.join("plain")).unwrap();
    // These lead outside, and are no snapshots.
    symlink(cache.root().join(REPO), models.join("team/repo")).unwrap();
    symlink(cache.root().join(REPO).join("refs"), models.join("team/refs")).unwrap();
    symlink(cache.folder.path(), models.join("team/all")).unwrap();
    let mirror = Mirror::over(Server::builder(&models));
    mirror.check("/team/mine/resolve/main/config.json", ("hello\n", HELLO_SHA1, ONE));
    mirror.check("/team/mine/resolve/main/sub/weights.bin", ("hello\n", HELLO_SHA256, ONE));
    mirror.check("/team/mine/resolve/v1/config.json", ("hello\n", HELLO_SHA1, TWO));
    mirror.check(&format!("/team/mine/resolve/{TWO}/config.json"), ("hello\n", HELLO_SHA1, TWO));
    mirror.check("/plain/resolve/main/config.json", ("hello\n", HELLO_SHA1, ONE));
    for id in ["team/repo", "team/refs", "team/all"] {
        mirror.refused(&format!("/{id}/resolve/main/main"), Some("RepoNotFound"));
    }
    let listed = mirror.get("/api/models").json();
    let ids: Vec<_> = listed.as_array().unwrap().iter().map(|at| at["id"].clone()).collect();
    assert_eq!(ids, ["plain", "team/mine"]);
}

#[test]
fn of_several_folders_the_first_that_has_it_answers() {
    let (cache, other) = (Cache::filled(), Cache::new());
    let folder = other.folder.path().join("folders");
    write(&folder.join("org/name/config.json"), "mine");
    write(&folder.join("org/second/f"), "second");
    // The same commit with another file.
    other.blob(REPO, HELLO_SHA1, "hello\n");
    other.point(REPO, ONE, "other.txt", HELLO_SHA1);
    let mirror = Mirror::over(Server::builder(cache.root()).and(&folder).and(other.root()));
    mirror.check("/org/name/resolve/main/config.json", ("hello\n", HELLO_SHA1, ONE));
    assert_eq!(mirror.get("/org/second/resolve/main/f").text(), "second");
    mirror.check("/org/name/resolve/main/other.txt", ("hello\n", HELLO_SHA1, ONE));
    mirror.refused("/org/name/resolve/main/nope", Some("EntryNotFound"));
    let ids = mirror.get("/api/models").json();
    assert_eq!(ids.as_array().unwrap().len(), 2, "{ids}");
    let reversed = Mirror::over(Server::builder(&folder).and(cache.root()));
    assert_eq!(reversed.get("/org/name/resolve/main/config.json").text(), "mine");
    reversed.check("/org/name/resolve/v1.0/config.json", ("hello\n", HELLO_SHA1, TWO));
}
