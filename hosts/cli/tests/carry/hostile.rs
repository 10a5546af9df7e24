//! Tars that are damaged, or made to do harm.

use std::{fs, process::Output};

use crate::{
    packed::{BLOCK, Entry, tar},
    stage::Stage,
};

/// A canary beside the cache, and what the cache holds, before and after.
struct Guard<'a> {
    stage: &'a Stage,
    cache: String,
}

impl<'a> Guard<'a> {
    fn new(stage: &'a Stage) -> Self {
        fs::create_dir_all(stage.at("outside")).unwrap();
        fs::write(stage.at("outside/canary"), "alive").unwrap();
        Self { stage, cache: stage.at("to") }
    }

    fn import(&self, tar: &[u8]) -> Output {
        let at = self.stage.at("made.tar");
        fs::write(&at, tar).unwrap();
        let args = ["cache", "import", &at, "--yes", "--json", "--cache-dir", &self.cache];
        self.stage.command(&[], &args)
    }

    /// Checks that nothing wrong is visible and nothing outside has changed, and starts anew.
    #[track_caller]
    fn check(&self, what: &str) {
        let right = Stage::contents(&self.stage.cache());
        for (at, content) in Stage::contents(&self.cache) {
            assert!(right.get(&at) == Some(&content), "{what}: {at}");
        }
        let outside = Stage::tree(&self.stage.at("outside"));
        assert_eq!(outside.len(), 1, "{what}: {outside:?}");
        assert_eq!(outside["canary"].0, b"alive", "{what}");
        for (at, metadata) in Stage::files(&self.cache) {
            assert!(metadata.is_file() || metadata.is_symlink(), "{what}: {at}");
        }
        let _ = fs::remove_dir_all(&self.cache);
    }
}

fn exported(stage: &Stage) -> Vec<u8> {
    let at = stage.at("one.tar");
    stage.export(&stage.cache(), &at);
    fs::read(at).unwrap()
}

#[test]
fn what_leads_elsewhere_or_is_no_file_is_left_out_by_name() {
    let stage = Stage::new();
    let guard = Guard::new(&stage);
    let good = exported(&stage);
    let outside = stage.at("outside");
    let repo = "models--acme--tiny";
    let commit = stage.commit("main");
    let pointer = format!("{repo}/snapshots/{commit}/config.json");
    let sparse = Entry::file("x/GNUSparseFile.0/a", b"x");
    #[rustfmt::skip]
    let table = [
        Entry::file(&format!("{outside}/canary"), b"dead"),
        Entry::file("../outside/canary", b"dead"),
        Entry::file(&format!("{repo}/../../outside/canary"), b"dead"),
        Entry::file(&format!("{repo}/snapshots/{commit}/../../../../outside/canary"), b"dead"),
        Entry::file("C:\\outside\\canary", b"dead"),
        Entry::file("C:/outside/canary", b"dead"),
        Entry::file("..\\outside\\canary", b"dead"),
        Entry::of_kind("a-device", b'3', ""),
        Entry::of_kind("a-block", b'4', ""),
        Entry::of_kind("a-pipe", b'6', ""),
        Entry::of_kind("strange", b'Z', ""),
        Entry { kind: b'S', ..sparse },
        Entry::of_kind("hard", b'1', "/etc/passwd"),
        Entry::of_kind("harder", b'1', "../outside/canary"),
        Entry::of_kind("hardest", b'1', "what/is/not/there"),
        Entry::file("not-proved.bin", b"whatever"),
        Entry::file(&pointer, b"the second of this name"),
    ];
    for entry in table {
        // Before what is right, or after it where it must not take its place.
        let is_second = entry.name == pointer;
        let made = if is_second {
            [&good[..good.len() - 2 * BLOCK], &tar(std::slice::from_ref(&entry))].concat()
        } else {
            [entry.bytes(), good.clone()].concat()
        };
        let output = guard.import(&made);
        let told: serde_json::Value =
            serde_json::from_str(&stage.succeeds(&output)).unwrap_or_default();
        let left = told["left_out"].to_string().replace("\\\\", "\\");
        assert!(left.contains(&entry.name), "{}: {told}", entry.name);
        assert_eq!(Stage::contents(&guard.cache), Stage::contents(&stage.cache()));
        guard.check(&entry.name);
    }
}

#[test]
fn links_in_a_tar_are_text_and_lead_nowhere_but_within_it() {
    let stage = Stage::new();
    let guard = Guard::new(&stage);
    let (repo, commit) = ("models--acme--tiny", stage.commit("main"));
    let tree = format!("{repo}/trees/{commit}.json");
    let listing = fs::read(format!("{}/{tree}", stage.cache())).unwrap();
    let pointer = format!("{repo}/snapshots/{commit}/config.json");
    let outside = stage.at("outside/canary");
    for link in [outside.as_str(), "../../../../outside/canary", "config.json", "/etc/passwd"] {
        let entries = [Entry::file(&tree, &listing), Entry::of_kind(&pointer, b'2', link)];
        let output = guard.import(&tar(&entries));
        stage.fails(&output, 1, "nothing");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("config.json"), "{link}: {told}");
        guard.check(link);
    }
    // A folder that is a link would take what follows elsewhere.
    let folder = format!("{repo}/snapshots/{commit}");
    let entries = [
        Entry::file(&tree, &listing),
        Entry::of_kind(&folder, b'2', &stage.at("outside")),
        Entry::file(&format!("{folder}/config.json"), b"{}\n"),
    ];
    let output = guard.import(&tar(&entries));
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    guard.check("a linked folder");
}

