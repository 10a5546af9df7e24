//! What a [`Hub`](crate::Hub) needs to know, given by the program or read from the environment on request.

use std::{
    env, fmt, fs,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hubstow_cache::Durability;
use hubstow_core::{
    facts::{Reach, Stale},
    hub::Endpoint,
    policy::Policy,
};

use crate::api::{
    error::{Detail, Error, ErrorKind},
    login::Login,
    proxies::Proxies,
};

/// An access token. It shows itself nowhere: not in logs, errors or debug output (invariant I23).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token; surrounding white space is no part of it, and neither is the mark that some editors put before a text.
    ///
    /// # Errors
    /// An empty token, or one that can't stand in a header.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::new(
                ErrorKind::Usage,
                "the token is empty or holds characters that no token has",
            )
            .hint("a token is one line of plain ASCII, such as `hf_…`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the secret itself, for the one header it belongs to.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether content may come from the Xet store. It makes a difference only where the host brings one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Xet {
    /// It may, where the hub says that it is there.
    #[default]
    On,
    /// It comes from the hub's own address.
    Off,
}

/// Settings of a [`Hub`](crate::Hub).
#[derive(Clone, Debug)]
pub struct Config {
    /// The hub.
    pub endpoint: Endpoint,
    /// The cache root.
    pub cache_dir: PathBuf,
    /// A folder that gets the files themselves instead of the cache; what the cache holds is copied from there.
    pub local_dir: Option<PathBuf>,
    /// A name and a password for the hub, sent to its origin only and in place of the token.
    pub login: Option<Login>,
    /// The access token, sent to the endpoint's origin only.
    pub token: Option<Token>,
    /// The ladder of methods.
    pub policy: Policy,
    /// Whether the hub may be asked at all.
    pub reach: Reach,
    /// When a cached file may be served unconfirmed.
    pub stale: Stale,
    /// What a power cut may cost.
    pub durability: Durability,
    /// How long a HEAD or a listing may take.
    pub lookup_timeout: Duration,
    /// How long a transfer may stand still.
    pub stall_timeout: Duration,
    /// How long requests wait for a server that refuses them for now (429, or 503 with a time to wait) and takes no other
    /// meanwhile. Hubs count by windows of five minutes, so less than that may be in vain.
    pub throttle_patience: Duration,
    /// How long to wait for another process that downloads the same file and makes no progress.
    pub lock_patience: Duration,
    /// How many files are downloaded at once. Of small files of a snapshot it is eight times as many, and more while more
    /// come in the same time; one where this is one.
    pub max_workers: usize,
    /// How many connections large files are received on at most, all together; each file has one in any case. No more are
    /// used than the host has descriptors for and than its transport offers. Sixteen are what a hub takes from one client
    /// without complaint.
    pub max_connections: usize,
    /// How many bytes of content are received a second at most, over all files together.
    pub limit_rate: Option<NonZeroU64>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The proxies that requests go through.
    pub proxies: Proxies,
    /// Whether content may come from the Xet store.
    pub xet: Xet,
    /// What the environment has said that is of no use: an error of the first request, and of [`Config::check`].
    pub unusable: UnusableSettings,
}

/// What the environment has said that is of no use.
#[derive(Clone, Debug, Default)]
pub struct UnusableSettings(Vec<Unusable>);

impl UnusableSettings {
    pub(crate) fn first(&self) -> Option<Unusable> {
        self.0.first().cloned()
    }
}

