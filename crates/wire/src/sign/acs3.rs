//! ACS3-HMAC-SHA256, the default of the current SDKs (wire.md 3).
//!
//! Invariant: verification covers exactly the headers that `SignedHeaders`
//! names, since the SDKs sign different sets; the set must contain those that
//! decide what the request means.

use std::borrow::Cow;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{
    Credentials, Scheme, SignError, SignedRequest, SigningKey, Verified, append_canonical,
    hmac_sha256, parse_timestamp, same,
};
use crate::form::decode_pairs;

/// Name of the algorithm, in the header and in the text to sign.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// Headers that must be signed, else they could be exchanged on the way.
const REQUIRED: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-version",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-content-sha256",
];

/// Most names in `SignedHeaders`; the SDKs sign up to thirteen.
const MAX_SIGNED_HEADERS: usize = 100;

/// Verifies an ACS3 request but for the age of its timestamp and the use of its nonce.
pub(super) fn verify(
    request: &SignedRequest<'_>,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<Verified, SignError> {
    let header = request.header("authorization").unwrap_or_default();
    let authorization = Authorization::parse(header)?;
    authorization.check_signed_headers(request)?;

    let secret = credentials
        .secret(authorization.access_key_id)
        .ok_or(SignError::UnknownAccessKey)?;
    let body_hash = sha256_hex(request.body);
    if request.header("x-acs-content-sha256").map(str::trim) != Some(body_hash.as_str()) {
        return Err(SignError::BodyHash);
    }
    let canonical = canonical_request(request, &authorization.signed_headers, &body_hash)?;
    let expected = signature(&canonical, secret.expose());
    if !same(&expected, authorization.signature) {
        return Err(SignError::Mismatch);
    }
    credentials.check_security_token(
        authorization.access_key_id,
        request.header("x-acs-security-token").map(str::trim),
        now,
    )?;

    // Both are among the required signed headers.
    let nonce = request.header("x-acs-signature-nonce").unwrap_or_default();
    let date = request.header("x-acs-date").unwrap_or_default();
    Ok(Verified {
        access_key_id: authorization.access_key_id.to_owned(),
        scheme: Scheme::Acs3HmacSha256,
        nonce: Some(nonce.trim().to_owned()),
        timestamp: Some(parse_timestamp(date.trim())?),
    })
}

/// What a client wants to send; [`sign`] adds the rest.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    pub method: &'a str,
    pub host: &'a str,
    pub action: &'a str,
    pub version: &'a str,
    /// Encoded query, without `?`.
    pub raw_query: &'a str,
    /// Needed when there is a body.
    pub content_type: Option<&'a str>,
    pub body: &'a [u8],
}

/// All headers of a signed request to path `/`, `Authorization` last; `host` and
/// `content-type` among them.
pub fn sign(
    call: &Call<'_>,
    key: &SigningKey<'_>,
    nonce: &str,
    date: Timestamp,
) -> Result<Vec<(String, String)>, SignError> {
    let body_hash = sha256_hex(call.body);
    let date = date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let optional = [
        ("content-type", call.content_type),
        ("x-acs-security-token", key.security_token),
    ];
    let mut headers: Vec<(String, String)> = [
        ("host", call.host),
        ("x-acs-action", call.action),
        ("x-acs-content-sha256", body_hash.as_str()),
        ("x-acs-date", date.as_str()),
        ("x-acs-signature-nonce", nonce),
        ("x-acs-version", call.version),
    ]
    .into_iter()
    .chain(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    )
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    headers.sort();

    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let request = SignedRequest {
        method: call.method,
        path: "/",
        raw_query: call.raw_query,
        headers: &headers,
        body: call.body,
    };
    let canonical = canonical_request(&request, &names, &body_hash)?;
    let authorization = format!(
        "{ALGORITHM} Credential={},SignedHeaders={},Signature={}",
        key.access_key_id,
        names.join(";"),
        signature(&canonical, key.secret.expose()),
    );
    headers.push(("authorization".to_owned(), authorization));
    Ok(headers)
}

