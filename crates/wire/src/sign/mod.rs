//! Who sent a request: ACS3-HMAC-SHA256, RPC 1.0 HMAC-SHA1, STS tokens, bearer tokens.
//!
//! The gateway asks [`Verifier::verify`] before it believes any field. The
//! signing halves ([`acs3::sign`], [`rpc1::sign`]) serve our own client and the
//! tests. The rules are wire.md sections 3 and 4, proved by the captured
//! requests in `tests/contract/vectors.json`.
//!
//! Invariants: signatures and tokens are compared in constant time and never
//! printed; a nonce is remembered only after its signature was found right, so
//! strangers cannot fill the store; the clock is an argument.

use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use subtle::ConstantTimeEq;

use crate::form::Parameters;

pub mod acs3;
pub mod bearer;
mod credentials;
mod error;
mod nonce;
pub mod rpc1;

pub use credentials::Credentials;
pub use error::SignError;
pub use nonce::NonceCache;

/// A request as received: everything a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct SignedRequest<'a> {
    pub method: &'a str,
    /// Path as received, `/` for every action.
    pub path: &'a str,
    /// Text after `?`, as received.
    pub raw_query: &'a str,
    /// Names in any case, in order of arrival; a name may repeat.
    pub headers: &'a [(String, String)],
    /// Raw bytes after de-chunking, before parsing.
    pub body: &'a [u8],
}

impl SignedRequest<'_> {
    /// The first value of a header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).next()
    }

    fn header_values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.headers
            .iter()
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// How a request proved who it is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Acs3HmacSha256,
    Rpc1HmacSha1,
    Bearer,
}

/// The verdict on a good request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub access_key_id: String,
    pub scheme: Scheme,
    /// Absent for bearer tokens, which sign nothing.
    pub nonce: Option<String>,
    /// When the client says it signed; absent for bearer tokens.
    pub timestamp: Option<Timestamp>,
}

/// Names whose secret a client signs with.
#[derive(Clone, Copy, Debug)]
pub struct SigningKey<'a> {
    pub access_key_id: &'a str,
    pub secret: &'a crate::Secret,
    /// The STS token of a temporary key.
    pub security_token: Option<&'a str>,
}

/// Allowed difference between the client's clock and ours, in either direction.
pub const DEFAULT_MAX_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// Checks requests against a table of credentials.
#[derive(Debug)]
pub struct Verifier {
    credentials: Credentials,
    max_skew: SignedDuration,
    nonces: NonceCache,
}

impl Verifier {
    /// A verifier with [`DEFAULT_MAX_SKEW`] and the default [`NonceCache`].
    pub fn new(credentials: Credentials) -> Self {
        Self {
            credentials,
            max_skew: DEFAULT_MAX_SKEW,
            nonces: NonceCache::default(),
        }
    }

    /// Another tolerance than [`DEFAULT_MAX_SKEW`].
    #[must_use]
    pub fn with_max_skew(mut self, max_skew: SignedDuration) -> Self {
        self.max_skew = max_skew;
        self
    }

    /// Another bound on remembered nonces.
    #[must_use]
    pub fn with_nonces(mut self, nonces: NonceCache) -> Self {
        self.nonces = nonces;
        self
    }

    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Verifies a request. `parameters` are its merged query and form.
    ///
    /// An `Authorization` header means ACS3; else a bearer token; else RPC 1.0.
    pub fn verify(
        &self,
        request: &SignedRequest<'_>,
        parameters: &Parameters,
        now: Timestamp,
    ) -> Result<Verified, SignError> {
        let verified = if request.header("authorization").is_some() {
            acs3::verify(request, &self.credentials, now)?
        } else if let Some(token) = bearer::token(request, parameters) {
            return bearer::verify(token, &self.credentials, now);
        } else {
            rpc1::verify(request.method, parameters, &self.credentials, now)?
        };
        self.check_freshness(&verified, now)?;
        Ok(verified)
    }

    fn check_freshness(&self, verified: &Verified, now: Timestamp) -> Result<(), SignError> {
        let (Some(nonce), Some(timestamp)) = (&verified.nonce, verified.timestamp) else {
            return Ok(());
        };
        check_skew(timestamp, now, self.max_skew)?;
        // After this moment the timestamp itself is refused, so the nonce may be forgotten.
        let expires_at = timestamp
            .checked_add(self.max_skew)
            .unwrap_or(Timestamp::MAX);
        if self
            .nonces
            .remember(&verified.access_key_id, nonce, expires_at, now)
        {
            Ok(())
        } else {
            Err(SignError::NonceUsed)
        }
    }
}

/// Refuses a timestamp further than `max_skew` from `now`; exactly that far is still good.
pub fn check_skew(
    timestamp: Timestamp,
    now: Timestamp,
    max_skew: SignedDuration,
) -> Result<(), SignError> {
    let difference = now.duration_since(timestamp).abs();
    if difference > max_skew {
        return Err(SignError::Skew {
            seconds: difference.as_secs(),
            max_seconds: max_skew.as_secs(),
        });
    }
    Ok(())
}

/// All but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Percent-encodes as the signatures want it: RFC 3986, UTF-8, upper-case hex.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Appends `name=value&name=value` of sorted pairs, encoded.
fn append_canonical<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    for (index, (name, value)) in pairs.enumerate() {
        if index > 0 {
            out.push('&');
        }
        out.extend(utf8_percent_encode(name, RESERVED));
        out.push('=');
        out.extend(utf8_percent_encode(value, RESERVED));
    }
}

fn hmac_bytes<M: Mac + hmac::digest::KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac_bytes::<Hmac<sha2::Sha256>>(key, message)
}

pub(crate) fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac_bytes::<Hmac<sha1::Sha1>>(key, message)
}

/// Constant-time equality of two texts of public length.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

fn parse_timestamp(text: &str) -> Result<Timestamp, SignError> {
    text.parse().map_err(|_| SignError::BadTimestamp)
}

#[cfg(test)]
mod tests;
