//! The answers in JSON.

use serde_json::{Value, json};

use crate::{HELLO_SHA1, HELLO_SHA256, Served};

/// The oid and size of the LFS pointer to `hello\n`, as `git hash-object` gives it.
const HELLO_POINTER: (&str, u64) = ("fa61e1ef71c9908c0926776a4aa3504b3a27f159", 126);

fn served() -> Served {
    Served::with(
        &[
            ("org/name/a.txt", "hello\n"),
            ("org/name/sub/b.bin", "hello\n"),
            ("org/name/sub/deep/c d.txt", "c"),
            ("org/name/z", ""),
            ("org/name@v1.0/f", "1"),
            ("org/name@dev/f", "2"),
            ("org/name@refs%2Fpr%2F3/f", "3"),
            ("org/name@refs%2Fconvert%2Fparquet/f", "4"),
        ],
        |builder| builder.page_limit(3),
    )
}

/// The `path` of every element, in order.
fn paths(listing: &Value) -> Vec<&str> {
    listing.as_array().unwrap().iter().map(|at| at["path"].as_str().unwrap()).collect()
}

/// The path and query of the next page.
fn next(answer: &crate::Answer) -> Option<String> {
    let link = answer.header("link")?.strip_prefix("<http://127.0.0.1:")?;
    let (url, _) = link.split_once(">; rel=\"next\"")?;
    Some(url[url.find('/').unwrap()..].to_owned())
}

#[test]
fn a_repo_is_described() {
    let served = served();
    let described = served.send("GET /api/models/org/name").json();
    assert_eq!(described["id"], "org/name");
    assert_eq!(described["modelId"], "org/name");
    assert_eq!(described["author"], "org");
    assert_eq!(described["sha"], served.commit("main"));
    assert_eq!(described["private"], false);
    assert_eq!(described["siblings"][0], json!({ "rfilename": "a.txt" }));
    let tagged = served.send("GET /api/models/org/name/revision/v1.0").json();
    assert_eq!(tagged["siblings"], json!([{ "rfilename": "f" }]));
    assert_ne!(tagged["sha"], described["sha"]);
    let blobs = served.send("GET /api/models/org/name?blobs=true").json();
    let (oid, pointer_size) = HELLO_POINTER;
    let expected = json!([
        { "rfilename": "a.txt", "size": 6, "blobId": HELLO_SHA1 },
        {
            "rfilename": "sub/b.bin",
            "size": 6,
            "blobId": oid,
            "lfs": { "sha256": HELLO_SHA256, "size": 6, "pointerSize": pointer_size },
        },
    ]);
    assert_eq!(json!([blobs["siblings"][0], blobs["siblings"][1]]), expected);
}

#[test]
fn a_listing_shows_files_and_folders() {
    let served = served();
    let listing = served.send("GET /api/models/org/name/tree/main").json();
    assert_eq!(paths(&listing), ["a.txt", "sub", "z"]);
    let file = json!({ "type": "file", "path": "a.txt", "size": 6, "oid": HELLO_SHA1 });
    assert_eq!(listing[0], file);
    assert_eq!((&listing[1]["type"], &listing[1]["size"]), (&json!("directory"), &json!(0)));
    assert_eq!(listing[1]["oid"].as_str().unwrap().len(), 40);
    let below = served.send("GET /api/models/org/name/tree/main/sub").json();
    let (oid, pointer_size) = HELLO_POINTER;
    let lfs = json!({ "oid": HELLO_SHA256, "size": 6, "pointerSize": pointer_size });
    let file = json!({ "type": "file", "path": "sub/b.bin", "size": 6, "oid": oid, "lfs": lfs });
    assert_eq!(below[0], file);
    let deep = served.send("GET /api/models/org/name/tree/main/sub%2Fdeep?recursive=1").json();
    assert_eq!(paths(&deep), ["sub/deep/c d.txt"]);
}

