//! A line between client and store: it hears what the client says, and can be cut.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

#[derive(Default)]
struct State {
    heard: Mutex<Vec<u8>>,
    connections: AtomicUsize,
    cut: AtomicBool,
    still: AtomicBool,
    /// Which objects of the store have been asked for.
    objects: Mutex<HashSet<String>>,
    closed_to_others: AtomicBool,
}

/// A line; clones are the same one.
#[derive(Clone)]
pub struct Line {
    url: String,
    state: Arc<State>,
}

impl Line {
    /// Lays a line to `host:port`.
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (target, state) = (target.to_owned(), Arc::new(State::default()));
        let here = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                here.connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, target.clone(), Arc::clone(&here)));
            }
        });
        Self { url, state }
    }

    /// Returns the URL of this end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets nothing through from now on.
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::SeqCst);
    }

    /// Takes connections from now on and lets nothing through.
    pub fn hold(&self) {
        self.state.still.store(true, Ordering::SeqCst);
    }

    /// Lets the client have what lies in the objects that it has asked for until now, and nothing else.
    pub fn close_to_others(&self) {
        self.state.closed_to_others.store(true, Ordering::SeqCst);
    }

    /// Returns how many objects of the store have been asked for.
    #[must_use]
    pub fn objects(&self) -> usize {
        self.state.objects.lock().unwrap().len()
    }

    /// Returns how many connections have been made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Tells whether the client has said this.
    #[must_use]
    pub fn heard(&self, text: &str) -> bool {
        let heard = self.state.heard.lock().unwrap();
        heard.windows(text.len()).any(|part| part == text.as_bytes())
    }
}

impl State {
    /// Tells whether a question may pass.
    fn passes(&self, question: &[u8]) -> bool {
        self.heard.lock().unwrap().extend_from_slice(question);
        let question = String::from_utf8_lossy(question);
        if let Some((_, term)) = question.split_once("/v1/fetch_term?term=") {
            // It begins with the hash of the object, in base64; the parts of it that are meant follow.
            let object = term.chars().take(40).collect();
            let mut objects = self.objects.lock().unwrap();
            if self.closed_to_others.load(Ordering::SeqCst) {
                return objects.contains::<String>(&object);
            }
            objects.insert(object);
        }
        !self.cut.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: TcpStream, target: String, state: Arc<State>) {
    if state.cut.load(Ordering::SeqCst) {
        return;
    }
    if state.still.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    let Ok(mut store) = TcpStream::connect(target).await else { return };
    let (mut question, mut answer) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            said = client.read(&mut question) => match said {
                Ok(len) if len > 0 && state.passes(&question[..len]) => {
                    if store.write_all(&question[..len]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
            said = store.read(&mut answer) => match said {
                Ok(len) if len > 0 && !state.cut.load(Ordering::SeqCst) => {
                    if client.write_all(&answer[..len]).await.is_err() {
                        return;
                    }
                }
                _ => return,
            },
        }
    }
}
