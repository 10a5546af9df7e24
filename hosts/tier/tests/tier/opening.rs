//! Addresses: what is one, what is none, and that no secret is ever shown.

use hubstow_tier::{ErrorKind, Limits, Tier};

const SECRET: &str = "s3cret-s3cret";

fn open(address: &str) -> Result<Tier, hubstow_tier::Error> {
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIDSHOWN"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_SESSION_TOKEN", SECRET),
        ("AWS_REGION", "eu-central-1"),
        ("PATH", "/usr/bin"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Tier::open_with(address, Limits::default(), variables)
}

#[test]
fn an_address_is_shown_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("file://{}", folder.path().display());
    for address in ["s3://bucket/some/prefix", "s3://bucket", "s3a://bucket/", "memory:///", &file]
    {
        let tier = open(address).unwrap();
        let shown = format!("{tier} {tier:?}");
        assert!(shown.contains(address), "{shown}");
        assert!(!shown.contains(SECRET) && !shown.contains("AKID"), "{shown}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_the_way_out() {
    let login = format!("s3://key:{SECRET}@bucket/prefix");
    let named = format!("s3://{SECRET}@bucket/prefix");
    let query = format!("s3://bucket/prefix?secret={SECRET}");
    let rows = [
        ("", "s3://BUCKET/PREFIX"),
        ("bucket/prefix", "s3://BUCKET/PREFIX"),
        ("redis://host/", "s3://BUCKET/PREFIX"),
        ("http://host/x", "s3://BUCKET/PREFIX"),
        ("file://host/x", "three slashes"),
        (login.as_str(), "AWS_SECRET_ACCESS_KEY"),
        (named.as_str(), "AWS_SECRET_ACCESS_KEY"),
        (query.as_str(), "query"),
        #[cfg(not(feature = "gcs"))]
        ("gs://bucket/x", "`gcs`"),
        #[cfg(not(feature = "azure"))]
        ("az://container/x", "`azure`"),
    ];
    for (address, hint) in rows {
        let error = open(address).expect_err(address);
        assert_eq!(error.kind(), ErrorKind::Usage, "{address}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(hint), "{address}: {shown}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
}
