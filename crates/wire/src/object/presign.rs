//! Links to objects that carry their own proof and expiry.
//!
//! The query is the object store's own: `Expires` (seconds since 1970),
//! `OSSAccessKeyId`, `Signature`, a plain GET without headers. Invariant: the
//! signature covers verb, expiry and key, and **not** the host or the bucket
//! (which is part of the host): a link made for one of the server's addresses
//! works on all others, from a container or a browser.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{ObjectError, ObjectErrorCode};
use crate::form::Parameters;
use crate::sign::{Credentials, SigningKey, encode, hmac_sha1, same};

/// The query of a link to `key` that is good until `expires_at` (whole seconds).
pub fn query(key: &str, expires_at: Timestamp, signer: &SigningKey<'_>) -> String {
    let expires = expires_at.as_second().to_string();
    let signature = signature(&expires, key, signer.secret.expose());
    format!(
        "Expires={expires}&OSSAccessKeyId={}&Signature={}",
        encode(signer.access_key_id),
        encode(&signature)
    )
}

/// Checks the query of a GET or HEAD of `key` (decoded, without the leading slash).
///
/// No proof, or an expired one: `AccessDenied`, 403 (semantics.md, row 34). Other
/// parameters of the query are ignored.
pub fn verify(
    key: &str,
    raw_query: &str,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<(), ObjectError> {
    let denied = |message: &str| ObjectError::new(ObjectErrorCode::AccessDenied, message);
    let parameters = Parameters::parse(raw_query, None, b"")
        .map_err(|error| ObjectError::new(ObjectErrorCode::InvalidArgument, error.to_string()))?;
    let (Some(expires), Some(access_key_id), Some(sent)) = (
        parameters.get("Expires"),
        parameters.get("OSSAccessKeyId"),
        parameters.get("Signature"),
    ) else {
        return Err(denied(
            "The link needs Expires, OSSAccessKeyId and Signature.",
        ));
    };
    let secret = credentials.secret(access_key_id).ok_or_else(|| {
        ObjectError::new(
            ObjectErrorCode::InvalidAccessKeyId,
            "The OSS Access Key Id you provided does not exist in our records.",
        )
    })?;
    if !same(&signature(expires, key, secret.expose()), sent) {
        return Err(ObjectError::new(
            ObjectErrorCode::SignatureDoesNotMatch,
            "The signature of the link does not match.",
        ));
    }
    let expires_at: i64 = expires
        .parse()
        .map_err(|_| denied("Expires must be seconds since 1970."))?;
    if now.as_second() > expires_at {
        return Err(denied("Request has expired."));
    }
    Ok(())
}

/// Signature version 1 of the object store over an empty MD5 and content type.
fn signature(expires: &str, key: &str, secret: &str) -> String {
    let to_sign = format!("GET\n\n\n{expires}\n/{key}");
    STANDARD.encode(hmac_sha1(secret.as_bytes(), to_sign.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;

    const NOW: i64 = 1_800_000_000;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn link(key: &str) -> (String, Credentials) {
        let secret = Secret::new("s3cret");
        let mut credentials = Credentials::default();
        credentials.add_key("server", secret.clone());
        let signer = SigningKey {
            access_key_id: "server",
            secret: &secret,
            security_token: None,
        };
        (query(key, at(NOW), &signer), credentials)
    }

    fn code(key: &str, query: &str, credentials: &Credentials, now: i64) -> ObjectErrorCode {
        verify(key, query, credentials, at(now)).unwrap_err().code
    }

    #[test]
    fn a_link_works_to_its_last_second_whatever_the_host() {
        let (query, credentials) = link("a/photo 值.jpg");
        verify("a/photo 值.jpg", &query, &credentials, at(NOW)).unwrap();
        assert_eq!(
            code("a/photo 值.jpg", &query, &credentials, NOW + 1),
            ObjectErrorCode::AccessDenied
        );
    }

    #[test]
    fn any_change_is_refused() {
        let (query, credentials) = link("photo");
        let later = query.replace("1800000000", "1800000001");
        assert_eq!(
            code("photo", &later, &credentials, NOW),
            ObjectErrorCode::SignatureDoesNotMatch
        );
        assert_eq!(
            code("other", &query, &credentials, NOW),
            ObjectErrorCode::SignatureDoesNotMatch
        );
        let stranger = query.replace("=server", "=stranger");
        assert_eq!(
            code("photo", &stranger, &credentials, NOW),
            ObjectErrorCode::InvalidAccessKeyId
        );
        for name in ["Expires", "OSSAccessKeyId", "Signature"] {
            let without = query.replace(&format!("{name}="), "Other=");
            assert_eq!(
                code("photo", &without, &credentials, NOW),
                ObjectErrorCode::AccessDenied
            );
        }
    }

    #[test]
    fn a_malformed_query_is_refused() {
        let (_, credentials) = link("photo");
        assert_eq!(
            code("photo", "Expires=%", &credentials, NOW),
            ObjectErrorCode::InvalidArgument
        );
    }
}
