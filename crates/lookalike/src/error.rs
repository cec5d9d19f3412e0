//! From what went wrong to what the client is told.
//!
//! The one place where kinds of error become the vendor's codes: [`EngineError`] by an exhaustive match, the
//! wire's own errors by their table. A [`Failure`] travels in the response's extensions to the outermost
//! layer (`gateway::request`), which renders it with the request's id and logs it, once.

use std::error::Error;
use std::sync::Arc;

use axum::body::Body;
use axum::response::IntoResponse;
use http::Response;
use lookalike_engine::{Credential, EngineError, Subject};
use lookalike_wire::object::{ObjectError, ObjectErrorCode};
use lookalike_wire::{ApiError, ErrorCode};

use crate::gateway::reply;
use crate::gateway::request::RequestId;

/// How long a client that was turned away for lack of capacity should wait, in milliseconds.
const RETRY_AFTER_MS: u32 = 1_000;

/// A refused or failed request.
#[derive(Debug, Clone)]
pub struct Failure {
    shape: Shape,
    /// The cause, for the log and never for the client.
    source: Option<Arc<dyn Error + Send + Sync>>,
}

#[derive(Debug, Clone)]
enum Shape {
    Api(ApiError),
    Object(ObjectError),
}

impl Failure {
    /// A defect or an outage of ours.
    pub fn internal(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            shape: Shape::Api(ApiError::new(ErrorCode::InternalError)),
            source: Some(Arc::from(source.into())),
        }
    }

    /// A handler panicked.
    pub fn panicked(text: &str) -> Self {
        Self::internal(format!("panic: {text}"))
    }

    /// Whether the fault is the server's.
    pub fn is_ours(&self) -> bool {
        self.status() >= 500 && self.source.is_some()
    }

    pub fn code(&self) -> &str {
        match &self.shape {
            Shape::Api(error) => error.code.as_str(),
            Shape::Object(error) => error.code.as_str(),
        }
    }

    /// What the log says about it: the whole chain of causes, else what the client was told.
    pub fn details(&self) -> String {
        match (&self.source, &self.shape) {
            (Some(source), _) => chain(source.as_ref()),
            (None, Shape::Api(error)) => error.message.clone(),
            (None, Shape::Object(error)) => error.message.clone(),
        }
    }

    fn status(&self) -> u16 {
        match &self.shape {
            Shape::Api(error) => error.status(),
            Shape::Object(error) => error.status(),
        }
    }

    /// The answer: JSON for the API, XML for the object store.
    pub fn render(&self, id: &RequestId, host: &str) -> Response<Body> {
        match &self.shape {
            Shape::Api(error) => reply::api_error(error, id, host),
            Shape::Object(error) => reply::object_error(error, id, host),
        }
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Puts the failure where the outermost layer finds it; the answer itself is empty until then.
impl IntoResponse for Failure {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        Self {
            shape: Shape::Api(error),
            source: None,
        }
    }
}

impl From<ObjectError> for Failure {
    fn from(error: ObjectError) -> Self {
        Self {
            shape: Shape::Object(error),
            source: None,
        }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let shape = Shape::Api(api_error(&error));
        Self {
            shape,
            source: source(error),
        }
    }
}

impl Failure {
    /// An engine error on the object store's side.
    pub fn of_object(error: EngineError) -> Self {
        let shape = Shape::Object(object_error(&error));
        Self {
            shape,
            source: source(error),
        }
    }
}

/// The cause that is for the log only.
fn source(error: EngineError) -> Option<Arc<dyn Error + Send + Sync>> {
    match error {
        EngineError::Internal { source } => Some(Arc::from(source)),
        EngineError::NotFound { .. }
        | EngineError::AlreadyExists { .. }
        | EngineError::Invalid { .. }
        | EngineError::Denied { .. }
        | EngineError::Conflict { .. }
        | EngineError::TooLarge { .. }
        | EngineError::Overloaded { .. }
        | EngineError::Unavailable { .. } => None,
    }
}

