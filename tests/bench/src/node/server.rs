//! The servers that are measured: how each is started, what it takes, and how it is ended.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    control::Hub,
    process,
    tools::{self, find},
};

/// How long a server may take until it listens, and until it has ended.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether it does.
const LOOKED_EVERY: Duration = Duration::from_millis(20);

/// A server that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// The hub itself, with nothing between.
    Direct,
    /// `hubstow serve --upstream`.
    Node,
    /// `hubstow serve` on the folder of the hub.
    Folder,
    /// The same by another build of the command.
    Earlier,
    /// nginx on the folder of the hub.
    Nginx,
    /// olah before the hub.
    Olah,
}

impl Contender {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Node => "hubstow node",
            Self::Folder => "hubstow folder",
            Self::Earlier => "earlier folder",
            Self::Nginx => "nginx",
            Self::Olah => "olah",
        }
    }

    pub(crate) fn is_hubstow(self) -> bool {
        match self {
            Self::Node | Self::Folder => true,
            Self::Direct | Self::Earlier | Self::Nginx | Self::Olah => false,
        }
    }
}

/// The programs of the servers; `None` for one that is not on this machine.
#[derive(Debug)]
pub(crate) struct Programs {
    hubstow: PathBuf,
    earlier: Option<PathBuf>,
    nginx: Option<PathBuf>,
    olah: Option<PathBuf>,
    /// What is not measured, and why.
    pub(crate) lacking: Vec<String>,
}

impl Programs {
    /// Builds and finds them. `target` is cargo's target folder.
    pub(crate) fn gather(target: &Path, earlier: Option<PathBuf>) -> Result<Self> {
        let mut lacking = Vec::new();
        let mut note = |what: &str, found: Result<PathBuf>| {
            let lack =
                |why: &anyhow::Error| lacking.push(format!("{what} is not measured: {why:#}"));
            found.inspect_err(lack).ok()
        };
        // Where an ordinary user's PATH does not lead.
        let system = || Some(PathBuf::from("/usr/sbin/nginx")).filter(|path| path.is_file());
        let nginx = note("nginx", find("nginx").or_else(|why| system().ok_or(why)));
        let olah = note("olah", tools::olah(target));
        let hubstow = tools::build(&["--package", "hubstow"])?;
        Ok(Self { hubstow, earlier, nginx, olah, lacking })
    }
}

/// A server that runs. It ends with this value.
pub(crate) struct Running {
    /// `None` where it is the hub, which runs anyway.
    process: Option<Child>,
    number: u32,
    /// Such as `127.0.0.1:8080`.
    pub(crate) address: String,
}

impl Running {
    /// Starts a server with an empty folder of its own; `None` where it is not on this machine.
    pub(crate) fn start(
        contender: Contender,
        programs: &Programs,
        hub: &Hub,
        (served, own): (&Path, &Path),
    ) -> Result<Option<Self>> {
        if own.exists() {
            fs::remove_dir_all(own)?;
        }
        fs::create_dir_all(own)?;
        let upstream: [OsString; 4] =
            ["--upstream".into(), hub.url.clone().into(), "--disk".into(), own.join("disk").into()];
        let started = match contender {
            Contender::Direct => {
                let address = hub.url.trim_start_matches("http://").to_owned();
                Self { process: None, number: hub.number(), address }
            }
            Contender::Node => {
                hubstow(Command::new(&programs.hubstow).arg("serve").args(upstream), own)?
            }
            Contender::Folder => {
                hubstow(Command::new(&programs.hubstow).arg("serve").arg(served), own)?
            }
            Contender::Earlier => match &programs.earlier {
                Some(program) => hubstow(Command::new(program).arg("serve").arg(served), own)?,
                None => return Ok(None),
            },
            Contender::Nginx => match &programs.nginx {
                Some(program) => nginx(program, served, own)?,
                None => return Ok(None),
            },
            Contender::Olah => match &programs.olah {
                Some(program) => olah(program, hub, own)?,
                None => return Ok(None),
            },
        };
        Ok(Some(started))
    }

    /// Returns the seconds of CPU that it has used so far, where the system tells.
    pub(crate) fn cpu_s(&self) -> Option<f64> {
        process::family(self.number).into_iter().map(process::cpu_s).sum()
    }

