//! The settings that the environment names, as the Python client reads them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use hubstow_core::{facts::Reach, hub::Endpoint, policy::Policy};

use crate::api::{
    config::{Config, Token, UnreadToken, Xet},
    error::{Error, ErrorKind},
    proxies::Proxies,
};

/// How many connections large files have where somebody asks other clients for all that the line gives.
const EAGER_CONNECTIONS: usize = 32;

impl Config {
    /// Reads the environment that the Python client reads, all by [`env_var`]:
    ///
    /// | variables | what they say |
    /// |---|---|
    /// | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE` | the cache directory; else it is below `HF_HOME`, or `XDG_CACHE_HOME`, or the home directory |
    /// | `HF_ENDPOINT`, `HUGGINGFACE_CO_STAGING` | the hub, which may be several URLs with spaces between them |
    /// | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, `HF_TOKEN_PATH`, `HF_HUB_DISABLE_IMPLICIT_TOKEN` | the token, or the file that has it |
    /// | `HF_HUB_OFFLINE`, `TRANSFORMERS_OFFLINE` | whether the hub may be asked |
    /// | `HF_HUB_DISABLE_SYMLINKS`, `HF_HUB_DISABLE_XET` | the policy [`Portable`](Policy::Portable); no content from the Xet store |
    /// | `HF_HUB_ETAG_TIMEOUT`, `HF_HUB_DOWNLOAD_TIMEOUT` | how long a lookup may take, and a transfer stand still, in seconds |
    /// | `HF_XET_HIGH_PERFORMANCE`, `HF_HUB_ENABLE_HF_TRANSFER`, `HF_XET_NUM_CONCURRENT_RANGE_GETS` | how many connections there may be |
    /// | `HF_HUB_USER_AGENT_ORIGIN` | a word for the `User-Agent` |
    /// | `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` | the proxies; the same in lower case |
    ///
    /// A value that is not what its variable takes is told when the first request is to be sent, and by [`Config::check`]. Where
    /// nothing says where the cache is, it has no name, and a hub has to be given one unless it fills a local folder.
    ///
    /// # Errors
    /// What can't be understood whatever is asked.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::Config;
    ///
    /// let config = Config::from_env()?;
    /// println!("{} at {}", config.cache_dir.display(), config.endpoint.as_str());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(env_var)
    }

    /// Reads the same variables from a function, so that a program can supply its own.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::{Config, env_var};
    ///
    /// let config = Config::from_vars(|name| match name {
    ///     "HF_HUB_CACHE" => Some("/models".to_owned()),
    ///     "HF_TOKEN" => None,
    ///     other => env_var(other),
    /// })?;
    /// assert_eq!(config.cache_dir.to_str(), Some("/models"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let flag = |name: &str| var(name).is_some_and(|value| is_true(&value));
        // Without a home a program can still say where the cache is, and then there is no token file.
        let home = hf_home(&var);
        let cache_dir = match var("HF_HUB_CACHE").or_else(|| var("HUGGINGFACE_HUB_CACHE")) {
            Some(path) => expand(&path, &var),
            None => home.as_ref().map(|home| home.join("hub")),
        };
        let mut config = Self::new(cache_dir.unwrap_or_default());
        config.state_dir = state_dir(&var);
        if let Some(url) = var("HF_ENDPOINT") {
            let said = config.set_endpoints(&url);
            config.take("HF_ENDPOINT", said, |_, ()| {});
        } else if flag("HUGGINGFACE_CO_STAGING") {
            config.endpoint = Endpoint::parse("https://hub-ci.huggingface.co")?;
        }
        if !flag("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            match find_token(&var, home.as_deref()) {
                FoundToken::None => {}
                FoundToken::Homeless(variable) => {
                    config.take(variable, Err(homeless()), |_, ()| {});
                }
                FoundToken::Text { origin, text } => {
                    config.take(&origin, Token::new(&text), |config, it| config.token = Some(it));
                }
                FoundToken::Unread(unread) => config.unread_token = Some(unread),
            }
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
        if flag("HF_XET_HIGH_PERFORMANCE") || flag("HF_HUB_ENABLE_HF_TRANSFER") {
            config.max_connections = Some(EAGER_CONNECTIONS);
        }
        let name = "HF_XET_NUM_CONCURRENT_RANGE_GETS";
        config.take(name, connections(&var, name), |config, found| {
            config.max_connections = found.or(config.max_connections);
        });
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
///
/// ```
/// use hubstow_client::env_var;
///
/// assert!(env_var("A_VARIABLE_THAT_NOBODY_SETS").is_none());
/// ```
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

