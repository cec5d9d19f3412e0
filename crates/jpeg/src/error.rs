//! Why a picture was not decoded.

/// A picture that is left to a decoder that knows more, or forgives more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A sound JPEG, perhaps, but of a kind that is not decoded here.
    #[error("this kind of JPEG is not decoded here: {0}")]
    Unsupported(&'static str),
    /// Something is wrong with it.
    #[error("the JPEG is damaged: {0}")]
    Damaged(&'static str),
}
