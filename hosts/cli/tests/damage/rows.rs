//! Kinds of damage: how each is made, what is told of it, and what is still wrong after it was repaired from what is here, and
//! with the hub.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::scene::{
    Made::{self, Linked, Plain},
    NOBODY, PAYLOAD, Scene, TINY,
};

/// What is told: where, below the cache or, without a repo folder, below that of the damaged repo; and which kind.
type Told = &'static [(&'static str, &'static str)];

/// One kind of damage.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) made: Made,
    pub(crate) make: fn(&Scene),
    pub(crate) told: Told,
    /// What is still told after repairing from what is here.
    pub(crate) offline: Told,
    /// What is still told after repairing with the hub.
    pub(crate) online: Told,
}

const NONE: Told = &[];
const CONFIG: &str = "snapshots/{main}/config.json";
const MODEL: &str = "snapshots/{main}/deep/model.bin";
const MODEL_OF_V1: &str = "snapshots/{v1}/deep/model.bin";
const OTHER: &str = "snapshots/{main}/other.json";
const OWN: &str = "snapshots/{main}/own.bin";
const LFS: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:{model}\nsize 20000\n";

macro_rules! rows {
    ($($name:literal, $made:expr, $make:expr, told $told:expr, offline $offline:expr, online $online:expr;)+) => {
        &[$(Row { name: $name, made: $made, make: $make, told: $told, offline: $offline, online: $online }),+]
    };
}

/// Changes some bytes in the middle, and the length by none.
fn spoil(scene: &Scene, path: &str) {
    let mut content = fs::read(scene.tiny(path)).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(scene.tiny(path), content).unwrap();
}

fn cut(scene: &Scene, path: &str) {
    let content = fs::read(scene.tiny(path)).unwrap();
    fs::write(scene.tiny(path), &content[..content.len() / 2]).unwrap();
}