#[test]
fn names_that_are_none_and_listings_that_lie_cost_themselves_only() {
    let stage = Stage::new();
    let guard = Guard::new(&stage);
    let (repo, commit) = ("models--acme--tiny", stage.commit("main"));
    let config = Entry::file(&format!("{repo}/snapshots/{commit}/config.json"), b"{}\n");
    let tree = format!("{repo}/trees/{commit}.json");
    let listing = fs::read_to_string(format!("{}/{tree}", stage.cache())).unwrap();
    let manifest =
        |text: &str| Entry::file(&format!("{repo}/.hubstow/export.json"), text.as_bytes());
    let lying = listing.replace("0967ef424bce6791893e9a57bb952f80fd536e93", &"a".repeat(40));
    #[rustfmt::skip]
    let table = [
        (vec![Entry::file(&format!("{repo}/refs/../../../x"), b"x")], 1),
        (vec![Entry::file(&format!("{repo}/snapshots/nothex/a"), b"x")], 1),
        (vec![Entry::file(&format!("{repo}/snapshots/{commit}/a//../b"), b"x")], 1),
        (vec![Entry::file(&tree, b"{\"format_version\": 1, \"files\": 7}"), config.clone()], 1),
        (vec![Entry::file(&tree, "[".repeat(60_000).as_bytes()), config.clone()], 1),
        (vec![manifest("{}"), config.clone()], 1),
        (vec![manifest(&"[".repeat(60_000)), config.clone()], 1),
        (vec![Entry::file(&format!("{repo}/blobs/{}", "b".repeat(40)), b"not its hash"),
              Entry::of_kind(&config.name, b'2', &format!("../../blobs/{}", "b".repeat(40)))], 6),
        (vec![Entry::file(&tree, lying.as_bytes()), config.clone()], 6),
        (vec![Entry::file(&format!("{repo}/refs/main"), b"../../../../outside")], 1),
        (vec![Entry::file("models--..--x/snapshots/a/b", b"x")], 1),
        (vec![Entry::file("models--a--b--c/snapshots/a/b", b"x")], 1),
    ];
    for (number, (entries, code)) in table.into_iter().enumerate() {
        let output = guard.import(&tar(&entries));
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "row {number}: {told}");
        assert!(Stage::refs(&guard.cache).is_empty(), "row {number}");
        guard.check(&format!("row {number}"));
    }
}

#[test]
fn sizes_that_are_said_cost_neither_memory_nor_disk() {
    let stage = Stage::new();
    let guard = Guard::new(&stage);
    let good = exported(&stage);
    for said in [u64::MAX, u64::MAX / 2, 1 << 40, 1 << 20] {
        for kind in [b'0', b'L', b'x', b'g'] {
            let bomb = Entry { said: Some(said), kind, ..Entry::file("bomb", b"x") };
            let output =
                guard.import(&[good[..good.len() - 2 * BLOCK].to_vec(), bomb.bytes()].concat());
            stage.fails(&output, 6, "the tar is damaged");
            // What comes before it is whole.
            assert_eq!(Stage::contents(&guard.cache), Stage::contents(&stage.cache()));
            guard.check(&format!("{said} of {}", kind as char));
        }
    }
    // A content that is longer than it may be, and one that the manifest says is.
    let (repo, commit) = ("models--acme--tiny", stage.commit("main"));
    let long = Entry::file(&format!("{repo}/snapshots/{commit}/config.json"), &[b'{'; 70_000]);
    let tree = format!("{repo}/trees/{commit}.json");
    let listing = fs::read(format!("{}/{tree}", stage.cache())).unwrap();
    let output = guard.import(&tar(&[Entry::file(&tree, &listing), long]));
    stage.fails(&output, 1, "nothing of");
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("70000 bytes"), "{told}");
    guard.check("too long");
}

#[test]
fn wrong_bytes_anywhere_are_told_by_name_and_nothing_wrong_is_visible() {
    let stage = Stage::new();
    let guard = Guard::new(&stage);
    let good = exported(&stage);
    let content = fs::read(stage.blob_of("deep/model.bin")).unwrap();
    let at = good.windows(64).position(|window| window == &content[..64]).unwrap();
    for offset in [0, 511, 512, 150_000, content.len() - 1] {
        let mut bad = good.clone();
        bad[at + offset] ^= 1;
        let output = guard.import(&bad);
        stage.fails(&output, 6, "deep/model.bin");
        let refs = Stage::refs(&guard.cache);
        assert!(refs.keys().all(|name| !name.contains("tiny/refs/main")), "{refs:?}");
        guard.check(&format!("a byte at {offset}"));
    }
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..60 {
        let mut bad = good.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bad.len());
            bad[at] ^= 1 << random.u32(..8);
        }
        let output = guard.import(&bad);
        assert!(matches!(output.status.code(), Some(0 | 1 | 6)), "{output:?}");
        guard.check("random bytes");
    }
}

#[test]
fn a_tar_that_breaks_off_is_told_with_the_entry_and_what_is_before_it_is_taken() {
    let stage = Stage::new();
    let guard = Guard::new(&stage);
    let good = exported(&stage);
    let end = good.len() - 2 * BLOCK;
    for len in [end, end - 1, end - BLOCK, end / 2, end / 3, 10 * BLOCK, 3 * BLOCK + 7] {
        let output = guard.import(&good[..len]);
        let error = stage.fails(&output, 6, "`");
        assert!(error["hint"].as_str().is_some(), "{error}");
        guard.check(&format!("{len} bytes"));
    }
    for len in [0, 5, BLOCK - 1] {
        let output = guard.import(&good[..len]);
        stage.fails(&output, 6, "no tar");
        guard.check(&format!("{len} bytes"));
    }
    stage.succeeds(&guard.import(&good));
    stage.succeeds(&guard.import(&[0; 1024]));
}
