//! What surrounds every request: its id, its log line, and the last word on errors and panics.
//!
//! The outermost layer of the router. The invariant: whatever a handler does, also when it panics, the client
//! gets an answer in the vendor's shape with a `RequestId`, and the log has exactly one line for it with the
//! same id.

use std::any::Any;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::IntoResponse;
use futures_util::FutureExt;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Response};
use tracing::Instrument;

use super::listener::Arrival;
use super::reply::REQUEST_ID_HEADER;
use crate::error::Failure;

/// The id of one request: an upper-case UUID, as the vendor's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A new random id.
pub fn new_request_id() -> RequestId {
    let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
    RequestId((&*uuid::Uuid::new_v4().hyphenated().encode_upper(&mut text)).into())
}

/// The action a request asked for, put into the answer's extensions by the dispatcher for the log line.
#[derive(Debug, Clone, Copy)]
pub struct ActionName(pub &'static str);

/// The layer itself; see the module.
pub async fn surround(mut request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let id = new_request_id();
    // Filled in on the way: how a search was answered (graph, scan, …), and what its parts took.
    let unknown = tracing::field::Empty;
    let span = tracing::info_span!(
        "request", request_id = %id, plan = unknown, verify_us = unknown, decode_us = unknown,
        filter_us = unknown, search_us = unknown, fetch_us = unknown, encode_us = unknown
    );
    let host = host(request.headers()).to_owned();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let peer = request
        .extensions()
        .get::<Arrival>()
        .map(|arrival| arrival.peer.to_string());
    request.extensions_mut().insert(id.clone());
    async {
        let outcome = AssertUnwindSafe(next.run(request)).catch_unwind().await;
        let mut response = outcome
            .unwrap_or_else(|panic| Failure::panicked(&panic_text(panic.as_ref())).into_response());
        let mut problem = None;
        if let Some(failure) = response.extensions_mut().remove::<Failure>() {
            let action = response.extensions().get::<ActionName>().copied();
            let headers = std::mem::take(response.headers_mut());
            response = failure.render(&id, &host);
            // What the handler said beside its refusal, such as the size of a file of which a part was asked
            // for.
            for (name, value) in headers
                .iter()
                .filter(|(name, _)| *name != header::CONTENT_LENGTH)
            {
                response.headers_mut().insert(name, value.clone());
            }
            if let Some(action) = action {
                response.extensions_mut().insert(action);
            }
            problem = Some(failure);
        }
        let value = HeaderValue::from_str(id.as_str()).expect("a UUID is a valid header value");
        response.headers_mut().insert(REQUEST_ID_HEADER, value);
        log(&Line {
            method: method.as_str(),
            path: &path,
            peer: peer.as_deref(),
            started,
            response: &response,
            problem: problem.as_ref(),
        });
        response
    }
    .instrument(span)
    .await
}

/// Writes down in the request's log line what a part of it took.
pub fn record_us(part: &'static str, since: Instant) {
    let us = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::Span::current().record(part, us);
}

/// The host that the client asked, without trusting it for anything but being told back.
pub fn host(headers: &HeaderMap) -> &str {
    headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

struct Line<'a> {
    method: &'a str,
    path: &'a str,
    peer: Option<&'a str>,
    started: Instant,
    response: &'a Response<Body>,
    problem: Option<&'a Failure>,
}

fn log(line: &Line<'_>) {
    let status = line.response.status().as_u16();
    let elapsed_us = u64::try_from(line.started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let action = line
        .response
        .extensions()
        .get::<ActionName>()
        .map(|action| action.0);
    let (method, path, peer) = (line.method, line.path, line.peer);
    match line.problem {
        // Probes come every few seconds and say nothing.
        None if path.starts_with("/_lookalike/") => {
            tracing::debug!(method, path, peer, status, elapsed_us, "answered");
        }
        None => tracing::info!(method, path, action, peer, status, elapsed_us, "answered"),
        Some(failure) if failure.is_ours() => {
            tracing::error!(
                method,
                path,
                action,
                peer,
                status,
                elapsed_us,
                code = failure.code(),
                error = failure.details(),
                "failed"
            );
        }
        Some(failure) => {
            tracing::info!(
                method,
                path,
                action,
                peer,
                status,
                elapsed_us,
                code = failure.code(),
                reason = failure.details(),
                "refused"
            );
        }
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}
