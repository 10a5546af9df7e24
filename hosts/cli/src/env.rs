//! `hubstow env`: the settings in force, and what the cache directory supports.

use clap::Args;
use hubstow_client::{Config, Environment, Error, with_causes};
use hubstow_core::{
    facts::Reach,
    hub::Endpoint,
    policy::{Method, Support},
};
use serde::Serialize;

use crate::{
    global::{Format, Global},
    hub_args::{HubArgs, PartsOf},
    output::{self, BAD, CAUTION, FAINT, GOOD, TITLE, styled},
};

/// Print the settings in force and what the cache directory supports
///
/// What is supported is found by doing: each method is tried in the cache directory, read through and removed. A token
/// is never shown, only whether there is one.
#[derive(Args)]
pub(crate) struct EnvArgs {
    #[command(flatten)]
    hub: HubArgs,
}

#[derive(Serialize)]
struct EnvJson<'a> {
    version: &'static str,
    endpoint: &'a str,
    endpoints: Vec<&'a str>,
    token: bool,
    offline: bool,
    #[serde(flatten)]
    environment: &'a Environment,
    ladder: &'a [Method],
}

/// Probes the cache directory and prints what was found.
pub(crate) fn run(args: &EnvArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let hub = args.hub.hub(args.hub.config()?, parts)?;
    let environment = hub.environment()?;
    let config = hub.config();
    if let Err(error) = config.check() {
        output::say(output::warning(global.format(), &with_causes(&error)));
    }
    match global.format() {
        Format::Json => output::json(&EnvJson {
            version: env!("CARGO_PKG_VERSION"),
            endpoint: config.endpoint.as_str(),
            endpoints: config.endpoints().map(Endpoint::as_str).collect(),
            token: config.token.is_some(),
            offline: config.reach == Reach::Offline,
            environment: &environment,
            ladder: environment.policy.ladder(),
        }),
        Format::Quiet => output::path(&environment.cache_dir),
        Format::Human => output::line(for_people(config, &environment)),
    }
}

fn for_people(config: &Config, environment: &Environment) -> String {
    let ladder: Vec<&str> = environment.policy.ladder().iter().map(|m| m.code()).collect();
    let state = match (environment.exists, environment.writable) {
        (false, _) => "does not exist yet, so nothing was tried",
        (true, true) => "writable",
        (true, false) => "read-only",
    };
    let mut rows = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("endpoint", config.endpoints().map(Endpoint::as_str).collect::<Vec<_>>().join(", then ")),
        ("offline", yes_or_no(config.reach == Reach::Offline).to_owned()),
        ("token", if config.token.is_some() { "yes" } else { "none" }.to_owned()),
        (
            "cache",
            format!(
                "{} {}",
                environment.cache_dir.display(),
                styled(FAINT, format_args!("({state})"))
            ),
        ),
        (
            "policy",
            format!(
                "{} {}",
                environment.policy,
                styled(FAINT, format_args!("({})", ladder.join(" › ")))
            ),
        ),
    ];
    for found in &environment.methods {
        let detail = found
            .detail
            .as_ref()
            .map_or_else(String::new, |detail| styled(FAINT, format_args!(" ({detail})")));
        rows.push((found.method.code(), format!("{}{detail}", support(found.support))));
    }
    rows.push(("locks", support(environment.locks)));
    let case = match environment.case_sensitive {
        Some(true) => "`A` and `a` are two files",
        Some(false) => "`A` and `a` are one file",
        None => "not tried",
    };
    rows.push(("case", case.to_owned()));
    let lines = rows
        .iter()
        .map(|(name, value)| format!("{} {value}", styled(TITLE, format_args!("{name:<9}"))));
    lines.collect::<Vec<_>>().join("\n")
}

fn support(support: Support) -> String {
    match support {
        Support::Works => styled(GOOD, "works"),
        Support::Refused => styled(BAD, "refused"),
        Support::Untried => styled(CAUTION, "not tried"),
    }
}

fn yes_or_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
