//! The table of error codes and the JSON body of a failed call.
//!
//! SDKs switch on code, status and body shape, so these three are contract and
//! live in one table. Every refusal of the gateway, of this crate and of the
//! action handlers becomes an [`ApiError`]; jobs store the same codes.
//!
//! Invariant: a status is 400 or above, and a code that says "absent" ends in
//! `.NotFound` with status 404: clients create what a 404 says is missing, so
//! nothing else about credentials inside an instance may be 404 (semantics.md,
//! "What real clients depend on", 1).

use serde::Serialize;

use crate::action::Evidence;

macro_rules! codes {
    ($( $(#[$meta:meta])* $variant:ident = $code:literal, $status:literal, $evidence:ident, $text:literal; )*) => {
        /// A code of the table, see [`ErrorCode::ALL`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $( $(#[$meta])* $variant, )* }

        impl ErrorCode {
            /// The whole table, in the order of the source.
            pub const ALL: &'static [ErrorCode] = &[ $( ErrorCode::$variant, )* ];

            /// The code as it stands in the reply.
            pub const fn as_str(self) -> &'static str {
                match self { $( ErrorCode::$variant => $code, )* }
            }

            /// The HTTP status that goes with it.
            pub const fn status(self) -> u16 {
                match self { $( ErrorCode::$variant => $status, )* }
            }

            /// The text when nothing more is known.
            pub const fn text(self) -> &'static str {
                match self { $( ErrorCode::$variant => $text, )* }
            }

            /// How we know the code and its status.
            pub const fn evidence(self) -> Evidence {
                match self { $( ErrorCode::$variant => Evidence::$evidence, )* }
            }
        }
    };
}

// `Docs`: code and status are the vendor's (semantics.md "Errors" and the lists it cites).
// `Sdk`: the code is one that published clients test for; the status is our choice.
// `Ours`: semantics.md "Unknown: decide and document", or a refusal of our own gateway.
codes! {
    // The gateway.
    MissingParameter = "MissingParameter", 400, Docs, "An input parameter that is mandatory for processing this request is not supplied.";
    InvalidParameter = "InvalidParameter", 400, Docs, "A specified parameter is not valid.";
    InvalidActionNotFound = "InvalidAction.NotFound", 404, Docs, "Specified api is not found, please check your url and method.";
    NoSuchVersion = "NoSuchVersion", 400, Docs, "The specified API version does not exist.";
    UnsupportedOperation = "UnsupportedOperation", 400, Docs, "The specified operation is not supported.";
    UnsupportedHttpMethod = "UnsupportedHTTPMethod", 403, Docs, "This http method is not supported.";
    /// The body is over the gateway's limit.
    RequestEntityTooLarge = "RequestEntityTooLarge", 413, Ours, "The request body is too large.";
    /// The client stopped sending before the end of the body.
    RequestTimeout = "RequestTimeout", 408, Ours, "The rest of the request did not come in time.";
    /// The request line is over the gateway's limit.
    RequestUriTooLong = "RequestURITooLong", 414, Ours, "The request URI is too long.";
    Throttling = "Throttling", 400, Docs, "Request was denied due to request throttling.";
    ThrottlingUser = "Throttling.User", 400, Docs, "Request was denied due to user flow control.";
    ForbiddenRam = "Forbidden.RAM", 403, Docs, "User not authorized to operate on the specified resource, or this API doesn't support RAM.";
    InternalError = "InternalError", 500, Docs, "The request processing has failed due to some unknown error.";
    ServiceUnavailable = "ServiceUnavailable", 503, Docs, "The request has failed due to a temporary failure of the server.";

    // Who asks.
    InvalidAccessKeyIdNotFound = "InvalidAccessKeyId.NotFound", 404, Docs, "Specified access key is not found.";
    SignatureDoesNotMatch = "SignatureDoesNotMatch", 400, Docs, "Specified signature is not matched with our calculation.";
    IncompleteSignature = "IncompleteSignature", 400, Docs, "The request signature does not conform to Aliyun standards.";
    IllegalTimestamp = "IllegalTimestamp", 400, Docs, "The time stamp of the request is malformed or too far from the server's time.";
    SignatureNonceUsed = "SignatureNonceUsed", 400, Docs, "Specified signature nonce was used already.";
    MissingSecurityToken = "MissingSecurityToken", 400, Docs, "SecurityToken is mandatory for this action.";
    InvalidSecurityTokenMalformed = "InvalidSecurityToken.Malformed", 400, Docs, "Specified SecurityToken is malformed.";
    InvalidSecurityTokenMismatch = "InvalidSecurityToken.MismatchWithAccessKey", 400, Docs, "Specified SecurityToken mismatch with the AccessKey.";
    InvalidSecurityTokenExpired = "InvalidSecurityToken.Expired", 400, Docs, "Specified SecurityToken is expired.";
    InvalidBearerToken = "InvalidBearerToken", 400, Ours, "Specified bearer token is unknown or expired.";

    // Instances and accounts.
    InvalidDbInstanceIdNotFound = "InvalidDBInstanceId.NotFound", 404, Ours, "The specified instance is not found.";
    InstanceNotSupportVector = "Instance.NotSupportVector", 400, Sdk, "The instance has no vector database yet, please call InitVectorDatabase first.";
    AccountOrPasswordVerificationError = "AccountOrPassword.VerificationError", 500, Docs, "verification account name or password failed, please check.";
    InvalidAccountNotFound = "Abs.InvalidAccount.NotFound", 404, Docs, "The account is invalid or is not found.";
    InvalidAccountNameDuplicate = "InvalidAccountName.Duplicate", 400, Ours, "The account name already exists.";

    // Namespaces, collections, documents, jobs.
    NamespaceNotFound = "Namespace.NotFound", 404, Ours, "The namespace is not existed, please check if the namespace name is corrected.";
    NamespacePasswordInvalid = "Namespace.PasswordInvalid", 403, Sdk, "The namespace password is invalid, please check.";
    CollectionNotFound = "Collection.NotFound", 404, Docs, "The vector collection is not existed, please check if the collection name is corrected.";
    CollectionAlreadyExists = "Collection.AlreadyExists", 409, Sdk, "The vector collection already exists.";
    IndexNotFound = "Index.NotFound", 404, Ours, "The vector index is not existed.";
    IndexAlreadyExists = "Index.AlreadyExists", 409, Ours, "The vector index already exists.";
    FileNotFound = "File.NotFound", 404, Docs, "The file name is not exist in database, please check the filename is corrected or not.";
    JobNotFound = "Job.NotFound", 404, Ours, "The job is not existed, please check the job id.";
}

