//! The object store's side of a local-file upload, and signed links to objects.
//!
//! The SDKs post a local file as a form under a policy that `AuthorizeFileUpload`
//! handed out ([`policy`], [`post_form`]), and read an XML reply ([`xml`]).
//! Results link to stored objects by URLs that carry their own proof
//! ([`presign`]). The server's `objects/` handlers call this.
//!
//! Invariant: a refusal here is an [`ObjectError`], sent as XML; the RPC side's
//! codes are another table.

pub mod policy;
pub mod post_form;
pub mod presign;
pub mod xml;

macro_rules! codes {
    ($( $variant:ident = $code:literal, $status:literal; )*) => {
        /// A code of the object store, with its documented status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ObjectErrorCode { $( $variant, )* }

        impl ObjectErrorCode {
            /// The code as it stands in the XML.
            pub const fn as_str(self) -> &'static str {
                match self { $( ObjectErrorCode::$variant => $code, )* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $( ObjectErrorCode::$variant => $status, )* }
            }
        }
    };
}

codes! {
    AccessDenied = "AccessDenied", 403;
    InvalidAccessKeyId = "InvalidAccessKeyId", 403;
    SignatureDoesNotMatch = "SignatureDoesNotMatch", 403;
    InvalidPolicyDocument = "InvalidPolicyDocument", 400;
    InvalidArgument = "InvalidArgument", 400;
    MalformedPostRequest = "MalformedPOSTRequest", 400;
    IncorrectNumberOfFiles = "IncorrectNumberOfFilesInPOSTRequest", 400;
    RequestTimeout = "RequestTimeout", 400;
    EntityTooLarge = "EntityTooLarge", 400;
    EntityTooSmall = "EntityTooSmall", 400;
    NoSuchBucket = "NoSuchBucket", 404;
    NoSuchKey = "NoSuchKey", 404;
    MethodNotAllowed = "MethodNotAllowed", 405;
    InvalidRange = "InvalidRange", 416;
    InternalError = "InternalError", 500;
    ServiceUnavailable = "ServiceUnavailable", 503;
}

/// A refusal of the object store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct ObjectError {
    pub code: ObjectErrorCode,
    pub message: String,
}

impl ObjectError {
    pub fn new(code: ObjectErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub fn status(&self) -> u16 {
        self.code.status()
    }
}
