//! From a connection to a routed request, and from a value or an error to bytes.

pub mod address;
pub mod authority;
pub mod body;
pub mod dispatch;
pub mod keys;
pub mod listener;
mod probe;
pub mod refusal;
pub mod reply;
pub mod request;

use axum::Router;
use axum::body::Body;
use axum::middleware;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use http::Response;
use lookalike_wire::{ApiError, ErrorCode};

use crate::app::App;
use crate::error::Failure;
use crate::objects;

/// Every route of the server.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/", any(dispatch::root))
        .route("/objects/{*key}", any(objects::get::serve))
        .route("/uploads/{*key}", any(objects::get::serve))
        .route("/_lookalike/health", get(probe::health))
        .route("/_lookalike/ready", get(probe::ready))
        .route("/_lookalike/ca.pem", get(probe::certificate))
        .method_not_allowed_fallback(wrong_method)
        .fallback(nothing_here)
        .with_state(app);
    surrounded(routes)
}

/// Puts the outermost layer around routes: ids, log lines, errors and panics in the vendor's shape.
pub fn surrounded(routes: Router) -> Router {
    routes.layer(middleware::from_fn(request::surround))
}

async fn nothing_here() -> Response<Body> {
    Failure::from(ApiError::new(ErrorCode::InvalidActionNotFound)).into_response()
}

async fn wrong_method() -> Response<Body> {
    Failure::from(ApiError::new(ErrorCode::UnsupportedHttpMethod)).into_response()
}