/// A failed call, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: String,
    /// The parameter at fault, when there is one.
    pub field: Option<String>,
    /// How long the client should wait, in milliseconds; see [`ApiError::headers`].
    pub retry_after_ms: Option<u32>,
}

impl ApiError {
    /// `code` with the text of the table.
    pub fn new(code: ErrorCode) -> Self {
        Self {
            code,
            message: code.text().to_owned(),
            field: None,
            retry_after_ms: None,
        }
    }

    /// A required parameter is absent.
    pub fn missing(field: &str) -> Self {
        Self {
            message: format!(
                "The input parameter \"{field}\" that is mandatory for processing this request is not supplied."
            ),
            field: Some(field.to_owned()),
            ..Self::new(ErrorCode::MissingParameter)
        }
    }

    /// A parameter is present but wrong; `reason` says what would be right.
    pub fn invalid(field: &str, reason: &str) -> Self {
        Self {
            message: format!("The specified parameter \"{field}\" is not valid: {reason}."),
            field: Some(field.to_owned()),
            ..Self::new(ErrorCode::InvalidParameter)
        }
    }

    /// The vendor has the action, this server does not yet.
    pub fn not_yet(action: &str) -> Self {
        Self::new(ErrorCode::UnsupportedOperation)
            .with_detail(&format!("{action} is not supported here yet."))
    }

    /// Too many requests: the client may come again after `retry_after_ms`.
    pub fn throttled(code: ErrorCode, retry_after_ms: u32) -> Self {
        Self {
            retry_after_ms: Some(retry_after_ms),
            ..Self::new(code)
        }
    }

    /// Appends a sentence to the text.
    #[must_use]
    pub fn with_detail(mut self, detail: &str) -> Self {
        self.message.push(' ');
        self.message.push_str(detail);
        self
    }

    /// Replaces the text of the table.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    pub fn status(&self) -> u16 {
        self.code.status()
    }

    /// Headers beside the body. The newer SDKs raise their throttling error on
    /// `x-acs-retry-after`, a positive integer in milliseconds (wire.md 5).
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        self.retry_after_ms
            .map(|ms| ("x-acs-retry-after", ms.max(1).to_string()))
            .into_iter()
            .collect()
    }

    /// The JSON body. `host_id` is the host that the client asked.
    pub fn body<'a>(&'a self, request_id: &'a str, host_id: &'a str) -> ErrorBody<'a> {
        let code = self.code.as_str();
        ErrorBody {
            request_id,
            host_id,
            code,
            message: &self.message,
            recommend: format!(
                "https://api.aliyun.com/troubleshoot?q={code}&product=gpdb&requestId={request_id}"
            ),
        }
    }
}

/// `{RequestId, HostId, Code, Message, Recommend}`, all strings (wire.md 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ErrorBody<'a> {
    request_id: &'a str,
    host_id: &'a str,
    code: &'a str,
    message: &'a str,
    recommend: String,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let names: HashSet<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), ErrorCode::ALL.len());
        assert!(
            ErrorCode::ALL
                .iter()
                .all(|code| (400..600).contains(&code.status()))
        );
    }

    #[test]
    fn not_found_and_404_go_together() {
        for code in ErrorCode::ALL {
            assert_eq!(
                code.as_str().ends_with(".NotFound"),
                code.status() == 404,
                "{code:?}"
            );
        }
    }

    #[test]
    fn the_body_has_the_five_fields_in_order() {
        let error = ApiError::missing("Collection");
        let json = serde_json::to_string(&error.body("R-1", "127.0.0.1:8443")).unwrap();
        assert_eq!(
            json,
            concat!(
                r#"{"RequestId":"R-1","HostId":"127.0.0.1:8443","Code":"MissingParameter","#,
                r#""Message":"The input parameter \"Collection\" that is mandatory for processing this request is not supplied.","#,
                r#""Recommend":"https://api.aliyun.com/troubleshoot?q=MissingParameter&product=gpdb&requestId=R-1"}"#
            )
        );
    }

    #[test]
    fn throttling_sends_a_positive_wait() {
        let error = ApiError::throttled(ErrorCode::ThrottlingUser, 0);
        assert_eq!(error.headers(), [("x-acs-retry-after", "1".to_owned())]);
        assert!(error.code.as_str().contains("Throttling"));
        assert!(ApiError::new(ErrorCode::InternalError).headers().is_empty());
    }

    #[test]
    fn an_invalid_field_is_named_with_the_reason() {
        let error = ApiError::invalid("TopK", "it must be 1 to 1000");
        assert_eq!(error.field.as_deref(), Some("TopK"));
        assert_eq!(
            error.to_string(),
            "InvalidParameter: The specified parameter \"TopK\" is not valid: it must be 1 to 1000."
        );
    }
}
