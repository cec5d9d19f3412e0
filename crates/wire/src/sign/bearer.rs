//! Bearer tokens: a header in ACS3 mode, two parameters in RPC 1.0 mode (wire.md 4).
//!
//! A bearer token signs nothing, so there is no nonce and no timestamp to check.

use jiff::Timestamp;

use super::{Credentials, Scheme, SignError, SignedRequest, Verified};
use crate::form::Parameters;

/// The token that the request carries, if it is one with a bearer credential.
pub fn token<'a>(request: &'a SignedRequest<'_>, parameters: &'a Parameters) -> Option<&'a str> {
    let in_parameters = || {
        (parameters.get("SignatureType") == Some("BEARERTOKEN"))
            .then(|| parameters.get("BearerToken").unwrap_or_default())
    };
    request
        .header("x-acs-bearer-token")
        .map(str::trim)
        .or_else(in_parameters)
}

/// Who the token speaks for.
pub fn verify(
    token: &str,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Verified, SignError> {
    let access_key_id = credentials
        .bearer(token, now)
        .ok_or(SignError::UnknownBearerToken)?;
    Ok(Verified {
        access_key_id: access_key_id.to_owned(),
        scheme: Scheme::Bearer,
        nonce: None,
        timestamp: None,
    })
}
