use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, future::join_all, stream};
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    hub::Endpoint,
};
use tokio::time::{Instant, sleep, timeout};

use super::*;
use crate::{
    api::config::Config,
    http::{
        address::Address,
        session::{Http, Limits},
        transport::{Connection, Request, Transport, TransportErrorKind},
    },
};

/// What every request takes.
const LATENCY: Duration = Duration::from_millis(5);

/// A hub that refuses everybody for a while, from the first request on.
struct BusyHub {
    busy: Duration,
    retry_after: Option<&'static str>,
    status: StatusCode,
    begin: Mutex<Option<Instant>>,
    refused: Mutex<Vec<Instant>>,
    taken: AtomicUsize,
    requests: Mutex<Vec<Request>>,
}

impl BusyHub {
    fn new(busy_s: u64, retry_after: Option<&'static str>) -> Self {
        Self {
            busy: Duration::from_secs(busy_s),
            retry_after,
            status: StatusCode::TOO_MANY_REQUESTS,
            begin: Mutex::default(),
            refused: Mutex::default(),
            taken: AtomicUsize::new(0),
            requests: Mutex::default(),
        }
    }

    /// Counts the refusals of what was sent after the first one was heard of.
    fn refused_late(&self) -> usize {
        let refused = self.refused.lock().unwrap();
        refused.iter().filter(|at| **at > refused[0] + LATENCY).count()
    }

    fn answer(&self) -> Response {
        let now = Instant::now();
        let begin = *self.begin.lock().unwrap().get_or_insert(now);
        let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
        if now < begin + self.busy {
            self.refused.lock().unwrap().push(now);
            status = self.status;
            if let Some(wait) = self.retry_after {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(wait));
            }
        } else {
            self.taken.fetch_add(1, Relaxed);
        }
        Response { status, headers, body: Box::new(Nothing) }
    }
}

impl Transport for BusyHub {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.requests.lock().unwrap().push(request);
        Box::pin(async {
            sleep(LATENCY).await;
            Ok(self.answer())
        })
    }
}

fn config() -> Config {
    let endpoint = Endpoint::parse("http://hub").unwrap();
    Config { endpoint, ..Config::new("/cache") }
}

fn core() -> Guarded {
    Guarded::new(Arc::new(LinkedCore))
}

fn client(config: &Config, hub: &Arc<BusyHub>) -> Http {
    Http::new(config, Arc::<BusyHub>::clone(hub), core(), None)
}

fn at(http: &Http, path: &str) -> Address {
    http.at_endpoint(&format!("http://hub/{path}")).unwrap()
}

async fn get(http: &Http, path: &str) -> StatusCode {
    let (_, answer) = http.get(&at(http, path), &HeaderMap::new(), None).await.unwrap();
    answer.status
}

fn told(http: &Http) -> (Observer, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::<Mutex<Vec<Event>>>::default();
    let kept = Arc::clone(&events);
    let observer: Observer = Arc::new(move |event| kept.lock().unwrap().push(event.clone()));
    http.observe(&observer);
    (observer, events)
}