    /// Returns the bytes of memory that it holds, where the system tells.
    pub(crate) fn resident_bytes(&self) -> Option<u64> {
        process::family(self.number).into_iter().map(process::resident_bytes).sum()
    }

    /// Waits until it listens.
    fn listens(mut self) -> Result<Self> {
        let begin = Instant::now();
        while std::net::TcpStream::connect(&self.address).is_err() {
            if let Some(process) = &mut self.process
                && let Some(status) = process.try_wait()?
            {
                bail!("it has ended before it listened: {status}");
            }
            ensure!(begin.elapsed() < PATIENCE, "it does not listen");
            thread::sleep(LOOKED_EVERY);
        }
        Ok(self)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        // Killed at once, a server would leave the processes that it has started.
        let asked = Command::new("kill").arg(self.number.to_string()).status();
        let begin = Instant::now();
        while asked.is_ok() && begin.elapsed() < PATIENCE {
            if let Ok(Some(_)) = process.try_wait() {
                return;
            }
            thread::sleep(LOOKED_EVERY);
        }
        drop(process.kill());
        drop(process.wait());
    }
}

/// Gives a server nothing in its environment but a home of its own, and files for what it says.
fn alone<'a>(command: &'a mut Command, own: &Path) -> Result<&'a mut Command> {
    let (out, err) = (File::create(own.join("out"))?, File::create(own.join("told"))?);
    command.current_dir(own).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", own).env("HF_HOME", own);
    Ok(command.stdin(Stdio::null()).stdout(out).stderr(err))
}

/// The address is the first line that it says.
fn hubstow(command: &mut Command, own: &Path) -> Result<Running> {
    let mut process = alone(command, own)?.stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    let said = process.stdout.take().context("stdout is a pipe")?;
    let running = |url: &str| Running {
        number: process.id(),
        address: url.trim().trim_start_matches("http://").to_owned(),
        process: Some(process),
    };
    let read = BufReader::new(said).read_line(&mut url);
    let running = running(&url);
    ensure!(read? > 0, "it has ended before it listened");
    Ok(running)
}

fn nginx(program: &Path, served: &Path, own: &Path) -> Result<Running> {
    let address = free_address()?;
    let (served, own_shown) = (served.display(), own.display());
    let config = format!(
        "daemon off;\nworker_processes 2;\npid {own_shown}/pid;\nerror_log {own_shown}/errors;\n\
         events {{ worker_connections 2048; }}\n\
         http {{\n  sendfile on;\n  tcp_nopush on;\n  keepalive_requests 100000;\n  \
         access_log {own_shown}/access;\n  client_body_temp_path {own_shown}/body;\n  \
         proxy_temp_path {own_shown}/proxy;\n  fastcgi_temp_path {own_shown}/fastcgi;\n  \
         uwsgi_temp_path {own_shown}/uwsgi;\n  scgi_temp_path {own_shown}/scgi;\n  \
         server {{\n    listen {address};\n    root {served};\n    \
         rewrite ^/([^/]+/[^/]+)/resolve/main/(.*)$ /$1/$2 break;\n  }}\n}}\n"
    );
    let file = own.join("nginx.conf");
    fs::write(&file, config)?;
    let mut command = Command::new(program);
    command.arg("-e").arg(own.join("errors")).arg("-p").arg(own).arg("-c").arg(file);
    began(alone(&mut command, own)?, address)
}

fn olah(program: &Path, hub: &Hub, own: &Path) -> Result<Running> {
    let address = free_address()?;
    let (host, port) = address.split_once(':').context("an address has a port")?;
    let upstream = hub.url.trim_start_matches("http://");
    let mut command = Command::new(program);
    command.args(["--host", host, "--port", port, "--hf-scheme", "http", "--hf-netloc", upstream]);
    command.args(["--hf-lfs-netloc", upstream, "--mirror-netloc", &address]);
    command.arg("--repos-path").arg(own.join("repos")).arg("--log-path").arg(own.join("logs"));
    began(alone(&mut command, own)?, address)
}

fn began(command: &mut Command, address: String) -> Result<Running> {
    let process = command.spawn().context("it can't be started")?;
    Running { number: process.id(), process: Some(process), address }.listens()
}

/// Returns an address that nobody listens on.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.to_string())
}