/// Kind of engine error to code of the object store.
fn object_error(error: &EngineError) -> ObjectError {
    let (code, message) = match error {
        EngineError::NotFound { .. } => (
            ObjectErrorCode::NoSuchKey,
            "The specified key does not exist.".to_owned(),
        ),
        EngineError::TooLarge { reason } => (ObjectErrorCode::EntityTooLarge, sentence(reason)),
        EngineError::Overloaded { reason } | EngineError::Unavailable { reason } => {
            (ObjectErrorCode::ServiceUnavailable, sentence(reason))
        }
        EngineError::Denied { .. } => (ObjectErrorCode::AccessDenied, sentence(&error.to_string())),
        EngineError::AlreadyExists { .. }
        | EngineError::Invalid { .. }
        | EngineError::Conflict { .. } => (
            ObjectErrorCode::InvalidArgument,
            sentence(&error.to_string()),
        ),
        EngineError::Internal { .. } => (
            ObjectErrorCode::InternalError,
            "We encountered an internal error. Please try again.".to_owned(),
        ),
    };
    ObjectError::new(code, message)
}

/// Kind of engine error to code; semantics.md, "Errors" and rows 1 to 6 of "Unknown", says which.
pub fn api_error(error: &EngineError) -> ApiError {
    match error {
        EngineError::NotFound { what, name } => {
            ApiError::new(not_found(*what)).with_detail(&format!("Name: {name}"))
        }
        EngineError::AlreadyExists { what, name } => {
            ApiError::new(already_exists(*what)).with_detail(&format!("Name: {name}"))
        }
        EngineError::Invalid { field, reason } => ApiError::invalid(field, reason),
        EngineError::Denied {
            what: Credential::Manager,
        } => ApiError::new(ErrorCode::AccountOrPasswordVerificationError),
        EngineError::Denied {
            what: Credential::Namespace,
        } => ApiError::new(ErrorCode::NamespacePasswordInvalid),
        EngineError::Conflict { reason } | EngineError::TooLarge { reason } => {
            ApiError::new(ErrorCode::InvalidParameter).with_message(sentence(reason))
        }
        EngineError::Overloaded { reason } => {
            ApiError::throttled(ErrorCode::ThrottlingUser, RETRY_AFTER_MS)
                .with_detail(&sentence(reason))
        }
        EngineError::Unavailable { reason } => {
            ApiError::new(ErrorCode::ServiceUnavailable).with_detail(&sentence(reason))
        }
        EngineError::Internal { .. } => ApiError::new(ErrorCode::InternalError),
    }
}

fn not_found(what: Subject) -> ErrorCode {
    match what {
        Subject::Instance => ErrorCode::InvalidDbInstanceIdNotFound,
        Subject::Account => ErrorCode::InvalidAccountNotFound,
        Subject::Namespace => ErrorCode::NamespaceNotFound,
        Subject::Collection => ErrorCode::CollectionNotFound,
        Subject::File | Subject::Object => ErrorCode::FileNotFound,
        Subject::Job => ErrorCode::JobNotFound,
        Subject::Index => ErrorCode::IndexNotFound,
    }
}

/// Only a collection, an index or an account can be in the way of a new one; the rest is replaced or numbered by the
/// engine.
fn already_exists(what: Subject) -> ErrorCode {
    match what {
        Subject::Collection => ErrorCode::CollectionAlreadyExists,
        Subject::Index => ErrorCode::IndexAlreadyExists,
        Subject::Account => ErrorCode::InvalidAccountNameDuplicate,
        Subject::Instance | Subject::Namespace | Subject::File | Subject::Job | Subject::Object => {
            ErrorCode::InvalidParameter
        }
    }
}

/// A text that starts with a capital and ends with a full stop, as the table's texts do.
fn sentence(reason: &str) -> String {
    let mut characters = reason.chars();
    let mut text: String = characters
        .next()
        .map(char::to_uppercase)
        .into_iter()
        .flatten()
        .chain(characters)
        .collect();
    if !text.ends_with('.') {
        text.push('.');
    }
    text
}
