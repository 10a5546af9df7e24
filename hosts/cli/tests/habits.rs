//! What people type and have in their environment: homes, tildes, kinds before ids, and proxies.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use hubstow_serve::Server;
use tempfile::TempDir;

/// A folder with a hub's files, and somebody's home.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for repo in ["acme/tiny", "datasets/acme/rows"] {
            let repo = folder.path().join("hub").join(repo);
            fs::create_dir_all(&repo).unwrap();
            fs::write(repo.join("config.json"), "{}\n").unwrap();
        }
        fs::create_dir(folder.path().join("home")).unwrap();
        Self { folder }
    }

    fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    fn run(&self, vars: &[(&str, &str)], args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
        command.env_clear().env("HOME", self.home()).current_dir(self.folder.path());
        command.envs(vars.iter().copied()).args(args).output().unwrap()
    }

    fn hub(&self) -> hubstow_serve::RunningServer {
        Server::builder(self.folder.path().join("hub")).build().spawn_on_loopback().unwrap()
    }
}

#[track_caller]
fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[track_caller]
fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    told(output)
}

#[test]
fn a_tilde_behind_an_equals_sign_is_the_home_directory() {
    let (stage, download) = (Stage::new(), ["download", "acme/tiny", "config.json"]);
    let hub = stage.hub();
    let vars = [("HF_ENDPOINT", hub.url())];
    for (flag, below) in [
        ("--cache-dir=~/models", "models/models--acme--tiny"),
        ("--local-dir=~/here", "here/config.json"),
    ] {
        succeeds(&stage.run(&vars, &[&download[..], &[flag]].concat()));
        assert!(stage.home().join(below).exists(), "{flag}");
        assert!(!stage.folder.path().join("~").exists(), "{flag}");
    }
    succeeds(&stage.run(&vars, &[&download[..], &["--cache-dir=./~/models"]].concat()));
    assert!(stage.folder.path().join("~/models").exists());
}

#[test]
fn without_home_the_system_says_where_it_is() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubstow"));
    let found = succeeds(&command.env_clear().arg("env").output().unwrap());
    let home = {
        let whoami =
            String::from_utf8(Command::new("id").arg("-u").output().unwrap().stdout).unwrap();
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let line =
            users.lines().find(|line| line.split(':').nth(2) == Some(whoami.trim())).unwrap();
        line.split(':').nth(5).unwrap().to_owned()
    };
    assert!(found.contains(&home), "{found}");
}

/// Nothing says where a home is, and the system does not know this user.
#[cfg(unix)]
#[test]
fn without_any_home_only_what_needs_one_is_refused() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    const STRANGER: u32 = 4321;
    let stage = Stage::new();
    let hub = stage.hub();
    let folder = stage.folder.path();
    if fs::metadata(folder).unwrap().uid() != 0 {
        println!("skipped: nobody but root can be somebody else");
        return;
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    for (way, vars) in [("unset", &[][..]), ("tilde", &[("HF_HOME", "~/hf")])] {
        let run = |args: &[&str]| {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={STRANGER}"), format!("--regid={STRANGER}")]);
            command.args(["--clear-groups", "--", env!("CARGO_BIN_EXE_hubstow")]).args(args);
            command.env_clear().env("HF_ENDPOINT", hub.url()).envs(vars.iter().copied());
            command.current_dir(folder).output().unwrap()
        };
        let (local, cache) = (format!("{way}-local"), format!("{way}-cache"));
        let (to_local, in_cache) = (["--local-dir", &local], ["--cache-dir", &cache]);
        let (one, all) = (["download", "acme/tiny", "config.json"], ["download", "acme/tiny"]);
        for args in [
            [&one[..], &to_local].concat(),
            [&all[..], &to_local].concat(),
            [&all[..], &to_local, &["--offline"]].concat(),
            [&all[..], &in_cache].concat(),
            [&one[..], &in_cache, &["--offline"]].concat(),
            [&["explain"], &one[1..], &in_cache].concat(),
            [&["env"][..], &in_cache].concat(),
            [&["cache", "ls"][..], &in_cache].concat(),
        ] {
            let ended = run(&args);
            assert!(ended.status.success(), "{way} {args:?}: {}", told(&ended));
        }
        let state = folder.join(&local).join(".cache/huggingface/hubstow");
        assert!(folder.join(&local).join("config.json").is_file(), "{way}");
        assert!(!state.join("hub").exists(), "{way}: no cache is made");
        let refused = run(&all);
        assert_eq!(refused.status.code(), Some(2), "{way}: {}", told(&refused));
        let told = told(&refused);
        assert!(told.contains("home directory is not known"), "{way}: {told}");
        assert!(told.contains("HF_HUB_CACHE") && told.contains("--cache-dir"), "{way}: {told}");
    }
}

