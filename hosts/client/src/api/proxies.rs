//! Which proxies requests go through.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;
use url::{Host, Url};

use crate::api::error::{Error, ErrorKind};

/// The proxies of a program. Nothing but [`Config::from_env`](crate::Config::from_env) and
/// [`Config::from_vars`](crate::Config::from_vars) takes them from the environment.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::{Config, Proxy};
///
/// let mut config = Config::new("/models");
/// config.proxies.https = Some(Proxy::parse("http://proxy.example:3128")?);
/// config.proxies.except = "hub.example.org, 10.0.0.0/8".to_owned();
/// assert!(config.proxies.of(&"https://hub.example.org/".parse()?).is_none());
/// assert!(config.proxies.of(&"https://huggingface.co/".parse()?).is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proxies {
    /// For http.
    pub http: Option<Proxy>,
    /// For https.
    pub https: Option<Proxy>,
    /// Where requests go by themselves, as in `NO_PROXY`: hosts and domains with all that is below them, addresses, networks,
    /// each with a port or without, with commas between them; `*` is everywhere.
    pub except: String,
}

/// The URL of a proxy. A name and a password in it are shown nowhere.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Proxy;
///
/// let proxy = Proxy::parse("socks5h://me:secret@proxy.example:1080")?;
/// assert!(proxy.is_socks());
/// assert_eq!(format!("{proxy:?}"), "Proxy(socks5h://proxy.example:1080)");
/// assert_eq!(proxy.reveal().password(), Some("secret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy(Url);

/// The schemes of proxies that speak SOCKS; with an `h` or an `a` they look names up themselves.
const SOCKS: [&str; 4] = ["socks5", "socks5h", "socks4", "socks4a"];

impl Proxies {
    /// Returns the proxy that a request to this URL goes through.
    #[must_use]
    pub fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.is_except(url))
    }

    fn is_except(&self, url: &Url) -> bool {
        let mut entries = self.except.split([',', ' ']).map(str::trim).filter(|it| !it.is_empty());
        entries.any(|entry| covers(entry, url))
    }

    /// Reads the variables that other programs read: `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, or the same in
    /// lower case.
    ///
    /// # Errors
    /// A value that is no proxy's URL.
    pub(crate) fn from_vars(var: &impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let named = |names: [&str; 2]| {
            names.into_iter().find_map(|name| var(name).map(|value| (name.to_owned(), value)))
        };
        let proxy = |found: Option<(String, String)>| {
            let Some((name, value)) = found else { return Ok(None) };
            Proxy::parse(&value).map(Some).map_err(|error| {
                let what = format!("{name} names no proxy that can be used");
                Error::new(ErrorKind::Usage, what).caused_by(error)
            })
        };
        // What runs as a CGI program has its client's `Proxy` header in that variable; some systems know no case of names.
        let is_cgi = var("REQUEST_METHOD").is_some();
        let http = if is_cgi { None } else { named(["HTTP_PROXY", "http_proxy"]) };
        let all = || named(["ALL_PROXY", "all_proxy"]);
        Ok(Self {
            http: proxy(http.or_else(all))?,
            https: proxy(named(["HTTPS_PROXY", "https_proxy"]).or_else(all))?,
            except: named(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, value)| value),
        })
    }
}

impl Proxy {
    /// Takes the URL of a proxy; without a scheme it is one of http.
    ///
    /// # Errors
    /// What is no URL, or of another scheme than http and https. The error does not repeat it: there may be a password in it.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        match Url::parse(&url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Self(url)),
            Ok(url) if SOCKS.contains(&url.scheme()) && url.has_host() => Ok(Self(url)),
            Ok(_) | Err(_) => {
                let what =
                    "a proxy is a URL of http, https or socks5, such as http://proxy.example:3128";
                Err(Error::new(ErrorKind::Usage, what))
            }
        }
    }

    /// Tells whether it speaks SOCKS.
    #[must_use]
    pub fn is_socks(&self) -> bool {
        SOCKS.contains(&self.0.scheme())
    }

    /// Returns the URL with all that is secret in it, for whoever connects to the proxy.
    #[must_use]
    pub fn reveal(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme(), self.0.host_str().unwrap_or_default());
        let port = self.0.port_or_known_default().unwrap_or_default();
        write!(f, "Proxy({scheme}://{host}:{port})")
    }
}

/// Tells whether an entry of `NO_PROXY` means where a URL leads.
fn covers(entry: &str, url: &Url) -> bool {
    if entry == "*" {
        return true;
    }
    let (named, port) = split_port(entry);
    if port.is_some() && port != url.port_or_known_default() {
        return false;
    }
    let address = named.trim_start_matches('[').trim_end_matches(']');
    match url.host() {
        None => false,
        Some(Host::Ipv4(host)) => holds(address, IpAddr::V4(host)),
        Some(Host::Ipv6(host)) => holds(address, IpAddr::V6(host)),
        Some(Host::Domain(host)) => {
            let named = named.trim_start_matches('*').trim_start_matches('.').to_ascii_lowercase();
            let above = host.strip_suffix(named.as_str());
            !named.is_empty() && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
        }
    }
}

