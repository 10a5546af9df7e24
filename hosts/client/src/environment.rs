//! What the cache directory supports, found out by probing it.

use hubstow_cache::{Cache, disk::failure::with_causes};
use hubstow_core::policy::{Method, Support};

use crate::{
    api::{
        error::Error,
        report::{Environment, MethodSupport},
    },
    engine::Engine,
    handle::CallerBlocks,
};

impl Engine {
    pub(crate) fn environment(&self, caller: CallerBlocks) -> Result<Environment, Error> {
        let (config, cache) = (&self.config, self.shared.blocking(&caller));
        let exists = config.cache_dir.is_dir();
        let mut methods = Vec::new();
        let mut writable = exists;
        for method in [Method::Symlink, Method::Hardlink, Method::Reflink] {
            let probed = if exists { Some(cache.probe_root(method)) } else { None };
            let (support, detail) = match probed {
                None => (Support::Untried, None),
                Some(Ok(result)) => {
                    (Cache::support_of(&result), result.err().map(|error| with_causes(&error)))
                }
                Some(Err(error)) => {
                    writable = false;
                    (Support::Untried, Some(with_causes(&error)))
                }
            };
            methods.push(MethodSupport { method, support, detail });
        }
        let locks = if writable { cache.probe_locks()? } else { Support::Untried };
        Ok(Environment {
            cache_dir: config.cache_dir.clone(),
            exists,
            writable,
            policy: config.policy,
            methods,
            locks,
            case_sensitive: if writable { cache.probe_case().ok() } else { None },
        })
    }
}
