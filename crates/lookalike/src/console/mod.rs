//! Pages for a browser. Rendered here, without script, fonts or pictures from elsewhere: they work without
//! internet.

mod html;

use std::fmt::Write;

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Method, Response};
use lookalike_embed::ModelStatus;

use self::html::escape;
use crate::app::App;
use crate::gateway::dispatch::client_address;

const TEMPLATE: &str = include_str!("start.html");
/// Nothing may be loaded; the one style sheet is part of the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page at `/`: what this is, how it is doing, how to point an SDK at it.
pub fn start_page(app: &App, parts: &Parts) -> Response<Body> {
    let address = client_address(parts).map_or_else(
        || "127.0.0.1:8443".to_owned(),
        |address| address.to_string(),
    );
    let page = render(app, &address);
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    let length = page.len();
    let body = if parts.method == Method::HEAD {
        Body::empty()
    } else {
        Body::from(page)
    };
    let mut response = (headers, body).into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    response
}

fn render(app: &App, address: &str) -> String {
    let keys = &app.keys;
    let key_text = if keys.allow_unsigned() {
        "any, even none: signatures are not checked (<code>--allow-unsigned</code>)".to_owned()
    } else if keys.is_default() {
        "<code>lookalike</code> with the secret <code>lookalike</code>".to_owned()
    } else {
        keys.ids()
            .iter()
            .map(|id| format!("<code>{}</code>", escape(id)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let id = keys.ids().first().map_or("…", String::as_str);
    let secret = if keys.is_default() {
        "lookalike"
    } else {
        "…"
    };
    let replacements = [
        ("{{version}}", env!("CARGO_PKG_VERSION").to_owned()),
        (
            "{{state}}",
            if app.engine.is_ready() {
                "ready"
            } else {
                "loading collections"
            }
            .to_owned(),
        ),
        ("{{address}}", escape(address)),
        ("{{data}}", escape(&app.data)),
        ("{{keys}}", key_text),
        ("{{key_id}}", escape(id)),
        ("{{key_secret}}", secret.to_owned()),
        (
            "{{models}}",
            app.models.list().iter().map(model_row).collect(),
        ),
    ];
    replacements
        .iter()
        .fold(TEMPLATE.to_owned(), |page, (mark, text)| {
            page.replace(mark, text)
        })
}

fn model_row(status: &ModelStatus) -> String {
    let mut row = String::new();
    let dimensions = status
        .entry
        .dimensions
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let class = if status.stand_in { "stand-in" } else { "own" };
    let _ = write!(
        row,
        "<tr><td><code>{}</code></td><td>{dimensions}</td><td class=\"{class}\">{}</td></tr>",
        escape(&status.entry.name),
        escape(&status.label)
    );
    row
}
