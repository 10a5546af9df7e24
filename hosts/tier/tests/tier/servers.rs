//! Real S3 servers on loopback, each a process of its own that is ended by its id.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use hubstow_tier::{Limits, Tier};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tempfile::TempDir;

/// Where the Python with moto is, if anywhere.
const PYTHON: &str = "HUBSTOW_PYTHON";
/// What tells this program to be a server.
const SERVE: &str = "HUBSTOW_TIER_SERVES";
const BUCKET: &str = "bucket";
/// Where in the bucket the tier is.
const PREFIX: &str = "some/prefix";
const KEY: &str = "AKIDEXAMPLE";
pub(crate) const SECRET: &str = "s3cret-s3cret";
/// The address of the tier for a node that is a process of its own.
pub(crate) const ADDRESS: &str = "s3://bucket/some/prefix";
/// How long a server may take until it answers.
const START: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// moto, from PyPI.
    Moto,
    /// s3s-fs, from crates.io. It checks signatures.
    S3s,
}

/// A server, until it is dropped.
pub(crate) struct S3 {
    kind: Kind,
    child: Child,
    port: u16,
    folder: TempDir,
}

impl S3 {
    /// Starts a server with a bucket; `None`, with a line that says so, where it is not installed.
    pub(crate) fn start(kind: Kind) -> Option<Self> {
        if kind == Kind::Moto && !has_moto() {
            println!("skipped: {PYTHON} names no Python with moto's server");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let child = launch(kind, port, folder.path().to_owned());
        let server = Self { kind, child, port, folder };
        server.wait();
        match kind {
            Kind::Moto => assert_eq!(server.request("PUT", &format!("/{BUCKET}")), 200),
            Kind::S3s => std::fs::create_dir(server.folder.path().join(BUCKET)).unwrap(),
        }
        Some(server)
    }

    /// Ends the server at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again at the same address. Only s3s-fs has kept what was there.
    pub(crate) fn restart(&mut self) {
        self.child = launch(self.kind, self.port, self.folder.path().to_owned());
        self.wait();
    }

    /// The tier of this server, below a prefix.
    pub(crate) fn tier(&self, limits: Limits) -> Tier {
        self.tier_as(limits, SECRET, BUCKET)
    }

    /// The same with another secret, or another bucket.
    pub(crate) fn tier_as(&self, limits: Limits, secret: &str, bucket: &str) -> Tier {
        let variables = self.variables(secret).map(|(name, value)| (name.to_owned(), value));
        Tier::open_with(&format!("s3://{bucket}/{PREFIX}"), limits, variables).unwrap()
    }

    /// A tier of this server that is elsewhere.
    pub(crate) fn tier_at(&self, address: &str, limits: Limits) -> Tier {
        let variables = self.variables(SECRET).map(|(name, value)| (name.to_owned(), value));
        Tier::open_with(address, limits, variables).unwrap()
    }

    /// Starts another process of this program, as a node of the tier of this server, in one of the tests.
    pub(crate) fn start_node(&self, test: &str, variable: &str, value: &std::path::Path) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test]).env(variable, value).envs(self.variables(SECRET));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    fn variables(&self, secret: &str) -> [(&'static str, String); 5] {
        [
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", self.port)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
        ]
    }

    fn wait(&self) {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            assert!(start.elapsed() < START, "{:?} does not start", self.kind);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Tells whether a file is being put in parts.
    pub(crate) fn has_upload(&self) -> bool {
        match self.kind {
            Kind::Moto => self.answer("GET", &format!("/{BUCKET}?uploads")).contains("<UploadId>"),
            Kind::S3s => std::fs::read_dir(self.folder.path())
                .unwrap()
                .any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".upload")),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> u16 {
        self.answer(method, path).split(' ').nth(1).unwrap().parse().unwrap()
    }

    fn answer(&self, method: &str, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        let host = format!("127.0.0.1:{}", self.port);
        write!(stream, "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn has_moto() -> bool {
    let Some(python) = std::env::var_os(PYTHON) else { return false };
    let mut command = Command::new(python);
    command.args(["-c", "import moto.server, moto.s3"]).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn launch(kind: Kind, port: u16, folder: PathBuf) -> Child {
    let mut command = match kind {
        Kind::Moto => {
            let mut command = Command::new(std::env::var_os(PYTHON).unwrap());
            let port = port.to_string();
            // Its threads take turns in the middle of a conditional write, which is one step where none interrupts another.
            let program = "import sys; sys.setswitchinterval(1000); \
                           from moto.server import main; main(sys.argv[1:])";
            command.args(["-c", program, "-H", "127.0.0.1", "-p", &port]);
            command
        }
        Kind::S3s => {
            let mut command = Command::new(std::env::current_exe().unwrap());
            let serve = format!("{port} {}", folder.display());
            command.args(["--exact", "servers::the_server_that_others_start"]).env(SERVE, serve);
            command
        }
    };
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Is a server where another test has started it as one, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_that_others_start() {
    let Ok(serve) = std::env::var(SERVE) else { return };
    let (port, folder) = serve.split_once(' ').unwrap();
    let mut builder = S3ServiceBuilder::new(FileSystem::new(folder).unwrap());
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = builder.build();
    let address = (Ipv4Addr::LOCALHOST, port.parse::<u16>().unwrap());
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service.clone();
        tokio::spawn(async move {
            let executor = hyper_util::rt::TokioExecutor::new();
            let server = hyper_util::server::conn::auto::Builder::new(executor);
            let _ = server.serve_connection(hyper_util::rt::TokioIo::new(stream), service).await;
        });
    }
}
