//! What an operator or a script asks: alive, ready, which certificate to trust.

use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use serde_json::json;

use super::reply;
use crate::app::App;
use crate::error::Failure;

/// The process answers.
pub async fn health() -> Response<Body> {
    reply::json(&json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
        .unwrap_or_else(Failure::into_response)
}

/// Models are loaded and every collection is in memory; 503 until then.
pub async fn ready(State(app): State<App>) -> Response<Body> {
    let ready = app.engine.is_ready();
    let mut response =
        reply::json(&json!({ "ready": ready })).unwrap_or_else(Failure::into_response);
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

/// The certificate authority's certificate.
pub async fn certificate(State(app): State<App>) -> Response<Body> {
    let kind = HeaderValue::from_static("application/x-pem-file");
    ([(header::CONTENT_TYPE, kind)], app.certificate_pem.clone()).into_response()
}