#[test]
fn pages_follow_each_other_to_the_end() {
    let served = served();
    let mut at = "/api/models/org/name/tree/main?recursive=true&expand=false".to_owned();
    let mut seen = Vec::new();
    for expected in [3, 3] {
        let answer = served.send(&format!("GET {at}"));
        let page = answer.json();
        assert_eq!(paths(&page).len(), expected);
        seen.extend(paths(&page).iter().map(ToString::to_string));
        match next(&answer) {
            Some(next) => at = next,
            None => at.clear(),
        }
    }
    assert_eq!(at, "", "the second page is the last");
    assert_eq!(seen, ["a.txt", "sub", "sub/b.bin", "sub/deep", "sub/deep/c d.txt", "z"]);

    let one = served.send("GET /api/models/org/name/tree/main?limit=1");
    assert_eq!(paths(&one.json()), ["a.txt"]);
    let two = served.send(&format!("GET {}", next(&one).unwrap()));
    assert_eq!(paths(&two.json()), ["sub"]);
    for limit in ["0", "99999", "x", ""] {
        let path = format!("/api/models/org/name/tree/main?limit={limit}");
        assert_eq!(served.send(&format!("GET {path}")).status, 200);
    }
    let behind = served.send("GET /api/models/org/name/tree/main?cursor=zz");
    assert_eq!((behind.json(), behind.header("link")), (json!([]), None));
}

/// What a request says besides its path, and the origin of the next page; `HOST` stands for the server's own address.
#[rustfmt::skip]
const ORIGINS: &[(&str, &str)] = &[
    ("", "http://HOST"),
    ("Host: hub.example", "http://hub.example"),
    ("Host: [::1]:8080", "http://[::1]:8080"),
    // As proxies say it: the first is the one that the client spoke to.
    ("X-Forwarded-Proto: https", "https://HOST"),
    ("X-Forwarded-Proto: HTTPS", "https://HOST"),
    ("X-Forwarded-Proto: http", "http://HOST"),
    ("X-Forwarded-Proto: https, http", "https://HOST"),
    ("X-Forwarded-Host: hub.example", "http://hub.example"),
    ("X-Forwarded-Proto: https\nX-Forwarded-Host: hub.example:8443, inner", "https://hub.example:8443"),
    ("Host: inner\nX-Forwarded-Proto: https", "https://inner"),
    ("Forwarded: proto=https", "https://HOST"),
    ("Forwarded: for=192.0.2.60;proto=https;by=203.0.113.43;host=hub.example", "https://hub.example"),
    ("Forwarded: For=\"[2001:db8::17]:4711\" ; Host=\"hub.example:8443\";Proto=https, proto=http", "https://hub.example:8443"),
    ("Forwarded: host=\"[2001:db8::17]:80\";proto=https", "https://[2001:db8::17]:80"),
    ("Forwarded: for=\"a\\\";proto=http\";proto=https", "https://HOST"),
    // What the standard header says counts before what the others say, each for itself.
    ("Forwarded: proto=https\nX-Forwarded-Proto: http\nX-Forwarded-Host: hub.example", "https://hub.example"),
    // The proxy next to the server doesn't know how the client speaks to the first one.
    ("Forwarded: for=192.0.2.60, proto=https", "http://HOST"),
    // What can't be understood is as good as not said.
    ("X-Forwarded-Proto: ftp", "http://HOST"),
    ("X-Forwarded-Proto: https://", "http://HOST"),
    ("X-Forwarded-Proto: , https", "http://HOST"),
    ("X-Forwarded-Proto: https\nX-Forwarded-Host: a>b", "https://HOST"),
    ("X-Forwarded-Host: user@hub.example", "http://HOST"),
    ("X-Forwarded-Host: hub.example/path", "http://HOST"),
    ("X-Forwarded-Host: hub.example:", "http://HOST"),
    ("X-Forwarded-Host: hub.example:65536", "http://HOST"),
    ("X-Forwarded-Host: [::1", "http://HOST"),
    ("X-Forwarded-Host: [x]", "http://HOST"),
    ("X-Forwarded-Host: ::1", "http://HOST"),
    ("Forwarded: proto", "http://HOST"),
    ("Forwarded: proto=\"https", "http://HOST"),
    ("Forwarded: proto=https proto", "http://HOST"),
    ("Forwarded: proto=javascript\nX-Forwarded-Proto: https", "https://HOST"),
    // Without a host that can be named, the link is relative.
    ("Host: a~b", ""),
    ("Host: a~b\nX-Forwarded-Proto: https", ""),
    ("Host: a~b\nX-Forwarded-Host: hub.example", "http://hub.example"),
];

