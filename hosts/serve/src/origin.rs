//! The scheme and host by which a client reaches this server, for addresses of its own that an answer names.
//!
//! Clients take the address of a next page as it is, so it has to be absolute, and behind a proxy that ends TLS only
//! the proxy knows how it starts. What proxies say counts where it can be understood: `Forwarded` (RFC 7239), then
//! `X-Forwarded-Proto` and `X-Forwarded-Host`, each for itself. Of several proxies the first one is meant, which is the
//! one that the client spoke to. Anybody can send these headers, but only in a request of their own.

use std::net::Ipv6Addr;

use axum::http::{HeaderMap, HeaderName, Uri, header};

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Returns the origin that the client used, such as `https://hub.example:8443`; `None` where no host was named that can
/// be one.
pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let forwarded = text(headers, &header::FORWARDED).and_then(first_hop).unwrap_or_default();
    let of_hop = |wanted: &str| {
        let found = forwarded.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.as_str())
    };
    let scheme = of_hop("proto")
        .and_then(scheme)
        .or_else(|| first(headers, &X_FORWARDED_PROTO).and_then(scheme))
        .or_else(|| uri.scheme_str().and_then(scheme))
        .unwrap_or("http");
    let host = of_hop("host")
        .and_then(authority)
        .or_else(|| first(headers, &X_FORWARDED_HOST).and_then(authority))
        .or_else(|| authority(uri.authority()?.as_str()))
        .or_else(|| text(headers, &header::HOST).and_then(authority))?;
    Some(format!("{scheme}://{host}"))
}

fn scheme(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// Takes a host, perhaps with a port, and nothing else: it becomes part of a header and of an address.
fn authority(text: &str) -> Option<&str> {
    let port_is_one = |after_host: &str| {
        let port = after_host.strip_prefix(':').map(str::parse::<u16>);
        after_host.is_empty() || port.is_some_and(|port| port.is_ok())
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    let is_one = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<Ipv6Addr>().is_ok() && port_is_one(after)
        }
        None => {
            let (name, after) = text.split_at(text.find(':').unwrap_or(text.len()));
            !name.is_empty() && name.bytes().all(plain) && port_is_one(after)
        }
    };
    is_one.then_some(text)
}

/// Returns the first element of a list.
fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    text(headers, name)?.split(',').next().map(str::trim)
}

/// Reads the first element of a `Forwarded` header as names and values; `None` where it is no such element.
fn first_hop(mut rest: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    loop {
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        pairs.push((name.trim().to_owned(), value));
        match after.trim_start().split_at_checked(1) {
            None | Some((",", _)) => return Some(pairs),
            Some((";", after)) => rest = after,
            Some(_) => return None,
        }
    }
}

/// Reads a token or a quoted string, and returns it with what follows.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, after) = text.split_at(end);
        return (!token.is_empty()).then(|| (token.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
