//! What is told to those who watch: probes, counts, the page for people, the access log, and browsers of other origins.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hubstow_serve::{Answered, Error, Server};

use crate::Served;

#[test]
fn probes_need_no_token_and_readiness_follows_the_folder() {
    let served = Served::with(&[("org/name/f", "x")], |builder| builder.token("right"));
    served.check("GET /healthz", "200\n\nok\n");
    served.check("GET /readyz", "200\n\nok\n");
    std::fs::remove_dir_all(served.root()).unwrap();
    served.check("GET /healthz", "200\n\nok\n");
    let answer = served.send("GET /readyz");
    assert_eq!(answer.status, 503);
    assert!(!answer.text().contains("served/"), "{}", answer.text());
}

#[test]
fn what_is_counted_is_told_in_the_format_of_prometheus() {
    let served = Served::over(&[("org/name/f", "0123456789")]);
    served.send("GET /org/name/resolve/main/f");
    served.send("HEAD /org/name/resolve/main/f");
    served.send("GET /org/name/resolve/main/nope");
    served.send("BREW /org/name/resolve/main/f");
    let answer = served.send("GET /metrics");
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    let value = |sample: &str| -> u64 {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{sample} ")));
        line.unwrap_or_else(|| panic!("no {sample} in\n{text}")).parse().unwrap()
    };
    assert_eq!(value("hubstow_requests_total{method=\"GET\",status=\"2xx\"}"), 1);
    assert_eq!(value("hubstow_requests_total{method=\"HEAD\",status=\"2xx\"}"), 1);
    assert_eq!(value("hubstow_requests_total{method=\"GET\",status=\"4xx\"}"), 1);
    assert_eq!(value("hubstow_requests_total{method=\"other\",status=\"4xx\"}"), 1);
    assert!(value("hubstow_sent_bytes_total") >= 10);
    assert_eq!(value("hubstow_open_files"), 0);
    assert_eq!(value("hubstow_hashing_files"), 0);
    assert_eq!(value("hubstow_hashing_bytes"), 0);
    assert!(value("hubstow_uptime_seconds") < 60);
    for line in text.lines().filter(|line| !line.starts_with("# ")) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("hubstow_") && value.parse::<u64>().is_ok(), "{line}");
    }
}

#[test]
fn the_page_says_what_is_here_and_who_fetched_it() {
    let served = Served::over(&[("org/name/f", "0123456789"), ("datasets/org/data/f", "x")]);
    served.send("GET /org/name/resolve/main/f");
    served.send("GET /org/made-up/resolve/main/f");
    let answer = served.send("GET /\nHost: hub.example:8080");
    let page = answer.text().replace("&#x2f;", "/");
    for shown in [
        "export HF_ENDPOINT=http://hub.example:8080",
        "<td>org/name<td>main<td class=\"number\">1<td class=\"number\">10 B",
        "<td>dataset<td>org/data",
        "<td>127.0.0.1<td>model org/name<td class=\"number\">1<td class=\"number\">10 B",
    ] {
        assert!(page.contains(shown), "no {shown} in\n{page}");
    }
    assert!(!page.contains("made-up"), "{page}");
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn no_name_becomes_markup() {
    let served = Served::over(&[("org/name@a&'b/f", "x")]);
    let page = served.send("GET /").text().to_owned();
    assert!(page.contains("<td>a&amp;&#x27;b<td"), "{page}");
    let page = served.send("GET /\nHost: <script>alert(1)</script>").text().to_owned();
    assert!(!page.contains("<script"), "{page}");
}

#[test]
fn each_request_is_told_once_it_is_answered_and_holds_nothing_secret() {
    let told: Arc<Mutex<Vec<Answered>>> = Arc::default();
    let listener = Arc::clone(&told);
    let served = Served::with(&[("org/name/f", "0123456789")], |builder| {
        let builder = builder.token("s3cret");
        builder.on_answered(move |answered| listener.lock().unwrap().push(answered.clone()))
    });
    served.send("GET /org/name/resolve/main/f?token=s3cret\nAuthorization: Bearer s3cret");
    served.send("HEAD /org/name/resolve/main/f\nAuthorization: Bearer s3cret");
    served.send("GET /org/name/resolve/main/f\nAuthorization: Bearer s3cre");
    // The answer arrives before its end is told.
    let deadline = Instant::now() + Duration::from_secs(10);
    while told.lock().unwrap().len() < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let told = told.lock().unwrap();
    let shown: Vec<_> =
        told.iter().map(|at| (at.method.as_str(), at.path.as_str(), at.status)).collect();
    let path = "/org/name/resolve/main/f";
    assert_eq!(shown, [("GET", path, 200), ("HEAD", path, 200), ("GET", path, 401)]);
    assert_eq!((told[0].sent_bytes, told[1].sent_bytes), (10, 0));
    assert_eq!(told[0].client, Some("127.0.0.1".parse().unwrap()));
    assert!(!format!("{told:?}").contains("s3cre"), "{told:?}");
}

#[test]
fn pages_of_other_origins_may_read_answers_where_that_is_said() {
    let preflight = "OPTIONS /org/name/resolve/main/f\nOrigin: https://app.example\n\
                     Access-Control-Request-Method: GET\nAccess-Control-Request-Headers: range";
    let shut = Served::over(&[("org/name/f", "x")]);
    shut.check("GET /org/name/resolve/main/f", "200\n!access-control-allow-origin");
    shut.check(preflight, "405\n!access-control-allow-origin");
    for (origin, vary) in [("*", "!vary"), ("https://app.example", "vary: origin")] {
        let served = Served::with(&[("org/name/f", "x")], |builder| {
            builder.token("right").cors(origin).unwrap()
        });
        let allowed = format!("access-control-allow-origin: {origin}\n{vary}");
        served.check(preflight, &format!("204\n{allowed}\naccess-control-max-age: 86400\n\n"));
        let answer = served.send(preflight);
        let headers = answer.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("Authorization") && headers.contains("Range"), "{headers}");
        let authorized = "GET /org/name/resolve/main/f\nAuthorization: Bearer right";
        served.check(authorized, &format!("200\n{allowed}\n\nx"));
        // A page must be able to read why it is refused.
        served.check("GET /org/name/resolve/main/f", &format!("401\n{allowed}"));
        let exposed = served.send(authorized);
        let exposed = exposed.header("access-control-expose-headers").unwrap();
        for name in ["X-Repo-Commit", "ETag", "Link", "Content-Range", "X-Linked-Size"] {
            assert!(exposed.contains(name), "{name}: {exposed}");
        }
    }
}

#[test]
fn what_no_browser_sends_is_no_origin() {
    for origin in ["", "app.example", "https://", "https://app.example/", "https://a b", "a\nb"] {
        let refused = Server::builder("/").cors(origin);
        assert!(matches!(refused, Err(Error::Origin(_))), "{origin:?}");
    }
}
