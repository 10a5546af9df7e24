//! The routes, their headers and their errors.

use hubstow_serve::Builder;

use crate::{HELLO_SHA1, HELLO_SHA256, Served};

fn served() -> Served {
    Served::over(&[
        ("org/name/config.json", "hello\n"),
        ("org/name/sub/weights.bin", "hello\n"),
        ("org/name/empty", ""),
        ("org/name/é ü.txt", "accents"),
        ("org/name/.gitattributes", "attributes"),
        ("org/name/.git/config", "private"),
        ("org/name/sub/.cache/x", "private"),
        ("org/name@v1/config.json", "old"),
        ("org/name@refs%2Fpr%2F1/config.json", "pull"),
        ("org/only@v1/f", "tag"),
        ("plain/f", "plain"),
        ("models/below/f", "below"),
        ("datasets/org/data/f", "data"),
        ("spaces/app/f", "space"),
        ("kernels/org/k/f", "kernel"),
    ])
}

#[test]
fn a_file_is_answered_with_its_identity() {
    let served = served();
    let commit = served.commit("main");
    let identity = format!(
        "200
         x-repo-commit: {commit}
         etag: \"{HELLO_SHA1}\"
         accept-ranges: bytes
         content-length: 6
         content-disposition: inline; filename*=UTF-8''config.json; filename=\"config.json\";
         !x-linked-etag
         !x-linked-size
         !location"
    );
    served.check("HEAD /org/name/resolve/main/config.json", &format!("{identity}\n\n"));
    served.check("GET /org/name/resolve/main/config.json", &format!("{identity}\n\nhello\n"));
    let linked = format!(
        "200
         x-repo-commit: {commit}
         etag: \"{HELLO_SHA256}\"
         x-linked-etag: \"{HELLO_SHA256}\"
         x-linked-size: 6
         content-length: 6"
    );
    served.check("HEAD /org/name/resolve/main/sub/weights.bin", &format!("{linked}\n\n"));
    let pinned = format!("GET /org/name/resolve/{commit}/sub/weights.bin");
    served.check(&pinned, &format!("{linked}\n\nhello\n"));
    served.check("GET /org/name/resolve/main/empty", "200\ncontent-length: 0\n\n");
    served.check(
        "GET /org/name/resolve/main/%C3%A9%20%C3%BC.txt",
        "200
         content-disposition: inline; filename*=UTF-8''%C3%A9%20%C3%BC.txt; filename=\"_ _.txt\";

accents",
    );
}

#[test]
fn kinds_ids_and_revisions_are_folders() {
    let served = served();
    for (path, body) in [
        ("/plain/resolve/main/f", "plain"),
        ("/below/resolve/main/f", "below"),
        ("/datasets/org/data/resolve/main/f", "data"),
        ("/spaces/app/resolve/main/f", "space"),
        ("/kernels/org/k/resolve/main/f", "kernel"),
        ("/org/name/resolve/v1/config.json", "old"),
        ("/org/name/resolve/refs%2Fpr%2F1/config.json", "pull"),
        ("/org/only/resolve/v1/f", "tag"),
        ("/org/name/resolve/main/.gitattributes", "attributes"),
        // The request decides: as an id of one part, the folder of an organization is a repo.
        ("/org/resolve/main/name/config.json", "hello\n"),
    ] {
        served.check(&format!("GET {path}"), &format!("200\n\n{body}"));
    }
}

