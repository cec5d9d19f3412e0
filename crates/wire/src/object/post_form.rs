//! The multipart form that the SDKs post a local file with.
//!
//! Not a general multipart reader: it takes the four layouts of wire.md 6.3,
//! one of which is malformed. Node's current SDK writes no line break between
//! the file's last byte and the next delimiter, and one more field after it; a
//! standard reader would glue that text onto the image.
//!
//! Invariants: the file is a slice of the body, never copied; its end is found
//! from the end of the body, anchored on exact text, so no byte of a file is
//! ever taken for a delimiter; the work is linear in the body's length.

mod arriving;

use std::ops::Range;

use memchr::memmem;

use super::{ObjectError, ObjectErrorCode};
use crate::form::is_media_type;

pub use arriving::{FileTail, PostHead};

/// Bounds on the parts before the file. The gateway bounds the whole body, the policy the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostFormLimits {
    /// Most fields before the file; the SDKs send six.
    pub max_fields: usize,
    /// Longest value of a field, in bytes; a policy has some 300.
    pub max_field_bytes: usize,
    /// Longest header block of a part, in bytes.
    pub max_header_bytes: usize,
    /// Longest boundary, in bytes; RFC 2046 allows 70.
    pub max_boundary_bytes: usize,
}

impl Default for PostFormLimits {
    fn default() -> Self {
        Self {
            max_fields: 64,
            max_field_bytes: 64 * 1024,
            max_header_bytes: 8 * 1024,
            max_boundary_bytes: 70,
        }
    }
}

/// Why a form cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostFormError {
    #[error("the content type must be multipart/form-data with a boundary")]
    ContentType,
    #[error("the boundary is longer than {max} bytes (limit max_boundary_bytes)")]
    BoundaryTooLong { max: usize },
    #[error("the body does not begin with the boundary, or a part does not end with it")]
    Boundary,
    #[error("a part's headers do not end within {max} bytes (limit max_header_bytes)")]
    Headers { max: usize },
    #[error("a part has no readable Content-Disposition with a name")]
    Disposition,
    #[error("field \"{name}\" does not end within {max} bytes (limit max_field_bytes)")]
    FieldTooLong { name: String, max: usize },
    #[error("field \"{name}\" is not UTF-8")]
    NotUtf8 { name: String },
    #[error("the form has more than {max} fields (limit max_fields)")]
    TooManyFields { max: usize },
    #[error("the form has no \"file\" part")]
    NoFile,
    #[error("the body ends before the closing boundary")]
    Truncated,
}

impl From<PostFormError> for ObjectError {
    fn from(error: PostFormError) -> Self {
        let code = if error == PostFormError::NoFile {
            ObjectErrorCode::IncorrectNumberOfFiles
        } else {
            ObjectErrorCode::MalformedPostRequest
        };
        ObjectError::new(
            code,
            format!("The body of your POST request is not well-formed: {error}."),
        )
    }
}

/// A field's name and its value.
pub type NamedValue<'a> = (&'a str, &'a str);

/// The fields of a form in order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<NamedValue<'a>>);

impl<'a> Fields<'a> {
    /// The first value of a field; names are compared without case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| *value)
    }

    pub fn as_slice(&self) -> &[NamedValue<'a>] {
        &self.0
    }
}

/// A form with one file, borrowed from the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostForm<'a> {
    pub fields: Fields<'a>,
    pub file: FilePart<'a>,
}

/// The file of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePart<'a> {
    pub bytes: &'a [u8],
    /// Where the bytes are in the body, for a caller that owns the body.
    pub range: Range<usize>,
    /// As sent; the SDKs send the object key.
    pub file_name: Option<&'a str>,
    /// As sent; the SDKs send an empty one, which is `None` here.
    pub content_type: Option<&'a str>,
}

impl<'a> PostForm<'a> {
    /// The first value of a field; names are compared without case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name)
    }

    /// The fields in order of arrival.
    pub fn fields(&self) -> &[NamedValue<'a>] {
        self.fields.as_slice()
    }
}

/// Reads a complete body under the default [`PostFormLimits`].
///
/// `file` must be the last part, as the object store asks of its clients; the one
/// field that Node's SDK sends after it is understood. Anything else behind the
/// file counts as part of the file.
pub fn parse<'a>(content_type: &str, body: &'a [u8]) -> Result<PostForm<'a>, PostFormError> {
    parse_within(content_type, body, &PostFormLimits::default())
}

/// [`parse`] under other limits.
pub fn parse_within<'a>(
    content_type: &str,
    body: &'a [u8],
    limits: &PostFormLimits,
) -> Result<PostForm<'a>, PostFormError> {
    let boundary = boundary_within(content_type, limits)?;
    let (mut fields, headers, content) = parse_fields(boundary, body, limits)?;
    let (bytes, trailing) = split_file(content, boundary)?;
    fields.extend(trailing);
    let start = body.len() - content.len();
    Ok(PostForm {
        fields: Fields(fields),
        file: FilePart {
            bytes,
            range: start..start + bytes.len(),
            file_name: headers.file_name,
            content_type: headers.content_type.filter(|text| !text.is_empty()),
        },
    })
}

fn boundary_within<'a>(
    content_type: &'a str,
    limits: &PostFormLimits,
) -> Result<&'a str, PostFormError> {
    let boundary = boundary(content_type).ok_or(PostFormError::ContentType)?;
    if boundary.len() > limits.max_boundary_bytes {
        return Err(PostFormError::BoundaryTooLong {
            max: limits.max_boundary_bytes,
        });
    }
    Ok(boundary)
}

