// What the examples of the documentation begin with, which include this file: a small hub on this machine, and an empty cache.

/// The model `org/model`, the dataset `org/rows` and the space `org/show`, served until it is dropped.
pub struct Here {
    folder: tempfile::TempDir,
    server: hubstow_serve::RunningServer,
}

pub type Answer = Result<(), Box<dyn std::error::Error>>;

impl Here {
    pub fn open() -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let served = folder.path().join("served");
        for (name, content) in [
            ("org/model/config.json", "{}"),
            ("org/model/data/words.txt", "one"),
            ("datasets/org/rows/train.csv", "a,b"),
            ("spaces/org/show/app.py", "pass"),
        ] {
            let path = served.join(name);
            std::fs::create_dir_all(path.parent().ok_or("it is in a folder")?)?;
            std::fs::write(path, content)?;
        }
        let server = hubstow_serve::Server::builder(served).build().spawn_on_loopback()?;
        Ok(Self { folder, server })
    }

    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// A place of this name that is removed again.
    pub fn place(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub fn config(&self) -> Result<hubstow_native::Config, hubstow_native::Error> {
        let mut config = hubstow_native::Config::new(self.place("cache"));
        config.set_endpoint(&self.url())?;
        Ok(config)
    }
}

/// Asks a hub something.
pub fn ask(question: impl AsyncFnOnce(hubstow_native::Hub) -> Answer) {
    at(async |here| question(hubstow_native::Hub::new(here.config()?)?).await);
}

/// Does something beside a hub.
pub fn at(something: impl AsyncFnOnce(&Here) -> Answer) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { something(&Here::open()?).await }).unwrap();
}

/// Asks a hub something without async.
#[cfg(feature = "blocking")]
pub fn ask_blocking(question: impl FnOnce(hubstow_native::blocking::Hub) -> Answer) {
    let answer = Here::open().and_then(|here| {
        question(hubstow_native::blocking::Hub::new(here.config()?)?)
    });
    answer.unwrap();
}
