//! The contract that every encoder keeps, and the data that crosses it.
//!
//! [`crate::Models`] owns the encoders and reaches them through the batcher only, which brings the threads.
//!
//! Invariants: vectors have [`EncoderInfo::dimension`] values and unit length, and are the same bits whatever else is
//! in the batch and however many threads work on it.

use lookalike_kernels::{Machine, Precision};
use lookalike_media::Pixels;

use crate::catalogue::ModelKind;
use crate::error::EmbedError;

/// Turns pictures and texts into vectors of one common space.
pub trait Encoder: Send + Sync {
    /// What this encoder is.
    fn info(&self) -> &EncoderInfo;

    /// What it embeds. A text encoder overrides this and nothing of what has a default below.
    fn kind(&self) -> ModelKind {
        ModelKind::Image
    }

    /// The short side, in pixels, that [`Self::prepare`] resizes pictures to; `None` where it wants all of them.
    fn short_edge(&self) -> Option<u32> {
        None
    }

    /// Crops and resizes a picture to what [`Self::embed_images`] takes. Runs on the caller's thread. A text encoder has no
    /// use for one: what it gives has no pixels and is refused by [`Self::embed_images`].
    fn prepare(&self, _: &Pixels) -> PreparedImage {
        PreparedImage::EMPTY
    }

    /// One unit vector a picture, in order, on the threads of `machine`.
    ///
    /// # Errors
    /// [`EmbedError::WrongInput`] for a picture that another encoder prepared, [`EmbedError::TextOnly`] for any picture if this is
    /// a text encoder, [`EmbedError::Model`] otherwise.
    fn embed_images(&self, _: &Machine, _: &[PreparedImage]) -> Result<Vec<Vec<f32>>, EmbedError> {
        Err(EmbedError::TextOnly)
    }

    /// One unit vector a text, in order, on the threads of `machine`. Text that is too long for the model is cut, not refused.
    ///
    /// # Errors
    /// [`EmbedError::Tokenize`] or [`EmbedError::Model`]; no text is an error by its content.
    fn embed_texts(
        &self,
        machine: &Machine,
        texts: &[&str],
    ) -> Result<Vec<TextEmbedding>, EmbedError>;

    /// A short text on the calling thread, for an encoder that takes microseconds for it: handing it to another thread would
    /// take longer. `None` for the others.
    fn text_at_once(&self, _: &str) -> Option<Result<TextEmbedding, EmbedError>> {
        None
    }
}

/// Identity of an encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderInfo {
    /// What a person sees, for example `builtin-imagenet-words` or `clip-vit (/models/b32)`.
    pub name: String,
    /// Lower-case hex sha256 over weights, configuration, tokenizer, precision and the version of the preprocessing. Vectors of
    /// two fingerprints must never meet in one collection.
    pub fingerprint: String,
    /// Length of its own vectors, before any lift.
    pub dimension: u32,
    /// The numbers it computes with.
    pub precision: Precision,
}

/// A picture cropped and resized for one encoder: a square of RGB bytes, row by row.
///
/// Bytes rather than normalised floats: a queue of waiting pictures then takes a quarter of the memory, and the
/// normalisation costs nothing beside the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreparedImage {
    pub(crate) side: u32,
    pub(crate) rgb: Vec<u8>,
}

impl PreparedImage {
    /// What a text encoder makes of any picture.
    const EMPTY: Self = Self {
        side: 0,
        rgb: Vec::new(),
    };

    /// # Panics
    /// When `pixels` is not a square of `side` pixels: each encoder passes its own side.
    pub(crate) fn new(side: u32, pixels: Pixels) -> Self {
        assert_eq!(
            (pixels.width, pixels.height),
            (side, side),
            "preprocessing returns the square it was asked for"
        );
        Self {
            side,
            rgb: pixels.rgb,
        }
    }

    pub(crate) fn expect_side(&self, expected: u32) -> Result<(), EmbedError> {
        if self.side == expected {
            Ok(())
        } else {
            Err(EmbedError::WrongInput {
                expected,
                found: self.side,
            })
        }
    }
}

/// A text's vector and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct TextEmbedding {
    /// Unit length.
    pub vector: Vec<f32>,
    /// Tokens that the model read, after cutting.
    pub tokens: u32,
}