#[test]
fn a_kind_may_stand_before_the_id() {
    let stage = Stage::new();
    let hub = stage.hub();
    let vars = [("HF_ENDPOINT", hub.url())];
    let found =
        succeeds(&stage.run(&vars, &["download", "datasets/acme/rows", "config.json", "-q"]));
    assert!(found.contains("datasets--acme--rows"), "{found}");
}

#[test]
fn a_local_folder_may_be_filled_from_a_cache_that_is_named() {
    let stage = Stage::new();
    let hub = stage.hub();
    let vars = [("HF_ENDPOINT", hub.url())];
    let download = ["download", "acme/tiny", "config.json", "--cache-dir", "cache"];
    succeeds(&stage.run(&vars, &download));
    let before = hub.requests().len();
    succeeds(&stage.run(&vars, &[&download[..], &["--local-dir", "here"]].concat()));
    assert!(stage.folder.path().join("here/config.json").is_file());
    let gets = hub.requests()[before..].iter().filter(|it| it.method == "GET").count();
    assert_eq!(gets, 0, "the cache has it");
}

/// A proxy that speaks SOCKS5, lets everybody in and counts them.
fn socks(count: &Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (here, count) = (listener.local_addr().unwrap(), Arc::clone(count));
    thread::spawn(move || {
        for client in listener.incoming() {
            count.fetch_add(1, Ordering::Relaxed);
            thread::spawn(move || relay(client.unwrap()));
        }
    });
    here
}

fn relay(mut client: TcpStream) {
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).unwrap();
    client.write_all(&[5, 0]).unwrap();
    let mut asked = [0; 10];
    client.read_exact(&mut asked).unwrap();
    assert_eq!(asked[..4], [5, 1, 0, 1], "it is to connect to an address of IPv4");
    let port = u16::from_be_bytes([asked[8], asked[9]]);
    let mut hub = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(&[5, 0, 0, 1, 127, 0, 0, 1, 0, 0]).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), hub.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    let _ = std::io::copy(&mut hub, &mut client);
}

#[test]
fn proxies_may_speak_socks_and_exceptions_are_understood() {
    let (stage, count) = (Stage::new(), Arc::new(AtomicUsize::new(0)));
    let hub = stage.hub();
    let proxy = format!("socks5://{}", socks(&count));
    let port = hub.address().port().to_string();
    let here = format!("127.0.0.1:{port}");
    for (no_proxy, is_proxied) in
        [("", true), ("*", false), (here.as_str(), false), ("127.0.0.1:1", true)]
    {
        let before = count.load(Ordering::Relaxed);
        let vars = [("HF_ENDPOINT", hub.url()), ("ALL_PROXY", &proxy), ("NO_PROXY", no_proxy)];
        let args = ["download", "acme/tiny", "config.json", "--force-download"];
        succeeds(&stage.run(&vars, &args));
        let found = count.load(Ordering::Relaxed) > before;
        assert_eq!(found, is_proxied, "`{no_proxy}`");
    }
}

