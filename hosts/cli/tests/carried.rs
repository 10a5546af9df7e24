//! Caches that came from another place by the tools that people carry them with. Links were followed, left out or written
//! down as text, folders were lost, owners differ: what a hash can prove to be here comes without a byte, and nothing wrong
//! is ever served.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

/// What the hub holds: small files in git, a large one in git LFS, and one in a folder.
const FILES: [(&str, &[u8]); 4] = [
    ("config.json", b"{\"layers\": 2}\n"),
    ("empty.txt", b""),
    ("model.bin", &[7; 300_000]),
    ("sub/words.txt", b"one two three\n"),
];
/// Somebody who owns nothing here.
const STRANGER: u32 = 4321;

/// A way to carry a cache.
struct Way {
    /// A program that it needs and not every machine has.
    needs: &'static str,
    /// The shell's commands; they start in the old cache and leave the new one in `$to`.
    by: &'static str,
    offline: Offline,
    fetched: Fetched,
}

/// What an offline snapshot comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Offline {
    Served,
    Damaged,
}

/// What an online one has to fetch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fetched {
    Nothing,
    Everything,
}

const fn way(needs: &'static str, by: &'static str) -> Way {
    Way { needs, by, offline: Offline::Served, fetched: Fetched::Nothing }
}

const WAYS: [Way; 12] = [
    way("cp", "cp -a . $to"),
    // Links are followed: each file is there twice.
    way("cp", "cp -rL . $to"),
    way("tar", "tar -ch . | tar -x -C $to"),
    way("zip", "zip -qr $to.zip . && unzip -q $to.zip -d $to"),
    // Links are kept.
    way("zip", "zip -qry $to.zip . && unzip -q $to.zip -d $to"),
    way("rsync", "rsync -a ./ $to/"),
    // Links are left out: no pointer is left.
    way("rsync", "rsync -r --no-links ./ $to/"),
    way("cp", "cp -a . $to && find $to -type l -delete"),
    // Links become texts that say where they led.
    way(
        "git",
        "git init -q $to && cp -a . $to && cd $to && git add -A -f . \
         && git -c user.name=a -c user.email=a@b commit -qm all \
         && find . -type l -delete && git -c core.symlinks=false checkout -q -- . && rm -rf .git",
    ),
    // Folders are lost.
    way("cp", "cp -a . $to && rm -r $to/models--acme--tiny/snapshots"),
    Way {
        needs: "cp",
        by: "cp -a . $to && rm -r $to/models--acme--tiny/blobs",
        offline: Offline::Damaged,
        fetched: Fetched::Everything,
    },
    // Links were followed and the blobs left behind.
    way("cp", "cp -rL . $to && rm -r $to/models--acme--tiny/blobs"),
];

struct Stage {
    folder: TempDir,
    hub: RunningServer,
}

impl Stage {
    /// Fills a cache by the command.
    fn new() -> Self {
        Self::filled(&[])
    }