fn swap(scene: &Scene, one: &str, other: &str) {
    let (one, other) = (scene.tiny(one), scene.tiny(other));
    let aside = one.with_file_name("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
}

/// Brings the large file to the store that repos share, with a list of its users.
fn share(scene: &Scene, users: &[&str]) {
    let payload = scene.at(&format!("blobs/ab/{PAYLOAD}"));
    fs::create_dir_all(payload.parent().unwrap()).unwrap();
    fs::write(scene.at("blobs/.huggingface-shared-blobs"), "1\n").unwrap();
    fs::rename(scene.tiny("blobs/{model}"), &payload).unwrap();
    for repo in [TINY, "models--acme--twin"] {
        let blob = scene.at(&format!("{repo}/blobs/{{model}}"));
        let _ = fs::remove_file(&blob);
        symlink(format!("../../blobs/ab/{PAYLOAD}"), blob).unwrap();
    }
    let list: String = users.iter().map(|user| scene.named(user) + "\n").collect();
    fs::write(payload.with_extension("refs"), list).unwrap();
}

const USERS: [&str; 2] = ["models--acme--tiny/blobs/{model}", "models--acme--twin/blobs/{model}"];

/// Changes one line of the kept listing.
fn relist(scene: &Scene, from: &str, to: &str) {
    let at = scene.tiny("trees/{main}.json");
    let listing = fs::read_to_string(&at).unwrap();
    let (from, to) = (scene.named(from), scene.named(to));
    assert!(listing.contains(&from));
    fs::write(at, listing.replace(&from, &to)).unwrap();
}

fn no_listing(scene: &Scene) {
    fs::remove_dir_all(scene.tiny("trees")).unwrap();
}

pub(crate) const ROWS: &[Row] = rows! {
    "nothing", Linked, |_| {},
        told NONE, offline NONE, online NONE;
    "nothing in a cache of copies", Plain, |_| {},
        told NONE, offline NONE, online NONE;
    "a link to nothing, with the content in another repo", Linked, |it| it.remove("blobs/{model}"),
        told &[(MODEL, "link-leads-nowhere"), (MODEL_OF_V1, "link-leads-nowhere")],
        offline NONE, online NONE;
    "a link to nothing, with the content nowhere", Linked, |it| it.remove("blobs/{config}"),
        told &[(CONFIG, "link-leads-nowhere")],
        offline &[(CONFIG, "link-leads-nowhere")], online NONE;
    "a link to nothing of which no name tells what it was", Linked, |it| {
            no_listing(it);
            it.link(CONFIG, "../../nothing/here");
        },
        told &[(CONFIG, "link-leads-nowhere")],
        offline &[(CONFIG, "link-leads-nowhere")], online NONE;
    "a link out of the cache", Linked, |it| it.link(CONFIG, "/etc/hostname"),
        told &[(CONFIG, "link-leads-outside")], offline NONE, online NONE;
    "a link to itself", Linked, |it| it.link(CONFIG, "config.json"),
        told &[(CONFIG, "link-goes-round")], offline NONE, online NONE;
    "two links to each other", Linked, |it| {
            it.link(CONFIG, "other.json");
            it.link(OTHER, "config.json");
        },
        told &[(CONFIG, "link-goes-round"), (OTHER, "link-goes-round")],
        offline NONE, online NONE;
    "a link to a folder", Linked, |it| it.link(CONFIG, "../../blobs"),
        told &[(CONFIG, "link-leads-to-folder")], offline NONE, online NONE;
    "a link to the content of another file", Linked, |it| it.link(CONFIG, "../../blobs/{other}"),
        told &[(CONFIG, "other-than-listed")],
        offline &[(CONFIG, "other-than-listed")], online NONE;
    "a link that leads to the right content by another way", Linked,
        |it| it.link(CONFIG, "../../../models--acme--tiny/blobs/{config}"),
        told NONE, offline NONE, online NONE;
    "a blob that was cut off", Linked, |it| cut(it, "blobs/{model}"),
        told &[("blobs/{model}", "truncated")], offline NONE, online NONE;
    "a blob that was cut off, and no listing", Linked, |it| {
            no_listing(it);
            cut(it, "blobs/{own}");
        },
        told &[("blobs/{own}", "wrong-hash")],
        offline &[("blobs/{own}", "wrong-hash")], online NONE;
    "a blob that was overwritten through its link", Linked, |it| spoil(it, CONFIG),
        told &[("blobs/{config}", "wrong-hash")],
        offline &[("blobs/{config}", "wrong-hash")], online NONE;
    "a blob of zeros", Linked, |it| it.write("blobs/{own}", [0; 700]),
        told &[("blobs/{own}", "zeros")],
        offline &[("blobs/{own}", "zeros")], online NONE;
    "an empty blob", Linked, |it| it.write("blobs/{model}", ""),
        told &[("blobs/{model}", "empty")], offline NONE, online NONE;
    "a blob with more at its end", Linked, |it| it.write("blobs/{own}", [9; 701]),
        told &[("blobs/{own}", "too-long")],
        offline &[("blobs/{own}", "too-long")], online NONE;
    "two blobs with each other's content", Linked, |it| swap(it, "blobs/{model}", "blobs/{own}"),
        told &[("blobs/{model}", "holds-other"), ("blobs/{own}", "holds-other")],
        offline NONE, online NONE;
    "two small blobs with each other's content", Linked,
        |it| swap(it, "blobs/{config}", "blobs/{other}"),
        told &[("blobs/{config}", "holds-other"), ("blobs/{other}", "holds-other")],
        offline NONE, online NONE;
    "git's text in the place of a blob", Linked,
        |it| it.write("blobs/{model}", it.named(LFS)),
        told &[("blobs/{model}", "lfs-pointer")], offline NONE, online NONE;
    "an empty folder in the place of a blob", Linked, |it| it.folder("blobs/{model}"),
        told &[("blobs/{model}", "blob-is-folder"), (MODEL, "link-leads-to-folder"),
            (MODEL_OF_V1, "link-leads-to-folder")],
        offline NONE, online NONE;
    "a folder with something in the place of a blob", Linked, |it| {
            it.folder("blobs/{own}");
            it.write("blobs/{own}/mine", "mine");
        },
        told &[("blobs/{own}", "blob-is-folder"), (OWN, "link-leads-to-folder")],
        offline &[("blobs/{own}", "blob-is-folder"), (OWN, "link-leads-to-folder")],
        online &[("blobs/{own}", "blob-is-folder"), (OWN, "link-leads-to-folder")];
    "a wrong blob that nothing leads to", Linked,
        |it| it.write(&format!("blobs/{NOBODY}"), "it is not that"),
        told &[("blobs/00000000000000000000000000000000000000000000000000000000000000aa", "wrong-hash")],
        offline NONE, online NONE;
    "a blob that was renamed into a snapshot", Linked, |it| {
            it.remove(MODEL);
            fs::rename(it.tiny("blobs/{model}"), it.tiny(MODEL)).unwrap();
            fs::remove_file(it.at("models--acme--twin/blobs/{model}")).unwrap();
        },
        told &[(MODEL_OF_V1, "link-leads-nowhere"),
            ("models--acme--twin/snapshots/{twin}/deep/model.bin", "link-leads-nowhere")],
        offline NONE, online NONE;
    "the content of a blob under a name of another snapshot, changed", Linked, |it| {
            it.remove(OWN);
            fs::hard_link(it.tiny("blobs/{own}"), it.tiny(OWN)).unwrap();
            spoil(it, OWN);
        },
        told &[("blobs/{own}", "wrong-hash"), (OWN, "wrong-hash")],
        offline &[("blobs/{own}", "wrong-hash"), (OWN, "wrong-hash")], online NONE;
    "a copy that was cut off, whole in another revision", Plain, |it| cut(it, MODEL),
        told &[(MODEL, "truncated")], offline NONE, online NONE;
    "a copy that was changed", Plain, |it| spoil(it, CONFIG),
        told &[(CONFIG, "wrong-hash")], offline &[(CONFIG, "wrong-hash")], online NONE;
    "a copy of zeros", Plain, |it| it.write(OWN, [0; 700]),
        told &[(OWN, "zeros")], offline &[(OWN, "zeros")], online NONE;
    "an empty copy", Plain, |it| it.write(MODEL, ""),
        told &[(MODEL, "empty")], offline NONE, online NONE;
    "two copies with each other's content", Plain, |it| swap(it, CONFIG, OTHER),
        told &[(CONFIG, "holds-other"), (OTHER, "holds-other")], offline NONE, online NONE;
    "a link that became a file with its text", Linked, |it| {
            it.remove(MODEL);
            it.write(MODEL, it.named("../../../blobs/{model}"));
        },
        told &[(MODEL, "flattened-link")], offline NONE, online NONE;
    "a link that became a file with its text, and no listing", Linked, |it| {
            no_listing(it);
            it.remove(CONFIG);
            it.write(CONFIG, it.named("../../blobs/{config}\n"));
        },
        told &[(CONFIG, "flattened-link")], offline NONE, online NONE;
    "git's text in the place of a copy, and no listing", Plain, |it| {
            no_listing(it);
            it.write(MODEL, it.named(LFS));
        },
        told &[(MODEL, "lfs-pointer")], offline NONE, online NONE;
    "an empty folder in the place of a file", Linked, |it| it.folder(CONFIG),
        told &[(CONFIG, "file-is-folder")], offline NONE, online NONE;
    "a folder with something in the place of a file", Linked, |it| {
            it.folder(CONFIG);
            it.write("snapshots/{main}/config.json/mine", "mine");
        },
        told &[(CONFIG, "file-is-folder")],
        offline &[(CONFIG, "file-is-folder")], online &[(CONFIG, "file-is-folder")];
    "a pipe in the place of a file", Linked, |it| {
            it.remove(CONFIG);
            assert!(Command::new("mkfifo").arg(it.tiny(CONFIG)).status().unwrap().success());
        },
        told &[(CONFIG, "not-a-file")], offline NONE, online NONE;
    "a ref with a line break", Linked, |it| it.write("refs/main", it.named("{main}\n")),
        told &[("refs/main", "ref-untidy")], offline NONE, online NONE;
    "a ref that is no commit", Linked, |it| it.write("refs/main", "v1.0"),
        told &[("refs/main", "ref-damaged")], offline NONE, online NONE;
    "an empty ref", Linked, |it| it.write("refs/main", ""),
        told &[("refs/main", "ref-damaged")], offline NONE, online NONE;
    "a ref that is a link", Linked, |it| it.link("refs/main", "v1"),
        told &[("refs/main", "ref-damaged")], offline NONE, online NONE;
    "a ref to no snapshot", Linked,
        |it| it.write("refs/gone", "0123456789012345678901234567890123456789"),
        told &[("refs/gone", "ref-leads-nowhere")], offline NONE, online NONE;
    "an empty folder in the place of a ref", Linked, |it| it.folder("refs/main"),
        told &[("refs/main", "ref-is-folder")], offline NONE, online NONE;
    "half a listing", Linked, |it| cut(it, "trees/{main}.json"),
        told &[("trees/{main}.json", "listing-damaged")],
        offline &[("trees/{main}.json", "listing-damaged")], online NONE;
    "a listing that speaks against links", Linked, |it| relist(it, "{config}", "{other}"),
        told &[(CONFIG, "other-than-listed")],
        offline &[(CONFIG, "other-than-listed")], online NONE;
    "a listing that speaks against copies", Plain, |it| relist(it, "{config}", "{other}"),
        told &[(CONFIG, "wrong-hash")], offline &[(CONFIG, "wrong-hash")], online NONE;
    "a listing with a hash that is nobody's", Plain,
        |it| relist(it, "{config}", "0123456789012345678901234567890123456789"),
        told &[(CONFIG, "wrong-hash")], offline &[(CONFIG, "wrong-hash")], online NONE;
    "a marker that a file does not exist which does", Linked,
        |it| it.write(".no_exist/{main}/config.json", ""),
        told &[(".no_exist/{main}/config.json", "marker-wrong")], offline NONE, online NONE;
    "what is left of a download", Linked, |it| {
            it.write("blobs/{model}.0123abcd.incomplete", "some");
            let at = it.tiny("blobs/{model}.0123abcd.incomplete");
            let old = std::time::SystemTime::now() - std::time::Duration::from_secs(200_000);
            fs::File::options().append(true).open(at).unwrap().set_modified(old).unwrap();
        },
        told &[("blobs/{model}.0123abcd.incomplete", "leftover")],
        offline &[("blobs/{model}.0123abcd.incomplete", "leftover")],
        online &[("blobs/{model}.0123abcd.incomplete", "leftover")];
    "shared content that was changed", Linked, |it| {
            share(it, &USERS);
            let payload = it.at(&format!("blobs/ab/{PAYLOAD}"));
            fs::write(payload, [1; 20_000]).unwrap();
        },
        told &[("blobs/{model}", "wrong-hash"), ("models--acme--twin/blobs/{model}", "wrong-hash")],
        offline &[("blobs/{model}", "wrong-hash"), ("models--acme--twin/blobs/{model}", "wrong-hash")],
        online NONE;
    "a bad line among the users of shared content", Linked, |it| {
            share(it, &[USERS[0], USERS[1], "../../etc/passwd"]);
        },
        told &[("blobs/ab/{payload}.refs", "users-damaged")],
        offline &[("blobs/ab/{payload}.refs", "users-damaged")],
        online &[("blobs/ab/{payload}.refs", "users-damaged")];
    "a user of shared content that is not listed", Linked, |it| share(it, &USERS[..1]),
        told &[("blobs/ab/{payload}.refs", "user-missing")], offline NONE, online NONE;
    "a repo folder that is a link", Linked,
        |it| symlink("elsewhere", it.at("models--acme--linked")).unwrap(),
        told &[("models--acme--linked", "repo-is-link")],
        offline &[("models--acme--linked", "repo-is-link")],
        online &[("models--acme--linked", "repo-is-link")];
    "a file that is named like a repo folder", Linked,
        |it| fs::write(it.at("models--acme--file"), "mine").unwrap(),
        told &[("models--acme--file", "repo-is-file")],
        offline &[("models--acme--file", "repo-is-file")],
        online &[("models--acme--file", "repo-is-file")];
    "a file among the snapshots", Linked, |it| it.write("snapshots/notes", "mine"),
        told &[("snapshots/notes", "misplaced")],
        offline &[("snapshots/notes", "misplaced")], online &[("snapshots/notes", "misplaced")];
    "a file in the place of the folder of refs", Linked, |it| {
            fs::remove_dir_all(it.tiny("refs")).unwrap();
            it.write("refs", "mine");
        },
        told &[("refs", "no-folder")],
        offline &[("refs", "no-folder")], online &[("refs", "no-folder")];
    "a repo twice, by names that differ in case", Linked, |it| {
            let status = Command::new("cp").arg("-a")
                .args([it.at(TINY), it.at("models--acme--TINY")]).status().unwrap();
            assert!(status.success());
        },
        told &[("models--acme--tiny", "names-clash")],
        offline &[("models--acme--tiny", "names-clash")],
        online &[("models--acme--tiny", "names-clash")];
    "a ref of a download into a folder", Linked, |it| {
            let at = it.at("models--acme--third/refs/main");
            fs::create_dir_all(at.parent().unwrap()).unwrap();
            fs::write(at, "0123456789012345678901234567890123456789").unwrap();
        },
        told &[("models--acme--third", "no-snapshots"),
            ("models--acme--third/refs/main", "ref-leads-nowhere")],
        offline &[("models--acme--third", "no-snapshots"),
            ("models--acme--third/refs/main", "ref-leads-nowhere")],
        online &[("models--acme--third", "no-snapshots"),
            ("models--acme--third/refs/main", "ref-leads-nowhere")];
};
