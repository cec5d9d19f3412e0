//! Which keys may sign requests, and the check of a request against them.

use std::net::SocketAddr;

use jiff::Timestamp;
use lookalike_wire::Secret;
use lookalike_wire::form::Parameters;
use lookalike_wire::sign::{Credentials, SignError, SignedRequest, Verified, Verifier};

use crate::config::AccessKey;

/// The pair that works on a loopback address when no key is configured: both id and secret.
pub const DEFAULT_KEY: &str = "lookalike";

/// Who may use the server.
#[derive(Debug)]
pub struct Keys {
    verifier: Verifier,
    ids: Vec<String>,
    is_default: bool,
    allow_unsigned: bool,
}

/// Why the server does not start with these keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "refusing to listen on {listen}, which other machines can reach, without keys of your own; \
     add --access-key ID:SECRET (or, to let everyone in, --allow-unsigned)"
)]
pub struct OpenToAllError {
    pub listen: SocketAddr,
}

impl Keys {
    /// The configured keys, or the default pair on a loopback address.
    pub fn new(
        keys: &[AccessKey],
        bearer_tokens: &[String],
        allow_unsigned: bool,
        listen: SocketAddr,
    ) -> Result<Self, OpenToAllError> {
        let mut credentials = Credentials::default();
        for key in keys {
            let secret = Secret::from(key.secret.as_str());
            match &key.security_token {
                Some(token) => credentials.add_temporary_key(
                    &key.id,
                    secret,
                    Secret::from(token.as_str()),
                    None,
                ),
                None => credentials.add_key(&key.id, secret),
            }
        }
        for token in bearer_tokens {
            credentials.add_bearer_token(Secret::from(token.as_str()), "bearer", None);
        }
        let is_default = credentials.is_empty();
        if is_default {
            if !listen.ip().to_canonical().is_loopback() && !allow_unsigned {
                return Err(OpenToAllError { listen });
            }
            credentials.add_key(DEFAULT_KEY, Secret::from(DEFAULT_KEY));
        }
        let ids = if is_default {
            vec![DEFAULT_KEY.to_owned()]
        } else {
            keys.iter().map(|key| key.id.clone()).collect()
        };
        Ok(Self {
            verifier: Verifier::new(credentials),
            ids,
            is_default,
            allow_unsigned,
        })
    }

    /// Checks who sent a request; none when unsigned requests are allowed and this one has no good signature.
    pub fn check(
        &self,
        request: &SignedRequest<'_>,
        parameters: &Parameters,
    ) -> Result<Option<Verified>, SignError> {
        match self.verifier.verify(request, parameters, Timestamp::now()) {
            Ok(verified) => Ok(Some(verified)),
            Err(error) if self.allow_unsigned => {
                tracing::debug!(%error, "taken without a good signature");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The ids, for start-up and the start page.
    pub fn ids(&self) -> &[String] {
        &self.ids
    }

    /// Whether the default pair is in use.
    pub fn is_default(&self) -> bool {
        self.is_default
    }

    pub fn allow_unsigned(&self) -> bool {
        self.allow_unsigned
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(listen: &str, keys: &[&str], allow_unsigned: bool) -> Result<Keys, OpenToAllError> {
        let keys: Vec<AccessKey> = keys.iter().map(|key| key.parse().unwrap()).collect();
        Keys::new(&keys, &[], allow_unsigned, listen.parse().unwrap())
    }

    #[test]
    fn default_pair_works_on_loopback_only() {
        for loopback in [
            "127.0.0.1:0",
            "127.9.9.9:1",
            "[::1]:8443",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(
                keys(loopback, &[], false).unwrap().is_default(),
                "{loopback}"
            );
        }
        for open in ["0.0.0.0:8443", "[::]:8443", "192.168.1.5:8443"] {
            let error = keys(open, &[], false).unwrap_err();
            assert!(error.to_string().contains("--access-key"), "{error}");
        }
    }

    #[test]
    fn own_keys_or_explicit_openness_allow_any_address() {
        let own = keys("0.0.0.0:8443", &["id:secret"], false).unwrap();
        assert_eq!(
            (own.ids(), own.is_default()),
            (["id".to_owned()].as_slice(), false)
        );
        assert!(keys("0.0.0.0:8443", &[], true).unwrap().allow_unsigned());
    }

    #[test]
    fn own_keys_switch_the_default_pair_off() {
        let own = keys("127.0.0.1:0", &["id:secret"], false).unwrap();
        assert!(own.verifier.credentials().secret(DEFAULT_KEY).is_none());
    }
}