    /// The same with flags.
    fn filled(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in FILES {
            let path = folder.path().join("hub/acme/tiny").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let hub = Server::builder(folder.path().join("hub")).lfs_from_bytes(1 << 16);
        let stage = Self { hub: hub.build().spawn_on_loopback().unwrap(), folder };
        let output = stage.command(&stage.folder.path().join("old"), flags).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        stage
    }

    fn command(&self, cache: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .env_clear()
            .env("HF_HUB_CACHE", cache)
            .env("XDG_STATE_HOME", self.folder.path().join("state"))
            .env("HF_ENDPOINT", self.hub.url())
            .args(["download", "acme/tiny", "--quiet"])
            .args(args);
        command
    }

    /// Carries the cache, and returns where it is then.
    fn carry(&self, way: &Way, to: &str) -> PathBuf {
        self.carry_by(way.by, to)
    }

    fn carry_by(&self, by: &str, to: &str) -> PathBuf {
        let to = self.folder.path().join(to);
        fs::create_dir_all(&to).unwrap();
        let output = Command::new("sh")
            .args(["-ec", by])
            .current_dir(self.folder.path().join("old"))
            .env("to", &to)
            .output()
            .unwrap();
        assert!(output.status.success(), "{by}: {}", said(&output));
        to
    }

    /// Tells whether somebody else can be had here; that needs root.
    fn knows_strangers(&self) -> bool {
        let is_root = fs::metadata(self.folder.path()).unwrap().uid() == 0;
        if is_root && has("setpriv") {
            open_the_way(self.folder.path());
            return true;
        }
        println!("skipped: nobody but root can be somebody else");
        false
    }

    /// Runs the command as somebody who owns nothing here.
    fn as_stranger(&self, cache: &Path, args: &[&str]) -> Output {
        let command = self.command(cache, args);
        let mut stranger = Command::new("setpriv");
        stranger.arg(format!("--reuid={STRANGER}")).args(["--clear-groups", "--"]);
        stranger.arg(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            stranger.env(name, value.unwrap_or_default());
        }
        stranger.output().unwrap()
    }

    /// Returns which files were fetched since this was asked last.
    fn fetched(&self) -> Vec<String> {
        let requests = self.hub.requests();
        self.hub.clear_requests();
        let fetches =
            requests.iter().filter(|one| one.method == "GET" && one.path.contains("/resolve/"));
        fetches.map(|request| request.path.clone()).collect()
    }
}

fn said(output: &Output) -> String {
    let [printed, told] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
    format!("{printed}{told}")
}

/// Checks that a snapshot was served, and that it is what the hub holds.
#[track_caller]
fn is_served(output: &Output, what: &str) {
    assert!(output.status.success(), "{what}: {}", said(output));
    let snapshot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    for (name, content) in FILES {
        assert!(fs::read(snapshot.join(name)).unwrap() == content, "{what}: {name}");
    }
}

#[test]
fn a_carried_cache_serves_what_is_here_and_nothing_else() {
    let stage = Stage::new();
    for (number, way) in WAYS.iter().enumerate() {
        if !has(way.needs) {
            println!("skipped, {} is not installed: {}", way.needs, way.by);
            continue;
        }
        let what = format!("offline after `{}`", way.by);
        let cache = stage.carry(way, &format!("offline-{number}"));
        stage.fetched();
        let output = stage.command(&cache, &["--offline"]).output().unwrap();
        match way.offline {
            Offline::Served => is_served(&output, &what),
            Offline::Damaged => {
                assert_eq!(output.status.code(), Some(6), "{what}: {}", said(&output));
            }
        }
        assert_eq!(stage.hub.requests().len(), 0, "{what}");

        let what = format!("online after `{}`", way.by);
        let cache = stage.carry(way, &format!("online-{number}"));
        is_served(&stage.command(&cache, &[]).output().unwrap(), &what);
        let expected = match way.fetched {
            Fetched::Nothing => 0,
            Fetched::Everything => FILES.iter().filter(|(_, content)| !content.is_empty()).count(),
        };
        let fetched = stage.fetched();
        let fetched: Vec<_> = fetched.iter().filter(|path| !path.ends_with("/empty.txt")).collect();
        assert_eq!(fetched.len(), expected, "{what}: {fetched:?}");
        is_served(&stage.command(&cache, &["--offline"]).output().unwrap(), &what);
    }
}

#[test]
fn single_files_of_a_carried_cache_are_never_what_stands_in_for_them() {
    let stage = Stage::new();
    for (number, way) in WAYS.iter().enumerate().filter(|(_, way)| has(way.needs)) {
        let cache = stage.carry(way, &format!("single-{number}"));
        for (name, content) in FILES {
            let output = stage.command(&cache, &[name, "--offline"]).output().unwrap();
            let what = format!("{name} after `{}`: {}", way.by, said(&output));
            if output.status.success() {
                let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
                assert!(fs::read(path).unwrap() == content, "{what}");
            } else {
                assert_eq!(way.offline, Offline::Damaged, "{what}");
            }
        }
    }
}

/// Images are built with a snapshot folder named by hand, a ref with that name and links to files elsewhere. Such a ref is none.
#[test]
fn a_snapshot_that_was_made_by_hand_is_no_revision_and_stays() {
    let stage = Stage::new();
    let cache = stage.folder.path().join("made");
    let repo = cache.join("models--acme--tiny");
    fs::create_dir_all(repo.join("snapshots/local")).unwrap();
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), "local\n").unwrap();
    let made = repo.join("snapshots/local/config.json");
    std::os::unix::fs::symlink("/nowhere/config.json", &made).unwrap();
    let output = stage.command(&cache, &["--offline"]).output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    is_served(&stage.command(&cache, &[]).output().unwrap(), "with the hub");
    assert!(fs::symlink_metadata(made).unwrap().is_symlink());
}

