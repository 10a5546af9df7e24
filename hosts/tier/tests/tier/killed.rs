//! A node that is killed in the middle of a fill, as a process of its own on a real server.

use std::{
    fs::File,
    io::Write as _,
    path::PathBuf,
    process::Command,
    sync::mpsc,
    time::{Duration, Instant},
};

use hubstow_tier::{Begin, Cleared, Limits, Put, Sweep, Tier};

use crate::{
    servers::{ADDRESS, Kind, S3},
    stage::{Sample, limits, read},
};

/// What tells this program to be a node: where the file is that it puts.
const FILLS: &str = "HUBSTOW_TIER_FILLS";
const NEVER: Duration = Duration::from_secs(60);

/// Content of four parts.
const SIZE: u64 = 16 << 20;

fn sample() -> Sample {
    Sample::new((0..SIZE).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect())
}

/// Writes the beginning of a file into a pipe, and hands the pipe over once that has been read: two parts of it are sent by
/// then, or about to be, and who reads waits for more.
fn feed(pipe: PathBuf, begin: Vec<u8>) -> mpsc::Receiver<File> {
    let (done, begun) = mpsc::channel();
    std::thread::spawn(move || {
        let mut pipe = File::options().write(true).open(pipe).unwrap();
        pipe.write_all(&begin).unwrap();
        let _ = done.send(pipe);
    });
    begun
}

/// Claims that lapse soon.
fn short() -> Limits {
    let mut limits = limits();
    limits.claim_time = Duration::from_secs(2);
    limits.parts = 1;
    limits
}

/// Is a node where another test has started it as one, and nothing else.
#[tokio::test]
async fn the_node_that_others_start() {
    let Some(path) = std::env::var_os(FILLS).map(PathBuf::from) else { return };
    let id = sample().id;
    let tier = Tier::open(ADDRESS, short()).unwrap();
    let Begin::Fill(claim) = tier.begin(&id, NEVER).await.unwrap() else {
        panic!("nobody else is there")
    };
    tier.put(&id, SIZE, &path).await.unwrap();
    claim.release().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_node_leaves_is_taken_over_and_swept() {
    for server in [Kind::Moto, Kind::S3s] {
        let Some(s3) = S3::start(server) else { continue };
        let (sample, tier) = (sample(), s3.tier(short()));
        let pipe = sample.path.with_extension("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let mut node = s3.start_node("killed::the_node_that_others_start", FILLS, &pipe);
        let begun = feed(pipe, sample.bytes[..12 << 20].to_vec()).recv_timeout(NEVER);
        let open_pipe = begun.expect("the node begins");
        let waited = tier.begin(&sample.id, Duration::ZERO).await.unwrap();
        assert!(matches!(waited, Begin::Waited), "{server:?}: {waited:?}");
        node.kill().unwrap();
        node.wait().unwrap();
        drop(open_pipe);
        assert_eq!(tier.head(&sample.id).await.unwrap(), None);

        let start = Instant::now();
        let Begin::Fill(claim) = tier.begin(&sample.id, NEVER).await.unwrap() else {
            panic!("{server:?}: somebody else is there")
        };
        assert!(start.elapsed() < Duration::from_secs(20), "{server:?}: {:?}", start.elapsed());
        assert_eq!(sample.put(&tier).await.unwrap(), Put::Done);
        claim.release().await;
        assert!(read(&tier, &sample.id, None).await.unwrap().unwrap() == sample.bytes);

        let mut sweep = Sweep::default();
        sweep.upload_time = Duration::ZERO;
        let done = tier.sweep(&sweep).await.unwrap().unwrap();
        assert_eq!((done.objects, done.evicted), (1, 0));
        let expected = if server == Kind::Moto { Cleared::Count(1) } else { Cleared::ByRule };
        assert_eq!(done.uploads, expected, "{server:?}");
        assert!(read(&tier, &sample.id, None).await.unwrap().unwrap() == sample.bytes);
    }
}