fn is_true(value: &str) -> bool {
    ["1", "ON", "YES", "TRUE"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

fn hf_home(var: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(home) = var("HF_HOME") {
        return expand(&home, var);
    }
    let caches = match var("XDG_CACHE_HOME") {
        Some(caches) => expand(&caches, var)?,
        None => home(var)?.join(".cache"),
    };
    Some(caches.join("huggingface"))
}

/// Relative paths are to be ignored, says the XDG specification.
fn state_dir(var: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let named = var("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let state = named.or_else(|| Some(home(var)?.join(".local").join("state")))?;
    Some(state.join("hubstow"))
}

fn home(var: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let names = if cfg!(windows) { ["USERPROFILE", "HOME"] } else { ["HOME", "USERPROFILE"] };
    names.into_iter().find_map(var).map(PathBuf::from)
}

fn homeless() -> Error {
    Error::new(ErrorKind::Usage, "the home directory is not known: HOME is not set")
        .hint("set HOME, or write the path without `~`")
}

/// A token, or why there is none.
enum FoundToken {
    None,
    Text {
        origin: String,
        text: String,
    },
    Unread(UnreadToken),
    /// This variable speaks of a home, and there is none.
    Homeless(&'static str),
}

/// Finds the text of the token, and where it is from.
fn find_token(var: &impl Fn(&str) -> Option<String>, home: Option<&Path>) -> FoundToken {
    let named = |name: &str| {
        let text = var(name).filter(|text| !text.trim().is_empty())?;
        Some(FoundToken::Text { origin: name.to_owned(), text })
    };
    if let Some(found) = named("HF_TOKEN").or_else(|| named("HUGGING_FACE_HUB_TOKEN")) {
        return found;
    }
    let path = match (var("HF_TOKEN_PATH"), home) {
        (Some(path), _) => match expand(&path, var) {
            Some(path) => path,
            None => return FoundToken::Homeless("HF_TOKEN_PATH"),
        },
        (None, Some(home)) => home.join("token"),
        (None, None) => return FoundToken::None,
    };
    let missing = |error: &io::Error| {
        matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
    };
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => FoundToken::None,
        Ok(text) => FoundToken::Text { origin: format!("the token file {}", path.display()), text },
        Err(error) if missing(&error) => FoundToken::None,
        Err(error) => FoundToken::Unread(UnreadToken { path, why: error.to_string() }),
    }
}

fn connections(var: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<usize>, Error> {
    let Some(text) = var(name) else {
        return Ok(None);
    };
    match text.trim().parse::<usize>() {
        Ok(0) | Err(_) => Err(Error::new(
            ErrorKind::Usage,
            format!("{name} is `{text}`, not a number of requests"),
        )),
        Ok(most) => Ok(Some(most)),
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

/// Expands `~` and `$NAME` or `${NAME}`, as the Python client does for its paths; an unknown variable stays as it is. `None`
/// where `~` is meant and there is no home.
fn expand(path: &str, var: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
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
        None => Some(PathBuf::from(out)),
        Some(tail) => Some(home(var)?.join(tail.trim_start_matches('/'))),
    }
}

#[cfg(test)]
mod tests {
    use hubstow_cache::disk::failure::with_causes;

    use super::*;
    use crate::api::login::Login;

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
    fn without_a_home_only_what_needs_one_is_missing() {
        for (vars, cache, refused) in [
            (&[][..], "", None),
            (&[("HF_HOME", "~/hf")], "", None),
            (&[("HF_HUB_CACHE", "~/hub")], "", None),
            (&[("HF_HUB_CACHE", "/hub"), ("HF_HOME", "~/hf")], "/hub", None),
            (&[("HF_HUB_CACHE", "/hub"), ("XDG_CACHE_HOME", "~/x")], "/hub", None),
            (&[("HF_HOME", "/hf")], "/hf/hub", None),
            (&[("HF_HUB_CACHE", "/hub"), ("HF_TOKEN_PATH", "~/t")], "/hub", Some("HF_TOKEN_PATH")),
        ] {
            let found = Config::from_vars(|name| {
                let found = vars.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            });
            let found = found.unwrap();
            assert_eq!(found.cache_dir, PathBuf::from(cache), "{vars:?}");
            let told = found.check().err().map(|error| error.to_string());
            assert_eq!(told.is_some(), refused.is_some(), "{vars:?}: {told:?}");
            assert!(told.unwrap_or_default().contains(refused.unwrap_or_default()), "{vars:?}");
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
        for (vars, connections) in [
            (&[][..], None),
            (&[("HF_XET_HIGH_PERFORMANCE", "1")], Some(32)),
            (&[("HF_HUB_ENABLE_HF_TRANSFER", "true")], Some(32)),
            (&[("HF_XET_HIGH_PERFORMANCE", "0")], None),
            (
                &[("HF_XET_NUM_CONCURRENT_RANGE_GETS", "4"), ("HF_XET_HIGH_PERFORMANCE", "1")],
                Some(4),
            ),
        ] {
            assert_eq!(config(vars).unwrap().max_connections, connections, "{vars:?}");
        }
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
            [("HF_XET_NUM_CONCURRENT_RANGE_GETS", "many")],
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
