//! Vectors by key, and the nearest of them to a query.
//!
//! Called by the engine, which keeps the truth in its database: what lives
//! here can always be rebuilt. Nothing here panics on bad numbers: a vector of
//! the wrong length, one that is not finite, or one without a direction under
//! cosine is an [`IndexError`].

mod bitmap;
mod error;
mod exact;
mod metric;
mod topk;

pub use bitmap::Bitmap;
pub use error::IndexError;
pub use exact::VectorIndex;
pub use metric::Metric;

/// Most dimensions a vector may have, the database's own limit.
pub const MAX_DIMENSION: usize = 8192;

/// Most hits one query may ask for. The API stops at 1,000; an offset and a
/// rescoring factor come on top of that inside the engine.
pub const MAX_K: usize = 10_000;

/// Largest norm a vector may have: beyond it, sums of squares could leave the
/// range of `f32`.
pub const MAX_NORM: f64 = 1e18;

/// Smallest norm a vector needs for its direction to mean anything (cosine).
pub const MIN_DIRECTION_NORM: f64 = 1e-6;

/// One question to an index.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// As many finite numbers as the index has dimensions.
    pub vector: &'a [f32],
    /// How many hits, 1 to [`MAX_K`].
    pub k: usize,
    /// How to score; one that differs from the index's own is answered by an
    /// exact scan.
    pub metric: Metric,
    /// Only keys in this set may answer; `None` allows all.
    pub allowed: Option<&'a Bitmap>,
}

/// One answer: a key and its score as [`Metric`] defines it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    pub key: u64,
    pub score: f32,
}
