//! GET and HEAD of stored files by signed link.
//!
//! The bytes were uploaded by someone and are shown to someone else: the type sent is the one the decoder
//! found, sniffing is off, and a sandbox without any permission keeps a browser from running what it might
//! take for a page.

use std::fmt::Write;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use http::header::{self, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use lookalike_engine::{EngineError, ObjectFile, ObjectKey};
use lookalike_wire::object::{ObjectError, ObjectErrorCode, presign};
use tokio_util::io::ReaderStream;

use super::keys;
use super::links::StoredLink;
use super::range::{Wanted, wanted};
use crate::app::App;
use crate::error::Failure;
use crate::gateway::dispatch::header_text;

/// The handler of `/objects/…` and `/uploads/…`.
pub async fn serve(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, _body) = request.into_parts();
    answer(&app, &parts)
        .await
        .unwrap_or_else(Failure::into_response)
}

async fn answer(app: &App, parts: &Parts) -> Result<Response<Body>, Failure> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        let message = "The specified method is not allowed against this resource.";
        return Err(ObjectError::new(ObjectErrorCode::MethodNotAllowed, message).into());
    }
    let (path, raw_query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let credentials = app.links.credentials();
    let (file, name) = if let Some(link) = StoredLink::parse(path, raw_query) {
        presign::verify(link.key(), raw_query, credentials, Timestamp::now())?;
        (
            app.engine
                .object(&link.id)
                .await
                .map_err(Failure::of_object)?,
            link.name,
        )
    } else if let Some(key) = keys::of_path(path) {
        presign::verify(key, raw_query, credentials, Timestamp::now())?;
        let key = ObjectKey::new(key).map_err(EngineError::from)?;
        (
            app.engine.upload(&key).await.map_err(Failure::of_object)?,
            "upload".to_owned(),
        )
    } else {
        return Err(ObjectError::new(
            ObjectErrorCode::NoSuchKey,
            "The specified key does not exist.",
        )
        .into());
    };
    send(parts, &file, &name).await
}

async fn send(parts: &Parts, file: &ObjectFile, name: &str) -> Result<Response<Body>, Failure> {
    let etag = format!("\"{}\"", file.id);
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, value(&etag));
    headers.insert(header::LAST_MODIFIED, value(&http_date(file.created)));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // The file behind a link never changes: its address is its digest.
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("private, max-age=3600, immutable"),
    );
    headers.insert(header::CONTENT_TYPE, value(&file.content_type));
    headers.insert(header::CONTENT_DISPOSITION, value(&disposition(name)));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; sandbox"),
    );
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );

    let same = |name: &str| {
        header_text(parts, name).is_some_and(|tags| {
            tags.split(',').any(|tag| {
                matches!(tag.trim().trim_start_matches("W/"), "*")
                    || tag.trim().trim_start_matches("W/") == etag
            })
        })
    };
    if same("if-none-match") {
        return Ok((StatusCode::NOT_MODIFIED, headers).into_response());
    }
    // A part of another version is of no use: then the whole file is sent.
    let range = header_text(parts, "range")
        .filter(|_| header_text(parts, "if-range").is_none_or(|tag| tag == etag));
    let (status, first, length) = match wanted(range, file.size) {
        Wanted::All => (StatusCode::OK, 0, file.size),
        Wanted::Part(part) => {
            let (first, last) = (*part.start(), *part.end());
            headers.insert(
                header::CONTENT_RANGE,
                value(&format!("bytes {first}-{last}/{}", file.size)),
            );
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        Wanted::Unsatisfiable => {
            let mut response = Failure::from(ObjectError::new(
                ObjectErrorCode::InvalidRange,
                "The requested range cannot be satisfied.",
            ))
            .into_response();
            response.headers_mut().insert(
                header::CONTENT_RANGE,
                value(&format!("bytes */{}", file.size)),
            );
            return Ok(response);
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let body = if parts.method == Method::HEAD {
        Body::empty()
    } else {
        let reader = file
            .open_range(first, length)
            .await
            .map_err(Failure::internal)?;
        Body::from_stream(ReaderStream::with_capacity(reader, 64 * 1024))
    };
    Ok((status, headers, body).into_response())
}

/// A header value; what does not fit into one is left out rather than sent broken.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// `inline` with the name twice: plain for old clients, and encoded as RFC 8187 wants it. No byte of the name
/// reaches the header as it is unless it is harmless there.
fn disposition(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut text = format!("inline; filename=\"{plain}\"");
    if plain != name {
        let _ = write!(
            text,
            "; filename*=UTF-8''{}",
            lookalike_wire::sign::encode(name)
        );
    }
    text
}

/// `Tue, 15 Nov 1994 08:12:31 GMT`.
fn http_date(timestamp: Timestamp) -> String {
    timestamp
        .to_zoned(TimeZone::UTC)
        .strftime("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_header() {
        assert_eq!(disposition("dog.jpg"), "inline; filename=\"dog.jpg\"");
        assert_eq!(
            disposition("a\"; x=\r\n.jpg"),
            "inline; filename=\"a__ x___.jpg\"; filename*=UTF-8''a%22%3B%20x%3D%0D%0A.jpg"
        );
        assert_eq!(
            disposition("狗.png"),
            "inline; filename=\"_.png\"; filename*=UTF-8''%E7%8B%97.png"
        );
    }

    #[test]
    fn dates_have_the_form_of_http() {
        assert_eq!(
            http_date("1994-11-15T08:12:31Z".parse().unwrap()),
            "Tue, 15 Nov 1994 08:12:31 GMT"
        );
    }
}