#[tokio::test(start_paused = true)]
async fn many_requests_are_throttled_as_one() {
    // Where no time is named, the waits double.
    for (retry_after, late_limit, most) in
        [(Some("5"), 2, 1.5), (Some("1"), 8, 1.5), (Some("0"), 6, 2.1), (None, 6, 2.1)]
    {
        let hub = Arc::new(BusyHub::new(8, retry_after));
        let http = client(&config(), &hub);
        let (_observer, events) = told(&http);
        let begin = Instant::now();
        let all = stream::iter(0..600).map(|at| {
            let http = &http;
            async move { get(http, &at.to_string()).await }
        });
        let statuses: Vec<_> = all.buffer_unordered(64).collect().await;
        let (took, late) = (begin.elapsed(), hub.refused_late());
        assert!(statuses.iter().all(StatusCode::is_success), "{retry_after:?}");
        assert_eq!(hub.taken.load(Relaxed), 600, "{retry_after:?}");
        assert!(took <= hub.busy.mul_f64(most), "{retry_after:?}: {took:?}");
        assert!(late <= late_limit, "{retry_after:?}: {late} are refused late");
        let told = events.lock().unwrap().len();
        assert_eq!(told, 1, "{retry_after:?}: it is told once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hub_that_takes_a_few_a_second_is_not_asked_for_more_again_and_again() {
    /// Takes so many a second, and refuses the others until the next one.
    struct Counting {
        begin: Instant,
        counted: Mutex<(u64, usize)>,
        refused: AtomicUsize,
    }
    const A_SECOND: usize = 20;
    impl Transport for Counting {
        fn send(&self, _: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
            Box::pin(async {
                sleep(LATENCY).await;
                let second = self.begin.elapsed().as_secs();
                let mut counted = self.counted.lock().unwrap();
                if counted.0 < second {
                    *counted = (second, 0);
                }
                counted.1 += 1;
                let (mut status, mut headers) = (StatusCode::OK, HeaderMap::new());
                if counted.1 > A_SECOND {
                    self.refused.fetch_add(1, Relaxed);
                    status = StatusCode::TOO_MANY_REQUESTS;
                    headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
                }
                Ok(Response { status, headers, body: Box::new(Nothing) })
            })
        }
    }
    let (begin, counted) = (Instant::now(), Mutex::default());
    let hub = Arc::new(Counting { begin, counted, refused: AtomicUsize::new(0) });
    let http = Http::new(&config(), Arc::<Counting>::clone(&hub), core(), None);
    let all = stream::iter(0..200).map(|at| {
        let http = &http;
        async move { get(http, &at.to_string()).await }
    });
    let statuses: Vec<_> = all.buffer_unordered(64).collect().await;
    assert!(statuses.iter().all(StatusCode::is_success));
    let (refused, took) = (hub.refused.load(Relaxed), begin.elapsed());
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(refused < 250, "{refused} are refused of 200");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_waited_for_long_enough_gets_the_refusal() {
    let hub = Arc::new(BusyHub::new(3_600, Some("3")));
    let http = client(&Config { throttle_patience: Duration::from_secs(10), ..config() }, &hub);
    let begin = Instant::now();
    assert_eq!(get(&http, "a").await, StatusCode::TOO_MANY_REQUESTS);
    let took = begin.elapsed().as_secs();
    assert!((6..=10).contains(&took), "{took} s");

    let limits = Limits {
        answer_within: Duration::from_secs(10),
        until: Some(Instant::now() + Duration::from_secs(1)),
    };
    let (begin, sent) = (Instant::now(), hub.requests.lock().unwrap().len());
    let (_, answer) = http.get_until(&at(&http, "b"), &HeaderMap::new(), limits).await.unwrap();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers[RETRY_AFTER], "3", "it is what the hub has said");
    assert_eq!(begin.elapsed(), Duration::ZERO, "nobody waits for what can't come in time");
    assert_eq!(hub.requests.lock().unwrap().len(), sent);
}

#[tokio::test(start_paused = true)]
async fn only_a_busy_hub_that_names_a_time_is_waited_for() {
    for (status, retry_after, expected, requests) in [
        (503, Some("1"), 200, 3),
        (503, None, 503, 1),
        (500, Some("1"), 500, 1),
        (404, Some("1"), 404, 1),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        let hub = Arc::new(BusyHub { status, ..BusyHub::new(2, retry_after) });
        let http = client(&config(), &hub);
        assert_eq!(get(&http, "a").await.as_u16(), expected, "{status} {retry_after:?}");
        assert_eq!(hub.requests.lock().unwrap().len(), requests, "{status} {retry_after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_its_own_is_told_and_all_others_wait_all_the_same() {
    let hub = Arc::new(BusyHub::new(2, Some("3")));
    let http = client(&config(), &hub);
    let (own, headers) = (at(&http, "large"), HeaderMap::new());
    let (_, answer) = http.get_on(Connection::Own, &own, &headers, None).await.unwrap();
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    let begin = Instant::now();
    assert_eq!(get(&http, "small").await, StatusCode::OK);
    assert!(begin.elapsed() >= Duration::from_secs(3));
    assert_eq!(hub.requests.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn other_origins_are_not_held_up() {
    let hub = Arc::new(BusyHub::new(1, Some("60")));
    let http = client(&config(), &hub);
    assert!(timeout(Duration::from_secs(2), get(&http, "a")).await.is_err(), "it waits");
    let (begin, url) = (Instant::now(), "http://other/".parse().unwrap());
    let other = Address { url, ..at(&http, "") };
    let (_, answer) = http.get(&other, &HeaderMap::new(), None).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_given_up_anywhere_hold_up_nobody() {
    // Each is dropped at another moment: before it is refused, while it waits, and while it goes first.
    for given_up_ms in [0, 3, 5, 500, 1_050, 1_103, 1_110] {
        let hub = Arc::new(BusyHub::new(1, Some("1")));
        let http = client(&config(), &hub);
        let given_up = (0..20).map(|at| {
            let (http, after) = (&http, Duration::from_millis(given_up_ms));
            async move { drop(timeout(after, get(http, &at.to_string())).await) }
        });
        join_all(given_up).await;
        let begin = Instant::now();
        assert_eq!(get(&http, "last").await, StatusCode::OK);
        let took = begin.elapsed();
        assert!(took <= Duration::from_millis(2_300), "{given_up_ms} ms: {took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_goes_first_and_is_never_heard_of_is_not_waited_for() {
    let (url, now) = ("http://hub/".parse().unwrap(), Instant::now());
    let gate = Gate::new(Duration::from_secs(60));
    let enter = || gate.enter(&url, Connection::Shared, now, Until::default());
    let Entered::Go(first) = enter().await else { panic!("it is open") };
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("1"))]);
    let status = StatusCode::TOO_MANY_REQUESTS;
    gate.refused(&first, &url, &Response { status, headers, body: Box::new(Nothing) });
    let never_heard_of = enter().await;
    let begin = Instant::now();
    let next = enter().await;
    assert!(matches!(next, Entered::Go(_)));
    assert_eq!(begin.elapsed(), Duration::from_secs(1));
    drop(never_heard_of);
}

#[tokio::test]
async fn each_origin_is_known_by_its_own_answers() {
    let (gate, ms) = (Gate::new(Duration::from_secs(60)), Duration::from_millis);
    let url = |text: &str| Url::parse(text).unwrap();
    let (hub, store) = (url("https://hub.test/a/b"), url("https://store.test/x"));
    let answered = async |at: &Url, took: u64| {
        let (now, until) = (Instant::now(), Until::default());
        let Entered::Go(pass) = gate.enter(at, Connection::Shared, now, until).await else {
            panic!("it is open")
        };
        pass.answered(ms(took));
    };
    assert_eq!(gate.shown(&hub).delay, None);
    for took in [80, 80, 40] {
        answered(&hub, took).await;
    }
    answered(&store, 5).await;
    gate.refused_range(&store);
    assert_eq!(gate.shown(&url("https://hub.test/c")).delay, Some(ms(70)));
    assert_eq!(gate.shown(&url("http://hub.test/c")).delay, None, "another origin");
    assert_eq!(gate.shown(&store).delay, Some(ms(5)));
    let found = [&hub, &store].map(|of| gate.shown(of).ranges);
    assert_eq!(found, [Ranges::Possible, Ranges::Refused]);
}

/// A hub whose requests or bodies break, or of which nothing is heard.
struct Breaking(Mutex<Vec<&'static str>>, Mutex<Vec<bool>>);

struct Body_(&'static str);

impl Body for Body_ {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<bytes::Bytes>, TransportError>> {
        let how = self.0;
        Box::pin(async move {
            match how {
                "broken body" => Err(TransportError::new(TransportErrorKind::Broken, "cut")),
                "silent body" => pending().await,
                _ => Ok(None),
            }
        })
    }
}

impl Transport for Breaking {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.1.lock().unwrap().push(request.made_after.is_some());
        let how = self.0.lock().unwrap().pop().unwrap_or("whole");
        Box::pin(async move {
            match how {
                "broken" => return Err(TransportError::new(TransportErrorKind::Broken, "reset")),
                "silent" => return pending().await,
                _ => {}
            }
            let body = Box::new(Body_(how));
            Ok(Response { status: StatusCode::OK, headers: HeaderMap::new(), body })
        })
    }
}

#[tokio::test(start_paused = true)]
async fn after_something_broke_no_older_connection_is_used() {
    for (how, heeded) in [
        ("whole", false),
        ("broken", true),
        ("silent", true),
        ("broken body", true),
        ("silent body", true),
    ] {
        let hub = Arc::new(Breaking(Mutex::new(vec![how]), Mutex::default()));
        let http = Http::new(&config(), Arc::<Breaking>::clone(&hub), core(), None);
        for _ in 0..2 {
            let headers = HeaderMap::new();
            if let Ok((_, mut answer)) = http.get(&at(&http, "a"), &headers, None).await {
                let _ = timeout(http.stall_timeout(), answer.body.chunk()).await;
            }
        }
        assert_eq!(*hub.1.lock().unwrap(), [false, heeded], "{how}");
    }
}

#[test]
fn where_there_is_no_runtime_that_is_what_is_missing() {
    let hub = Arc::new(BusyHub::new(0, None));
    let http = client(&config(), &hub);
    let (to, headers) = (at(&http, "a"), HeaderMap::new());
    let error = http.get(&to, &headers, None).now_or_never().unwrap().unwrap_err();
    let told = hubstow_cache::disk::failure::with_causes(&error);
    assert!(told.contains("runtime"), "{told}");
}
