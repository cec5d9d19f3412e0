//! What can be wrong with a vector or a query, as facts with their values.

use crate::{MAX_DIMENSION, MAX_K, MAX_NORM, MIN_DIRECTION_NORM};

/// Why an index refused a vector or a query. Nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum IndexError {
    #[error("an index needs 1 to {MAX_DIMENSION} dimensions, not {0}")]
    Dimension(usize),
    #[error("the vector has {found} dimensions, the index has {expected}")]
    Length { expected: usize, found: usize },
    #[error("the vector's element {position} is {value}, not a finite number")]
    NotFinite { position: usize, value: f32 },
    #[error("the vector's norm is {norm:e}; cosine needs at least {MIN_DIRECTION_NORM:e}")]
    NoDirection { norm: f64 },
    #[error("the vector's norm is {norm:e}, above the limit of {MAX_NORM:e}")]
    TooLong { norm: f64 },
    #[error("a query may ask for 1 to {MAX_K} hits, not {0}")]
    HitCount(usize),
}

/// Why an index could not be read from its folder or written to it. Searches need
/// neither: the engine can always insert the vectors again.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("the index was made with {what} {found}, and {wanted} is wanted")]
    Mismatch {
        what: &'static str,
        found: u32,
        wanted: u32,
    },
    #[error("the index is damaged: {0}")]
    Damaged(&'static str),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}
