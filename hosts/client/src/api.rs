//! The values of the library and their words.

pub(crate) mod config;
pub(crate) mod detail;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod headers;
pub(crate) mod login;
pub(crate) mod pattern;
pub(crate) mod proxies;
pub(crate) mod refusal;
pub(crate) mod repo_path;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod vars;
