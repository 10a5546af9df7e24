//! Moving and importing beside downloads in other processes.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use hubstow_serve::{RunningServer, Server};

use crate::{moved::other_disk, stage::Stage};

const ROUNDS: usize = 16;

fn download(stage: &Stage, hub: &RunningServer, cache: &str) -> Child {
    let vars = [("HF_ENDPOINT", hub.url()), ("HF_HUB_CACHE", cache)];
    let mut command = stage.prepared(&vars, &["download", "acme/tiny", "-q"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[track_caller]
fn ends_well(child: Child) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn serve(stage: &Stage) -> RunningServer {
    let repo = stage.at("hub/acme/tiny");
    for number in 0..40 {
        fs::write(format!("{repo}/{number}.bin"), vec![number; 30_000]).unwrap();
    }
    let server = Server::builder(stage.at("hub")).lfs_glob("*.bin").build();
    server.spawn_on_loopback().unwrap()
}

#[test]
fn what_is_downloaded_while_the_cache_moves_stays_or_comes_along() {
    let stage = Stage::new();
    let hub = serve(&stage);
    ends_well(download(&stage, &hub, &stage.cache()));
    let right = Stage::contents(&stage.cache());
    let Some(disk) = other_disk() else { return };
    let mut random = fastrand::Rng::with_seed(17);
    for round in 0..ROUNDS {
        let from = stage.at(&format!("from-{round}"));
        stage.system("cp", &["-a", "cache", &from]);
        // Some of it is to be fetched again, so that the download has something to do.
        let repo = format!("{from}/models--acme--tiny");
        if round % 3 == 0 {
            fs::remove_dir_all(&repo).unwrap();
        } else {
            fs::remove_dir_all(format!("{repo}/snapshots")).unwrap();
        }
        let to = match round % 2 {
            0 => disk.path().join(format!("to-{round}")).to_str().unwrap().to_owned(),
            _ => stage.at(&format!("to-{round}")),
        };
        let running = download(&stage, &hub, &from);
        thread::sleep(Duration::from_millis(random.u64(0..120)));
        let args = ["cache", "move", &to, "--yes", "--json", "--cache-dir", &from];
        let moved = stage.command(&[], &args);
        assert!(matches!(moved.status.code(), Some(0 | 1)), "{moved:?}");
        ends_well(running);
        for cache in [&from, &to] {
            for (at, content) in Stage::contents(cache) {
                assert!(right.get(&at) == Some(&content), "round {round}: {at}");
            }
        }
        // All of it may be there already.
        if Path::new(&from).exists() {
            stage.succeeds(&stage.command(&[], &args));
        }
        let now = Stage::contents(&to);
        let main = stage.commit("main");
        let wanted = right.iter().filter(|(at, _)| at.contains(&main));
        for (at, content) in wanted {
            assert!(now.get(at) == Some(content), "round {round}: {at} is lost");
        }
        assert!(Stage::contents(&from).is_empty(), "round {round}");
    }
}

#[test]
fn an_import_and_a_download_of_the_same_leave_what_either_would() {
    let stage = Stage::new();
    let hub = serve(&stage);
    ends_well(download(&stage, &hub, &stage.cache()));
    let (tar, right) = (stage.at("one.tar"), Stage::contents(&stage.cache()));
    stage.export(&stage.cache(), &tar);
    let mut random = fastrand::Rng::with_seed(19);
    for round in 0..ROUNDS {
        let cache = stage.at(&format!("to-{round}"));
        let running = download(&stage, &hub, &cache);
        thread::sleep(Duration::from_millis(random.u64(0..60)));
        let placement = ["compat", "portable"][round % 2];
        let args = ["import", &tar, "--yes", "--cache-dir", &cache, "--placement", placement];
        stage.json(&args);
        ends_well(running);
        assert_eq!(Stage::contents(&cache), right, "round {round}");
    }
}
