//! Why a request is not believed, and which vendor code says so.

use crate::error::{ApiError, ErrorCode};

/// A refusal of the signature stage. Carries no computed signature and no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A parameter of RPC 1.0 is absent; `AccessKeyId` when there is no credential at all.
    #[error("\"{name}\" is required to authenticate the request")]
    MissingParameter { name: &'static str },
    #[error("{detail}")]
    Incomplete { detail: String },
    #[error("the access key is unknown")]
    UnknownAccessKey,
    #[error("x-acs-content-sha256 is not the hash of the body received")]
    BodyHash,
    #[error("the signature does not match")]
    Mismatch,
    #[error("the time stamp must look like 2026-01-31T23:59:59Z")]
    BadTimestamp,
    #[error("the time stamp is {seconds} s from the server's time, {max_seconds} s are allowed")]
    Skew { seconds: i64, max_seconds: i64 },
    #[error("the nonce was used before")]
    NonceUsed,
    #[error("the access key needs its security token")]
    MissingSecurityToken,
    #[error("the access key is not a temporary one and takes no security token")]
    UnexpectedSecurityToken,
    #[error("the security token is not the access key's")]
    WrongSecurityToken,
    #[error("the security token has expired")]
    ExpiredSecurityToken,
    #[error("the bearer token is unknown or expired")]
    UnknownBearerToken,
}

impl SignError {
    pub(super) fn incomplete(detail: impl Into<String>) -> Self {
        Self::Incomplete {
            detail: detail.into(),
        }
    }
}

impl From<SignError> for ApiError {
    fn from(error: SignError) -> Self {
        let detail = format!("({error})");
        let code = match error {
            SignError::MissingParameter { name } => return ApiError::missing(name),
            SignError::Incomplete { .. } => ErrorCode::IncompleteSignature,
            SignError::UnknownAccessKey => ErrorCode::InvalidAccessKeyIdNotFound,
            SignError::BodyHash => ErrorCode::SignatureDoesNotMatch,
            SignError::BadTimestamp | SignError::Skew { .. } => ErrorCode::IllegalTimestamp,
            // The table's own text says all there is to say.
            SignError::Mismatch => return ApiError::new(ErrorCode::SignatureDoesNotMatch),
            SignError::NonceUsed => return ApiError::new(ErrorCode::SignatureNonceUsed),
            SignError::MissingSecurityToken => ErrorCode::MissingSecurityToken,
            SignError::UnexpectedSecurityToken => ErrorCode::InvalidSecurityTokenMalformed,
            SignError::WrongSecurityToken => ErrorCode::InvalidSecurityTokenMismatch,
            SignError::ExpiredSecurityToken => ErrorCode::InvalidSecurityTokenExpired,
            SignError::UnknownBearerToken => ErrorCode::InvalidBearerToken,
        };
        ApiError::new(code).with_detail(&detail)
    }
}
