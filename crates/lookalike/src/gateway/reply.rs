//! Answers in the vendor's shape.
//!
//! The layer of `request` turns every [`Failure`] into JSON (or, for the object store, XML) with the
//! request's id; handlers only return values. A body is never empty: the SDKs turn an empty or non-JSON body
//! into an opaque parse error (contract, wire rule 11).

use axum::body::Body;
use axum::response::IntoResponse;
use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use lookalike_wire::object::{ObjectError, xml};
use lookalike_wire::{ApiError, ErrorCode};
use serde::Serialize;

use super::listener::MAX_TARGET_BYTES;
use super::request::{RequestId, new_request_id};
use crate::error::Failure;

/// Header with the request's id, on every answer.
pub const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-acs-request-id");

/// A successful answer of the API.
pub fn json(value: &impl Serialize) -> Result<Response<Body>, Failure> {
    let body = serde_json::to_vec(value).map_err(Failure::internal)?;
    Ok((
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        )],
        body,
    )
        .into_response())
}

/// The JSON body of a refusal, with its status and headers.
pub fn api_error(error: &ApiError, id: &RequestId, host: &str) -> Response<Body> {
    let body =
        serde_json::to_vec(&error.body(id.as_str(), host)).expect("five texts always serialise");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).expect("the table holds valid statuses");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    for (name, value) in error.headers() {
        response.headers_mut().insert(
            HeaderName::from_static(name),
            HeaderValue::from_str(&value).expect("the table's headers are ASCII"),
        );
    }
    response
}

/// The XML body of a refusal of the object store.
pub fn object_error(error: &ObjectError, id: &RequestId, host: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(xml::error(error, id.as_str(), host)));
    *response.status_mut() =
        StatusCode::from_u16(error.status()).expect("the table holds valid statuses");
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(xml::CONTENT_TYPE),
    );
    response
}

/// What to send in place of a bare refusal of hyper's own, if `head` is one: a whole answer, JSON body
/// included. Every answer of ours carries [`REQUEST_ID_HEADER`].
pub fn in_place_of(head: &[u8]) -> Option<Bytes> {
    let error = if head.starts_with(b"HTTP/1.1 414 ") {
        ApiError::new(ErrorCode::RequestUriTooLong)
            .with_detail(&format!("At most {MAX_TARGET_BYTES} bytes are taken."))
    } else if head.starts_with(b"HTTP/1.1 431 ") {
        ApiError::new(ErrorCode::RequestUriTooLong)
            .with_detail("The request line and the headers together are too long.")
    } else if head.starts_with(b"HTTP/1.1 400 ") {
        ApiError::new(ErrorCode::InvalidParameter)
            .with_message("The request is not well-formed HTTP/1.1.")
    } else {
        return None;
    };
    if !head.ends_with(b"\r\n\r\n") {
        return None;
    }
    let id = new_request_id();
    tracing::info!(request_id = %id, code = error.code.as_str(), "refused before routing");
    let body =
        serde_json::to_string(&error.body(id.as_str(), "")).expect("five texts always serialise");
    let (status, length) = (
        StatusCode::from_u16(error.status()).expect("the table holds valid statuses"),
        body.len(),
    );
    Some(Bytes::from(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{REQUEST_ID_HEADER}: {id}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )))
}