/// Tells whether an address or a network holds an address.
fn holds(named: &str, host: IpAddr) -> bool {
    let is_it = named.parse::<IpAddr>().is_ok_and(|address| address == host);
    is_it || named.parse::<IpNet>().is_ok_and(|network| network.contains(&host))
}

/// Splits off a port; what has several colons and no brackets is an address of IPv6.
fn split_port(entry: &str) -> (&str, Option<u16>) {
    let split = entry.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    match split {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        Some(_) | None => (entry, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn proxies(vars: &[(&str, &str)]) -> Result<Proxies, Error> {
        Proxies::from_vars(&|name| {
            vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn variables_say_which_proxy_is_for_what() {
        for (vars, http, https) in [
            (&[][..], "", ""),
            (&[("HTTP_PROXY", "http://a:1")], "http://a:1/", ""),
            (&[("http_proxy", "a:1")], "http://a:1/", ""),
            (&[("http_proxy", "http://b"), ("HTTP_PROXY", "http://a")], "http://a/", ""),
            (&[("HTTPS_PROXY", "https://a")], "", "https://a/"),
            (&[("ALL_PROXY", "socks5h://a:1")], "socks5h://a:1", "socks5h://a:1"),
            (&[("https_proxy", "user:secret@a:1")], "", "http://user:secret@a:1/"),
            (&[("ALL_PROXY", "http://a")], "http://a/", "http://a/"),
            (&[("all_proxy", "http://a"), ("http_proxy", "http://b")], "http://b/", "http://a/"),
            (&[("HTTP_PROXY", "http://a"), ("REQUEST_METHOD", "GET")], "", ""),
            (&[("http_proxy", "http://a"), ("REQUEST_METHOD", "GET")], "", ""),
            (
                &[("HTTP_PROXY", "http://a"), ("ALL_PROXY", "http://b"), ("REQUEST_METHOD", "GET")],
                "http://b/",
                "http://b/",
            ),
        ] {
            let found = proxies(vars).unwrap();
            let url = |proxy: Option<Proxy>| {
                proxy.map_or_else(String::new, |proxy| proxy.reveal().as_str().to_owned())
            };
            assert_eq!(
                (url(found.http).as_str(), url(found.https).as_str()),
                (http, https),
                "{vars:?}"
            );
        }
        assert_eq!(proxies(&[("no_proxy", "a, .b")]).unwrap().except, "a, .b");
    }

    #[test]
    fn what_is_no_proxy_is_an_error_that_names_the_variable_and_not_its_secret() {
        for value in ["http://user:secret@", "user:secret", "socks9://user:secret@a:1", "http://"] {
            let error = proxies(&[("HTTPS_PROXY", value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage, "{value}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("HTTPS_PROXY") && !shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn exceptions_are_hosts_domains_addresses_networks_and_ports() {
        let proxy = || Proxy::parse("http://proxy.example:3128").ok();
        for (except, url, is_proxied) in [
            ("", "https://hub.example/a", true),
            ("*", "https://hub.example/a", false),
            ("hub.example", "https://hub.example/a", false),
            ("HUB.example", "https://hub.example/a", false),
            ("example", "https://hub.example/a", false),
            (".example", "https://hub.example/a", false),
            ("*.example", "https://hub.example/a", false),
            ("b.example", "https://hub.example/a", true),
            ("x.test, hub.example", "https://hub.example/a", false),
            ("x.test hub.example", "https://hub.example/a", false),
            ("hub.example:443", "https://hub.example/a", false),
            ("hub.example:8443", "https://hub.example/a", true),
            ("hub.example:8443", "https://hub.example:8443/a", false),
            ("127.0.0.1", "http://127.0.0.1:8080/a", false),
            ("127.0.0.1:80", "http://127.0.0.1:8080/a", true),
            ("127.0.0.0/8", "http://127.3.2.1/a", false),
            ("10.0.0.0/8", "http://127.3.2.1/a", true),
            ("::1", "http://[::1]:80/a", false),
            ("[::1]:80", "http://[::1]/a", false),
            ("[::1]:81", "http://[::1]/a", true),
            ("fe80::/10", "http://[fe80::1]/a", false),
        ] {
            let proxies = Proxies { http: proxy(), https: proxy(), except: except.to_owned() };
            let found = proxies.of(&Url::parse(url).unwrap()).is_some();
            assert_eq!(found, is_proxied, "`{except}` and {url}");
        }
    }

    #[test]
    fn a_proxy_hides_its_name_and_password() {
        let found = proxies(&[("ALL_PROXY", "http://user:secret@proxy.example:3128")]).unwrap();
        let shown = format!("{found:?}");
        assert!(shown.contains("proxy.example:3128"), "{shown}");
        assert!(!shown.contains("user") && !shown.contains("secret"), "{shown}");
    }
}