/// The fields before the file, the file's own headers, and all that follows those.
fn parse_fields<'a>(
    boundary: &str,
    body: &'a [u8],
    limits: &PostFormLimits,
) -> Result<(Vec<NamedValue<'a>>, PartHeaders<'a>, &'a [u8]), PostFormError> {
    let delimiter = format!("\r\n--{boundary}");
    let find_delimiter = memmem::Finder::new(&delimiter);
    let opening = format!("--{boundary}\r\n");
    let mut fields = Vec::new();
    let mut rest = body;
    loop {
        rest = match rest.strip_prefix(opening.as_bytes()) {
            Some(part) => part,
            None if rest.starts_with(format!("--{boundary}--").as_bytes()) => {
                return Err(PostFormError::NoFile);
            }
            None => return Err(PostFormError::Boundary),
        };
        let (headers, content) = split_headers(rest, limits)?;
        if headers.name == "file" {
            return Ok((fields, headers, content));
        }
        if fields.len() == limits.max_fields {
            return Err(PostFormError::TooManyFields {
                max: limits.max_fields,
            });
        }
        let window = &content[..content.len().min(limits.max_field_bytes + delimiter.len())];
        let length = find_delimiter.find(window).ok_or_else(|| {
            if window.len() == content.len() {
                return PostFormError::Truncated;
            }
            PostFormError::FieldTooLong {
                name: headers.name.to_owned(),
                max: limits.max_field_bytes,
            }
        })?;
        let value =
            std::str::from_utf8(&content[..length]).map_err(|_| PostFormError::NotUtf8 {
                name: headers.name.to_owned(),
            })?;
        fields.push((headers.name, value));
        // The delimiter's line break ends the value; the dashes open the next part.
        rest = &content[length + 2..];
    }
}

/// A well-formed form for our own client: the fields, then the file.
///
/// The caller picks a `boundary` that does not occur in the file.
pub fn write(boundary: &str, fields: &[(&str, &str)], file_name: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(file.len() + 1024);
    for (name, value) in fields {
        body.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
            .as_bytes(),
        );
    }
    body.extend_from_slice(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"{file_name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

fn boundary(content_type: &str) -> Option<&str> {
    if !is_media_type(content_type, "multipart/form-data") {
        return None;
    }
    let (_, parameters) = content_type.split_once(';')?;
    parameter(parameters, "boundary").filter(|boundary| !boundary.is_empty())
}

/// The value of `name` in `a=b; c="d"`, without quotes.
fn parameter<'a>(parameters: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = parameters;
    loop {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, tail) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => match after.split_once(';') {
                Some((value, _)) => (value.trim_end(), &after[value.len()..]),
                None => (after.trim_end(), ""),
            },
        };
        let key = key.trim_start_matches([';', ' ', '\t']).trim_end();
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = tail;
    }
}

struct PartHeaders<'a> {
    name: &'a str,
    file_name: Option<&'a str>,
    content_type: Option<&'a str>,
}

/// The headers of a part and what follows their blank line.
fn split_headers<'a>(
    part: &'a [u8],
    limits: &PostFormLimits,
) -> Result<(PartHeaders<'a>, &'a [u8]), PostFormError> {
    const BLANK_LINE: &[u8] = b"\r\n\r\n";
    let window = &part[..part.len().min(limits.max_header_bytes + BLANK_LINE.len())];
    let length = memmem::find(window, BLANK_LINE).ok_or(PostFormError::Headers {
        max: limits.max_header_bytes,
    })?;
    let text = std::str::from_utf8(&part[..length]).map_err(|_| PostFormError::Disposition)?;
    let header = |name: &str| {
        text.split("\r\n").find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim())
        })
    };
    let (kind, parameters) = header("content-disposition")
        .and_then(|value| value.split_once(';'))
        .ok_or(PostFormError::Disposition)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(PostFormError::Disposition);
    }
    let headers = PartHeaders {
        name: parameter(parameters, "name").ok_or(PostFormError::Disposition)?,
        file_name: parameter(parameters, "filename"),
        content_type: header("content-type"),
    };
    Ok((headers, &part[length + BLANK_LINE.len()..]))
}

/// The one field that a client sends after the file.
const STATUS: NamedValue<'static> = ("success_action_status", "201");

fn late_field(boundary: &str) -> String {
    let (name, value) = STATUS;
    format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}")
}

/// The file's bytes, and the field after them if there is Node's.
///
/// wire.md 6.3: strip the closing delimiter, then the exact text of the one late
/// field. Node ends that field with two line breaks and begins it without any;
/// the well-formed writing of the same field, one each, is told apart by this.
fn split_file<'a>(
    tail: &'a [u8],
    boundary: &str,
) -> Result<(&'a [u8], Option<NamedValue<'a>>), PostFormError> {
    let late_field = late_field(boundary);
    let closed = tail.strip_suffix(b"\r\n").unwrap_or(tail);
    let content = closed
        .strip_suffix(format!("\r\n--{boundary}--").as_bytes())
        .ok_or(PostFormError::Truncated)?;
    let broken = format!("{late_field}\r\n");
    let well_formed = format!("\r\n{late_field}");
    let late = [broken, well_formed];
    match late
        .iter()
        .find_map(|text| content.strip_suffix(text.as_bytes()))
    {
        Some(file) => Ok((file, Some(STATUS))),
        None => Ok((content, None)),
    }
}

#[cfg(test)]
mod tests;
