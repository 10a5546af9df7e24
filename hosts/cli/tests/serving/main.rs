//! `hubstow serve` as users and scripts see it: folders and caches, the access log, and the real Python client before it.

#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

mod attacks;
mod bounded;
mod hostile;
mod peer;
mod pull;
mod tier;
mod tls;
mod warm;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder for everything.
struct Stage {
    folder: TempDir,
}

impl Stage {
    /// With plain folders in `models`, of which one has a revision and one is a dataset.
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        stage.write("models/acme/tiny/config.json", "{}\n");
        stage.write("models/acme/tiny/empty.txt", "");
        stage.write("models/acme/tiny/deep/weights.bin", "weights");
        stage.write("models/acme/tiny@v1/config.json", "{\"old\": 1}\n");
        stage.write("models/datasets/acme/rows/train.csv", "a,b\n1,2\n");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Downloads a whole model into the cache that is named.
    #[track_caller]
    fn download(&self, from: &Serving, cache: &str, args: &[&str]) {
        let args = [&["download", "acme/tiny", "-q", "--endpoint", &from.url], args].concat();
        let output = self.command(&args).env("HF_HUB_CACHE", self.path(cache)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Serves, with what is said on stderr going to a file.
    #[track_caller]
    fn serve(&self, args: &[&str]) -> Serving {
        self.serve_with(args, &[])
    }

    /// Serves with variables in its environment.
    #[track_caller]
    fn serve_with(&self, args: &[&str], variables: &[(&str, String)]) -> Serving {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let log = self.path(&format!("log-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        let mut child = self
            .command(&[&["serve"], args].concat())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        let url = serde_json::from_str(&url).map_or_else(
            |_| url.trim().to_owned(),
            |said: Value| said["url"].as_str().unwrap().to_owned(),
        );
        let is_one =
            ["http", "https"].iter().any(|at| url.starts_with(&format!("{at}://127.0.0.1:")));
        assert!(is_one, "{url}: {}", read(&log));
        Serving { child, url, log }
    }
}

/// The command while it serves.
struct Serving {
    child: Child,
    url: String,
    log: PathBuf,
}

impl Serving {
    /// Asks for a path, and returns status and body.
    fn get(&self, path: &str) -> (u16, String) {
        self.get_as(path, "")
    }

    /// The same with the credentials of somebody.
    fn get_as(&self, path: &str, credentials: &str) -> (u16, String) {
        use std::{io::Write as _, net::TcpStream};

        let host = self.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(host).unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close");
        write!(stream, "{head}\r\nAuthorization: {credentials}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Waits until the log has a line with this, and returns the line.
    #[track_caller]
    fn logged(&self, part: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let log = read(&self.log);
            if let Some(line) = log.lines().find(|line| line.contains(part)) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "no {part} in\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it, and returns all that it has said.
    fn end(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        read(&self.log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_request_is_one_line_of_the_log() {
    let stage = Stage::new();
    let serving = stage.serve(&["models", "--token", "s3cret"]);
    serving.get("/acme/tiny/resolve/main/config.json?token=s3cret");
    let line = serving.logged("GET /acme");
    let words: Vec<&str> = line.split(' ').collect();
    let expected = ["GET", "/acme/tiny/resolve/main/config.json", "401"];
    assert_eq!(words[..3], expected, "{line}");
    assert_eq!((words[4], words[6], words[7]), ("B", "ms", "127.0.0.1"), "{line}");
    assert!(words[3].parse::<u64>().is_ok() && words[5].parse::<u64>().is_ok(), "{line}");
    assert!(!serving.end().contains("s3cret"));
}

#[test]
fn the_log_may_be_json_and_is_off_when_nothing_shall_be_said() {
    let stage = Stage::new();
    let serving = stage.serve(&["models", "--log-format", "json", "--json"]);
    serving.get("/acme/tiny/resolve/main/config.json");
    let line: Value = serde_json::from_str(&serving.logged("resolve")).unwrap();
    assert_eq!(
        (&line["method"], &line["status"], &line["bytes"]),
        (&json!("GET"), &json!(200), &json!(3))
    );
    assert_eq!(line["path"], "/acme/tiny/resolve/main/config.json");
    assert_eq!(line["client"], "127.0.0.1");
    assert!(line["ms"].is_u64(), "{line}");
    drop(serving);
    let quiet = stage.serve(&["models", "-q"]);
    assert_eq!(quiet.get("/acme/tiny/resolve/main/config.json").0, 200);
    assert_eq!(quiet.end(), "");
}

#[test]
fn a_cache_that_was_filled_from_a_folder_serves_the_same() {
    let stage = Stage::new();
    let folder = stage.serve(&["models"]);
    stage.download(&folder, "first", &[]);
    stage.download(&folder, "first", &["--revision", "v1"]);
    let sha = |serving: &Serving| {
        let info: Value = serde_json::from_str(&serving.get("/api/models/acme/tiny").1).unwrap();
        info["sha"].as_str().unwrap().to_owned()
    };
    let commit = sha(&folder);
    drop(folder);
    let cache = stage.serve(&["first"]);
    assert_eq!(sha(&cache), commit);
    stage.download(&cache, "second", &[]);
    stage.download(&cache, "second", &["--revision", "v1"]);
    let listed = |cache: &str| {
        let output = stage
            .command(&["cache", "ls", "--files", "--json"])
            .env("HF_HUB_CACHE", stage.path(cache))
            .output()
            .unwrap();
        let files: Value = serde_json::from_slice(&output.stdout).unwrap();
        let named = |at: &Value| (at["revision"].clone(), at["file"].clone(), at["size"].clone());
        files.as_array().unwrap().iter().map(named).collect::<Vec<_>>()
    };
    assert_eq!(listed("second"), listed("first"));
    assert_eq!(listed("second").len(), 4);
}

#[test]
fn of_several_folders_the_first_that_has_it_answers() {
    let stage = Stage::new();
    stage.write("more/acme/tiny/config.json", "hidden");
    stage.write("more/acme/other/f", "other");
    let serving = stage.serve(&["models", "more"]);
    assert_eq!(serving.get("/acme/tiny/resolve/main/config.json"), (200, "{}\n".to_owned()));
    assert_eq!(serving.get("/acme/other/resolve/main/f"), (200, "other".to_owned()));
    let started = read(&serving.log);
    assert!(started.contains("serving models, more;"), "{started}");
}

#[test]
fn what_is_not_served_is_told_once_with_the_reason() {
    let stage = Stage::new();
    std::os::unix::fs::symlink("nowhere", stage.path("models/acme/tiny/dangling")).unwrap();
    stage.write("models/acme/tiny/back\\slash.txt", "");
    stage.write("models/acme/tiny/tab\t.txt", "");
    let told = [
        ("dangling", "`dangling` is a link that leads nowhere"),
        ("slash.txt", "`back\\slash.txt` is not a file name: it contains a backslash"),
        ("tab", "`tab\\t.txt` is not a file name: it contains a control character"),
    ];
    for format in [&[][..], &["--json"]] {
        let serving = stage.serve(&[&["models"], format].concat());
        for _ in 0..2 {
            assert_eq!(serving.get("/acme/tiny/resolve/main/config.json").0, 200);
        }
        let in_format =
            |why: &str| if format.is_empty() { why.to_owned() } else { why.replace('\\', r"\\") };
        for (_, why) in told {
            let line = serving.logged(&in_format(why));
            assert!(line.contains("warning") && line.contains("it is not served"), "{line}");
        }
        let said = serving.end();
        for (name, _) in told {
            assert_eq!(said.matches(name).count(), 1, "{said}");
        }
    }
}

#[test]
fn digests_are_kept_where_the_user_keeps_caches() {
    let stage = Stage::new();
    let caches = stage.path("caches");
    let kept = || {
        let folder = fs::read_dir(caches.join("hubstow/serve")).ok()?;
        let files = folder.map(|entry| read(&entry.unwrap().path()));
        Some(files.collect::<String>())
    };
    // What was written a moment ago is not believed yet.
    std::thread::sleep(Duration::from_millis(100));
    let mut child = stage
        .command(&["serve", "models", "-q"])
        .env("XDG_CACHE_HOME", &caches)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    while kept().is_none_or(|kept| kept.lines().count() < 6) {
        assert!(Instant::now() < deadline, "{:?}", kept());
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = kept().unwrap();
    assert!(kept.contains("acme/tiny/deep/weights.bin"), "{kept}");
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let stage = Stage::new();
    for (args, part) in [
        (&["serve"][..], "--upstream URL"),
        (&["serve", "models", "--bind", "8080"][..], "127.0.0.1:8080"),
        (&["serve", "models", "--bind", ":8080"][..], "127.0.0.1:8080"),
        (&["serve", "models", "--port", "8080"][..], "127.0.0.1:8080"),
        (&["serve", "models", "--token", " "][..], "--token or HUBSTOW_TOKEN"),
        (&["serve", "--upstream", "http://h", "--disk", "d", "--disk-size", "0"][..], "500G"),
        (&["serve", "nowhere"][..], "`nowhere` can't be served"),
        (&["serve", "models", "nowhere"][..], "`nowhere` can't be served"),
        (&["serve", "models", "--cors=app.example"][..], "https://app.example"),
        (&["serve", "models", "--source", "tape"][..], "possible values"),
    ] {
        let output = stage.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(part), "{args:?}: {said}");
    }
}

#[test]
fn the_log_says_why_a_request_failed_and_a_folder_that_holds_a_cache_is_pointed_out() {
    let stage = Stage::new();
    fs::create_dir_all(stage.path("home/hub/models--acme--m/snapshots")).unwrap();
    for (format, told) in [("text", "ERROR"), ("json", "\"level\":\"ERROR\"")] {
        let args = ["models", "home", "--log-format", format, "--token", "team\n"];
        let serving = stage.serve(&args);
        let ask = || serving.get_as("/acme/tiny/resolve/main/config.json", "bearer team");
        assert_eq!(ask().0, 200);
        fs::rename(stage.path("models"), stage.path("away")).unwrap();
        let asked = ask();
        fs::rename(stage.path("away"), stage.path("models")).unwrap();
        assert_eq!(asked.0, 500, "{}", asked.1);
        let log = serving.end();
        assert!(log.contains(told) && log.contains("a request failed"), "{log}");
        assert!(log.contains("`hubstow serve home/hub` serves the cache"), "{log}");
    }
}
