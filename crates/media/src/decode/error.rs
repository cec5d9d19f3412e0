//! Why a picture was refused.

use std::error::Error;
use std::io::ErrorKind;

use image::ImageError;
use image::error::UnsupportedErrorKind;
use thiserror::Error;

use crate::display::show;
use crate::{ImageFormat, ImageLimits};

/// Why a picture was refused. The text is meant for the person who sent it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// None of the signatures that are read.
    #[error(
        "not a picture that can be read (BMP, GIF, JPEG, PNG, TIFF, WebP): the content looks like {looks_like}"
    )]
    NotAPicture {
        /// A guess from the first bytes.
        looks_like: &'static str,
    },
    /// [`crate::ImageLimits::max_bytes`].
    #[error("the picture's file has {bytes} bytes, more than max_bytes = {limit}")]
    TooManyBytes {
        /// Size of the file.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// [`crate::ImageLimits::max_pixels`].
    #[error("the picture has {width}x{height} pixels, more in all than max_pixels = {limit}")]
    TooManyPixels {
        /// Columns by the header.
        width: u32,
        /// Rows by the header.
        height: u32,
        /// The limit.
        limit: u64,
    },
    /// [`crate::ImageLimits::max_side`].
    #[error("the picture has {width}x{height} pixels, a side longer than max_side = {limit}")]
    SideTooLong {
        /// Columns by the header.
        width: u32,
        /// Rows by the header.
        height: u32,
        /// The limit.
        limit: u32,
    },
    /// [`crate::ImageLimits::max_decoded_bytes`].
    #[error("decoding the picture takes {bytes} bytes, more than max_decoded_bytes = {limit}")]
    TooMuchMemory {
        /// Bytes of the picture in its own sample layout.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// [`crate::ImageLimits::max_scans`].
    #[error("the JPEG has more scans than max_scans = {limit}")]
    TooManyScans {
        /// The limit.
        limit: u32,
    },
    /// [`crate::ImageLimits::max_decoder_bytes`].
    #[error("decoding the {format} takes more than max_decoder_bytes = {limit} beside the picture")]
    DecoderLimit {
        /// What it is.
        format: ImageFormat,
        /// The limit.
        limit: u64,
    },
    /// The data ends before the picture does.
    #[error("the {format} is cut short: {reason}")]
    CutShort {
        /// What it is.
        format: ImageFormat,
        /// Where it ends.
        reason: String,
    },
    /// The data breaks the format's rules.
    #[error("the {format} is corrupt: {reason}")]
    Corrupt {
        /// What it is.
        format: ImageFormat,
        /// Which rule.
        reason: String,
    },
    /// Well-formed perhaps, but a kind that is not read.
    #[error("this kind of {format} is not supported: {reason}")]
    Unsupported {
        /// What it is.
        format: ImageFormat,
        /// Which kind.
        reason: String,
    },
    /// A decoder library failed on it in a way it should not.
    #[error("the {format} decoder failed on this file: {reason}")]
    DecoderPanicked {
        /// What it is.
        format: ImageFormat,
        /// The panic's message.
        reason: String,
    },
}

impl DecodeError {
    pub(super) fn from_library(
        format: ImageFormat,
        error: &ImageError,
        limits: &ImageLimits,
    ) -> Self {
        let reason = reason_of(error);
        match error {
            ImageError::Unsupported(_) => Self::Unsupported { format, reason },
            ImageError::Limits(_) => Self::DecoderLimit {
                format,
                limit: limits.max_decoder_bytes,
            },
            ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
                Self::CutShort {
                    format,
                    reason: "more data was expected".to_owned(),
                }
            }
            ImageError::Decoding(_)
            | ImageError::Encoding(_)
            | ImageError::Parameter(_)
            | ImageError::IoError(_) => Self::Corrupt { format, reason },
        }
    }
}

/// What the decoder itself said, without the sentence that names the format again.
fn reason_of(error: &ImageError) -> String {
    match error {
        ImageError::Decoding(decoding) => match decoding.source() {
            Some(cause) => show(cause.to_string()),
            None => show(decoding.to_string()),
        },
        ImageError::Unsupported(unsupported) => {
            if let UnsupportedErrorKind::GenericFeature(feature) = unsupported.kind() {
                return show(feature);
            }
            show(error.to_string())
        }
        ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Limits(_)
        | ImageError::IoError(_) => show(error.to_string()),
    }
}