/// A setting of the environment that is of no use. Whoever sends no request does not need it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{variable} can't be used")]
pub(crate) struct Unusable {
    variable: String,
    source: Arc<Error>,
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        let hint = unusable.source.way_out().map(str::to_owned);
        let error = Self::new(ErrorKind::Usage, unusable.to_string()).caused_by(unusable.source);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Returns the `User-Agent` that is sent when a program sets none.
#[must_use]
pub fn default_user_agent() -> String {
    concat!("hubstow/", env!("CARGO_PKG_VERSION")).to_owned()
}

impl Config {
    /// Makes the default settings for a cache root; the environment is not read.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: public_endpoint(),
            cache_dir: cache_dir.into(),
            local_dir: None,
            login: None,
            token: None,
            policy: Policy::Compat,
            reach: Reach::Online,
            stale: Stale::Unreachable,
            durability: Durability::Safe,
            lookup_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(10),
            throttle_patience: Duration::from_secs(600),
            lock_patience: Duration::from_secs(20),
            max_workers: 8,
            max_connections: 16,
            limit_rate: None,
            user_agent: default_user_agent(),
            proxies: Proxies::default(),
            xet: Xet::On,
            unusable: UnusableSettings::default(),
        }
    }

    /// Looks at what is otherwise looked at when the first request is to be sent.
    ///
    /// # Errors
    /// A variable of the environment whose value is not what it takes.
    pub fn check(&self) -> Result<(), Error> {
        self.unusable.first().map_or(Ok(()), |unusable| Err(unusable.into()))
    }

    /// Takes what a variable says, or notes why it is of no use.
    fn take<T>(&mut self, variable: &str, said: Result<T, Error>, set: impl FnOnce(&mut Self, T)) {
        match said {
            Ok(value) => set(self, value),
            Err(error) => {
                let (variable, source) = (variable.to_owned(), Arc::new(error));
                self.unusable.0.push(Unusable { variable, source });
            }
        }
    }

    /// Reads the environment that the Python client reads: `HF_HUB_CACHE`, `HF_HOME`, `HF_TOKEN`, `HF_ENDPOINT`,
    /// `HF_HUB_OFFLINE` and the others of section 8 of the cache's description, all by [`env_var`]; and `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`
    /// and `NO_PROXY`, or the same in lower case.
    ///
    /// A value that is not what its variable takes is told when the first request is to be sent, and by [`Config::check`].
    ///
    /// # Errors
    /// Where nothing says where the cache is.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(env_var)
    }

    /// Sets the hub to a URL, which may have a name and a password in it.
    ///
    /// # Errors
    /// What is no endpoint. What may be a password is not repeated.
    pub fn set_endpoint(&mut self, url: &str) -> Result<(), Error> {
        let taken = Login::taken_from(url);
        let is_secret = taken.is_none() && url.contains('@');
        if is_secret {
            let what = "the endpoint is no URL, and may have a password in it";
            return Err(Error::new(ErrorKind::Usage, what));
        }
        let (url, login) = match taken {
            Some((url, login)) => (url, Some(login)),
            None => (url.to_owned(), None),
        };
        (self.endpoint, self.login) = (Endpoint::parse(&url)?, login);
        Ok(())
    }

    /// Reads the same variables from a function, so that a program can supply its own.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let flag = |name: &str| var(name).is_some_and(|value| is_true(&value));
        // Without a home a program can still say where the cache is, and then there is no token file.
        let home = hf_home(&var)?;
        let cache_dir = match var("HF_HUB_CACHE").or_else(|| var("HUGGINGFACE_HUB_CACHE")) {
            Some(path) => expand(&path, &var)?,
            None => home.clone().ok_or_else(homeless)?.join("hub"),
        };
        let mut config = Self::new(cache_dir);
        if let Some(url) = var("HF_ENDPOINT") {
            if let Err(error) = config.set_endpoint(&url) {
                config.take("HF_ENDPOINT", Err(error), |_, ()| {});
            }
        } else if flag("HUGGINGFACE_CO_STAGING") {
            config.endpoint = Endpoint::parse("https://hub-ci.huggingface.co")?;
        }
        if !flag("HF_HUB_DISABLE_IMPLICIT_TOKEN")
            && let Some((origin, text)) = find_token(&var, home.as_deref())?
        {
            config.take(&origin, Token::new(&text), |config, it| config.token = Some(it));
        }
        if flag("HF_HUB_OFFLINE") || flag("TRANSFORMERS_OFFLINE") {
            config.reach = Reach::Offline;
        }
        if flag("HF_HUB_DISABLE_SYMLINKS") {
            config.policy = Policy::Portable;
        }
        if flag("HF_HUB_DISABLE_XET") {
            config.xet = Xet::Off;
        }
        let name = "HF_HUB_ETAG_TIMEOUT";
        config.take(name, seconds(&var, name), |config, found| {
            config.lookup_timeout = found.unwrap_or(config.lookup_timeout);
        });
        let name = "HF_HUB_DOWNLOAD_TIMEOUT";
        config.take(name, seconds(&var, name), |config, found| {
            config.stall_timeout = found.unwrap_or(config.stall_timeout);
        });
        if let Some(origin) = var("HF_HUB_USER_AGENT_ORIGIN") {
            config.user_agent = format!("{}; origin/{origin}", config.user_agent);
        }
        let proxies = Proxies::from_vars(&var);
        config.take("a proxy", proxies, |config, proxies| config.proxies = proxies);
        Ok(config)
    }
}