/// Caches that belong to somebody else: one that may be read serves, and one that may not names its owner.
#[test]
fn a_cache_of_another_owner_serves_or_says_whose_it_is() {
    let stage = Stage::new();
    if !stage.knows_strangers() {
        return;
    }
    let readable = stage.carry_by("cp -a . $to && chmod -R u=rwX,go=rX $to", "readable");
    for args in [&["--offline"][..], &[]] {
        stage.fetched();
        is_served(&stage.as_stranger(&readable, args), &format!("a readable cache with {args:?}"));
        assert_eq!(stage.fetched(), [""; 0]);
    }
    let closed = stage.carry_by("cp -a . $to && chmod -R u=rwX,go= $to", "closed");
    let output = stage.as_stranger(&closed, &["--offline"]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("root"), "{}", said(&output));
}

/// Whatever it is that its owner keeps to himself, nothing is missing or damaged: a single file, one of a commit and a
/// snapshot name him, with the listing and without.
#[test]
fn what_is_closed_to_this_user_is_told_with_its_owner() {
    for (placement, all_closed) in [
        (
            "compat",
            &["", "/blobs", "/blobs/*", "/refs", "/refs/main", "/snapshots", "/snapshots/*"][..],
        ),
        ("portable", &["", "/refs/main", "/snapshots/*", "/snapshots/*/model.bin"]),
    ] {
        let stage = Stage::filled(&["--placement", placement]);
        if !stage.knows_strangers() {
            return;
        }
        let repo = "models--acme--tiny";
        let commit = stage.folder.path().join("old").join(repo).join("refs/main");
        let commit = fs::read_to_string(commit).unwrap();
        for (number, closed) in all_closed.iter().enumerate() {
            for listing in ["listed", "unlisted"] {
                let unlisted = if listing == "listed" { "" } else { "rm -r $to/*/trees;" };
                let by = format!(
                    "cp -a . $to; chmod -R go=rX $to; {unlisted} chmod go= $to/{repo}{closed}"
                );
                let cache = stage.carry_by(&by, &format!("{listing}-{number}"));
                for args in [&["model.bin"][..], &["model.bin", "--revision", &commit], &[]] {
                    if closed.contains("refs") && args.contains(&"--revision") {
                        continue;
                    }
                    let args = [args, &["--offline"]].concat();
                    let output = stage.as_stranger(&cache, &args);
                    let what = format!("{placement}, {by}, {args:?}: {}", said(&output));
                    assert_eq!(output.status.code(), Some(7), "{what}");
                    assert!(said(&output).contains("which belongs to root"), "{what}");
                    assert!(said(&output).contains(&cache.display().to_string()), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_folder_of_a_snapshot_that_is_closed_is_not_left_out() {
    let stage = Stage::filled(&[]);
    if !stage.knows_strangers() {
        return;
    }
    let by = "cp -a . $to; chmod -R go=rX $to; rm -r $to/*/trees; \
              for it in $to/*/snapshots/*; do mkdir -m 700 $it/deep; done";
    let cache = stage.carry_by(by, "deep");
    let output = stage.as_stranger(&cache, &["--offline"]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("/deep`, which belongs to root"), "{}", said(&output));
    let beside = stage.as_stranger(&cache, &["config.json", "--offline"]);
    assert!(beside.status.success(), "what is not in there: {}", said(&beside));
}

/// Lets others come to what is below a temporary folder.
fn open_the_way(folder: &Path) {
    let status = Command::new("chmod").arg("755").arg(folder).status().unwrap();
    assert!(status.success());
}

fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
