//! Request parameters: the query string and the form body merged into one map.
//!
//! The SDKs split the same action's fields between query and body in different
//! ways, so a field found in either place is the same field (wire.md 1.3). The
//! gateway parses once; routing, RPC 1.0 signatures and the DTOs all read the
//! same [`Parameters`].
//!
//! Invariants: names and values are decoded (`+` is a space, `%XX` a byte of
//! UTF-8); the pairs are sorted by name, and pairs of one name keep their order
//! of arrival, query before body. A repeated name is legal; the **first** value
//! counts for [`Parameters::get`], the signature covers all of them.

use std::borrow::Cow;
use std::fmt;

use crate::error::ApiError;

/// Bounds on what one request may carry. The gateway bounds the total size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormLimits {
    /// Most pairs in query and body together. Stops a request made of millions of tiny pairs.
    pub max_parameters: usize,
    /// Longest decoded name, in bytes.
    pub max_name_bytes: usize,
    /// Longest decoded value, in bytes; above the 10 MB that one row upload may have.
    pub max_value_bytes: usize,
}

impl Default for FormLimits {
    fn default() -> Self {
        Self {
            max_parameters: 1024,
            max_name_bytes: 256,
            max_value_bytes: 16 * 1024 * 1024,
        }
    }
}

/// Why a query string or a form body is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    #[error("the request has more than {max} parameters (limit max_parameters)")]
    TooManyParameters { max: usize },
    #[error("a parameter name is longer than {max} bytes (limit max_name_bytes)")]
    NameTooLong { max: usize },
    #[error("the value of \"{name}\" is longer than {max} bytes (limit max_value_bytes)")]
    ValueTooLong { name: String, max: usize },
    #[error("\"{name}\" holds a percent sign that is not followed by two hexadecimal digits")]
    BadEscape { name: String },
    #[error("\"{name}\" is not UTF-8")]
    NotUtf8 { name: String },
    #[error(
        "a body must be application/x-www-form-urlencoded (or multipart/form-data for an upload), not \"{content_type}\""
    )]
    ContentType { content_type: String },
}

impl From<FormError> for ApiError {
    fn from(error: FormError) -> Self {
        let field = match &error {
            FormError::ValueTooLong { name, .. }
            | FormError::BadEscape { name }
            | FormError::NotUtf8 { name } => name.clone(),
            FormError::ContentType { .. } => "Content-Type".to_owned(),
            FormError::TooManyParameters { .. } | FormError::NameTooLong { .. } => {
                "parameters".to_owned()
            }
        };
        ApiError::invalid(&field, &error.to_string())
    }
}

/// The merged, decoded parameters of one request.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Merges query and form body under the default [`FormLimits`].
    ///
    /// `raw_query` is the text after `?` as received. The body counts when it is
    /// not empty and its type is `application/x-www-form-urlencoded` or absent;
    /// any other type is refused rather than ignored in silence.
    pub fn parse(
        raw_query: &str,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<Self, FormError> {
        Self::parse_within(raw_query, content_type, body, &FormLimits::default())
    }

    /// [`Parameters::parse`] under other limits.
    pub fn parse_within(
        raw_query: &str,
        content_type: Option<&str>,
        body: &[u8],
        limits: &FormLimits,
    ) -> Result<Self, FormError> {
        let raw_form = form_text(content_type, body)?;
        let mut pairs = Vec::new();
        for pair in decode_pairs(raw_query).chain(decode_pairs(raw_form)) {
            let (name, value) = pair?;
            if pairs.len() == limits.max_parameters {
                return Err(FormError::TooManyParameters {
                    max: limits.max_parameters,
                });
            }
            if name.len() > limits.max_name_bytes {
                return Err(FormError::NameTooLong {
                    max: limits.max_name_bytes,
                });
            }
            if value.len() > limits.max_value_bytes {
                return Err(FormError::ValueTooLong {
                    name: shown(&name),
                    max: limits.max_value_bytes,
                });
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self::from_pairs(pairs))
    }

    /// Parameters from pairs that are decoded already.
    pub fn from_pairs(mut pairs: Vec<(String, String)>) -> Self {
        pairs.sort_by(|left, right| left.0.cmp(&right.0));
        Self { pairs }
    }

    /// The first value of `name`. Names are case-sensitive, as in the cloud.
    pub fn get(&self, name: &str) -> Option<&str> {
        let first = self.pairs.partition_point(|pair| pair.0.as_str() < name);
        match self.pairs.get(first) {
            Some((found, value)) if found == name => Some(value),
            _ => None,
        }
    }

    /// Every pair, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every pair with the values of passwords, tokens and signatures as `***`: what a log may show.
    pub fn redacted(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().map(|(name, value)| {
            let hidden = name.ends_with("Password")
                || matches!(name, "SecurityToken" | "BearerToken" | "Signature");
            (name, if hidden { "***" } else { value })
        })
    }

    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.redacted()).finish()
    }
}

/// Whether `content_type` is `expected`, whatever its case and its parameters.
pub fn is_media_type(content_type: &str, expected: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(expected)
}

fn form_text<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<&'a str, FormError> {
    if body.is_empty() {
        return Ok("");
    }
    let declared = content_type.unwrap_or_default().trim();
    if !declared.is_empty() && !is_media_type(declared, "application/x-www-form-urlencoded") {
        return Err(FormError::ContentType {
            content_type: shown(declared),
        });
    }
    std::str::from_utf8(body).map_err(|_| FormError::NotUtf8 {
        name: "request body".to_owned(),
    })
}

/// The pairs of a raw query or form text, decoded, in order; empty segments are skipped.
pub(crate) fn decode_pairs(
    raw: &str,
) -> impl Iterator<Item = Result<(Cow<'_, str>, Cow<'_, str>), FormError>> {
    raw.split('&')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            let (name, value) = segment.split_once('=').unwrap_or((segment, ""));
            Ok((decode(name, name)?, decode(value, name)?))
        })
}

/// Decodes one form component; `name` is only for the error.
///
/// Stricter than a browser: a broken escape is refused, since both readings of
/// it would verify under different signatures.
fn decode<'a>(text: &'a str, name: &str) -> Result<Cow<'a, str>, FormError> {
    if !text.bytes().any(|byte| byte == b'%' || byte == b'+') {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (high, low) = match tail {
                    [high, low, ..] => (hex_digit(*high), hex_digit(*low)),
                    _ => (None, None),
                };
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(FormError::BadEscape { name: shown(name) });
                };
                decoded.push(high * 16 + low);
                rest = &tail[2..];
            }
            _ => decoded.push(*byte),
        }
    }
    match String::from_utf8(decoded) {
        Ok(text) => Ok(Cow::Owned(text)),
        Err(_) => Err(FormError::NotUtf8 { name: shown(name) }),
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// A client's text shortened for a message.
fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 64;
    match text.char_indices().nth(MAX_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests;