/// Reads a variable of the environment. Where nothing says what the home directory is, it is what the system knows of the
/// user.
#[must_use]
pub fn env_var(name: &str) -> Option<String> {
    let said = env::var(name).ok();
    match name {
        "HOME" if said.as_ref().is_none_or(String::is_empty) => {
            env::home_dir()?.into_os_string().into_string().ok()
        }
        _ => said,
    }
}

fn public_endpoint() -> Endpoint {
    #[expect(clippy::expect_used, reason = "a constant of the core, parsed by a test as well")]
    Endpoint::parse(Endpoint::PUBLIC).expect("the public endpoint is an endpoint")
}

fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn hf_home(var: &impl Fn(&str) -> Option<String>) -> Result<Option<PathBuf>, Error> {
    if let Some(home) = var("HF_HOME") {
        return expand(&home, var).map(Some);
    }
    match var("XDG_CACHE_HOME") {
        Some(cache) => Ok(Some(expand(&cache, var)?.join("huggingface"))),
        None => Ok(home(var).map(|home| home.join(".cache").join("huggingface"))),
    }
}

fn home(var: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let names = if cfg!(windows) { ["USERPROFILE", "HOME"] } else { ["HOME", "USERPROFILE"] };
    names.into_iter().find_map(var).map(PathBuf::from)
}

fn homeless() -> Error {
    Error::new(ErrorKind::Usage, "the home directory is not known: HOME is not set")
        .with_detail(Detail::Homeless)
}

/// Returns the text of the token, and where it is from.
fn find_token(
    var: &impl Fn(&str) -> Option<String>,
    home: Option<&Path>,
) -> Result<Option<(String, String)>, Error> {
    let named = |name: &str| {
        let text = var(name).filter(|text| !text.trim().is_empty())?;
        Some((name.to_owned(), text))
    };
    if let Some(found) = named("HF_TOKEN").or_else(|| named("HUGGING_FACE_HUB_TOKEN")) {
        return Ok(Some(found));
    }
    let path = match (var("HF_TOKEN_PATH"), home) {
        (Some(path), _) => expand(&path, var)?,
        (None, Some(home)) => home.join("token"),
        (None, None) => return Ok(None),
    };
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => {
            Ok(Some((format!("the token file {}", path.display()), text)))
        }
        Ok(_) | Err(_) => Ok(None),
    }
}

fn seconds(var: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<Duration>, Error> {
    let Some(text) = var(name) else {
        return Ok(None);
    };
    match text.trim().parse::<u64>() {
        Ok(0) => Ok(None),
        Ok(seconds) => Ok(Some(Duration::from_secs(seconds))),
        Err(_) => Err(Error::new(
            ErrorKind::Usage,
            format!("{name} is `{text}`, not a whole number of seconds"),
        )),
    }
}

/// Expands `~` and `$NAME` or `${NAME}`, as the Python client does for its paths; an unknown variable stays as it is.
fn expand(path: &str, var: &impl Fn(&str) -> Option<String>) -> Result<PathBuf, Error> {
    let mut out = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(braced) => braced,
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                after.split_at(end.unwrap_or(after.len()))
            }
        };
        match var(name) {
            Some(value) => out.push_str(&value),
            None => {
                out.push('$');
                rest = after;
                continue;
            }
        }
        rest = tail;
    }
    out.push_str(rest);
    match out.strip_prefix('~').filter(|tail| tail.is_empty() || tail.starts_with('/')) {
        None => Ok(PathBuf::from(out)),
        Some(tail) => Ok(home(var).ok_or_else(homeless)?.join(tail.trim_start_matches('/'))),
    }
}

