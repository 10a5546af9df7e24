use hubstow_core::hub::Redirect;

use super::*;
use crate::{
    api::config::Token,
    http::transport::{Distrust, TransportError},
};

const FIRST: &str = "https://one.test";
const SECOND: &str = "https://two.test/hf";
const THIRD: &str = "http://three.test:8080";

fn config() -> Config {
    let mut config = Config::new("/cache");
    config.set_endpoints(&format!("{FIRST} https://user:secret@two.test/hf/ {THIRD}")).unwrap();
    config.token = Some(Token::new("hf_secret").unwrap());
    config
}

fn route() -> Route {
    Route::new(Arc::new(Endpoints::new(&config())))
}

fn at(url: &str, token: TokenUse) -> Address {
    Address { url: Url::parse(url).unwrap(), token }
}

#[test]
fn only_what_says_that_an_endpoint_is_away_or_fails_is_an_outage() {
    use TransportErrorKind as Kind;
    for (kind, expected) in [
        (Kind::Connect, Some(Outage::Away)),
        (Kind::Timeout, Some(Outage::Away)),
        (Kind::Tls, Some(Outage::Away)),
        (Kind::Certificate(Distrust::Expired), Some(Outage::Away)),
        (Kind::Proxy, Some(Outage::Away)),
        (Kind::Broken, Some(Outage::Failing)),
        (Kind::Other, Some(Outage::Failing)),
        (Kind::ProxyLogin, None),
    ] {
        let error = NoAnswer::Transport { url: String::new(), source: TransportError::of(kind) };
        assert_eq!(Outage::of(&error), expected, "{kind:?}");
    }
    let (from, to) = (String::new(), String::new());
    let refused = NoAnswer::Redirected { from, to, rule: Redirect::Downgrade };
    assert_eq!(Outage::of(&refused), None);
    for (status, is_outage) in [
        (500, true),
        (502, true),
        (503, true),
        (504, true),
        (501, false),
        (200, false),
        (304, false),
        (401, false),
        (403, false),
        (404, false),
        (408, false),
        (416, false),
        (429, false),
    ] {
        let outage = Outage::of_status(StatusCode::from_u16(status).unwrap());
        assert_eq!(outage, is_outage.then_some(Outage::Failing), "{status}");
    }
    assert!(Outage::Away.is_enough(0));
    assert!(!Outage::Failing.is_enough(0) && Outage::Failing.is_enough(1));
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_left_in_their_order_and_each_is_asked_once() {
    let route = route();
    let is_now = |route: &Route, url: &str| assert_eq!(route.endpoint().as_str(), url);
    is_now(&route, FIRST);
    let first = route.site();
    assert!(matches!(route.leave(first, "it is away"), Left::Now { .. }));
    is_now(&route, SECOND);
    assert!(matches!(route.leave(first, "it is away"), Left::Before), "somebody was slower");
    is_now(&route, SECOND);
    let other = route.again();
    is_now(&other, SECOND);
    assert!(other.goes_on_from(other.site()));
    other.leave(other.site(), "so is this");
    is_now(&other, THIRD);
    other.leave(other.site(), "and this");
    is_now(&other, FIRST);
    assert!(!other.goes_on_from(other.site()), "all were asked");
    assert!(matches!(other.leave(other.site(), "still"), Left::Nowhere));
    is_now(&other.again(), FIRST);
    let asked: Vec<_> = other.asked().into_iter().map(|it| (it.endpoint, it.left)).collect();
    let why = |text: &str| Some(text.to_owned());
    assert_eq!(
        asked,
        [
            (SECOND.to_owned(), why("so is this")),
            (THIRD.to_owned(), why("and this")),
            (FIRST.to_owned(), None),
        ]
    );
    // What is on its way stays where it is, whatever comes back meanwhile.
    is_now(&route, SECOND);
    tokio::time::advance(LEFT_ALONE).await;
    is_now(&route.again(), FIRST);
    is_now(&route, SECOND);
}

#[test]
fn what_is_at_one_endpoint_is_asked_for_at_another_and_nothing_else_moves() {
    let route = route();
    route.leave(route.site(), "it is away");
    for (asked, token, expected) in [
        (
            "https://one.test/a/b/resolve/main/c%20d?x=1",
            TokenUse::Send,
            Some("/a/b/resolve/main/c%20d?x=1"),
        ),
        ("http://three.test:8080/api/models/a", TokenUse::Send, Some("/api/models/a")),
        ("https://two.test/hf/a", TokenUse::Send, None),
        ("https://two.test/elsewhere", TokenUse::Send, None),
        ("https://one.test/a", TokenUse::Withhold, None),
        ("https://one.test.evil.test/a", TokenUse::Send, None),
        ("https://cdn.test/a", TokenUse::Send, None),
    ] {
        let to = at(asked, token);
        let expected = expected.map_or_else(|| asked.to_owned(), |rest| format!("{SECOND}{rest}"));
        assert_eq!(route.routed(&to).url.as_str(), expected, "{asked}");
    }
}

#[test]
fn each_endpoint_sees_its_own_login_or_the_token_and_nobody_else_does() {
    let route = route();
    for (url, expected) in [
        ("https://one.test/a", Some("Bearer hf_secret")),
        ("https://two.test/hf/a", Some("Basic dXNlcjpzZWNyZXQ=")),
        ("https://two.test/redirected", Some("Basic dXNlcjpzZWNyZXQ=")),
        ("http://three.test:8080/a", Some("Bearer hf_secret")),
        ("http://three.test/a", None),
        ("http://one.test/a", None),
        ("https://cdn.test/a", None),
    ] {
        let headers = route.endpoints().headers_for(&Url::parse(url).unwrap());
        let sent = headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap());
        assert_eq!(sent, expected, "{url}");
        assert_eq!(route.endpoints().have(&at(url, TokenUse::Send)), expected.is_some());
    }
}

#[test]
fn one_endpoint_is_never_left() {
    let config = Config::new("/cache");
    let route = Route::new(Arc::new(Endpoints::new(&config)));
    assert!(!route.goes_on_from(route.site()));
    assert!(matches!(route.leave(route.site(), "it is away"), Left::Nowhere));
    assert!(route.asked().is_empty());
    assert_eq!(route.patience(Backoff::DEFAULT), Backoff::DEFAULT);
}
