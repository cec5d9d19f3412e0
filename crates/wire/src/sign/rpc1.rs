//! RPC 1.0 with HMAC-SHA1, of the older SDKs and of `signature_algorithm="v2"` (wire.md 4).
//!
//! Invariant: every parameter of query and form but `Signature` is covered,
//! repeated ones and empty ones included.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use super::{
    Credentials, Scheme, SignError, SigningKey, Verified, append_canonical, encode, hmac_sha1,
    parse_timestamp, same,
};
use crate::form::Parameters;

/// Verifies an RPC 1.0 request but for the age of its timestamp and the use of its nonce.
pub(super) fn verify(
    method: &str,
    parameters: &Parameters,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Verified, SignError> {
    let access_key_id = required(parameters, "AccessKeyId")?;
    let sent = required(parameters, "Signature")?;
    for (name, expected) in [
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
    ] {
        if required(parameters, name)? != expected {
            return Err(SignError::incomplete(format!(
                "\"{name}\" must be {expected}"
            )));
        }
    }
    let nonce = required(parameters, "SignatureNonce")?;
    let timestamp = required(parameters, "Timestamp")?;

    let secret = credentials
        .secret(access_key_id)
        .ok_or(SignError::UnknownAccessKey)?;
    if !same(&signature(method, parameters, secret.expose()), sent) {
        return Err(SignError::Mismatch);
    }
    credentials.check_security_token(access_key_id, parameters.get("SecurityToken"), now)?;
    Ok(Verified {
        access_key_id: access_key_id.to_owned(),
        scheme: Scheme::Rpc1HmacSha1,
        nonce: Some(nonce.to_owned()),
        timestamp: Some(parse_timestamp(timestamp)?),
    })
}

/// `pairs` (with `Action` and `Version`) and the protocol's own, `Signature` last.
pub fn sign(
    method: &str,
    pairs: &[(String, String)],
    key: &SigningKey<'_>,
    nonce: &str,
    date: Timestamp,
) -> Vec<(String, String)> {
    let date = date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let protocol = [
        ("AccessKeyId", Some(key.access_key_id)),
        ("Format", Some("JSON")),
        ("SecurityToken", key.security_token),
        ("SignatureMethod", Some("HMAC-SHA1")),
        ("SignatureNonce", Some(nonce)),
        ("SignatureVersion", Some("1.0")),
        ("Timestamp", Some(date.as_str())),
    ];
    let mut all = pairs.to_vec();
    all.extend(
        protocol
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))),
    );
    let parameters = Parameters::from_pairs(all.clone());
    let signature = signature(method, &parameters, key.secret.expose());
    all.push(("Signature".to_owned(), signature));
    all
}

fn signature(method: &str, parameters: &Parameters, secret: &str) -> String {
    let mut canonical = String::with_capacity(1024);
    let covered = parameters.iter().filter(|(name, _)| *name != "Signature");
    append_canonical(&mut canonical, covered);
    let to_sign = format!("{method}&%2F&{}", encode(&canonical));
    STANDARD.encode(hmac_sha1(
        format!("{secret}&").as_bytes(),
        to_sign.as_bytes(),
    ))
}

/// Without any credential, the access key is what is missing first.
fn required<'a>(parameters: &'a Parameters, name: &'static str) -> Result<&'a str, SignError> {
    parameters
        .get(name)
        .filter(|value| !value.is_empty())
        .ok_or(SignError::MissingParameter { name })
}
