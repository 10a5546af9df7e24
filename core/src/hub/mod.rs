//! The hub's HTTP contract as pure functions: URLs, response headers, redirects, retries.
//!
//! Nothing here sends a request. Hosts pass in what they received; they get back metadata, a typed answer, or a rule.

mod answer;
mod redirect;
mod retry;
mod url;

pub use answer::{Headers, Metadata, Reply, read_head, refusal_of_status, same_content};
pub use redirect::{Hop, Origin, REDIRECT_LIMIT, Redirect, redirect};
pub use retry::{Backoff, RETRY_AFTER_LIMIT_S, Retry, retry, retry_after_s};
pub use url::{Endpoint, quote, quote_path};
