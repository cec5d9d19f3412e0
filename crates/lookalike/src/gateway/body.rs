//! Reading request bodies within a size and a time.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use lookalike_wire::{ApiError, ErrorCode};
use tokio::time::timeout;

/// What a body may cost.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    pub max_bytes: u64,
    /// Longest wait for the next byte.
    pub idle: Duration,
}

/// Why a body was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is longer than {max_bytes} bytes")]
    TooLarge { max_bytes: u64 },
    #[error("no byte of the body came for {} s", idle.as_secs())]
    Idle { idle: Duration },
    #[error("the body ended early or is not well-formed")]
    Broken(#[source] axum::Error),
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match &error {
            BodyError::TooLarge { max_bytes } => ApiError::new(ErrorCode::RequestEntityTooLarge)
                .with_detail(&format!(
                    "At most {max_bytes} bytes are taken (setting max-body-bytes)."
                )),
            BodyError::Idle { .. } => ApiError::new(ErrorCode::RequestTimeout)
                .with_detail("(setting body-timeout-seconds)"),
            BodyError::Broken(_) => ApiError::new(ErrorCode::InvalidParameter)
                .with_message("The request body ended early or is not well-formed."),
        }
    }
}

/// A body read piece by piece within its limits.
pub struct BodyReader {
    body: Body,
    limits: BodyLimits,
    read: u64,
}

impl BodyReader {
    pub fn new(body: Body, limits: BodyLimits) -> Self {
        Self {
            body,
            limits,
            read: 0,
        }
    }

    /// The next piece, or none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        let max_bytes = self.limits.max_bytes;
        // What the client announces is refused before it is sent.
        if self.read == 0 && self.body.size_hint().lower() > max_bytes {
            return Err(BodyError::TooLarge { max_bytes });
        }
        loop {
            let frame = timeout(self.limits.idle, self.body.frame())
                .await
                .map_err(|_| BodyError::Idle {
                    idle: self.limits.idle,
                })?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            // Trailers are no part of the body.
            let Ok(data) = frame.map_err(BodyError::Broken)?.into_data() else {
                continue;
            };
            self.read += data.len() as u64;
            if self.read > max_bytes {
                return Err(BodyError::TooLarge { max_bytes });
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// All that is left. One piece, the usual case, is not copied.
    pub async fn rest(mut self) -> Result<Bytes, BodyError> {
        let Some(first) = self.next().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next().await? else {
            return Ok(first);
        };
        let mut all = BytesMut::from(first);
        all.extend_from_slice(&second);
        while let Some(piece) = self.next().await? {
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}
