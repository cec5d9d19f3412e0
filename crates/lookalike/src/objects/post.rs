//! The `PostObject` form: how the SDKs upload a local file (contract, wire rules 6.1 to 6.3).
//!
//! Read as it arrives: the fields first, then the policy's verdict, then the file piece by piece into the
//! store. The invariant: a form that its policy does not allow costs no more than its fields, and a form that
//! ends badly leaves nothing.

use axum::body::Body;
use axum::response::IntoResponse;
use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::{Response, StatusCode};
use jiff::Timestamp;
use lookalike_engine::{EngineError, ObjectKey, StoredUpload, Upload};
use lookalike_wire::object::policy::{self, LengthRange};
use lookalike_wire::object::post_form::{Fields, FileTail, PostFormError, PostHead};
use lookalike_wire::object::xml::{self, PostResponse};
use lookalike_wire::object::{ObjectError, ObjectErrorCode};

use crate::app::App;
use crate::error::Failure;
use crate::gateway::address::HostPort;
use crate::gateway::body::{BodyError, BodyLimits, BodyReader};
use crate::gateway::dispatch::{arrival, client_address, header_text};

/// What the form's other fields and its delimiters may take; the SDKs need some two thousand bytes.
const FORM_OVERHEAD_BYTES: u64 = 128 * 1024;
/// New bytes after which the head of a form is looked at again. Bounds the work for a form that comes byte by
/// byte.
const LOOK_AGAIN_BYTES: usize = 1024;

/// Takes one form in.
pub async fn receive(app: &App, parts: &Parts, body: Body) -> Result<Response<Body>, Failure> {
    let limits = BodyLimits {
        max_bytes: app.limits.max_document_bytes.0 + FORM_OVERHEAD_BYTES,
        idle: app.body_timeout(),
    };
    let mut body = BodyReader::new(body, limits);
    let content_type = header_text(parts, "content-type").unwrap_or_default();
    let mut beginning = read_beginning(&mut body, content_type).await?;
    let fields_end = head(content_type, &beginning)?.file_start;
    let file = beginning.split_off(fields_end);
    let fields = head(content_type, &beginning)?.fields;

    let bucket = bucket(app, parts);
    let range =
        policy::authorize_fields(&fields, &bucket, app.links.credentials(), Timestamp::now())?;
    let missing_key = || {
        ObjectError::new(
            ObjectErrorCode::AccessDenied,
            "The form field \"key\" is missing.",
        )
    };
    let key = fields.get("key").ok_or_else(missing_key)?;
    let stored_key =
        ObjectKey::new(key).map_err(|error| Failure::of_object(EngineError::from(error)))?;
    let upload = app.engine.begin_upload(&stored_key);
    let tail = FileTail::new(content_type).map_err(ObjectError::from)?;
    let intake = Intake {
        upload,
        range,
        length: 0,
    };
    let stored = take_file(intake, tail, file, body).await?;
    // Unique for the content; an MD5 only behind PutObject (OSS, "Data verification").
    let etag = format!("\"{}\"", hex::encode_upper(&stored.id.as_bytes()[..16]));
    Ok(created(parts, &fields, &bucket, key, &etag))
}

/// A file on its way into the store, counted against its policy.
struct Intake {
    upload: Upload,
    range: LengthRange,
    length: u64,
}

impl Intake {
    async fn write(&mut self, bytes: Vec<u8>) -> Result<(), Failure> {
        self.length += bytes.len() as u64;
        if self.length > self.range.max {
            self.range.check(self.length)?;
        }
        self.upload
            .write(bytes.into())
            .await
            .map_err(Failure::of_object)
    }

    async fn finish(self) -> Result<StoredUpload, Failure> {
        self.range.check(self.length)?;
        self.upload.finish().await.map_err(Failure::of_object)
    }
}

/// Stores the file, whose `first` bytes are here already, and reads the form to its end.
async fn take_file(
    mut intake: Intake,
    mut tail: FileTail,
    first: Bytes,
    mut body: BodyReader,
) -> Result<StoredUpload, Failure> {
    let mut piece = Some(first);
    while let Some(bytes) = piece {
        intake.write(tail.push(&bytes)).await?;
        piece = body.next().await.map_err(|error| refused(&error))?;
    }
    intake
        .write(tail.finish().map_err(ObjectError::from)?)
        .await?;
    intake.finish().await
}

/// Collects the body until the file begins.
async fn read_beginning(body: &mut BodyReader, content_type: &str) -> Result<Bytes, Failure> {
    let mut beginning = BytesMut::new();
    let mut look_at = 0;
    loop {
        let piece = body.next().await.map_err(|error| refused(&error))?;
        let ended = piece.is_none();
        beginning.extend_from_slice(&piece.unwrap_or_default());
        if beginning.len() >= look_at || ended {
            look_at = beginning.len() + LOOK_AGAIN_BYTES;
            match PostHead::parse(content_type, &beginning) {
                Ok(_) => return Ok(beginning.freeze()),
                Err(error) if ended || beginning.len() as u64 > FORM_OVERHEAD_BYTES => {
                    return Err(malformed(error));
                }
                Err(_not_there_yet) => {}
            }
        }
    }
}

fn head<'a>(content_type: &str, beginning: &'a [u8]) -> Result<PostHead<'a>, Failure> {
    PostHead::parse(content_type, beginning).map_err(malformed)
}

fn malformed(error: PostFormError) -> Failure {
    ObjectError::from(error).into()
}

/// 201 with XML, also for the statuses 200 and 204 that the store would answer with an empty body: the Python
/// SDKs fail on one.
fn created(
    parts: &Parts,
    form: &Fields<'_>,
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
