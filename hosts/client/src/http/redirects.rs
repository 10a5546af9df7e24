//! Redirects, by the core's rule: where to, and whether the token goes along.

use hubstow_core::hub::{Hop, Redirect};
use url::Url;

use crate::http::{
    address::{Address, NoAnswer, TokenUse, shown, transport},
    session::Http,
    transport::{TransportError, TransportErrorKind},
};

impl Http {
    /// Decides about one redirect.
    pub(crate) fn hop(
        &self,
        from: &Address,
        to: &str,
        followed: usize,
    ) -> Result<Address, NoAnswer> {
        let joined = from.url.join(to);
        let target = joined.as_ref().map_or(to, Url::as_str);
        // From anywhere else the token has been left behind already.
        let own = self.route().endpoints().origin_of(&from.url);
        let hop = Hop {
            from: from.url.as_str(),
            to: target,
            endpoint: own.unwrap_or_else(|| self.endpoint().origin()),
            followed,
        };
        let rule = self
            .decider
            .redirect(&hop)
            .map_err(|source| NoAnswer::Undecided { from: shown(&from.url), source })?;
        let token = match (rule, from.token) {
            (Redirect::FollowWithToken, TokenUse::Send) => TokenUse::Send,
            (Redirect::FollowWithToken, TokenUse::Withhold) | (Redirect::FollowWithoutToken, _) => {
                TokenUse::Withhold
            }
            (Redirect::WrongScheme | Redirect::Downgrade | Redirect::TooMany, _) => {
                return Err(NoAnswer::Redirected {
                    from: shown(&from.url),
                    to: joined.as_ref().map_or_else(|_| "no URL".to_owned(), shown),
                    rule,
                });
            }
        };
        match joined {
            Ok(url) => Ok(Address { url, token }),
            Err(error) => {
                let what = "it leads to what is no URL";
                let none = TransportError::new(TransportErrorKind::Other, what).caused_by(error);
                Err(transport(&from.url, none))
            }
        }
    }

    pub(crate) fn too_many(&self, at: &Address) -> NoAnswer {
        NoAnswer::Redirected { from: shown(&at.url), to: shown(&at.url), rule: Redirect::TooMany }
    }
}