#[cfg(test)]
mod tests {
    use hubstow_cache::disk::failure::with_causes;

    use super::*;

    /// Reads a table of variables; `home` is always set.
    #[track_caller]
    fn config(vars: &[(&str, &str)]) -> Result<Config, Error> {
        Config::from_vars(|name| {
            let found = vars.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            found.or((name == "HOME").then_some("/home/user")).map(str::to_owned)
        })
    }

    #[test]
    fn the_cache_directory_is_where_the_python_client_has_it() {
        for (vars, expected) in [
            (&[][..], "/home/user/.cache/huggingface/hub"),
            (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HF_HOME", "~/hf")], "/home/user/hf/hub"),
            (&[("HF_HOME", "/hf"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")], "/new"),
            (&[("HF_HUB_CACHE", "$DATA/hub"), ("DATA", "/data")], "/data/hub"),
            (&[("HF_HUB_CACHE", "/a/${DATA}/hub"), ("DATA", "d")], "/a/d/hub"),
            (&[("HF_HUB_CACHE", "/a/$UNKNOWN/hub")], "/a/$UNKNOWN/hub"),
            (&[("HF_HUB_CACHE", "")], "/home/user/.cache/huggingface/hub"),
        ] {
            assert_eq!(config(vars).unwrap().cache_dir, PathBuf::from(expected), "{vars:?}");
        }
    }

    #[test]
    fn flags_are_true_for_the_words_of_the_python_client() {
        for (value, offline) in
            [("1", true), ("ON", true), ("yes", true), ("True", true), ("0", false), ("no", false)]
        {
            let reach = config(&[("HF_HUB_OFFLINE", value)]).unwrap().reach;
            assert_eq!(reach == Reach::Offline, offline, "{value}");
        }
        assert_eq!(config(&[("HF_HUB_DISABLE_SYMLINKS", "1")]).unwrap().policy, Policy::Portable);
        assert_eq!(config(&[]).unwrap().xet, Xet::On);
        assert_eq!(config(&[("HF_HUB_DISABLE_XET", "1")]).unwrap().xet, Xet::Off);
    }

    #[test]
    fn a_token_is_trimmed_hidden_and_can_be_switched_off() {
        let config_with = config(&[("HF_TOKEN", "hf_secret\n")]).unwrap();
        assert_eq!(config_with.token, Some(Token::new("hf_secret").unwrap()));
        assert!(!format!("{config_with:?}").contains("secret"));
        let off = config(&[("HF_TOKEN", "hf_secret"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]);
        assert_eq!(off.unwrap().token, None);
        let marked = config(&[("HF_TOKEN", "\u{feff}hf_secret")]).unwrap();
        assert_eq!(marked.token, config_with.token);
        let error = config(&[("HF_TOKEN", "two words")]).unwrap().check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    }

    #[test]
    fn values_that_are_none_are_errors_that_name_them() {
        for vars in [
            [("HF_ENDPOINT", "ftp://x")],
            [("HF_ENDPOINT", "huggingface.co")],
            [("HF_HUB_ETAG_TIMEOUT", "soon")],
        ] {
            let error = config(&vars).unwrap().check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{vars:?}");
            let told = with_causes(&error);
            assert!(told.contains(vars[0].0) && told.contains(vars[0].1), "{told}");
        }
        assert_eq!(config(&[("HF_ENDPOINT", "http://h/")]).unwrap().endpoint.as_str(), "http://h");
    }

    #[test]
    fn a_password_in_the_endpoint_is_taken_out_and_never_repeated() {
        let found = config(&[("HF_ENDPOINT", "https://user:secret@h/hf")]).unwrap();
        assert_eq!(found.endpoint.as_str(), "https://h/hf");
        assert_eq!(found.login, Some(Login::new("user", "secret")));
        assert!(!format!("{found:?}").contains("secret"));
        for value in ["ftp://user:secret@h", "user:secret@h", "https://user:secret@"] {
            let error = config(&[("HF_ENDPOINT", value)]).unwrap().check().unwrap_err();
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }
}
