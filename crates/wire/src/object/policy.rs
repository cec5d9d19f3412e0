//! The policy under which a form may be posted, made and really checked.
//!
//! `AuthorizeFileUpload` hands out [`encode`] and [`sign`]; the form brings both
//! back and [`authorize`] decides. Invariants: the signature is checked before
//! the policy is read; a policy without expiry is refused; every condition must
//! hold, and one that we do not know fails.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::post_form::{Fields, PostForm};
use super::{ObjectError, ObjectErrorCode};
use crate::secret::Secret;
use crate::sign::{Credentials, hmac_sha1, same};

/// What one upload may do.
#[derive(Clone, Copy, Debug)]
pub struct UploadGrant<'a> {
    /// First part of the host name that the form is posted to.
    pub bucket: &'a str,
    pub key: &'a str,
    /// Largest file, in bytes; an empty file is allowed and left to the decoder.
    pub max_bytes: u64,
    pub expires_at: Timestamp,
}

/// The policy as base64 of JSON, the form field `policy`.
pub fn encode(grant: &UploadGrant<'_>) -> String {
    let policy = json!({
        "expiration": grant.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string(),
        "conditions": [
            {"bucket": grant.bucket},
            ["eq", "$key", grant.key],
            ["content-length-range", 0, grant.max_bytes],
        ],
    });
    STANDARD.encode(policy.to_string())
}

/// The form field `Signature` of an encoded policy.
pub fn sign(encoded: &str, secret: &Secret) -> String {
    STANDARD.encode(hmac_sha1(secret.expose().as_bytes(), encoded.as_bytes()))
}

/// How many bytes a policy lets a file have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LengthRange {
    pub min: u64,
    pub max: u64,
}

impl LengthRange {
    /// Errors: `EntityTooLarge`, `EntityTooSmall`.
    pub fn check(self, length: u64) -> Result<(), ObjectError> {
        let Self { min, max } = self;
        if length > max {
            return Err(ObjectError::new(
                ObjectErrorCode::EntityTooLarge,
                format!(
                    "Your proposed upload of {length} bytes exceeds the maximum allowed size of {max} bytes."
                ),
            ));
        }
        if length < min {
            return Err(ObjectError::new(
                ObjectErrorCode::EntityTooSmall,
                format!(
                    "Your proposed upload of {length} bytes is smaller than the minimum allowed size of {min} bytes."
                ),
            ));
        }
        Ok(())
    }
}

