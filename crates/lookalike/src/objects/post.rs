//! The `PostObject` form: how the SDKs upload a local file (contract, wire rules 6.1 to 6.3).

use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use jiff::Timestamp;
use lookalike_engine::{EngineError, ObjectKey};
use lookalike_wire::object::post_form::{self, PostForm};
use lookalike_wire::object::xml::{self, PostResponse};
use lookalike_wire::object::{ObjectError, ObjectErrorCode, policy};

use crate::app::App;
use crate::error::Failure;
use crate::gateway::address::HostPort;
use crate::gateway::body::{BodyError, BodyLimits, BodyReader};
use crate::gateway::dispatch::{arrival, client_address, header_text};

/// What the form's other fields and its delimiters may take.
const FORM_OVERHEAD_BYTES: u64 = 128 * 1024;
/// Piece in which a file is handed to the store.
const PIECE_BYTES: usize = 1 << 20;

pub async fn receive(app: &App, parts: &Parts, body: Body) -> Result<Response<Body>, Failure> {
    let limits = BodyLimits {
        max_bytes: app.limits.max_document_bytes.0 + FORM_OVERHEAD_BYTES,
        idle: app.body_timeout(),
    };
    let body = BodyReader::new(body, limits)
        .rest()
        .await
        .map_err(|error| refused(&error))?;
    let content_type = header_text(parts, "content-type").unwrap_or_default();
    let form = post_form::parse(content_type, &body).map_err(ObjectError::from)?;
    let bucket = bucket(app, parts);
    policy::authorize(&form, &bucket, app.links.credentials(), Timestamp::now())?;
    let key = form.get("key").ok_or_else(|| {
        ObjectError::new(
            ObjectErrorCode::AccessDenied,
            "The form field \"key\" is missing.",
        )
    })?;

    let stored_key =
        ObjectKey::new(key).map_err(|error| Failure::of_object(EngineError::from(error)))?;
    let mut upload = app
        .engine
        .begin_upload(&stored_key)
        .await
        .map_err(Failure::of_object)?;
    let mut file = body.slice(form.file.range.clone());
    while !file.is_empty() {
        let piece = file.split_to(file.len().min(PIECE_BYTES));
        upload.write(piece).await.map_err(Failure::of_object)?;
    }
    let stored = upload.finish().await.map_err(Failure::of_object)?;
    let etag = format!("\"{}\"", hex::encode_upper(stored.md5));
    Ok(created(parts, &form, &bucket, key, &etag))
}

/// 201 with XML, also for the statuses 200 and 204 that the store would answer with an empty body: the Python
/// SDKs fail on one.
fn created(
    parts: &Parts,
    form: &PostForm<'_>,
    bucket: &str,
    key: &str,
    etag: &str,
) -> Response<Body> {
    let host = client_address(parts)
        .map(|address| address.to_string())
        .unwrap_or_default();
    let location = format!("http://{host}/{key}");
    let status = match form.get("success_action_status") {
        Some("200") => StatusCode::OK,
        Some(_) | None => StatusCode::CREATED,
    };
    let xml = PostResponse {
        bucket,
        location: &location,
        key,
        etag,
    }
    .to_xml();
    let mut response = (
        status,
        [(
            header::CONTENT_TYPE,
            HeaderValue::from_static(xml::CONTENT_TYPE),
        )],
        xml,
    )
        .into_response();
    if let Ok(etag) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// The bucket that the form was posted to: the first part of the host, the same as `AuthorizeFileUpload`
/// handed out.
fn bucket(app: &App, parts: &Parts) -> String {
    let public = app.public_url.as_ref().and_then(HostPort::of);
    let address = public.or_else(|| client_address(parts));
    address
        .and_then(|address| address.split(arrival(parts)).ok())
        .map(|address| address.bucket)
        .unwrap_or_default()
}

fn refused(error: &BodyError) -> ObjectError {
    match error {
        BodyError::TooLarge { max_bytes } => {
            let max_bytes = max_bytes - FORM_OVERHEAD_BYTES;
            ObjectError::new(
                ObjectErrorCode::EntityTooLarge,
                format!(
                    "Your proposed upload exceeds the maximum allowed size of {max_bytes} bytes (setting max-document-bytes)."
                ),
            )
        }
        BodyError::Idle { .. } => ObjectError::new(
            ObjectErrorCode::RequestTimeout,
            format!("{error} (setting body-timeout-seconds)."),
        ),
        BodyError::Broken(_) => ObjectError::new(
            ObjectErrorCode::MalformedPostRequest,
            "The body of your POST request ended early.",
        ),
    }
}
