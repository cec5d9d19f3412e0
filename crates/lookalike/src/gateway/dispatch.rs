//! One route for everything that SDKs send: path `/`, GET or POST.
//!
//! The order of steps is the order of trust: size, form, signature, action, fields. No field is believed
//! before the signature is.

use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::IntoResponse;
use http::request::Parts;
use http::{Method, Response};
use lookalike_wire::action::{self, Action};
use lookalike_wire::form::Parameters;
use lookalike_wire::sign::SignedRequest;
use lookalike_wire::{ApiError, ErrorCode};

use super::address::HostPort;
use super::body::{BodyLimits, BodyReader};
use super::listener::Arrival;
use super::request::{ActionName, RequestId, host, record_us};
use crate::actions::{self, Call};
use crate::app::App;
use crate::console;
use crate::error::Failure;
use crate::objects;

/// The handler of `/`.
pub async fn root(State(app): State<App>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    if wants_page(&parts) {
        return console::start_page(&app, &parts);
    }
    if is_object_post(&parts) {
        return objects::post::receive(&app, &parts, body)
            .await
            .unwrap_or_else(Failure::into_response);
    }
    let mut name = None;
    let outcome = call(&app, &parts, body, &mut name).await;
    let mut response = outcome.unwrap_or_else(Failure::into_response);
    if let Some(action) = name {
        response.extensions_mut().insert(ActionName(action.name()));
    }
    response
}

async fn call(
    app: &App,
    parts: &Parts,
    body: Body,
    name: &mut Option<Action>,
) -> Result<Response<Body>, Failure> {
    if parts.method != Method::GET && parts.method != Method::POST {
        return Err(ApiError::new(ErrorCode::UnsupportedHttpMethod).into());
    }
    let limits = BodyLimits {
        max_bytes: app.limits.max_body_bytes.0,
        idle: app.body_timeout(),
    };
    let body = BodyReader::new(body, limits)
        .rest()
        .await
        .map_err(ApiError::from)?;
    let started = Instant::now();
    let raw_query = parts.uri.query().unwrap_or_default();
    let parameters = Parameters::parse(raw_query, header_text(parts, "content-type"), &body)
        .map_err(ApiError::from)?;
    let action_name = header_text(parts, "x-acs-action").or_else(|| parameters.get("Action"));
    let version = header_text(parts, "x-acs-version").or_else(|| parameters.get("Version"));
    if action_name.is_none_or(str::is_empty) {
        return Err(ApiError::missing("Action").into());
    }
    let headers = all_headers(parts);
    let signed = SignedRequest {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        raw_query,
        headers: &headers,
        body: &body,
    };
    app.keys
        .check(&signed, &parameters)
        .map_err(ApiError::from)?;
    let action = action::resolve(action_name, version)?;
    *name = Some(action);
    record_us("verify_us", started);
    let call = Call::new(
        app,
        &parameters,
        request_id(parts),
        client_address(parts),
        arrival(parts),
    );
    actions::answer(action, &call).await
}

/// A browser that opens the address: GET, no action, and HTML is welcome.
fn wants_page(parts: &Parts) -> bool {
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let accepts_html =
        header_text(parts, "accept").is_some_and(|accept| accept.contains("text/html"));
    reads && accepts_html && !names_action(parts)
}

/// The object store's form: multipart, and no action named (contract, wire rule 2).
fn is_object_post(parts: &Parts) -> bool {
    let multipart = header_text(parts, "content-type").is_some_and(|kind| {
        let kind = kind.trim_start();
        kind.get(..19)
            .is_some_and(|start| start.eq_ignore_ascii_case("multipart/form-data"))
    });
    parts.method == Method::POST && multipart && !names_action(parts)
}

fn names_action(parts: &Parts) -> bool {
    let in_query = parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.starts_with("Action=")));
    parts.headers.contains_key("x-acs-action") || in_query
}

/// A header's text; none when it is absent or not ASCII.
pub fn header_text<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
}

fn all_headers(parts: &Parts) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    parts
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

/// How the request reached the server. Absent only where a test calls the router directly.
pub fn arrival(parts: &Parts) -> Option<Arrival> {
    parts.extensions.get::<Arrival>().copied()
}

/// The id that the outermost layer gave the request.
pub fn request_id(parts: &Parts) -> RequestId {
    parts
        .extensions
        .get::<RequestId>()
        .cloned()
        .expect("the outermost layer gives every request an id")
}

/// The address that the client used, with its port. A proxy's client names it in the request line.
pub fn client_address(parts: &Parts) -> Option<HostPort> {
    let arrival = arrival(parts);
    let encrypted = arrival.is_some_and(|arrival| arrival.encrypted);
    let named = parts.uri.authority().map(http::uri::Authority::as_str);
    let text = named.unwrap_or_else(|| host(&parts.headers));
    match HostPort::parse(text) {
        Ok(address) => Some(address.with_port(encrypted)),
        Err(_) => arrival.map(|arrival| HostPort::from(arrival.local)),
    }
}