#[test]
fn a_setting_that_is_of_no_use_stops_only_who_needs_it() {
    let stage = Stage::new();
    let hub = stage.hub();
    succeeds(&stage.run(&[("HF_ENDPOINT", hub.url())], &["download", "acme/tiny"]));
    let pinned = fs::read_to_string(
        stage.home().join(".cache/huggingface/hub/models--acme--tiny/refs/main"),
    );
    let pinned = pinned.unwrap();
    let file = stage.folder.path().join("token-of-mine");
    fs::write(&file, "two words\n").unwrap();
    let file = file.to_str().unwrap();
    for (name, value, origin) in [
        ("HF_TOKEN", "two words", "HF_TOKEN"),
        ("HF_TOKEN_PATH", file, file),
        ("HF_ENDPOINT", "huggingface.co", "HF_ENDPOINT"),
        ("HF_HUB_ETAG_TIMEOUT", "soon", "HF_HUB_ETAG_TIMEOUT"),
        ("HF_HUB_DOWNLOAD_TIMEOUT", "1.5", "HF_HUB_DOWNLOAD_TIMEOUT"),
        ("HTTPS_PROXY", "socks9://proxy", "HTTPS_PROXY"),
    ] {
        let vars = [(name, value)];
        for args in [
            &["download", "acme/tiny", "--offline"][..],
            &["download", "acme/tiny", "--revision", &pinned],
            &["download", "acme/tiny", "config.json", "--revision", &pinned],
            &["env"],
            &["explain", "acme/tiny", "config.json", "--offline"],
            &["explain", "acme/tiny", "config.json", "--revision", &pinned],
        ] {
            let ended = stage.run(&vars, args);
            succeeds(&ended);
            if args == ["env"] {
                assert!(told(&ended).contains(origin), "{}", told(&ended));
            }
        }
        let online =
            stage.run(&[("HF_ENDPOINT", hub.url()), (name, value)], &["download", "acme/tiny"]);
        assert_eq!(online.status.code(), Some(2), "{name}: {}", told(&online));
        assert!(told(&online).contains(origin), "{}", told(&online));
    }
    // A mark that editors put before a text is no part of a token.
    let token = stage.home().join(".cache/huggingface/token");
    fs::write(token, "\u{feff}hf_secret\n").unwrap();
    succeeds(&stage.run(&[("HF_ENDPOINT", hub.url())], &["download", "acme/tiny"]));
}

#[test]
fn a_proxy_that_wants_a_login_is_told_as_the_proxy_and_asked_once() {
    let stage = Stage::new();
    let count = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (proxy, asked) = (format!("http://{}", listener.local_addr().unwrap()), Arc::clone(&count));
    thread::spawn(move || {
        for client in listener.incoming() {
            asked.fetch_add(1, Ordering::Relaxed);
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 4096]);
            let head =
                "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n";
            let _ = client.write_all(format!("{head}content-length: 0\r\n\r\n").as_bytes());
        }
    });
    for endpoint in ["http://hub.invalid", "https://hub.invalid"] {
        let before = count.load(Ordering::Relaxed);
        let vars = [("HF_ENDPOINT", endpoint), ("ALL_PROXY", proxy.as_str())];
        let found = stage.run(&vars, &["download", "acme/tiny", "config.json"]);
        assert_eq!(found.status.code(), Some(8), "{}", told(&found));
        let told = told(&found);
        assert!(told.contains("the proxy wants a name and a password"), "{told}");
        assert!(told.contains("HTTPS_PROXY=http://name:password@"), "{told}");
        assert_eq!(count.load(Ordering::Relaxed) - before, 1, "{told}");
    }
}

#[cfg(unix)]
#[test]
fn a_home_on_an_emptied_disk_is_made_and_a_file_in_its_place_is_named() {
    let stage = Stage::new();
    let hub = stage.hub();
    std::os::unix::fs::symlink("disk/hf", stage.folder.path().join("linked")).unwrap();
    fs::write(stage.folder.path().join("file"), "mine").unwrap();
    for download in [&["download", "acme/tiny"][..], &["download", "acme/tiny", "config.json"]] {
        let run = |home| stage.run(&[("HF_ENDPOINT", hub.url()), ("HF_HOME", home)], download);
        succeeds(&run("linked"));
        assert!(stage.folder.path().join("disk/hf/hub/models--acme--tiny").is_dir());
        let refused = run("file");
        assert_eq!(refused.status.code(), Some(1), "{}", told(&refused));
        let told = told(&refused);
        assert!(told.contains("is no folder") && told.contains("HF_HOME"), "{told}");
        assert_eq!(fs::read_to_string(stage.folder.path().join("file")).unwrap(), "mine");
        fs::remove_dir_all(stage.folder.path().join("disk")).unwrap();
    }
}
