//! The table of access keys, STS tokens and bearer tokens that may sign.
//!
//! Filled once from the configuration, read by every verification. Invariant:
//! a temporary key is good only together with its own token and before the
//! token's expiry; a permanent key takes no token.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{SignError, same};
use crate::secret::Secret;

#[derive(Clone, Debug)]
struct AccessKey {
    secret: Secret,
    token: Option<SecurityToken>,
}

#[derive(Clone, Debug)]
struct SecurityToken {
    text: Secret,
    expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug)]
struct BearerToken {
    text: Secret,
    access_key_id: String,
    expires_at: Option<Timestamp>,
}

/// Who may sign. `Debug` shows names, never secrets.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    keys: HashMap<String, AccessKey>,
    bearer_tokens: Vec<BearerToken>,
}

impl Credentials {
    /// Adds a permanent access key; one of the same id is replaced.
    pub fn add_key(&mut self, access_key_id: impl Into<String>, secret: Secret) {
        let key = AccessKey {
            secret,
            token: None,
        };
        self.keys.insert(access_key_id.into(), key);
    }

    /// Adds a temporary access key with its STS token; one of the same id is replaced.
    pub fn add_temporary_key(
        &mut self,
        access_key_id: impl Into<String>,
        secret: Secret,
        security_token: Secret,
        expires_at: Option<Timestamp>,
    ) {
        let token = SecurityToken {
            text: security_token,
            expires_at,
        };
        let key = AccessKey {
            secret,
            token: Some(token),
        };
        self.keys.insert(access_key_id.into(), key);
    }

    /// Adds a bearer token that speaks for `access_key_id`.
    pub fn add_bearer_token(
        &mut self,
        token: Secret,
        access_key_id: impl Into<String>,
        expires_at: Option<Timestamp>,
    ) {
        self.bearer_tokens.push(BearerToken {
            text: token,
            access_key_id: access_key_id.into(),
            expires_at,
        });
    }

    /// Whether nobody can sign.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.bearer_tokens.is_empty()
    }

    /// The secret that `access_key_id` signs with.
    pub fn secret(&self, access_key_id: &str) -> Option<&Secret> {
        self.keys.get(access_key_id).map(|key| &key.secret)
    }

    /// Checks the STS token that came with a signature of `access_key_id`.
    pub(super) fn check_security_token(
        &self,
        access_key_id: &str,
        sent: Option<&str>,
        now: Timestamp,
    ) -> Result<(), SignError> {
        let key = self
            .keys
            .get(access_key_id)
            .ok_or(SignError::UnknownAccessKey)?;
        match (&key.token, sent.filter(|token| !token.is_empty())) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(SignError::UnexpectedSecurityToken),
            (Some(_), None) => Err(SignError::MissingSecurityToken),
            (Some(token), Some(sent)) => {
                if !same(token.text.expose(), sent) {
                    return Err(SignError::WrongSecurityToken);
                }
                if has_expired(token.expires_at, now) {
                    return Err(SignError::ExpiredSecurityToken);
                }
                Ok(())
            }
        }
    }

    /// The access key that a bearer token speaks for. Looks at every token, so
    /// that the time taken does not tell how much of one was guessed.
    pub(super) fn bearer(&self, sent: &str, now: Timestamp) -> Option<&str> {
        let mut found = None;
        for token in &self.bearer_tokens {
            if same(token.text.expose(), sent) && !has_expired(token.expires_at, now) {
                found = Some(token.access_key_id.as_str());
            }
        }
        found
    }
}

fn has_expired(expires_at: Option<Timestamp>, now: Timestamp) -> bool {
    expires_at.is_some_and(|expires_at| now >= expires_at)
}