/// The parts of an `Authorization` header.
struct Authorization<'a> {
    access_key_id: &'a str,
    signed_headers: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Authorization<'a> {
    fn parse(header: &'a str) -> Result<Self, SignError> {
        let (algorithm, rest) = header
            .trim()
            .split_once(' ')
            .ok_or_else(|| SignError::incomplete("the Authorization header is malformed"))?;
        if algorithm != ALGORITHM {
            return Err(SignError::incomplete(format!(
                "the signature algorithm must be {ALGORITHM}"
            )));
        }
        let (mut credential, mut signed_headers, mut signature) = ("", "", "");
        for part in rest.split(',') {
            match part.trim().split_once('=') {
                Some(("Credential", value)) => credential = value,
                Some(("SignedHeaders", value)) => signed_headers = value,
                Some(("Signature", value)) => signature = value,
                _ => {
                    return Err(SignError::incomplete(
                        "the Authorization header has an unknown part",
                    ));
                }
            }
        }
        let parts = [
            ("Credential", credential),
            ("SignedHeaders", signed_headers),
            ("Signature", signature),
        ];
        if let Some((name, _)) = parts.iter().find(|(_, value)| value.is_empty()) {
            return Err(SignError::incomplete(format!(
                "the Authorization header lacks {name}"
            )));
        }
        Ok(Self {
            access_key_id: credential,
            signed_headers: signed_headers.split(';').collect(),
            signature,
        })
    }

    fn check_signed_headers(&self, request: &SignedRequest<'_>) -> Result<(), SignError> {
        if self.signed_headers.len() > MAX_SIGNED_HEADERS {
            return Err(SignError::incomplete(format!(
                "SignedHeaders names more than {MAX_SIGNED_HEADERS} headers"
            )));
        }
        let mut required = REQUIRED.to_vec();
        if !request.body.is_empty() {
            required.push("content-type");
        }
        if request.header("x-acs-security-token").is_some() {
            required.push("x-acs-security-token");
        }
        for name in required {
            if !self.signed_headers.contains(&name) {
                return Err(SignError::incomplete(format!(
                    "SignedHeaders must name {name}"
                )));
            }
        }
        for name in &self.signed_headers {
            if request.header(name).is_none() {
                return Err(SignError::incomplete(
                    "SignedHeaders names a header that the request does not have",
                ));
            }
        }
        Ok(())
    }
}

/// The text that is hashed and signed. `names` are used in the order given.
pub(super) fn canonical_request(
    request: &SignedRequest<'_>,
    names: &[&str],
    body_hash: &str,
) -> Result<String, SignError> {
    let mut pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> = decode_pairs(request.raw_query)
        .collect::<Result<_, _>>()
        .map_err(|error| SignError::incomplete(error.to_string()))?;
    pairs.sort_by(|left, right| left.0.cmp(&right.0));

    // Escapes at most triple a text; typical queries grow by a third.
    let mut canonical = String::with_capacity(1024 + request.raw_query.len() * 3 / 2);
    canonical.push_str(request.method);
    canonical.push('\n');
    canonical.push_str(request.path);
    canonical.push('\n');
    append_canonical(
        &mut canonical,
        pairs
            .iter()
            .map(|(name, value)| (name.as_ref(), value.as_ref())),
    );
    canonical.push('\n');
    for name in names {
        canonical.push_str(name);
        canonical.push(':');
        append_header_value(&mut canonical, request, name);
        canonical.push('\n');
    }
    canonical.push('\n');
    canonical.push_str(&names.join(";"));
    canonical.push('\n');
    canonical.push_str(body_hash);
    Ok(canonical)
}

/// A header's trimmed value; values of a repeated header are sorted and joined by commas.
fn append_header_value(canonical: &mut String, request: &SignedRequest<'_>, name: &str) {
    let mut values: Vec<&str> = request.header_values(name).map(str::trim).collect();
    values.sort_unstable();
    canonical.push_str(&values.join(","));
}

fn signature(canonical: &str, secret: &str) -> String {
    let to_sign = format!("{ALGORITHM}\n{}", sha256_hex(canonical.as_bytes()));
    hex::encode(hmac_sha256(secret.as_bytes(), to_sign.as_bytes()))
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
