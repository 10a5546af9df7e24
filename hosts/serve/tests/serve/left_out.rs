//! What is not served for its name: who runs the server hears of it.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    sync::{Arc, Mutex},
};

use crate::Served;

#[test]
fn what_no_repo_can_hold_is_told_once_and_costs_nothing_else() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let served = Served::with(&[("org/name/config.json", "{}")], |builder| {
        let told = Arc::clone(&told);
        builder.on_left_out(move |left_out| {
            told.lock().unwrap().push((left_out.path.clone(), left_out.why.clone()));
        })
    });
    let folder = served.root().join("org/name").canonicalize().unwrap();
    let odd = [
        (
            OsStr::new("back\\slash.txt"),
            "`back\\slash.txt` is not a file name: it contains a backslash",
        ),
        (
            OsStr::new("tab\t.txt"),
            "`tab\\t.txt` is not a file name: it contains a control character",
        ),
        (OsStr::from_bytes(b"latin\xe9"), "`latin\u{fffd}` is not a file name: it is not Unicode"),
    ];
    for (name, _) in odd {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    served.write("org/name/.git/config", "x");
    for _ in 0..2 {
        let listing = served.send("GET /api/models/org/name/tree/main?recursive=true").json();
        assert_eq!(listing.as_array().unwrap().len(), 1, "{listing}");
        assert_eq!(listing[0]["path"], "config.json");
    }
    let told = told.lock().unwrap();
    assert_eq!(told.len(), odd.len(), "{told:?}");
    for (name, why) in odd {
        let is_told =
            |(path, said): &&(_, String)| *path == folder.join(name) && said.starts_with(why);
        assert!(told.iter().any(|told| is_told(&told)), "{name:?}: {told:?}");
    }
}

#[test]
fn links_that_are_not_followed_are_told_with_the_reason() {
    use std::os::unix::fs::symlink;

    let told = Arc::new(Mutex::new(Vec::new()));
    let served = Served::with(&[("org/name/config.json", "{}")], |builder| {
        let told = Arc::clone(&told);
        builder.on_left_out(move |left_out| told.lock().unwrap().push(left_out.why.clone()))
    });
    let repo = served.root().join("org/name");
    symlink("nowhere", repo.join("dangling")).unwrap();
    symlink("../../../secret", repo.join("outside")).unwrap();
    symlink("loop", repo.join("loop")).unwrap();
    // What is private goes without saying.
    served.write("org/name/.git/config", "x");
    symlink(".git/config", repo.join("private")).unwrap();
    for _ in 0..2 {
        served.check("GET /org/name/resolve/main/config.json", "200\n\n{}");
    }
    let mut told = told.lock().unwrap().clone();
    told.sort();
    let expected = [
        "`dangling` is a link that leads nowhere",
        "`loop` is a link that can't be followed",
        "`outside` is a link to outside of what is served",
    ];
    assert_eq!(told, expected);
}