#[test]
fn what_is_missing_is_named_as_the_hub_names_it() {
    let served = served();
    let commit = served.commit("main");
    let missing = |code: &str, message: &str| {
        format!(
            "404
             x-error-code: {code}
             x-error-message: {message}
             content-type: application/json

{{\"error\":\"{message}\"}}"
        )
    };
    let no_repo = missing("RepoNotFound", "Repository not found");
    for path in [
        "/org/other/resolve/main/f",
        "/other/resolve/main/f",
        "/datasets/org/name/resolve/main/f",
        "/models/below/resolve/main/f",
        "/datasets/data/resolve/main/f",
        "/api/models/org/other",
        "/api/models/org/other/tree/main",
        "/api/datasets/org/other/refs",
        "/api/models/datasets",
        "/.git/resolve/main/f",
        "/org/name@v1/resolve/main/config.json",
    ] {
        served.check(&format!("GET {path}"), &no_repo);
    }
    let no_revision = missing("RevisionNotFound", "Revision not found");
    for path in [
        "/org/name/resolve/v2/config.json",
        "/org/name/resolve/0123456789012345678901234567890123456789/config.json",
        "/org/only/resolve/main/f",
        "/api/models/org/name/revision/v2",
        "/api/models/org/name/tree/v2",
        "/api/models/org/only",
    ] {
        served.check(&format!("GET {path}"), &no_revision);
    }
    for path in [
        "/org/name/resolve/main/nope",
        "/org/name/resolve/main/sub",
        "/org/name/resolve/main/sub/",
        "/org/name/resolve/main/Config.json",
        "/org/name/resolve/main/config.json/",
        "/org/name/resolve/main/.git/config",
        "/org/name/resolve/main/sub/.cache/x",
        "/api/models/org/name/tree/main/nope",
        "/api/models/org/name/tree/main/config.json",
    ] {
        let expected = format!(
            "404
             x-error-code: EntryNotFound
             x-repo-commit: {commit}

{{\"error\":\"Entry not found\"}}"
        );
        served.check(&format!("GET {path}"), &expected);
    }
    for path in ["/x", "/api/nope", "/metrics/", "/org/name/blob/main/f"] {
        served.check(&format!("GET {path}"), "404\n!x-error-code\n\n{\"error\":\"No such route\"}");
    }
    served.check("HEAD /org/name/resolve/main/nope", "404\nx-error-code: EntryNotFound\n\n");
    served.check("PUT /org/name/resolve/main/config.json", "405\nallow: GET, HEAD");
    served.check("GET /api/models/org/name/paths-info/main", "405\nallow: POST");
}

#[test]
fn no_path_leads_outside() {
    let served = served();
    for file in [
        "..%2f..%2fsecret",
        "../../../secret",
        "%2e%2e/%2e%2e/%2e%2e/secret",
        "sub/../../../secret",
        "..%5c..%5csecret",
        "..\\..\\secret",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "C:/secret",
        "config.json%00",
        "%00",
        "%ff",
        "sub%2fweights.bin",
        "./config.json",
        "sub//weights.bin",
        "",
    ] {
        served.check(
            &format!("GET /org/name/resolve/main/{file}"),
            "404\nx-error-code: EntryNotFound",
        );
    }
    for revision in ["..", "..%2f..", "%2Ftmp", "v1%2F..%2Fv1", "v1%00", "%00", "V1%5C"] {
        served.check(
            &format!("GET /org/name/resolve/{revision}/config.json"),
            "404\nx-error-code: RevisionNotFound",
        );
    }
    for id in ["..", "../served/org/name", "org/..", "org%2fname", "%2e%2e/served", "org/name%00"] {
        let answer = served.send(&format!("GET /{id}/resolve/main/config.json"));
        assert_eq!(answer.status, 404, "{id}");
        let answer = served.send(&format!("GET /api/models/{id}"));
        assert_eq!(answer.status, 404, "{id}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_inside_the_folder_only() {
    use std::os::unix::fs::symlink;

    let served = served();
    let repo = served.root().join("org/name");
    symlink("../../plain/f", repo.join("file-inside")).unwrap();
    symlink("../../plain", repo.join("folder-inside")).unwrap();
    symlink("../../../secret", repo.join("file-outside")).unwrap();
    symlink("../../..", repo.join("folder-outside")).unwrap();
    symlink(served.folder.path().join("secret"), repo.join("absolute")).unwrap();
    symlink(".git/config", repo.join("private")).unwrap();
    symlink(".git", repo.join("private-folder")).unwrap();
    symlink(".", repo.join("sub/self")).unwrap();
    symlink("..", repo.join("sub/up")).unwrap();
    symlink("nowhere", repo.join("dangling")).unwrap();
    symlink("..", served.root().join("outside")).unwrap();
    served.check("GET /org/name/resolve/main/file-inside", "200\n\nplain");
    served.check("GET /org/name/resolve/main/folder-inside/f", "200\n\nplain");
    let listing = served.send("GET /api/models/org/name").json();
    let names: Vec<_> =
        listing["siblings"].as_array().unwrap().iter().map(|at| &at["rfilename"]).collect();
    let expected = [
        ".gitattributes",
        "config.json",
        "empty",
        "file-inside",
        "folder-inside/f",
        "sub/weights.bin",
        "é ü.txt",
    ];
    assert_eq!(names, expected);
    served.check("GET /outside/resolve/main/secret", "404\nx-error-code: RepoNotFound");
    served.check("GET /outside/served/resolve/main/plain/f", "404\nx-error-code: RepoNotFound");
}

#[test]
fn a_commit_is_served_while_a_folder_has_its_content() {
    let served = Served::over(&[
        ("org/name/f", "one"),
        ("org/name@copy/f", "one"),
        ("org/name@gone/f", "two"),
    ]);
    let (one, two) = (served.commit("main"), served.commit("gone"));
    assert_eq!(served.commit("copy"), one);
    served.write("org/name/f", "three");
    served.write("org/name@gone/f", "four");
    served.check(&format!("GET /org/name/resolve/{one}/f"), "200\n\none");
    let gone = "404\nx-error-code: RevisionNotFound";
    served.check(&format!("GET /org/name/resolve/{two}/f"), gone);
    assert_eq!(served.commit(&one), one);
    served.check(&format!("GET /api/models/org/name/tree/{two}"), gone);
    served.check("GET /org/name/resolve/main/f", "200\n\nthree");
}

#[test]
fn a_frozen_folder_is_what_it_was_when_first_asked_for() {
    let served = Served::with(&[("org/name/f", "one")], Builder::frozen);
    let commit = served.commit("main");
    served.write("org/name/g", "two");
    assert_eq!(served.commit("main"), commit);
    served.check("GET /org/name/resolve/main/f", "200\n\none");
    served.check("GET /org/name/resolve/main/g", "404\nx-error-code: EntryNotFound");
    served.write("org/name/f", "three");
    served.check("GET /org/name/resolve/main/f", "500");
    served.check(&format!("GET /org/name/resolve/{commit}/f"), "500");
}

#[test]
fn a_token_is_asked_for_everywhere() {
    let served = Served::with(&[("org/name/f", "one")], |builder| builder.token("right"));
    let anonymous = "401\n!x-error-code\nx-error-message: Invalid username or password.";
    let wrong = "401\nx-error-message: Invalid credentials in Authorization header";
    for path in ["/org/name/resolve/main/f", "/api/models/org/name", "/nope", "/a/resolve/main/f"] {
        served.check(&format!("GET {path}"), anonymous);
        for value in ["Bearer wrong", "Bearer ", "Basic right", "right", "Bearer right2"] {
            served.check(&format!("GET {path}\nAuthorization: {value}"), wrong);
        }
    }
    served.check("GET /org/name/resolve/main/f\nAuthorization: Bearer right", "200\n\none");
}