#[test]
fn the_next_page_has_the_origin_that_the_client_used() {
    let served = served();
    let mut wrong = Vec::new();
    for (headers, origin) in ORIGINS {
        let origin = origin.replace("HOST", &served.running.address().to_string());
        let path = "/api/models/org/name/tree/main";
        let answer = served.send(&format!("GET {path}?limit=1\n{headers}"));
        let expected = format!("<{origin}{path}?limit=1&cursor=a.txt>; rel=\"next\"");
        if answer.header("link") != Some(&expected) {
            wrong.push(format!("{headers:?}: {:?}", answer.header("link")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    let absolute = served.send("GET http://hub.example/api/models/org/name/tree/main?limit=1");
    let link = absolute.header("link").unwrap();
    assert!(link.starts_with("<http://hub.example/api/"), "{link}");
}

#[test]
fn chosen_paths_are_described() {
    let served = served();
    let form = "Content-Type: application/x-www-form-urlencoded\n\n";
    let json = "Content-Type: application/json\n\n";
    let request = "POST /api/models/org/name/paths-info/main\n";
    for (body, expected) in [
        (format!("{form}paths=z&paths=sub&paths=nope&expand=False"), vec!["z", "sub"]),
        (format!("{form}paths=sub%2Fdeep%2Fc+d.txt"), vec!["sub/deep/c d.txt"]),
        (format!("{form}paths=..%2F..%2Fsecret&paths=%00"), vec![]),
        (format!("{json}{{\"paths\":[\"a.txt\",\"sub/\"],\"expand\":true}}"), vec!["a.txt", "sub"]),
        (format!("{json}{{\"paths\":\"a.txt\"}}"), vec!["a.txt"]),
    ] {
        let answer = served.send(&format!("{request}{body}"));
        assert_eq!(paths(&answer.json()), expected, "{body}");
    }
    for body in ["{", "{}", "{\"paths\":[1]}", "{\"paths\":null}"] {
        served.check(&format!("{request}{json}{body}"), "400");
    }
    let large = "x".repeat(2 * 1024 * 1024);
    served.check(&format!("{request}{form}paths={large}"), "413");
    served.check("POST /api/models/org/name/paths-info/nope\n\npaths=z", "404");
}

#[test]
fn revisions_are_listed() {
    let served = served();
    let shown = |list: &Value| -> Vec<(String, String)> {
        let text = |at: &Value| at.as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(|at| (text(&at["name"]), text(&at["ref"]))).collect()
    };
    let refs = served.send("GET /api/models/org/name/refs?include_prs=1").json();
    let pair = |name: &str, full: &str| (name.to_owned(), full.to_owned());
    let branches = [pair("main", "refs/heads/main"), pair("dev", "refs/heads/dev")];
    assert_eq!(shown(&refs["branches"]), branches);
    assert_eq!(shown(&refs["tags"]), [pair("v1.0", "refs/tags/v1.0")]);
    assert_eq!(shown(&refs["converts"]), [pair("parquet", "refs/convert/parquet")]);
    assert_eq!(shown(&refs["pullRequests"]), [pair("3", "refs/pr/3")]);
    assert_eq!(refs["branches"][0]["targetCommit"], served.commit("main"));
    let without = served.send("GET /api/models/org/name/refs").json();
    assert_eq!(without["pullRequests"], Value::Null);
}