/// Whether the form may be stored: [`authorize_fields`] and the length of its file.
pub fn authorize(
    form: &PostForm<'_>,
    bucket: &str,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<(), ObjectError> {
    let range = authorize_fields(&form.fields, bucket, credentials, now)?;
    range.check(form.file.bytes.len() as u64)
}

/// Whether a form with these fields may be stored, and how long its file may be.
///
/// `bucket` is what the request's host says. Errors: `AccessDenied` (no or
/// expired policy, broken condition), `InvalidAccessKeyId`,
/// `SignatureDoesNotMatch`, `InvalidPolicyDocument`.
pub fn authorize_fields(
    form: &Fields<'_>,
    bucket: &str,
    credentials: &Credentials,
    now: Timestamp,
) -> Result<LengthRange, ObjectError> {
    let field = |name: &str| {
        form.get(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| {
                ObjectError::new(
                    ObjectErrorCode::AccessDenied,
                    format!("The form field \"{name}\" is missing."),
                )
            })
    };
    let access_key_id = field("OSSAccessKeyId")?;
    let encoded = field("policy")?;
    let signature = field("Signature")?;
    field("key")?;

    let secret = credentials.secret(access_key_id).ok_or_else(|| {
        ObjectError::new(
            ObjectErrorCode::InvalidAccessKeyId,
            "The OSS Access Key Id you provided does not exist in our records.",
        )
    })?;
    if !same(&sign(encoded, secret), signature) {
        return Err(ObjectError::new(
            ObjectErrorCode::SignatureDoesNotMatch,
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    let policy = Policy::decode(encoded)?;
    if now >= policy.expires_at {
        return Err(denied("Policy expired."));
    }
    let mut range = LengthRange {
        min: 0,
        max: u64::MAX,
    };
    for condition in &policy.conditions {
        check(condition, form, bucket)?;
        if let Condition::ContentLength { min, max } = condition {
            range.min = range.min.max(*min);
            range.max = range.max.min(*max);
        }
    }
    Ok(range)
}

struct Policy {
    expires_at: Timestamp,
    conditions: Vec<Condition>,
}

enum Condition {
    Equal { field: String, value: String },
    StartsWith { field: String, prefix: String },
    ContentLength { min: u64, max: u64 },
}

#[derive(Deserialize)]
struct Document {
    expiration: String,
    conditions: Vec<Value>,
}

impl Policy {
    fn decode(encoded: &str) -> Result<Self, ObjectError> {
        let json = STANDARD
            .decode(encoded)
            .map_err(|_| invalid("The policy is not base64."))?;
        let document: Document = serde_json::from_slice(&json)
            .map_err(|error| invalid(&format!("The policy is not the JSON expected: {error}.")))?;
        let expires_at = document
            .expiration
            .parse()
            .map_err(|_| invalid("The policy's expiration is not a time."))?;
        let conditions = document
            .conditions
            .iter()
            .map(|value| Condition::decode(value).ok_or_else(|| invalid_condition(value)))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            expires_at,
            conditions,
        })
    }
}

impl Condition {
    /// `{"field": "value"}` or `[operator, "$field", value]`.
    fn decode(value: &Value) -> Option<Self> {
        if let Some(object) = value.as_object() {
            return Self::decode_object(object);
        }
        let [operator, second, third] = value.as_array()?.as_slice() else {
            return None;
        };
        match operator.as_str()? {
            "eq" => Some(Self::Equal {
                field: field_name(second)?,
                value: third.as_str()?.to_owned(),
            }),
            "starts-with" => Some(Self::StartsWith {
                field: field_name(second)?,
                prefix: third.as_str()?.to_owned(),
            }),
            "content-length-range" => Some(Self::ContentLength {
                min: second.as_u64()?,
                max: third.as_u64()?,
            }),
            _ => None,
        }
    }

    fn decode_object(object: &Map<String, Value>) -> Option<Self> {
        let mut entries = object.iter();
        let (field, value) = entries.next()?;
        if entries.next().is_some() {
            return None;
        }
        Some(Self::Equal {
            field: field.clone(),
            value: value.as_str()?.to_owned(),
        })
    }
}

fn field_name(value: &Value) -> Option<String> {
    Some(value.as_str()?.strip_prefix('$')?.to_owned())
}

fn check(condition: &Condition, form: &Fields<'_>, bucket: &str) -> Result<(), ObjectError> {
    let value_of = |field: &str| {
        if field.eq_ignore_ascii_case("bucket") {
            Some(bucket)
        } else {
            form.get(field)
        }
    };
    match condition {
        Condition::Equal { field, value } => {
            if value_of(field) != Some(value.as_str()) {
                return Err(denied(&format!(
                    "Policy Condition failed: [\"eq\", \"${field}\"]"
                )));
            }
        }
        Condition::StartsWith { field, prefix } => {
            if !value_of(field).is_some_and(|value| value.starts_with(prefix.as_str())) {
                return Err(denied(&format!(
                    "Policy Condition failed: [\"starts-with\", \"${field}\"]"
                )));
            }
        }
        // The file's length is known only when it is here.
        Condition::ContentLength { .. } => {}
    }
    Ok(())
}

fn denied(reason: &str) -> ObjectError {
    ObjectError::new(
        ObjectErrorCode::AccessDenied,
        format!("Invalid according to Policy: {reason}"),
    )
}

fn invalid(reason: &str) -> ObjectError {
    ObjectError::new(ObjectErrorCode::InvalidPolicyDocument, reason)
}

fn invalid_condition(condition: &Value) -> ObjectError {
    invalid(&format!("The policy has an unknown condition: {condition}"))
}

#[cfg(test)]
mod tests;
